"""Puts the parts of signing in at an identity provider together, by the settings."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from deploy.oidc_sections import OidcSettings
from deploy.settings import Settings
from deploy.tls import trust_in
from deploy.wiring import internal_key
from playback.identity.entrance import set_cookie
from playback.identity.oidc import ClaimNames, Oidc
from playback.identity.oidc_bearers import OidcBearers
from playback.identity.oidc_provider import Provider
from playback.identity.oidc_routes import OidcDoors, SessionDoor, oidc_routes
from playback.identity.oidc_sign_in import SignIn
from playback.identity.oidc_tokens import Tokens
from segments.access import EVERYTHING, NOTHING
from segments.clock import Clock
from segments.ports import Records
from segments.secrets import read_secret_file


@dataclass(frozen=True, slots=True)
class OidcParts:
    """What of a provider the API has: the bearers of its tokens, and the routes of people who sign in there."""

    bearers: OidcBearers
    routes: Any


@asynccontextmanager
async def open_oidc(settings: Settings, sessions: SessionDoor, records: Records, clock: Clock) -> AsyncIterator[OidcParts | None]:
    """The parts of the provider of the settings, None if they have none. Nothing is asked of it before somebody comes."""
    section = settings.access.oidc
    if not section.issuer:
        yield None
        return
    tls = None if section.ca_file is None else trust_in("access.oidc.ca_file", section.ca_file)
    async with oidc_parts(agreement(section), internal_key(settings), sessions, records, clock, tls=tls) as parts:
        yield parts


@asynccontextmanager
async def oidc_parts(
    oidc: Oidc,
    key: str,
    sessions: SessionDoor,
    records: Records,
    clock: Clock,
    *,
    tls: ssl.SSLContext | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> AsyncIterator[OidcParts]:
    """The parts of an agreement. `key` is a secret of the site, from which that of the sign-in cookies is derived."""
    provider = Provider(oidc.issuer, clock, tls=tls, transport=transport)
    tokens = Tokens(oidc, provider, clock)
    bearers = OidcBearers(oidc, tokens, records, clock)
    doors = OidcDoors(SignIn(oidc, provider, tokens, key, clock), tokens, sessions, bearers, set_cookie, clock)
    try:
        yield OidcParts(bearers, oidc_routes(doors))
    finally:
        await provider.close()


def agreement(section: OidcSettings) -> Oidc:
    """What the settings say, with the secret out of its file; raises StartRefused if that cannot be read."""
    secret = section.client_secret_file
    return Oidc(
        issuer=section.issuer,
        client_id=section.client_id,
        base_url=section.base_url,
        audience=section.audience,
        client_secret="" if secret is None else read_secret_file(secret, what="the secret of the sign-in client"),
        algorithms=section.algorithms,
        scopes=section.scopes,
        claims=ClaimNames(**section.claims.model_dump()),
        roles=section.roles,
        without_scope=EVERYTHING if section.without_scope == "everything" else NOTHING,
        session_s=section.session_s,
    )
