"""The first administrator: made when the service starts and nobody could come in, with a password that is shown once."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from deploy.api_access import identity_for
from deploy.settings import Settings
from deploy.wiring import open_index
from playback.identity.identity import Identity
from playback.identity.passwords import made_up
from playback.identity.users import User
from segments.access import EVERYTHING, Role
from segments.clock import SystemClock
from segments.errors import Conflict

log = logging.getLogger(__name__)

NAME = "admin"
ROLES = frozenset({Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR, Role.PLANNER})


async def first_start(settings: Settings, say: Callable[[str], None]) -> None:
    """Sees to it that somebody can come in, where access is controlled by nothing but users and keys; raises StartRefused.

    Without a terminal nothing is made: what would be printed would stand in a log. The log says what to run instead.
    """
    if settings.access.open or settings.api.token_file is not None or settings.access.oidc.issuer:
        return
    async with open_index(settings) as index:
        identity = identity_for(settings, index, SystemClock())
        if not await is_first(identity):
            return
        if not sys.stdout.isatty():
            log.warning("access.nobody: nobody can sign in yet; run: keepsight user add %s --administrator", NAME)
            return
        password = await first_administrator(identity)
    if password:
        say(f"the first user is {NAME}, with the password {password}")
        say(f"it is shown this once; change it with: keepsight user password {NAME}")


async def is_first(identity: Identity) -> bool:
    """Whether there is no user and no key, and there never was one."""
    return not await identity.users.ever() and not await identity.keys.keys()


async def first_administrator(identity: Identity) -> str:
    """Makes the first user; its password, which is kept nowhere. Empty if another process was faster."""
    password = made_up()
    user = User(NAME, "Administrator", "", ROLES, EVERYTHING)
    try:
        await identity.users.add(user, password, by="first start")
    except Conflict:
        return ""
    return password
