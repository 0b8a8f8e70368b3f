"""Who may ask for what: every route carries a `Rule`, and one `Access` answers all of them."""

from __future__ import annotations

from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from starlette.exceptions import HTTPException

from playback.consumers.passages import admit_request
from playback.links import LINK, ByLink
from segments.access import EVERYBODY, Reach, Subject, Verb


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
    """The dependency that stands before a route and asks the application's `Access`.

    A route that names `by_link` also takes a link of ours in the place of who asks; then nothing but the link counts.
    """

    def __init__(self, verb: Verb, by_link: ByLink | None = None, *, reach: Reach = Reach.SITE) -> None:
        self.verb = verb
        self.reach = reach
        self.by_link = by_link

    async def __call__(self, request: Request) -> None:
        if self.by_link is not None and LINK in request.query_params:
            request.state.subject, request.state.link = await self.by_link.opened(request)
        else:
            request.state.subject = await self._allowed(request)
        await admit_request(request.scope, request.app.state.services.consumers, request.state.subject, self.verb)

    async def _allowed(self, request: Request) -> Subject:
        camera = request.path_params.get("camera")
        subject = await cast("Access", request.app.state.access).allow(request, self.verb, camera)
        about_site = self.reach is Reach.SITE and camera is None and self.verb not in _OF_NO_CAMERA
        if about_site and not subject.scope.everything:
            raise HTTPException(403, "this is about the whole site, and your scope is a part of it")
        return subject


_OF_NO_CAMERA = frozenset({Verb.PROBE, Verb.OWN})


async def camera_allowed(request: Request, verb: Verb, camera: str) -> None:
    """Raises as `Access.allow` does for one more camera, or one more right, than the route's rule is about."""
    await cast("Access", request.app.state.access).allow(request, verb, camera)


def subject_of(request: Request) -> Subject:
    """Who asks, as the rule of the route found out."""
    return cast("Subject", request.state.subject)


Asker = Annotated[Subject, Depends(subject_of)]


def needs(verb: Verb, by_link: ByLink | None = None, *, reach: Reach = Reach.SITE) -> list[Dependency]:
    """The `dependencies` of a route that wants to do this and reaches so far; `by_link` says which links open it, too."""
    return [Depends(Rule(verb, by_link, reach=reach))]
