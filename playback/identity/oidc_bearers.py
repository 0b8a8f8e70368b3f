"""Who the bearers of a provider's access tokens are: people's tools, and services."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from playback.identity.oidc import SOURCE, Oidc
from playback.identity.oidc_tokens import NotValid, Tokens
from playback.identity.subject_values import subject_of_values, subject_values
from segments.access import Subject
from segments.clock import US_PER_S, Clock
from segments.errors import KeepsightError, NotFound
from segments.ports import Records
from segments.record import new_record

BEARERS = "bearer"
"""The kind of record in which every process finds who was here with a token; its id is the start of the SHA-256 of the subject's id."""
KNOWN_S = 3600
"""So long after a token of it was last used, links and jobs of a subject go on; of people also as long as they have a session."""
MOST_KEPT = 10_000
_HANDLE_DIGITS = 32


class OidcBearers:
    """Knows the provider's access tokens. See `TokenSource`.

    A token is judged by itself each time. Who it belongs to is written down, when it changes or once in half of `KNOWN_S`, for those that
    act for the subject when no token is at hand. There is one record a subject.
    """

    def __init__(self, oidc: Oidc, tokens: Tokens, records: Records, clock: Clock) -> None:
        self._oidc = oidc
        self._tokens = tokens
        self._records = records
        self._clock = clock
        self._written: OrderedDict[str, tuple[Subject, int]] = OrderedDict()

    async def subject(self, token: str) -> Subject | None:
        """See `TokenSource`. Raises TryAgain where the key of a token is not known and the provider cannot be asked."""
        try:
            subject = self._oidc.subject(await self._tokens.access(token))
        except NotValid:
            return None
        if subject is not None and subject.roles:
            await self._remember(subject)
        return subject

    async def known(self, subject_id: str) -> Subject | None:
        """See `TokenSource`: one that was here with a token within `KNOWN_S`."""
        if not subject_id.startswith(f"{SOURCE}:"):
            return None
        try:
            values = (await self._records.record(BEARERS, _handle(subject_id))).values
        except NotFound:
            return None
        return subject_of_values(values["subject"]) if self._clock.now_us() < values["until_us"] else None

    async def forget(self, subject_id: str) -> None:
        """Nobody acts for a subject any more until it comes with a token again."""
        self._written.pop(subject_id, None)
        try:
            present = await self._records.record(BEARERS, _handle(subject_id))
        except NotFound:
            return
        await self._records.put_record(present.changed(present.values | {"until_us": 0}))

    async def _remember(self, subject: Subject) -> None:
        """That it cannot be written now is no reason to refuse what is asked: what acts later finds nobody, and stops."""
        now_us = self._clock.now_us()
        written, due_us = self._written.get(subject.id, (None, 0))
        if written == subject and now_us < due_us:
            return
        values = {"subject": subject_values(subject), "until_us": now_us + KNOWN_S * US_PER_S}
        try:
            try:
                made = (await self._records.record(BEARERS, _handle(subject.id))).changed(values)
            except NotFound:
                made = new_record(BEARERS, _handle(subject.id), values)
            await self._records.put_record(made)
        except KeepsightError:
            return
        self._written[subject.id] = subject, now_us + KNOWN_S * US_PER_S // 2
        self._written.move_to_end(subject.id)
        if len(self._written) > MOST_KEPT:
            self._written.popitem(last=False)


def _handle(subject_id: str) -> str:
    return hashlib.sha256(subject_id.encode()).hexdigest()[:_HANDLE_DIGITS]
