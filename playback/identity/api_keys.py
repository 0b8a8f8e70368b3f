"""API keys of platforms: shown once, kept as a hash, with roles, a scope and an end. Kept as records; revoked at once, everywhere."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playback.identity.subject_values import roles_of, scope_of, scope_values
from playback.identity.written import changed
from segments.access import NOTHING, Role, Scope, Subject
from segments.clock import US_PER_DAY, Clock
from segments.errors import BadInput, NotFound
from segments.ports import Records
from segments.record import Record, new_record

API_KEYS = "api-key"
PREFIX = "key:"
"""Of the ids of such subjects."""
MARK = "ks"
"""What a key begins with, so that scanners for leaked secrets know it: `ks_ID_SECRET`."""
MOST_DAYS = 365
_ID_BYTES, _SECRET_BYTES = 6, 32
_KEY = re.compile(r"ks_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without its secret. It opens from when it is made until `ends_us`, unless it is revoked."""

    id: str
    name: str
    unit: str = ""
    roles: frozenset[Role] = frozenset()
    scope: Scope = NOTHING
    ends_us: int = 0
    made_us: int = 0
    made_by: str = ""
    revoked_us: int = 0
    revoked_by: str = ""

    def opens_at(self, now_us: int) -> bool:
        """Whether it opens anything at a moment."""
        return now_us < self.ends_us and not self.revoked_us

    @property
    def subject(self) -> Subject:
        """Who asks where this key does."""
        return Subject(f"{PREFIX}{self.id}", self.name, self.unit, self.roles, self.scope)


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """A key as it is asked for."""

    name: str
    unit: str
    roles: frozenset[Role]
    scope: Scope
    ends_us: int
    by: str


class ApiKeys:
    """All keys of a site; a `TokenSource`."""

    def __init__(self, records: Records, clock: Clock, *, most_days: int = MOST_DAYS) -> None:
        self._records = records
        self._clock = clock
        self._most_days = most_days

    async def keys(self) -> Sequence[ApiKey]:
        """All that were ever made, in order of id."""
        return [_key(record) for record in await self._records.records(API_KEYS)]

    async def add(self, order: KeyOrder) -> tuple[ApiKey, str]:
        """Makes a key; returns it and its text, which is kept nowhere. Raises BadInput."""
        now_us = self._clock.now_us()
        if not order.name:
            raise BadInput("a key needs a name that says which platform it is of")
        if not now_us < order.ends_us <= now_us + self._most_days * US_PER_DAY:
            raise BadInput(f"a key ends later than now, and after {self._most_days} days at the latest (access.key_days)")
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        key = ApiKey(
            secrets.token_hex(_ID_BYTES), order.name, order.unit, order.roles, order.scope, order.ends_us, made_us=now_us, made_by=order.by
        )
        await self._records.put_record(new_record(API_KEYS, key.id, _values(key) | {"hash": _hash(secret)}))
        return key, f"{MARK}_{key.id}_{secret}"

    async def revoke(self, key_id: str, *, by: str) -> ApiKey:
        """Ends a key for good, at once; raises NotFound. One that is revoked stays as it is."""
        now_us = self._clock.now_us()

        def revoked(values: dict[str, Any]) -> dict[str, Any]:
            return values if values.get("revoked_us") else values | {"revoked_us": now_us, "revoked_by": by}

        try:
            return _key(await changed(self._records, API_KEYS, key_id, revoked))
        except NotFound:
            raise NotFound(f"there is no key {key_id}") from None

    async def subject(self, token: str) -> Subject | None:
        """See `TokenSource`. The index is asked each time: what was revoked a moment ago opens nothing."""
        found = _KEY.fullmatch(token)
        record = await self._present(found[1]) if found else None
        if found is None or record is None or not hmac.compare_digest(str(record.values.get("hash", "")), _hash(found[2])):
            return None
        return self._opened(_key(record))

    async def known(self, subject_id: str) -> Subject | None:
        """See `TokenSource`."""
        record = await self._present(subject_id.removeprefix(PREFIX)) if subject_id.startswith(PREFIX) else None
        return self._opened(_key(record)) if record else None

    def _opened(self, key: ApiKey) -> Subject | None:
        return key.subject if key.opens_at(self._clock.now_us()) else None

    async def _present(self, key_id: str) -> Record | None:
        try:
            return await self._records.record(API_KEYS, key_id)
        except NotFound:
            return None


def _hash(secret: str) -> str:
    """Of 256 random bits nobody can guess: a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(record: Record) -> ApiKey:
    values = record.values
    return ApiKey(
        id=record.id,
        name=values.get("name", ""),
        unit=values.get("unit", ""),
        roles=roles_of(values),
        scope=scope_of(values.get("scope", {})),
        ends_us=values.get("ends_us", 0),
        made_us=values.get("made_us", 0),
        made_by=values.get("made_by", ""),
        revoked_us=values.get("revoked_us", 0),
        revoked_by=values.get("revoked_by", ""),
    )


def _values(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "unit": key.unit,
        "roles": sorted(key.roles),
        "scope": scope_values(key.scope),
        "ends_us": key.ends_us,
        "made_us": key.made_us,
        "made_by": key.made_by,
        "revoked_us": key.revoked_us,
        "revoked_by": key.revoked_by,
    }
