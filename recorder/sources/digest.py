"""Logging in to a camera: Digest (RFC 7616, and RFC 2617 without qop) and, where nothing better is offered, Basic (RFC 7617).

SHA-256 is preferred to MD5, and a password never goes out as Basic to a camera that knows Digest.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from segments.model import Credential

_ALGORITHMS = ("SHA-256", "MD5", "", "BASIC")  # best first; "": a Digest we do not speak, which still rules Basic out
_CHALLENGE = re.compile(r"(?:^|,)\s*(Digest|Basic)\s+", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in that a camera offers. `algorithm` is SHA-256, MD5 or BASIC."""

    algorithm: str
    realm: str
    nonce: str = ""
    opaque: str | None = None
    qop_auth: bool = False
    stale: bool = False
    named_algorithm: bool = False


def best_challenge(headers: Iterable[str]) -> Challenge | None:
    """The best of the challenges in WWW-Authenticate headers; None if none is of a kind we speak."""
    found = [challenge for header in headers for challenge in _challenges(header[:4096])]
    best = min(found, key=lambda challenge: _ALGORITHMS.index(challenge.algorithm), default=None)
    return best if best and best.algorithm else None


def _challenges(header: str) -> Iterable[Challenge]:
    pieces = _CHALLENGE.split(header)
    for scheme, text in zip(pieces[1::2], pieces[2::2], strict=True):
        values = {name.lower(): _CONTROL.sub("", quoted or plain) for name, quoted, plain in _PARAMETER.findall(text)}
        algorithm = values.get("algorithm", "MD5").upper() if scheme.lower() == "digest" else "BASIC"
        qop = [name.strip().lower() for name in values.get("qop", "").split(",") if name.strip()]
        yield Challenge(
            algorithm=algorithm if algorithm in _ALGORITHMS and (not qop or "auth" in qop) else "",
            realm=values.get("realm", ""),
            nonce=values.get("nonce", ""),
            opaque=values.get("opaque"),
            qop_auth=bool(qop),
            stale=values.get("stale", "").lower() == "true",
            named_algorithm="algorithm" in values,
        )


class Login:
    """Answers a camera's challenges with one credential."""

    def __init__(self, credential: Credential, cnonce: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        self._credential = credential
        self._cnonce = cnonce
        self._challenge: Challenge | None = None
        self._count = 0

    @property
    def challenged(self) -> bool:
        """Whether requests carry the credential by now."""
        return self._challenge is not None

    def take(self, challenge: Challenge) -> None:
        """Uses this challenge from now on."""
        self._challenge = challenge
        self._count = 0

    def header(self, method: str, uri: str) -> Mapping[str, str]:
        """The Authorization header of a request; none before a challenge."""
        challenge = self._challenge
        if challenge is None:
            return {}
        if challenge.algorithm == "BASIC":
            pair = f"{self._credential.user}:{self._credential.password}"
            return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        self._count += 1
        return {"Authorization": digest_header(challenge, self._credential, (method, uri), self._cnonce(), self._count)}


def digest_header(challenge: Challenge, credential: Credential, request: tuple[str, str], cnonce: str, count: int) -> str:
    """The value of an Authorization header for a request (method, uri): RFC 7616 part 3.4, or RFC 2617 part 3.2.2.1 without qop."""
    method, uri = request
    algorithm = hashlib.sha256 if challenge.algorithm == "SHA-256" else hashlib.md5

    def digest(text: str) -> str:
        return algorithm(text.encode("utf-8", "surrogateescape")).hexdigest()

    secret = digest(f"{credential.user}:{challenge.realm}:{credential.password}")
    middle = f"{challenge.nonce}:{count:08x}:{cnonce}:auth" if challenge.qop_auth else challenge.nonce
    fields = {"username": credential.user, "realm": challenge.realm, "nonce": challenge.nonce, "uri": uri}
    fields["response"] = digest(f"{secret}:{middle}:{digest(f'{method}:{uri}')}")
    if challenge.opaque is not None:
        fields["opaque"] = challenge.opaque
    plain = f", algorithm={challenge.algorithm}" if challenge.named_algorithm else ""
    if challenge.qop_auth:
        fields["cnonce"] = cnonce
        plain += f", qop=auth, nc={count:08x}"
    return "Digest " + ", ".join(f'{name}="{_quoted(value)}"' for name, value in fields.items()) + plain


def _quoted(text: str) -> str:
    return _CONTROL.sub("", text).replace("\\", "\\\\").replace('"', '\\"')
