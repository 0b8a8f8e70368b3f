"""`/users` and `/api-keys`: who may come in, as whom, and to which cameras. Only for administrators of the whole site."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field

from playback.access import Asker, needs
from playback.asked import Moment
from playback.identity.api_keys import KeyOrder
from playback.identity.noted import noted
from playback.identity.session_routes import Known
from playback.identity.users import PREFIX, User
from playback.identity.views import Body, KeyView, Password, ScopeView, Text, UserView, key_view, user_view
from playback.problems import described
from segments.access import Role, Subject, Verb
from segments.audit import Action

router = APIRouter()

_ADMINISTERS = needs(Verb.ADMINISTER)
UserName = Annotated[str, Path(alias="user", min_length=1, max_length=64, description="Name of a user")]
KeyId = Annotated[str, Path(alias="key", pattern=r"^[0-9a-f]{12}$", description="Id of a key")]


class UserWanted(Body):
    """A user as it is asked for."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    password: Password
    full_name: Text = ""
    unit: Text = ""
    roles: list[Role] = Field(max_length=6)
    scope: ScopeView = ScopeView()


class UserChange(Body):
    """What is to be different about a user; what is not named stays."""

    full_name: Text | None = None
    unit: Text | None = None
    roles: list[Role] | None = Field(None, max_length=6)
    scope: ScopeView | None = None
    disabled: bool | None = None


class GivenPassword(Body):
    """Another password for a user."""

    password: Password


class KeyWanted(Body):
    """A key as it is asked for; `ends` is at most a year away, or what `access.key_days` says."""

    name: Text = Field(min_length=1)
    unit: Text = ""
    roles: list[Role] = Field(max_length=6)
    scope: ScopeView = ScopeView()
    ends: Moment


class NewKeyView(KeyView):
    """A key that was just made, with its text: it is shown here and never again."""

    key: str


@router.get("/users", dependencies=_ADMINISTERS)
async def users(identity: Known) -> list[UserView]:
    """All users, in order of name."""
    return [user_view(user) for user in await identity.users.users()]


@router.post("/users", dependencies=_ADMINISTERS, status_code=201, responses=described(400, 409))
async def add_user(request: Request, asker: Asker, identity: Known, wanted: UserWanted) -> UserView:
    """Adds a user."""
    user = User(wanted.name, wanted.full_name, wanted.unit, frozenset(wanted.roles), wanted.scope.scope)
    await noted(request, asker, Action.CHANGE, f"adds user {wanted.name}")
    return user_view(await identity.users.add(user, wanted.password, by=_name(asker)))


@router.get("/users/{user}", dependencies=_ADMINISTERS, responses=described(404))
async def user(identity: Known, user: UserName) -> UserView:
    """One user."""
    return user_view(await identity.users.user(user))


@router.patch("/users/{user}", dependencies=_ADMINISTERS, responses=described(400, 404))
async def change_user(request: Request, asker: Asker, identity: Known, user: UserName, wanted: UserChange) -> UserView:
    """Changes a user. It binds at once, for sessions that are under way too; disabling ends them."""
    changes: dict[str, Any] = wanted.model_dump(exclude_none=True, exclude={"roles", "scope"})
    if wanted.roles is not None:
        changes["roles"] = frozenset(wanted.roles)
    if wanted.scope is not None:
        changes["scope"] = wanted.scope.scope
    await noted(request, asker, Action.CHANGE, f"changes {', '.join(sorted(changes)) or 'nothing'} of user {user}")
    changed = await identity.users.change(user, **changes)
    if changed.disabled:
        await identity.sessions.end_all(changed.subject.id)
    return user_view(changed)


@router.put("/users/{user}/password", dependencies=_ADMINISTERS, status_code=204, responses=described(400, 404))
async def set_password(request: Request, asker: Asker, identity: Known, user: UserName, wanted: GivenPassword) -> None:
    """Gives a user another password; its sessions end."""
    await noted(request, asker, Action.CHANGE, f"gives user {user} another password")
    await identity.users.set_password(user, wanted.password)
    await identity.sessions.end_all(f"{PREFIX}{user}")


@router.delete("/users/{user}", dependencies=_ADMINISTERS, status_code=204, responses=described(404))
async def remove_user(request: Request, asker: Asker, identity: Known, user: UserName) -> None:
    """Removes a user for good; its sessions end, and its name is never given again."""
    await noted(request, asker, Action.CHANGE, f"removes user {user}")
    await identity.users.remove(user)
    await identity.sessions.end_all(f"{PREFIX}{user}")


@router.get("/api-keys", dependencies=_ADMINISTERS)
async def api_keys(identity: Known) -> list[KeyView]:
    """All keys that were ever made, in order of id."""
    return [key_view(key) for key in await identity.keys.keys()]


@router.post("/api-keys", dependencies=_ADMINISTERS, status_code=201, responses=described(400))
async def add_key(request: Request, asker: Asker, identity: Known, wanted: KeyWanted) -> NewKeyView:
    """Makes a key. Its text is in this answer and nowhere else."""
    order = KeyOrder(wanted.name, wanted.unit, frozenset(wanted.roles), wanted.scope.scope, wanted.ends, _name(asker))
    await noted(request, asker, Action.CHANGE, f"makes an API key for {wanted.name}")
    key, text = await identity.keys.add(order)
    return NewKeyView(**key_view(key).model_dump(), key=text)


@router.delete("/api-keys/{key}", dependencies=_ADMINISTERS, responses=described(404))
async def revoke_key(request: Request, asker: Asker, identity: Known, key: KeyId) -> KeyView:
    """Revokes a key, at once and for good."""
    await noted(request, asker, Action.CHANGE, f"revokes API key {key}")
    return key_view(await identity.keys.revoke(key, by=_name(asker)))


def _name(asker: Subject) -> str:
    return asker.name or asker.id
