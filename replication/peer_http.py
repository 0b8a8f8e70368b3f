"""Requests to another site: signed, with limits of time and size, and with whatever goes wrong as errors of ours."""

from __future__ import annotations

import re
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import httpx2
import urllib3

from replication.byte_streams import ByteStreams, Opened
from replication.ports import PROTOCOL
from replication.signing import Asked, body_hash, sign
from replication.wire_values import parsed
from segments.clock import Clock
from segments.errors import BadInput, DataDamaged, KeepsightError, NotFound, Refused, TryAgain

CONNECT_S = 3.0
SILENCE_S = 15.0
"""Of a site or a store, within an answer."""
MOST_PROBLEM_BYTES = 1 << 16
_ODD = re.compile(r"[^\x20-\x7e\u00a1-\ud7ff]")
_SAID = 300
_ERRORS: Mapping[str, type[KeepsightError]] = {
    "not-found": NotFound,
    "not-admitted": Refused,
    "refused": Refused,
    "bad-input": Refused,
    "data-damaged": DataDamaged,
}


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a site answers, and who asks. `links`: origins of its stores that signed links may lead to; none: bytes come through `url`.

    `tls` verifies the site and `stores_tls` its stores; None: by what the system trusts.
    """

    site: str
    url: str
    asking: str
    key: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    links: frozenset[str] = frozenset()
    stores_tls: ssl.SSLContext | None = None


class SiteHttp:
    """Connections to a site and to its stores."""

    def __init__(self, address: PeerAddress, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        tls, stores_tls = address.tls or _system_trust(), address.stores_tls or _system_trust()
        self._questions = _client(tls)
        self._bytes = ByteStreams(tls, connect_s=CONNECT_S, silence_s=SILENCE_S)
        self._stores = ByteStreams(stores_tls, connect_s=CONNECT_S, silence_s=SILENCE_S) if address.links else self._bytes

    async def close(self) -> None:
        """Lets go of them."""
        await self._questions.aclose()
        self._bytes.close()
        self._stores.close()

    async def ask(self, question: str, body: bytes) -> httpx2.Response:
        """The beginning of a site's answer to a signed question, whatever its status; raises TryAgain."""
        request = self._questions.build_request("POST", f"{self._address.url}/sites/{question}", content=body)
        request.headers.update(self._signed("POST", f"/sites/{question}", body))
        try:
            return await self._questions.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise self._lost(error) from None

    async def object(self, target: str) -> Opened:
        """The beginning of a site's answer to a signed request for bytes, whatever its status; raises TryAgain."""
        try:
            return await self._bytes.get(f"{self._address.url}{target}", self._signed("GET", target, b""))
        except urllib3.exceptions.HTTPError as error:
            raise self._lost(error) from None

    async def follow(self, link: str, start: int, end: int) -> Opened:
        """The beginning of a store's answer to a link; it sees nothing of the key, nor of the signature. Raises TryAgain."""
        try:
            return await self._stores.get(link, {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"})
        except urllib3.exceptions.HTTPError as error:
            raise self._lost(error) from None

    async def whole(self, answer: httpx2.Response, most_bytes: int) -> bytes:
        """An answer's body; raises DataDamaged if it is longer, TryAgain."""
        found = bytearray()
        try:
            async for piece in answer.aiter_raw():
                found += piece
                if len(found) > most_bytes:
                    raise DataDamaged(f"site {self._address.site} answers with more than {most_bytes} bytes")
        except httpx2.HTTPError as error:
            raise self._lost(error) from None
        finally:
            await answer.aclose()
        return bytes(found)

    async def pieces(self, answer: Opened, size: int) -> AsyncIterator[bytes]:
        """An answer's body, piece by piece; raises DataDamaged if it is not of this size, TryAgain."""
        left = size
        try:
            async with aclosing(cast("Any", answer.pieces)) as pieces:
                async for piece in pieces:
                    left -= len(piece)
                    if left < 0:
                        raise DataDamaged(f"site {self._address.site} gives more bytes than the {size} that there are")
                    yield piece
        except urllib3.exceptions.HTTPError as error:
            raise self._lost(error) from None
        if left:
            raise DataDamaged(f"site {self._address.site} gives {size - left} bytes instead of {size}")

    def error(self, status: int, body: bytes) -> KeepsightError:
        """What an answer that is a problem comes to; what is no problem of ours passes, perhaps."""
        try:
            problem = parsed(body)
            kind, said = str(problem["type"]).removeprefix("urn:keepsight:problem:"), str(problem["detail"])
        except (BadInput, KeyError, TypeError):
            kind, said = "", f"it answers {status}"
        return _ERRORS.get(kind, TryAgain)(f"site {self._address.site}: {_ODD.sub('?', said)[:_SAID]}")

    async def error_of_object(self, answer: Opened) -> KeepsightError:
        """The same of an answer that was to be bytes."""
        found = bytearray()
        try:
            async with aclosing(cast("Any", answer.pieces)) as pieces:
                async for piece in pieces:
                    found += piece
                    if len(found) > MOST_PROBLEM_BYTES:
                        break
        except urllib3.exceptions.HTTPError as error:
            return self._lost(error)
        return self.error(answer.status, bytes(found))

    def _signed(self, method: str, target: str, body: bytes) -> dict[str, str]:
        asked = Asked(self._address.asking, self._address.site, method, target, body_hash(body))
        headers = sign(self._address.key, asked, now_us=self._clock.now_us(), nonce=secrets.token_hex(16))
        return headers | {"keepsight-protocol": str(PROTOCOL), "accept-encoding": "identity"}

    def _lost(self, error: Exception) -> TryAgain:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return TryAgain(f"site {self._address.site}: its certificate is not believed: see sites.{self._address.site}.ca_file")
        return TryAgain(f"site {self._address.site} does not answer ({type(error).__name__})")


@cache
def _system_trust() -> ssl.SSLContext:
    """Read once: it is hundreds of certificates."""
    return ssl.create_default_context()


def _client(tls: ssl.SSLContext) -> httpx2.AsyncClient:
    """Nothing of the environment counts, and no redirect is followed."""
    timeout = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
    limits = httpx2.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=3.0)  # servers close theirs after 5 s
    return httpx2.AsyncClient(verify=tls, trust_env=False, follow_redirects=False, timeout=timeout, limits=limits)
