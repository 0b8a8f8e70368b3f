"""`keepsight user` and `keepsight key`: who may come in. They work on the index, whether or not the service runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from deploy.api_access import identity_for
from deploy.cli_acts import changing
from deploy.cli_frame import By, Config, Json, Yes, day_of_text, guarded, must_confirm, out, print_json, settings_of, with_stores
from deploy.cli_frame import who as name_of
from deploy.first_start import ROLES
from deploy.settings import Settings
from deploy.wiring import Stores
from playback.identity.api_keys import KeyOrder
from playback.identity.identity import Identity
from playback.identity.passwords import made_up
from playback.identity.users import PREFIX, User
from playback.identity.views import key_view, user_view
from segments.access import EVERYTHING, Role, Scope
from segments.clock import SystemClock, from_datetime, iso
from segments.errors import BadInput
from segments.keys import CAMERA_ID

T = TypeVar("T")

user_app = typer.Typer(help="People who sign in with a name and a password.", no_args_is_help=True)
key_app = typer.Typer(help="API keys, for platforms.", no_args_is_help=True)

UserName = Annotated[str, typer.Argument(help="The name the user signs in with.", metavar="USER")]
Roles = Annotated[list[Role] | None, typer.Option("--role", help="A role, as often as needed.")]
Unit = Annotated[str, typer.Option(help="The unit, as the register names it.")]
Everything = Annotated[bool, typer.Option("--everything", help="All cameras.")]
Areas = Annotated[list[str] | None, typer.Option("--area", help="The cameras of an area and below it, as often as needed.")]
Classes = Annotated[list[int] | None, typer.Option("--class", help="Only those of this class; without --area, of any area.", min=1, max=3)]
Cameras = Annotated[list[str] | None, typer.Option("--camera", help="A camera, as often as needed.")]
FullName = Annotated[str, typer.Option(help="Who it is, as the register names them.")]
PasswordIn = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input; else one is made up and shown.")]


@user_app.command("add")
def add_user(
    user: UserName,
    role: Roles = None,
    administrator: Annotated[bool, typer.Option("--administrator", help="The roles of the first user, and all cameras.")] = False,
    full_name: FullName = "",
    unit: Unit = "",
    everything: Everything = False,
    area: Areas = None,
    camera_class: Classes = None,
    camera: Cameras = None,
    password_stdin: PasswordIn = False,
    by: By = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Add a user. The password is made up and shown once, unless it comes on standard input."""
    settings = settings_of(config)
    scope = EVERYTHING if administrator else guarded(lambda: _scope(everything, area, camera_class, camera))
    roles = frozenset(role or ()) | (ROLES if administrator else frozenset())
    wanted = User(user, full_name, unit, guarded(lambda: _some(roles)), scope)
    password, person = _password(password_stdin), guarded(lambda: name_of(by))
    made = _with_identity(settings, lambda identity: identity.users.add(wanted, password, by=person), f"added user {user}", person)
    _print_user(made, "" if password_stdin else password, json)


@user_app.command("list")
def list_users(json: Json = False, config: Config = None) -> None:
    """List users."""
    found = _with_identity(settings_of(config), lambda identity: identity.users.users())
    if json:
        print_json([user_view(user).model_dump(mode="json") for user in found])
        return
    table = Table("user", "name", "unit", "roles", "scope", "")
    for user in found:
        row = (user.name, user.full_name, user.unit, ", ".join(sorted(user.roles)), _scope_text(user.scope))
        table.add_row(*row, "disabled" if user.disabled else "")
    out.print(table)


@user_app.command("show")
def show_user(user: UserName, json: Json = False, config: Config = None) -> None:
    """Show a user."""
    _print_user(_with_identity(settings_of(config), lambda identity: identity.users.user(user)), "", json)


