"""Who may ask for what: every route carries a `Rule`, and one `Access` answers all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from starlette.exceptions import HTTPException

from playback.acts import BY_THE_GATE, CHANGES, action_of, presented, register_act, register_once
from playback.consumers.passages import admit_request
from playback.links import LINK, ByLink
from segments.access import EVERYBODY, Reach, Subject, Verb
from segments.audit import Action, Outcome
from segments.errors import KeepsightError, NotFound


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
    """The dependency that stands before a route: asks the application's `Access`, and has the register know what is done and what refused.

    What changes something is written down before it is done, and once more if it fails. `action` is what the register calls it, else that
    follows from the verb (playback/acts.py). A route that `writes` its acts itself, or passes the gate, is left to do so; one that should
    have passed the gate and has not is written down before its answer is sent.
    A route that names `by_link` also takes a link of ours in the place of who asks; then nothing but the link counts.
    """

    def __init__(
        self,
        verb: Verb,
        by_link: ByLink | None = None,
        *,
        reach: Reach = Reach.SITE,
        action: Action | None = None,
        writes: bool = False,
    ) -> None:
        self.verb = verb
        self.reach = reach
        self.by_link = by_link
        self.writes = writes
        self._action = action

    def action(self, method: str) -> Action | None:
        """What the register calls a request; None: nothing it is for."""
        return self._action or action_of(self.verb, method)

    async def __call__(self, request: Request) -> AsyncIterator[None]:
        request.state.subject = await self._allowed(request)
        await admit_request(request.scope, request.app.state.services.consumers, request.state.subject, self.verb)
        action = self.action(request.method)
        if action is None or self.writes:
            yield
        elif action in BY_THE_GATE:
            yield
            if not getattr(request.state, "admitted", False):  # a route that forgot the gate shows nothing unseen
                await register_once(request, action)
        elif action in CHANGES:
            await register_act(request, action)
            try:
                yield
            except Exception as error:
                said = str(error) if isinstance(error, KeepsightError) else type(error).__name__
                await register_act(request, action, Outcome.FAILED, detail=said)
                raise
        else:
            await register_once(request, action)
            yield

    async def _allowed(self, request: Request) -> Subject:
        async with _refusals(request, self.action(request.method)):
            if self.by_link is not None and LINK in request.query_params:
                subject, request.state.link = await self.by_link.opened(request)
                return subject
            camera = request.path_params.get("camera")
            subject = await cast("Access", request.app.state.access).allow(request, self.verb, camera)
            about_site = self.reach is Reach.SITE and camera is None and self.verb not in _OF_NO_CAMERA
            if about_site and not subject.scope.everything:
                raise HTTPException(403, "this is about the whole site, and your scope is a part of it")
            return subject


@asynccontextmanager
async def _refusals(request: Request, action: Action | None, camera: str = "") -> AsyncIterator[None]:
    """Writes down who was refused, if they came with any credential."""
    try:
        yield
    except (HTTPException, NotFound) as error:
        if presented(request):
            said = error.detail if isinstance(error, HTTPException) else str(error)
            await register_once(request, action or Action.SEARCH, Outcome.REFUSED, detail=said, camera=camera)
        raise


_OF_NO_CAMERA = frozenset({Verb.PROBE, Verb.OWN})


async def camera_allowed(request: Request, verb: Verb, camera: str) -> None:
    """Raises as `Access.allow` does for one more camera, or one more right, than the route's rule is about."""
    async with _refusals(request, action_of(verb, request.method), camera):
        await cast("Access", request.app.state.access).allow(request, verb, camera)


def subject_of(request: Request) -> Subject:
    """Who asks, as the rule of the route found out."""
    return cast("Subject", request.state.subject)


async def _asker(request: Request) -> Subject:
    return subject_of(request)


Asker = Annotated[Subject, Depends(_asker)]


def needs(
    verb: Verb, by_link: ByLink | None = None, *, reach: Reach = Reach.SITE, action: Action | None = None, writes: bool = False
) -> list[Dependency]:
    """The `dependencies` of a route that wants to do this and reaches so far; `by_link` says which links open it, too. See `Rule`."""
    return [Depends(Rule(verb, by_link, reach=reach, action=action, writes=writes), scope="function")]
