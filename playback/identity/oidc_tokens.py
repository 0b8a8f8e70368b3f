"""Tokens a provider signed (JWT): whether they are right, for us, of the kind that is asked for, and in their time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import urlsafe_b64decode

from playback.identity.oidc import Oidc
from playback.identity.oidc_provider import Provider
from segments.clock import US_PER_S, Clock

LEEWAY_S = 10
MOST_CHARACTERS = 16_384
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_AGE_S = 300
"""A logout token that was issued longer ago is a replayed one."""
_PLAIN = frozenset({"", "jwt"})
_ACCESS = _PLAIN | {"at+jwt", "application/at+jwt"}
_LOGOUT = frozenset({"logout+jwt", "application/logout+jwt"})


class NotValid(Exception):
    """A token is not one to believe; the text says why, without any of it."""


class Tokens:
    """Checks tokens of one provider: signature by a published key and an algorithm of the agreement, issuer, audience, times, kind."""

    def __init__(self, oidc: Oidc, provider: Provider, clock: Clock) -> None:
        self._oidc = oidc
        self._provider = provider
        self._clock = clock

    async def access(self, token: str) -> Mapping[str, Any]:
        """The claims of an access token for this service. Raises NotValid, and TryAgain where its key cannot be asked for now."""
        claims = await self._checked(token, self._oidc.audience, _ACCESS)
        if claims.get("typ", "Bearer") != "Bearer" or "nonce" in claims or "at_hash" in claims or "events" in claims:
            raise NotValid("it is no access token")
        return claims

    async def identity(self, token: str, nonce: str) -> Mapping[str, Any]:
        """The claims of the ID token that answers a sign-in of ours; see `access`."""
        claims = await self._checked(token, self._oidc.client_id, _PLAIN)
        if claims.get("nonce") != nonce:
            raise NotValid("it answers another sign-in")
        party = claims.get("azp")
        if party != self._oidc.client_id and (party is not None or (isinstance(claims["aud"], list) and len(claims["aud"]) > 1)):
            raise NotValid("it was issued to another client")
        return claims

    async def logout(self, token: str) -> Mapping[str, Any]:
        """The claims of a logout token (OpenID Connect Back-Channel Logout 1.0, part 2.6); see `access`."""
        claims = await self._checked(token, self._oidc.client_id, _LOGOUT, essential=("iat", "jti"))
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict) or "nonce" in claims:
            raise NotValid("it is no logout token")
        if not any(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")):
            raise NotValid("it names nobody")
        if claims["iat"] < self._now_s() - LOGOUT_AGE_S:
            raise NotValid("it is too old")
        return claims

    async def _checked(self, token: str, audience: str, types: frozenset[str], essential: tuple[str, ...] = ("sub",)) -> Mapping[str, Any]:
        header = _header(token)
        if header.get("alg") not in self._oidc.algorithms or str(header.get("typ", "")).lower() not in types:
            raise NotValid("its algorithm or its type is not one that is taken here")
        kid = header.get("kid")
        key = await self._provider.key(kid) if isinstance(kid, str) else None
        if key is None:
            raise NotValid("it is not signed with a key of the provider")
        registry = JWSRegistry(algorithms=list(self._oidc.algorithms), strict_check_header=False)
        asked: dict[str, Any] = {name: {"essential": True} for name in ("exp", *essential)}
        asked |= {"iss": {"essential": True, "value": self._oidc.issuer}, "aud": {"essential": True, "value": audience}}
        try:
            key.check_alg(str(header["alg"]))
            claims = jwt.decode(token, key, registry=registry).claims
            JWTClaimsRegistry(self._now_s(), LEEWAY_S, **asked).validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise NotValid(f"it does not pass the check ({type(error).__name__})") from None
        return claims

    def _now_s(self) -> int:
        return self._clock.now_us() // US_PER_S


def _header(token: str) -> Mapping[str, Any]:
    """What a token says of itself, unchecked."""
    if len(token) > MOST_CHARACTERS or token.count(".") != 2 or not token.isascii():
        raise NotValid("it is no token of a provider")
    try:
        header = json.loads(urlsafe_b64decode(token.partition(".")[0].encode()))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise NotValid("it is no token of a provider")
    return header
