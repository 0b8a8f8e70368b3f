"""Passwords, hashed with scrypt (RFC 7914); each hash says what it was made with, so that the cost can rise later."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from segments.errors import BadInput

T = TypeVar("T")

LEAST_CHARACTERS, MOST_CHARACTERS = 12, 256
_SALT_BYTES, _HASH_BYTES = 16, 32
_GROUPS, _GROUP_CHARACTERS = 4, 5
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""Of passwords that we make up: none that a reader takes for another one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a hash costs: 128 * n * r bytes of memory, p times over."""

    n: int = 1 << 15
    r: int = 8
    p: int = 3


COST = Cost()
"""OWASP's measure for 32 MiB: a third of a second of one core."""
_AT_ONCE = 2
"""Hashes that a process works on at once; more wait, so that a flood of sign-ins takes bounded memory."""


class Passwords:
    """Makes hashes of passwords and compares with them, a bounded number at once."""

    def __init__(self, cost: Cost = COST) -> None:
        self._cost = cost
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._nobody: str | None = None

    async def hashed(self, password: str) -> str:
        """The hash of a new password; raises BadInput if it is too short or too long."""
        check_password(password)
        return await self._in_thread(lambda: hash_of(password, self._cost))

    async def match(self, password: str, kept: str) -> bool:
        """Whether a password is the one of a hash. Without a hash it takes as long, and is not."""
        if not kept:
            self._nobody = self._nobody or await self._in_thread(lambda: hash_of(secrets.token_urlsafe(), self._cost))
        against = kept or self._nobody or ""
        return await self._in_thread(lambda: is_of(password[:MOST_CHARACTERS], against)) and bool(kept)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._places:
            return await asyncio.to_thread(work)


def check_password(password: str) -> None:
    """Raises BadInput if a password is too short or too long, or no text."""
    if any("\ud800" <= letter <= "\udfff" for letter in password):
        raise BadInput("a password is text: it holds half of a character")
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise BadInput(f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")


def made_up() -> str:
    """A new password of 100 random bits, in groups that can be read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_CHARACTERS)) for _ in range(_GROUPS))


def hash_of(password: str, cost: Cost = COST) -> str:
    """`scrypt:N:R:P:SALT:HASH`, salt and hash in base64."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return ":".join(["scrypt", str(cost.n), str(cost.r), str(cost.p), _text(salt), _text(_derived(password, salt, cost))])


def is_of(password: str, kept: str) -> bool:
    """Whether a password is the one of a hash; in constant time. What is no hash is nobody's."""
    try:
        kind, n, r, p, salt, wanted = kept.split(":")
        cost = Cost(int(n), int(r), int(p))
        found = _derived(password, base64.b64decode(salt), cost)
        return kind == "scrypt" and hmac.compare_digest(found, base64.b64decode(wanted))
    except (ValueError, binascii.Error):
        return False


def _derived(password: str, salt: bytes, cost: Cost) -> bytes:
    most_bytes = 128 * cost.r * (cost.n + cost.p + 2)
    return hashlib.scrypt(password.encode(), salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=most_bytes, dklen=_HASH_BYTES)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
