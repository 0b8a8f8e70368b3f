"""People and platforms for tests of the API: who asks is told by a bearer token that is their name."""

from __future__ import annotations

from segments.access import EVERYTHING, Role, Scope, Subject


def person(name: str, *roles: Role, scope: Scope = EVERYTHING) -> Subject:
    """Somebody of this name, with these roles."""
    return Subject(f"user:{name}", name, "unit one", frozenset(roles), scope)


def bearer(name: str) -> dict[str, str]:
    """The header of a request of theirs."""
    return {"Authorization": f"Bearer {name}"}


class People:
    """A source of tokens that knows these."""

    def __init__(self, *people: Subject) -> None:
        self.people = {one.name: one for one in people}

    async def subject(self, token: str) -> Subject | None:
        """See `TokenSource`."""
        return self.people.get(token)

    async def known(self, subject_id: str) -> Subject | None:
        """See `TokenSource`."""
        return next((one for one in self.people.values() if one.id == subject_id), None)