@user_app.command("set")
def set_user(
    user: UserName,
    role: Roles = None,
    full_name: Annotated[str | None, typer.Option(help="Who it is.")] = None,
    unit: Annotated[str | None, typer.Option(help="The unit.")] = None,
    everything: Everything = False,
    area: Areas = None,
    camera_class: Classes = None,
    camera: Cameras = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Give a user other roles, another scope or name. What is given takes the place of what was; it binds at once."""
    settings = settings_of(config)
    changes: dict[str, Any] = {name: value for name, value in (("full_name", full_name), ("unit", unit)) if value is not None}
    if role:
        changes["roles"] = frozenset(role)
    if everything or area or camera_class or camera:
        changes["scope"] = guarded(lambda: _scope(everything, area, camera_class, camera))
    what = f"changed {', '.join(changes) or 'nothing'} of user {user}"
    _print_user(_with_identity(settings, lambda identity: identity.users.change(user, **changes), what), "", json)


@user_app.command("password")
def set_password(user: UserName, password_stdin: PasswordIn = False, config: Config = None) -> None:
    """Give a user another password; its sessions end."""
    settings = settings_of(config)
    password = _password(password_stdin)

    async def whole(identity: Identity) -> None:
        await identity.users.set_password(user, password)
        await identity.sessions.end_all(f"{PREFIX}{user}")

    _with_identity(settings, whole, f"gave user {user} another password")
    out.print(f"user {user} has another password" + ("" if password_stdin else f": {password}"), highlight=False, markup=False)


@user_app.command("disable")
def disable(
    user: UserName,
    enable: Annotated[bool, typer.Option("--undo", help="Let the user in again.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Let a user in no more, at once; with --undo, again."""

    async def whole(identity: Identity) -> User:
        changed = await identity.users.change(user, disabled=not enable)
        await identity.sessions.end_all(changed.subject.id)
        return changed

    what = f"let user {user} in again" if enable else f"disabled user {user}"
    _print_user(_with_identity(settings_of(config), whole, what), "", json)


@user_app.command("remove")
def remove(user: UserName, yes: Yes = False, config: Config = None) -> None:
    """Remove a user for good; the name is never given again."""
    settings = settings_of(config)
    must_confirm(f"Remove user {user}? The name is never given again.", yes=yes)

    async def whole(identity: Identity) -> None:
        await identity.users.remove(user)
        await identity.sessions.end_all(f"{PREFIX}{user}")

    _with_identity(settings, whole, f"removed user {user}")
    out.print(f"user {user} is removed", highlight=False)


@key_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Which platform it is for.")],
    role: Roles = None,
    unit: Unit = "",
    everything: Everything = False,
    area: Areas = None,
    camera_class: Classes = None,
    camera: Cameras = None,
    ends: Annotated[str, typer.Option(help="The day it ends; default: as late as access.key_days lets it.")] = "",
    by: By = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Make an API key and show it, this once. Without a role it is a platform's."""
    settings = settings_of(config)
    order = guarded(
        lambda: KeyOrder(
            name=name,
            unit=unit,
            roles=frozenset(role or (Role.PLATFORM,)),
            scope=_scope(everything, area, camera_class, camera),
            ends_us=_end_us(settings, ends),
            by=name_of(by),
        )
    )
    key, text = _with_identity(settings, lambda identity: identity.keys.add(order), f"made an API key for {name}", order.by)
    if json:
        print_json({**key_view(key).model_dump(mode="json"), "key": text})
    else:
        out.print(f"key {key.id} of {key.name} opens until {iso(key.ends_us)}; it is shown this once:", highlight=False, markup=False)
        out.print(text, highlight=False, markup=False)


@key_app.command("list")
def list_keys(json: Json = False, config: Config = None) -> None:
    """List API keys, those that open nothing any more included."""
    found = _with_identity(settings_of(config), lambda identity: identity.keys.keys())
    if json:
        print_json([key_view(key).model_dump(mode="json") for key in found])
        return
    now_us = SystemClock().now_us()
    table = Table("key", "platform", "unit", "roles", "scope", "ends", "")
    for key in found:
        said = "revoked" if key.revoked_us else "" if key.opens_at(now_us) else "over"
        row = (key.id, key.name, key.unit, ", ".join(sorted(key.roles)), _scope_text(key.scope), iso(key.ends_us))
        table.add_row(*row, said)
    out.print(table)


@key_app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, as `keepsight key list` shows it.", metavar="KEY")],
    by: By = "",
    config: Config = None,
) -> None:
    """Revoke an API key, at once and for good."""
    person = guarded(lambda: name_of(by))
    revoked = _with_identity(settings_of(config), lambda identity: identity.keys.revoke(key, by=person), f"revoked API key {key}", person)
    out.print(f"key {revoked.id} of {revoked.name} opens nothing any more", highlight=False, markup=False)


# --- parts ---


def _with_identity(settings: Settings, work: Callable[[Identity], Awaitable[T]], what: str = "", by: str = "") -> T:
    """Runs work; if it changes something, `what` says it for the register."""

    async def whole(stores: Stores) -> T:
        return await work(identity_for(settings, stores.index, SystemClock()))

    return changing(settings, what, whole, by=by) if what else with_stores(settings, whole)


def _scope(everything: bool, areas: list[str] | None, classes: list[int] | None, cameras: list[str] | None) -> Scope:
    """Raises BadInput for what could be no camera or area; no option at all covers nothing."""
    if everything and (areas or classes or cameras):
        raise BadInput("--everything and --area, --class or --camera: say one or the other")
    for camera in cameras or ():
        if re.fullmatch(CAMERA_ID.pattern, camera) is None:
            raise BadInput(f"--camera {camera!r} is no id of a camera")
    paths = [area.strip("/") for area in areas or ()]
    if not all(paths):
        raise BadInput("--area is empty; all cameras are --everything")
    return Scope(everything, tuple(paths), tuple(sorted(set(classes or ()))), tuple(cameras or ()))


def _some(roles: frozenset[Role]) -> frozenset[Role]:
    if not roles:
        raise BadInput(f"say --role: {', '.join(Role)}; or --administrator")
    return roles


def _end_us(settings: Settings, ends: str) -> int:
    if not ends:
        return from_datetime(datetime.now(UTC) + timedelta(days=settings.access.key_days) - timedelta(minutes=1))
    day = day_of_text(ends)
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _password(from_stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\r\n") if from_stdin else made_up()


def _scope_text(scope: Scope) -> str:
    if scope.everything:
        return "everything"
    parts = [*scope.areas, *(f"class {each}" for each in scope.classes), *scope.cameras]
    return ", ".join(parts) or "nothing"


def _print_user(user: User, password: str, json: bool) -> None:
    if json:
        print_json(user_view(user).model_dump(mode="json") | ({"password": password} if password else {}))
        return
    state = ", disabled" if user.disabled else ""
    said = (
        f"user {user.name} ({user.full_name or 'no name'}{state}): {', '.join(sorted(user.roles)) or 'no role'}; {_scope_text(user.scope)}"
    )
    out.print(said, highlight=False, markup=False)
    if password:
        out.print(f"password, shown this once: {password}", highlight=False, markup=False)
