"""Signatures of requests between two sites that share a key (docs/reference/between-sites.md). Pure but for what is remembered of nonces.

HMAC-SHA256 (RFC 2104) over a canonical text, after the example of AWS Signature Version 4. The key is never sent. A signature says who
asks, whom, what and when; so it is good for one request to one site, within five minutes, once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from segments.clock import US_PER_S, iso
from segments.errors import BadInput, Refused, TryAgain

SITE, TIME, NONCE, BODY, SIGNATURE = "keepsight-site", "keepsight-time", "keepsight-nonce", "keepsight-body", "keepsight-signature"
"""The headers, in small letters: who asks; when, in microseconds since 1970; 16 random bytes; SHA-256 of the body; the signature (hex)."""
WINDOW_US = 300 * US_PER_S
"""So far a request's time may lie from the clock of the one who is asked."""
MOST_NONCES = 250_000
"""Remembered of one site at once: 800 requests a second, all through the window. More are put off."""
_SLOT_US = 10 * US_PER_S
_FORMAT = "keepsight-1"
_HEX = re.compile(r"[0-9a-f]{64}")
_NONCE = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"\d{1,18}")


class Asked(NamedTuple):
    """What is signed of a request beside its time: `target` is path and query as they are sent, `body_sha256` in hex."""

    asking: str
    asked: str
    method: str
    target: str
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Seal:
    """Time, nonce and signature of a request."""

    time_us: int
    nonce: str
    signature: str


def sign(key: str, asked: Asked, *, now_us: int, nonce: str) -> dict[str, str]:
    """The headers that sign a request."""
    return {
        SITE: asked.asking,
        TIME: str(now_us),
        NONCE: nonce,
        BODY: asked.body_sha256,
        SIGNATURE: _signature(key, asked, str(now_us), nonce),
    }


def seal_of(headers: Mapping[str, str]) -> Seal:
    """The seal in a request's headers; raises BadInput where it is none."""
    time, nonce, signature = (headers.get(name, "") for name in (TIME, NONCE, SIGNATURE))
    if not (_TIME.fullmatch(time) and _NONCE.fullmatch(nonce) and _HEX.fullmatch(signature) and _HEX.fullmatch(headers.get(BODY, ""))):
        raise BadInput("the request is not signed as requests between sites are")
    return Seal(int(time), nonce, signature)


def verify(key: str, asked: Asked, seal: Seal, *, now_us: int) -> None:
    """Raises Refused if the signature is not of this key and this request, or is of another time. In constant time."""
    if not hmac.compare_digest(_signature(key, asked, str(seal.time_us), seal.nonce), seal.signature):
        raise Refused("the signature is not that of the key we share, for this request to this site")
    if abs(now_us - seal.time_us) > WINDOW_US:
        raise Refused(f"the request was signed at {iso(seal.time_us)}, and it is {iso(now_us)} here: one of the clocks is wrong")


def body_hash(body: bytes) -> str:
    """SHA-256 of a body, in hex."""
    return hashlib.sha256(body).hexdigest()


def _signature(key: str, asked: Asked, time: str, nonce: str) -> str:
    """No part but the target may hold a line break, and the target is one line of HTTP: so no two requests have one text."""
    text = "\n".join([_FORMAT, *asked, time, nonce])
    return hmac.digest(key.encode(), text.encode(), "sha256").hex()


class Nonces:
    """The nonces of one site's requests, as long as they could be sent again. Of one process, from its start on."""

    def __init__(self, *, since_us: int, most: int = MOST_NONCES) -> None:
        """Requests of before `since_us` are put off: whether they were seen before is not known."""
        self._since_us = since_us
        self._latest_us = since_us
        self._most = most
        self._count = 0
        self._until: dict[int, set[bytes]] = {}
        """By the moment they are good until, in slots; a request that is sent again has the same time, and so the same slot."""

    def spend(self, seal: Seal, *, now_us: int) -> None:
        """Remembers the nonce of a request that was verified; raises Refused if it was there before, TryAgain if too many are.

        A clock that is set back opens nothing again: the latest time that was seen counts.
        """
        self._latest_us = max(self._latest_us, now_us)
        if seal.time_us < self._since_us:
            raise TryAgain("the request was signed before this process began to listen: sign it anew")
        self._forget()
        slot = (seal.time_us + WINDOW_US) // _SLOT_US
        nonce = bytes.fromhex(seal.nonce)
        if slot < self._latest_us // _SLOT_US or nonce in self._until.get(slot, ()):
            raise Refused("this request was made before: it is not answered twice")
        if self._count >= self._most:
            raise TryAgain(f"more than {self._most} requests within {WINDOW_US // US_PER_S} s: ask less often")
        self._until.setdefault(slot, set()).add(nonce)
        self._count += 1

    def _forget(self) -> None:
        for slot in [slot for slot in self._until if slot < self._latest_us // _SLOT_US]:
            self._count -= len(self._until.pop(slot))
