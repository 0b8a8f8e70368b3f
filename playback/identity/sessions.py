"""Sessions of people at the page: a cookie whose secret is kept only as its SHA-256, shared by all processes of the API.

All sessions of one subject stand in one record, so that there are never more records than people, and ending them all is one write.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playback.identity.subject_values import subject_of_values, subject_values
from segments.access import Subject
from segments.clock import US_PER_S, Clock
from segments.errors import Conflict, KeepsightError, NotFound
from segments.ports import Records
from segments.record import Record, new_record

SESSIONS = "session"
"""The kind of record; its id is the start of the SHA-256 of the subject's id."""
MOST_SESSIONS = 16
"""Of one subject; one more ends the one that was used the longest ago."""
_TRIES = 8
_SECRET_BYTES = 32
_HANDLE_DIGITS = 32
_SEEN_PARTS = 10
"""When a session was used last is written in steps of a tenth of the idle time, not at each request."""

Values = dict[str, Any]
Now = Callable[[Subject], Awaitable[Subject | None]]
"""Says who a subject is now; None if it may not come in any more."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session lasts: unused, and at all."""

    idle_s: int = 1800
    lasts_s: int = 12 * 3600


class Sessions:
    """Begins, knows and ends sessions.

    `now_of` says by source (`user`, `oidc`) who a subject is now; for a source that is not in it, the subject stays who it was when the
    session began.
    """

    def __init__(
        self, records: Records, clock: Clock, limits: SessionLimits = SessionLimits(), now_of: Mapping[str, Now] | None = None
    ) -> None:
        self._records = records
        self._clock = clock
        self._limits = limits
        self._now_of = now_of or {}

    async def begin(self, subject: Subject, source: str, *, ends_us: int | None = None, foreign_id: str = "") -> str:
        """Begins a session and returns the value of its cookie, which is kept nowhere.

        It ends at `ends_us` at the latest, if that is sooner than the limit. `foreign_id` is what the source calls it, for `end_of`.
        Raises TryAgain where it cannot be written.
        """
        now_us = self._clock.now_us()
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        last_us = now_us + self._limits.lasts_s * US_PER_S
        session = {
            "hash": _hash(secret),
            "source": source,
            "subject": subject_values(subject),
            "foreign_id": foreign_id,
            "begun_us": now_us,
            "seen_us": now_us,
            "ends_us": last_us if ends_us is None else min(ends_us, last_us),
        }
        handle = _handle(subject.id)
        await self._amend(handle, lambda present: [*self._alive(present)[-MOST_SESSIONS + 1 :], session])
        return f"{handle}.{secret}"

    async def subject(self, cookie: str) -> Subject | None:
        """Who a cookie belongs to; None if its session has ended, or never was."""
        handle, session = await self._session(cookie)
        if session is None:
            return None
        found = await self._now(session)
        if found is not None:
            await self._seen(handle, session)
        return found

    async def known(self, subject_id: str) -> Subject | None:
        """A subject that has a session, as it is now; None if it has none."""
        alive = self._alive(await self._read(_handle(subject_id)))
        return await self._now(alive[-1]) if alive else None

    async def end(self, cookie: str) -> None:
        """Ends the session of a cookie; fine if there is none."""
        handle, session = await self._session(cookie)
        if session is not None:
            await self._amend(handle, lambda present: [each for each in self._alive(present) if each["hash"] != session["hash"]])

    async def end_all(self, subject_id: str) -> None:
        """Ends all sessions of a subject: its password was changed, or it may not come in any more."""
        await self._amend(_handle(subject_id), lambda _: [])

    async def end_of(self, foreign_id: str) -> int:
        """Ends the sessions that their source calls so (back-channel logout); how many there were."""
        ended = 0
        for record in await self._records.records(SESSIONS):
            found = [each for each in self._alive(_sessions(record)) if foreign_id and each["foreign_id"] == foreign_id]
            if found:
                await self._amend(record.id, lambda present: [each for each in self._alive(present) if each["foreign_id"] != foreign_id])
            ended += len(found)
        return ended

    async def _session(self, cookie: str) -> tuple[str, Values | None]:
        handle, _, secret = cookie.partition(".")
        if len(handle) != _HANDLE_DIGITS or not handle.isascii() or not handle.isalnum() or not secret:
            return "", None
        wanted = _hash(secret)
        alive = self._alive(await self._read(handle))
        return handle, next((each for each in alive if hmac.compare_digest(each["hash"], wanted)), None)

    async def _now(self, session: Values) -> Subject | None:
        subject = subject_of_values(session["subject"])
        now_of = self._now_of.get(session["source"])
        return subject if now_of is None else await now_of(subject)

    async def _seen(self, handle: str, session: Values) -> None:
        """Writes down that a session is used, once in a while. That this fails is nobody's fault and ends nothing by itself."""
        now_us = self._clock.now_us()
        if now_us - session["seen_us"] < self._limits.idle_s * US_PER_S // _SEEN_PARTS:
            return

        def seen(present: list[Values]) -> list[Values]:
            return [each | {"seen_us": now_us} if each["hash"] == session["hash"] else each for each in self._alive(present)]

        try:
            await self._amend(handle, seen)
        except KeepsightError:
            return

    def _alive(self, sessions: list[Values]) -> list[Values]:
        """Those that have not ended, the one used last at the end."""
        now_us, idle_us = self._clock.now_us(), self._limits.idle_s * US_PER_S
        alive = [each for each in sessions if now_us < each["ends_us"] and now_us - each["seen_us"] < idle_us]
        return sorted(alive, key=lambda each: int(each["seen_us"]))

    async def _read(self, handle: str) -> list[Values]:
        try:
            return _sessions(await self._records.record(SESSIONS, handle))
        except NotFound:
            return []

    async def _amend(self, handle: str, change: Callable[[list[Values]], list[Values]]) -> None:
        """Writes the changed sessions of a subject, again on what somebody else wrote meanwhile."""
        for _ in range(_TRIES):
            try:
                present = await self._records.record(SESSIONS, handle)
            except NotFound:
                made = new_record(SESSIONS, handle, {"sessions": change([])})
            else:
                made = present.changed({"sessions": change(_sessions(present))})
            try:
                return await self._records.put_record(made)
            except Conflict:
                continue
        raise Conflict("too many sessions of one subject begin and end at once: try again")


def _sessions(record: Record) -> list[Values]:
    return list(record.values.get("sessions", []))


def _handle(subject_id: str) -> str:
    return _hash(subject_id)[:_HANDLE_DIGITS]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
