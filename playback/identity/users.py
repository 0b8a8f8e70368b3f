"""Users: people with a name and a password of this site, their roles and their scope. Kept as records; a name is never given twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from playback.identity.passwords import Passwords
from playback.identity.subject_values import roles_of, scope_of, scope_values
from playback.identity.written import changed
from segments.access import NOTHING, Role, Scope, Subject
from segments.clock import Clock
from segments.errors import BadInput, Conflict, NotFound
from segments.ports import Records
from segments.record import Record, new_record

USERS = "user"
PREFIX = "user:"
"""Of the ids of such subjects."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class User:
    """A user; `name` is what one signs in with, `full_name` who it is. One that was removed is no user, and never comes back."""

    name: str
    full_name: str = ""
    unit: str = ""
    roles: frozenset[Role] = frozenset()
    scope: Scope = NOTHING
    disabled: bool = False
    removed: bool = False
    made_us: int = 0
    made_by: str = ""

    @property
    def subject(self) -> Subject:
        """Who asks where this user does."""
        return Subject(f"{PREFIX}{self.name}", self.full_name or self.name, self.unit, self.roles, self.scope)


class Users:
    """All users of a site."""

    def __init__(self, records: Records, clock: Clock, passwords: Passwords | None = None) -> None:
        self._records = records
        self._clock = clock
        self._passwords = passwords or Passwords()

    async def users(self) -> Sequence[User]:
        """Those that were not removed, in order of name."""
        found = [_user(record) for record in await self._records.records(USERS)]
        return [user for user in found if not user.removed]

    async def ever(self) -> bool:
        """Whether there is a user, or was one."""
        return bool(await self._records.records(USERS))

    async def user(self, name: str) -> User:
        """One user; raises NotFound."""
        return _user(await self._present(name))

    async def add(self, user: User, password: str, *, by: str) -> User:
        """Adds a user; raises BadInput, and Conflict if the name is taken, or was ever."""
        if _NAME.fullmatch(user.name) is None:
            raise BadInput(f"user {user.name!r}: a name is 1 to 64 small letters, digits, dots, dashes and underscores")
        made = replace(user, made_us=self._clock.now_us(), made_by=by, disabled=False, removed=False)
        values = _values(made) | {"password": await self._passwords.hashed(password)}
        try:
            await self._records.put_record(new_record(USERS, user.name, values))
        except Conflict:
            raise Conflict(
                f"user {user.name} is there, or was once: a name is never given twice, as the register tells people by it"
            ) from None
        return made

    async def change(self, name: str, **changes: Any) -> User:
        """Writes other values of a user (fields of `User`); raises NotFound."""
        await self._present(name)
        record = await changed(self._records, USERS, name, lambda values: values | _values(replace(_user_of(name, values), **changes)))
        return _user(record)

    async def set_password(self, name: str, password: str) -> None:
        """Gives a user another password; raises NotFound, BadInput. Its sessions are for the caller to end."""
        await self._present(name)
        kept = await self._passwords.hashed(password)
        await changed(self._records, USERS, name, lambda values: values | {"password": kept})

    async def remove(self, name: str) -> None:
        """Removes a user for good; its password goes, its name stays taken. Raises NotFound."""
        await self._present(name)
        await changed(self._records, USERS, name, lambda values: values | {"removed": True, "password": ""})

    async def signed_in(self, name: str, password: str) -> Subject | None:
        """Who this is, if the password is right and the user may come in. Takes as long for users that are none."""
        try:
            present = await self._present(name)
        except NotFound:
            present = None
        kept = str(present.values.get("password", "")) if present else ""
        right = await self._passwords.match(password, kept)
        user = _user(present) if present else None
        return user.subject if right and user and not user.disabled else None

    async def known(self, subject_id: str) -> Subject | None:
        """A user by the id of its subject, as it is now; None if it may not come in."""
        if not subject_id.startswith(PREFIX):
            return None
        try:
            user = await self.user(subject_id.removeprefix(PREFIX))
        except NotFound:
            return None
        return None if user.disabled else user.subject

    async def subject(self, token: str) -> Subject | None:  # noqa: ARG002
        """See `TokenSource`: users have no tokens."""
        return None

    async def _present(self, name: str) -> Record:
        if _NAME.fullmatch(name) is not None:
            try:
                record = await self._records.record(USERS, name)
            except NotFound:
                pass
            else:
                if not record.values.get("removed"):
                    return record
        raise NotFound(f"there is no user {name}")


def _user(record: Record) -> User:
    return _user_of(record.id, record.values)


def _user_of(name: str, values: dict[str, Any]) -> User:
    return User(
        name=name,
        full_name=values.get("full_name", ""),
        unit=values.get("unit", ""),
        roles=roles_of(values),
        scope=scope_of(values.get("scope", {})),
        disabled=values.get("disabled", True) is not False,
        removed=values.get("removed", False) is not False,
        made_us=values.get("made_us", 0),
        made_by=values.get("made_by", ""),
    )


def _values(user: User) -> dict[str, Any]:
    return {
        "full_name": user.full_name,
        "unit": user.unit,
        "roles": sorted(user.roles),
        "scope": scope_values(user.scope),
        "disabled": user.disabled,
        "removed": user.removed,
        "made_us": user.made_us,
        "made_by": user.made_by,
    }
