"""Who may ask for what: every route carries a `Rule`, and one `Access` answers all of them."""

from __future__ import annotations

from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from segments.access import EVERYBODY, Subject, Verb


class Access(Protocol):
    """Decides on requests."""

    async def allow(self, request: Request, verb: Verb, camera: str | None) -> Subject:
        """Who asks, if they may do this, to this camera where it is about one; else raises HTTPException 401, 403 or 404."""

    async def known(self, subject_id: str) -> Subject | None:
        """A subject as it is now, for links and jobs that act for it later; None if it is nobody any more."""


class Open:
    """Lets everybody do everything: for services that are reached from their own machine only."""

    async def allow(self, request: Request, verb: Verb, camera: str | None) -> Subject:  # noqa: ARG002
        """See `Access`."""
        return EVERYBODY

    async def known(self, subject_id: str) -> Subject | None:
        """See `Access`."""
        return EVERYBODY if subject_id == EVERYBODY.id else None


class Rule:
    """The dependency that stands before a route and asks the application's `Access`."""

    def __init__(self, verb: Verb) -> None:
        self.verb = verb

    async def __call__(self, request: Request) -> None:
        access = cast("Access", request.app.state.access)
        request.state.subject = await access.allow(request, self.verb, request.path_params.get("camera"))


def subject_of(request: Request) -> Subject:
    """Who asks, as the rule of the route found out."""
    return cast("Subject", request.state.subject)


Asker = Annotated[Subject, Depends(subject_of)]


def needs(verb: Verb) -> list[Dependency]:
    """The `dependencies` of a route that wants to do this."""
    return [Depends(Rule(verb))]
