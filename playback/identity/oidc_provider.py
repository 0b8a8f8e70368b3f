"""What a provider publishes of itself: where its doors are, and the keys it signs with. Asked for when first needed, and remembered."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from segments.clock import Clock
from segments.errors import KeepsightError, Refused, TryAgain

T = TypeVar("T")

ASK_S = 5.0
"""How long one answer of the provider may take."""
FRESH_S = 300
"""After so long a document is asked for again, while the one that is there goes on counting."""
KEPT_S = 24 * 3600
"""While the provider is away, what it said counts for so long."""
PAUSE_S = 3
"""Between two questions for the same document, so that no flood of wrong tokens becomes one of questions."""
MOST_BYTES = 256 * 1024
MOST_KEYS = 100
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NS = 1_000_000_000


class Remembered(Generic[T]):
    """A document: fetched by one task for all who wait, kept while a newer one is fetched, and not asked for too often."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._found: tuple[int, T] | None = None
        self._task: asyncio.Task[T] | None = None
        self._begun_ns = 0

    async def get(self, *, newer: bool = False) -> T:
        """The document; `newer`: as it is now, unless it was fetched just now. Raises what fetching it raised last."""
        if self._found is not None:
            found_ns, found = self._found
            age_ns = self._clock.monotonic_ns() - found_ns
            if age_ns < (PAUSE_S if newer else KEPT_S) * _NS:
                if age_ns >= FRESH_S * _NS:
                    self._begin()
                return found
        return await asyncio.shield(self._begin())

    async def close(self) -> None:
        """Ends what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _begin(self) -> asyncio.Task[T]:
        """The fetch under way, or one that failed just now, or a new one."""
        now_ns = self._clock.monotonic_ns()
        if self._task is None or (self._task.done() and now_ns - self._begun_ns >= PAUSE_S * _NS):
            self._begun_ns = now_ns
            self._task = asyncio.create_task(self._renewed())
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may be waiting
        return self._task

    async def _renewed(self) -> T:
        found = await self._fetch()
        self._found = self._clock.monotonic_ns(), found
        return found


class Provider:
    """One provider, by its issuer. Nothing is asked of it before something is needed."""

    def __init__(
        self, issuer: str, clock: Clock, *, tls: ssl.SSLContext | None = None, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.issuer = issuer
        reached: dict[str, Any] = {"transport": transport} if transport else {"verify": tls or ssl.create_default_context()}
        self.connection: dict[str, Any] = {"timeout": ASK_S, "trust_env": False, "follow_redirects": False, **reached}
        self._places = Remembered(self._discover, clock)
        self._keys = Remembered(self._fetch_keys, clock)

    async def place(self, name: str) -> str:
        """The address of one of its doors, as `token_endpoint`; empty if it has none. Raises TryAgain, Refused."""
        return (await self._places.get()).get(name, "")

    async def key(self, kid: str) -> Key | None:
        """The key it signs with under this id; None if it has none. Raises TryAgain if it is not known here and cannot be asked for now."""
        keys = await self._keys.get()
        return keys.get(kid) or (await self._keys.get(newer=True)).get(kid)

    async def close(self) -> None:
        """Ends what is under way."""
        await self._places.close()
        await self._keys.close()

    async def _discover(self) -> Mapping[str, str]:
        said = await self._document(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self.issuer:
            raise Refused(f"the sign-in provider at {self.issuer} says that it is another one: set access.oidc.issuer to what it says")
        places = {name: value for name, value in said.items() if isinstance(value, str) and name.endswith(("_endpoint", "_uri"))}
        unsafe = [name for name, value in places.items() if name in _NEEDED and not safe_address(value)]
        if unsafe or not places.keys() >= _NEEDED:
            wrong = ", ".join(unsafe or sorted(_NEEDED - places.keys()))
            raise Refused(f"the sign-in provider at {self.issuer} has no address by TLS for {wrong}")
        return places

    async def _fetch_keys(self) -> Mapping[str, Key]:
        said = await self._document(await self.place("jwks_uri"))
        listed = said.get("keys")
        return dict(filter(None, map(_signing_key, listed[:MOST_KEYS]))) if isinstance(listed, list) else {}

    async def _document(self, address: str) -> Mapping[str, Any]:
        try:
            async with httpx2.AsyncClient(**self.connection) as client, client.stream("GET", address) as answer:
                text = await read_at_most(answer, MOST_BYTES)
            if answer.status_code != httpx2.codes.OK:
                raise TryAgain(f"the sign-in provider at {self.issuer} answers {answer.status_code}")
            said = json.loads(text)
        except httpx2.HTTPError as error:
            raise TryAgain(f"the sign-in provider at {self.issuer} does not answer ({type(error).__name__})") from None
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise TryAgain(f"the sign-in provider at {self.issuer} answers with something that is no JSON object")
        return said


_NEEDED = {"authorization_endpoint", "token_endpoint", "jwks_uri"}


async def read_at_most(answer: httpx2.Response, most_bytes: int) -> bytes:
    """The body of an answer; raises TryAgain if it is longer."""
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > most_bytes:
            raise TryAgain(f"the sign-in provider answers with more than {most_bytes} bytes")
    return body


def safe_address(address: str) -> bool:
    """Whether nobody on the way can change what an address says: by TLS, or on this machine."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK))


def _signing_key(listed: Any) -> tuple[str, Key] | None:
    """A published key by its id, if it is one that signatures are checked with: no secret one, none for encryption."""
    if not isinstance(listed, dict) or listed.get("kty") not in ("RSA", "EC", "OKP") or listed.get("use", "sig") != "sig":
        return None
    kid = listed.get("kid")
    try:
        return (kid, JWKRegistry.import_key(listed)) if isinstance(kid, str) and kid else None
    except (JoseError, KeepsightError, ValueError, TypeError, KeyError):
        return None
