"""Puts the entrance of the API together, by the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from deploy.api_oidc import open_oidc
from deploy.settings import Settings
from deploy.wiring import api_token, make_local_key
from playback.access import Access, Open
from playback.identity.entrance import SiteToken, TokenSource
from playback.identity.identity import Identity, IdentityIndex, identity_over
from playback.identity.sessions import SessionLimits
from segments.clock import Clock


def identity_for(settings: Settings, index: IdentityIndex, clock: Clock) -> Identity:
    """Users, keys and sessions of this site."""
    limits = SessionLimits(settings.access.session_idle_s, settings.access.session_lasts_s)
    return identity_over(index, clock, limits=limits, key_days=settings.access.key_days)


def access_of(settings: Settings, identity: Identity, *more: TokenSource) -> Access:
    """What stands before all routes; `more` are other kinds of bearer tokens. Makes this machine's own key where there is none."""
    if settings.access.open:
        return Open()
    make_local_key(settings)
    token = api_token(settings)
    return identity.entrance(*([SiteToken(token)] if token else []), *more)


@dataclass(frozen=True, slots=True)
class WhoAsks:
    """What the API knows of who asks: the access before all routes, and the routes that an identity provider adds."""

    identity: Identity
    access: Access
    routes: Sequence[Any]


@asynccontextmanager
async def open_access(settings: Settings, index: IdentityIndex, clock: Clock) -> AsyncIterator[WhoAsks]:
    """Puts it together, with the identity provider where there is one, and lets go of it again."""
    identity = identity_for(settings, index, clock)
    async with open_oidc(settings, identity.sessions, index, clock) as oidc:
        if oidc is None:
            yield WhoAsks(identity, access_of(settings, identity), ())
        else:
            yield WhoAsks(identity, access_of(settings, identity, oidc.bearers), (oidc.routes,))
