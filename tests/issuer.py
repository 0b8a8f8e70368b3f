"""An identity provider in the test's own process: signs what the test says, and keeps to the rules of the code flow (PKCE, codes once)."""

from __future__ import annotations

import base64
import functools
import hashlib
import secrets
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from playback.identity.oidc_tokens import LOGOUT_EVENT
from segments.clock import US_PER_S, Clock

ISSUER = "https://id.example.org/realms/video"
CLIENT, SECRET, AUDIENCE = "keepsight", "the secret of the client", "keepsight-api"


@functools.cache
def key(kid: str) -> Key:
    """A pair of keys; those whose id begins with `rsa` are of RSA."""
    parameters: Any = {"kid": kid, "use": "sig"}
    if kid.startswith("rsa"):
        return RSAKey.generate_key(2048, parameters=parameters)
    return ECKey.generate_key("P-256", parameters=parameters)


class Issuer:
    """The provider. `asked` counts the questions by the end of their path; `away` makes it unreachable; `said` changes its description."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.kids = ["ec-1", "rsa-1"]
        self.asked: Counter[str] = Counter()
        self.away = False
        self.said: dict[str, Any] = {}
        self.more_keys: list[Any] = []
        self.claims: dict[str, Any] = {"name": "Anna", "roles": ["video-viewer"], "areas": ["fujian"], "sid": "session-1"}
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def transport(self) -> httpx2.AsyncBaseTransport:
        """How it is reached."""
        return httpx2.MockTransport(self._answer)

    def token(self, kid: str = "ec-1", header: dict[str, Any] | None = None, **claims: Any) -> str:
        """An access token for Anna, with other claims where they are given (None: without that one)."""
        now_s = self._clock.now_us() // US_PER_S
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": now_s, "exp": now_s + 300, "typ": "Bearer", **self.claims}
        alg = "RS256" if kid.startswith("rsa") else "ES256"
        said = {name: value for name, value in (good | claims).items() if value is not None}
        head = {name: value for name, value in {"alg": alg, "kid": kid, **(header or {})}.items() if value is not None}
        return jwt.encode(
            head, said, key(kid), registry=JWSRegistry({"odd": HeaderParameter("odd", "int")}, [alg], strict_check_header=False)
        )

    def id_token(self, **claims: Any) -> str:
        """An ID token for Anna."""
        return self.token(**{"aud": CLIENT, "typ": "ID", "azp": CLIENT} | claims)

    def logout_token(self, **claims: Any) -> str:
        """A logout token for Anna's session."""
        good = {"aud": CLIENT, "typ": "Logout", "jti": secrets.token_hex(8), "events": {LOGOUT_EVENT: {}}, "name": None, "roles": None}
        return self.token(**{"header": {"typ": "logout+jwt"}} | good | claims)

    def let_in(self, address: str) -> str:
        """Somebody signs in at the address a browser was sent to; the address they are sent back to."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(f"{ISSUER}/auth?")
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        assert "openid" in asked["scope"].split()
        code = secrets.token_hex(8)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': ISSUER})}"

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.away:
            raise httpx2.ConnectError("nobody is there")
        door = request.url.path.rpartition("/")[2]
        self.asked[door] += 1
        match door:
            case "openid-configuration":
                places = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys", "end_session_endpoint": "logout"}
                said = {"issuer": ISSUER, **{name: f"{ISSUER}/{path}" for name, path in places.items()}}
                return httpx2.Response(200, json=said | self.said)
            case "keys":
                return httpx2.Response(200, json={"keys": [*self.more_keys, *(key(kid).as_dict(private=False) for kid in self.kids)]})
            case "token":
                return self._exchange(request)
        return httpx2.Response(404)

    def _exchange(self, request: httpx2.Request) -> httpx2.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self._codes.pop(form.get("code", ""), None)
        if request.headers.get("authorization") != f"Basic {basic}":
            return httpx2.Response(401, json={"error": "invalid_client"})
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        token = self.id_token(nonce=asked.get("nonce"))
        return httpx2.Response(200, json={"access_token": self.token(), "token_type": "Bearer", "expires_in": 300, "id_token": token})
