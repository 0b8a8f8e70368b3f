"""`/session` and `/me`: signing in and out with name and password, and who one is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from playback.access import Asker, needs
from playback.identity.entrance import COOKIE, check_same_origin, drop_cookie, set_cookie
from playback.identity.identity import Identity, identity_of
from playback.identity.noted import noted
from playback.identity.users import PREFIX
from playback.identity.views import Body, MeView, Password, me_view
from playback.limits import client_of
from playback.problems import described
from segments.access import NOBODY, Subject, Verb
from segments.audit import Action, Outcome
from segments.errors import BadInput

router = APIRouter()

Known = Annotated[Identity, Depends(identity_of)]
UserName = Annotated[str, Field(min_length=1, max_length=64)]


class SignIn(Body):
    """Name and password of a user."""

    name: UserName
    password: Password


class NewPassword(Body):
    """One's own password, and the one that takes its place."""

    present: Password
    wanted: Password


class WaysView(BaseModel):
    """How people may sign in."""

    password: bool = Field(description="With name and password, `POST /session`")
    provider: bool = Field(description="At an identity provider, `GET /sign-in`")


@router.post("/session", dependencies=needs(Verb.PROBE), responses=described(401, 403, 429))
async def sign_in(request: Request, response: Response, identity: Known, wanted: SignIn) -> MeView:
    """Begins a session, whose cookie comes with the answer. What is wrong, name or password, is not told."""
    if "origin" in request.headers or "sec-fetch-site" in request.headers:
        check_same_origin(request)
    subject = await _right(request, identity, wanted.name, wanted.password)
    if subject is None:
        raise HTTPException(401, "name or password is wrong")
    set_cookie(request, response, await identity.sessions.begin(subject, "user"), identity.limits.lasts_s)
    response.headers["Cache-Control"] = "no-store"
    return me_view(subject)


@router.get("/session/ways", dependencies=needs(Verb.PROBE))
async def ways(request: Request) -> WaysView:
    """How people sign in here: what the page asks before it asks anybody."""
    paths = (str(context.path) for context in iter_route_contexts(request.app.router.routes))
    return WaysView(password=True, provider=any(path.endswith("/sign-in") for path in paths))


@router.delete("/session", dependencies=needs(Verb.OWN), status_code=204)
async def sign_out(request: Request, response: Response, identity: Known) -> None:
    """Ends the session that asks."""
    await identity.sessions.end(request.cookies.get(COOKIE, ""))
    drop_cookie(request, response)


@router.get("/me", dependencies=needs(Verb.OWN))
async def me(asker: Asker, response: Response) -> MeView:
    """Who asks: roles, what they may do, and the cameras they have to do with."""
    response.headers["Cache-Control"] = "no-store"
    return me_view(asker)


@router.put("/me/password", dependencies=needs(Verb.OWN), status_code=204, responses=described(401, 422, 429))
async def set_own_password(request: Request, response: Response, asker: Asker, identity: Known, wanted: NewPassword) -> None:
    """Gives oneself another password. All one's sessions end, this one too."""
    if not asker.id.startswith(PREFIX):
        raise BadInput("you have no password here: you are known by other means")
    name = asker.id.removeprefix(PREFIX)
    if await _right(request, identity, name, wanted.present) is None:
        raise HTTPException(401, "the present password is wrong")
    await identity.users.set_password(name, wanted.wanted)
    await identity.sessions.end_all(asker.id)
    drop_cookie(request, response)
    await noted(request, asker, Action.CHANGE, "changed their password")


async def _right(request: Request, identity: Identity, name: str, password: str) -> Subject | None:
    """Who has this name and this password; None if nobody has. Written down either way."""
    address = client_of(request.scope)
    identity.throttle.count(name, address)
    subject = await identity.users.signed_in(name, password)
    if subject is None:
        await noted(request, NOBODY, Action.SIGN_IN, f"signed in as {name!r}", Outcome.REFUSED)
        return None
    identity.throttle.forgive(name, address)
    await noted(request, subject, Action.SIGN_IN, "signed in")
    return subject
