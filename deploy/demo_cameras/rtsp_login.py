"""Digest login as a server asks for it (RFC 7616, RFC 2617): SHA-256 first, MD5 for players that know nothing else."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

REALM = "Keepsight demo"
_ALGORITHMS = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
_FIELD = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True, slots=True)
class Account:
    """Who may look."""

    user: str
    password: str = field(repr=False)


class DigestLogin:
    """The login of one connection, with a nonce of its own."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._nonce = secrets.token_hex(16)

    @property
    def challenges(self) -> list[str]:
        """The WWW-Authenticate headers, best first (some players take the last one they know)."""
        return [f'Digest realm="{REALM}", nonce="{self._nonce}", algorithm={name}, qop="auth"' for name in _ALGORITHMS]

    def lets_in(self, method: str, uri: str, authorization: str) -> bool:
        """Whether an Authorization header proves the password for this very request; compared in constant time."""
        given = {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(authorization)}
        algorithm = _ALGORITHMS.get(given.get("algorithm", "MD5").upper())
        if algorithm is None or (given.get("username"), given.get("nonce"), given.get("uri")) != (self._account.user, self._nonce, uri):
            return False

        def digest(text: str) -> str:
            return algorithm(text.encode()).hexdigest()

        secret = digest(f"{self._account.user}:{REALM}:{self._account.password}")
        middle = f"{self._nonce}:{given.get('nc')}:{given.get('cnonce')}:auth" if "qop" in given else self._nonce
        expected = digest(f"{secret}:{middle}:{digest(f'{method}:{uri}')}")
        return hmac.compare_digest(expected.encode(), given.get("response", "").encode())
