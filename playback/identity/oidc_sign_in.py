"""Signing in at a provider: authorization code with PKCE (S256), state and nonce, bound to the browser that began by a signed cookie."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]
from itsdangerous import BadData, URLSafeSerializer

from playback.identity.oidc import Oidc
from playback.identity.oidc_provider import Provider
from playback.identity.oidc_tokens import NotValid, Tokens
from segments.access import Subject
from segments.clock import US_PER_S, Clock
from segments.errors import BadInput, KeepsightError, TryAgain

DONE_PATH = "/api/v1/sign-in/done"
BEGUN_S = 600
"""How long somebody may take to sign in at the provider."""
_CODE_CHARACTERS = 4096


class SignInFailed(KeepsightError):
    """A sign-in cannot be completed; the text says why."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and the cookie it comes back with."""

    address: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who came back, the provider's name of the session there (empty if it gives none), and which page of ours was wanted."""

    subject: Subject
    foreign_id: str
    page: str


class SignIn:
    """Sends people to the provider and takes them back.

    `key` signs the cookie; all processes of the site have the same. A sign-in is one cookie, one state, one code: nothing is kept here.
    """

    def __init__(self, oidc: Oidc, provider: Provider, tokens: Tokens, key: str, clock: Clock) -> None:
        self.oidc = oidc
        self._provider = provider
        self._tokens = tokens
        self._clock = clock
        self._cookies = URLSafeSerializer(key, salt="keepsight sign-in")

    async def begin(self, page: str) -> Begun:
        """Begins a sign-in that ends at a page of ours. Raises BadInput for another's page, TryAgain while the provider is away."""
        kept = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        door = await self._provider.place("authorization_endpoint")
        client = self._client()
        address, _ = client.create_authorization_url(door, kept["state"], code_verifier=kept["verifier"], nonce=kept["nonce"])
        until_us = self._clock.now_us() + BEGUN_S * US_PER_S
        return Begun(address, str(self._cookies.dumps({**kept, "page": own_page(page), "until_us": until_us})))

    async def finish(self, cookie: str, answer: Mapping[str, str]) -> Arrived:
        """Takes back who was sent, with the provider's answer. Raises SignInFailed, TryAgain."""
        kept = self._kept(cookie)
        if not hmac.compare_digest(answer.get("state", "").encode(), kept["state"].encode()):
            raise SignInFailed("this answer belongs to another sign-in: begin again")
        if answer.get("iss", self.oidc.issuer) != self.oidc.issuer:
            raise SignInFailed("this answer comes from another provider: begin again")
        if "error" in answer:
            raise SignInFailed("the provider did not let you in: begin again, or ask its administrator")
        code = answer.get("code", "")
        if not 0 < len(code) <= _CODE_CHARACTERS:
            raise SignInFailed("this answer has no code: begin again")
        return await self._arrived(await self._exchanged(code, kept["verifier"]), kept)

    async def farewell(self) -> str:
        """Where a browser also ends its session at the provider, and comes back from; our own page if the provider has no such door."""
        door = await self._provider.place("end_session_endpoint")
        back = f"{self.oidc.base_url}/"
        query = urlencode({"client_id": self.oidc.client_id, "post_logout_redirect_uri": back})
        return f"{door}{'&' if urlsplit(door).query else '?'}{query}" if door else back

    def _kept(self, cookie: str) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = self._cookies.loads(cookie)
        except BadData:
            raise SignInFailed(f"this browser has begun no sign-in here, or it is over: begin again at {self.oidc.base_url}") from None
        if self._clock.now_us() >= kept["until_us"]:
            raise SignInFailed(f"this sign-in took longer than {BEGUN_S // 60} minutes: begin again")
        return kept

    async def _exchanged(self, code: str, verifier: str) -> str:
        """The ID token for a code. Never tried twice: a code that comes again ends its session at the provider."""
        door = await self._provider.place("token_endpoint")
        try:
            async with self._client() as client:
                said = await client.fetch_token(door, code=code, code_verifier=verifier)
        except AuthlibBaseError:
            raise SignInFailed("the provider does not take this answer (any more): begin again") from None
        except httpx2.HTTPStatusError:
            raise TryAgain(f"the sign-in provider at {self.oidc.issuer} fails: begin again") from None
        except (httpx2.HTTPError, ValueError):
            raise TryAgain(f"the sign-in provider at {self.oidc.issuer} does not answer: begin again") from None
        token = said.get("id_token")
        if not isinstance(token, str):
            raise SignInFailed("the provider gave no ID token: does the client have the scope openid?")
        return token

    async def _arrived(self, token: str, kept: Mapping[str, Any]) -> Arrived:
        try:
            claims = await self._tokens.identity(token, kept["nonce"])
        except NotValid as error:
            raise SignInFailed(f"the provider's ID token is not believed: {error}") from None
        subject = self.oidc.subject(claims)
        if subject is None:
            raise SignInFailed("the provider's ID token names nobody")
        sid = claims.get("sid")
        return Arrived(subject, self.foreign_id(sid) if isinstance(sid, str) else "", kept["page"])

    def foreign_id(self, sid: str) -> str:
        """How a session of the provider is called in ours."""
        return f"{self.oidc.issuer}#{sid}"

    def _client(self) -> AsyncOAuth2Client:
        oidc = self.oidc
        return AsyncOAuth2Client(
            oidc.client_id,
            oidc.client_secret or None,
            token_endpoint_auth_method="client_secret_basic" if oidc.client_secret else "none",
            scope=" ".join(oidc.scopes),
            redirect_uri=f"{oidc.base_url}{DONE_PATH}",
            code_challenge_method="S256",
            **self._provider.connection,
        )


def own_page(page: str) -> str:
    """The path of a page of ours, with its query; raises BadInput if it could lead anywhere else."""
    if not page.startswith("/") or page.startswith(("//", "/\\")) or not page.isascii() or not page.isprintable():
        raise BadInput("next: it has to be the path of a page of this service, as `/`")
    return page
