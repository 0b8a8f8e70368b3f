"""A real Keycloak 26 for tests: from .parts (scripts/parts), on loopback, in memory, with a realm made by its admin API.

with Keycloak(folder) as keycloak:
    keycloak.make_realm(realm)                  # a realm as Keycloak exports it
    keycloak.issuer                             # what it calls itself
    keycloak.admin("GET", "/users")             # its admin API, below the realm
    await signed_in(browser, address, "anna", "password")   # its login form, as a person would fill it in
"""

from __future__ import annotations

import html
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Self

import httpx2

from tests.servers.processes import Program, free_port, require

HOME = Path(__file__).parents[2] / ".parts" / "keycloak-26.7.3"
START_LIMIT_S = 400
REALM = "video"
_ADMIN = "admin"
_TOKEN_S = 30
"""Its tokens last a minute, and each costs it a slow hash."""
_HEAP = "-Xms64m -Xmx512m -XX:TieredStopAtLevel=1"
_FORM = re.compile(r'<form[^>]+id="kc-form-login"[^>]+action="([^"]+)"')


class Keycloak:
    """The running program; a context manager."""

    def __init__(self, folder: Path) -> None:
        require(shutil.which("java") and (HOME / ".whole").exists(), f"Java 17 or {HOME} is missing; run scripts/parts")
        self._folder = folder
        self._password = secrets.token_urlsafe(16)
        self._port, self._health_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.issuer = f"{self.url}/realms/{REALM}"
        self._token = "", 0.0
        self._http = httpx2.Client(trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        where = [f"--http-host=127.0.0.1 --http-port={self._port}", f"--http-management-port={self._health_port} --health-enabled=true"]
        inside = ["--db=dev-mem --cache=local --log-level=warn"]
        environment = {
            "KC_BOOTSTRAP_ADMIN_USERNAME": _ADMIN,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": self._password,
            "JAVA_OPTS_KC_HEAP": _HEAP,
            "KC_HTTP_MANAGEMENT_HOST": "127.0.0.1",
        }
        options = " ".join([*where, *inside]).split()
        self._program = Program([str(HOME / "bin" / "kc.sh"), "start-dev", *options], env=environment, cwd=self._folder)
        try:
            self._program.wait_for(self._ready, limit_s=START_LIMIT_S)
        except BaseException:
            self._program.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._program.stop()

    def make_realm(self, realm: dict[str, Any]) -> None:
        """Makes a realm of this description."""
        self._ask("POST", "/admin/realms", {"realm": REALM, "enabled": True, **realm})

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the admin API below the realm; raises httpx2.HTTPStatusError with what it refused."""
        return self._ask(method, f"/admin/realms/{REALM}{path}", body)

    def user_id(self, name: str) -> str:
        """What it calls a user: the `sub` of tokens."""
        return str(self.admin("GET", f"/users?exact=true&username={name}")[0]["id"])

    def token(self, **form: str) -> httpx2.Response:
        """What its token door answers to a form."""
        return self._http.post(f"{self.issuer}/protocol/openid-connect/token", data=form)

    def master_token(self) -> str:
        """A token of its own administrator, of another realm."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": _ADMIN, "password": self._password}
        answer = self._http.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=form)
        return str(answer.raise_for_status().json()["access_token"])

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        if time.monotonic() > self._token[1]:
            self._token = self.master_token(), time.monotonic() + _TOKEN_S
        headers = {"Authorization": f"Bearer {self._token[0]}"}
        answer = self._http.request(method, f"{self.url}{path}", json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _ready(self) -> bool:
        try:
            return self._http.get(f"http://127.0.0.1:{self._health_port}/health/ready").status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False


async def filled_in(browser: httpx2.AsyncClient, address: str, user: str, password: str) -> httpx2.Response:
    """Fills in Keycloak's login form at the address a browser was sent to; what it answers: on success the way back to us."""
    page = await browser.get(address)
    if page.is_redirect:
        return page  # it knows this browser already
    for cookie in browser.cookies.jar:
        cookie.secure = False  # marked so on plain http too, which browsers let pass on loopback
    form = _FORM.search(page.text)
    assert form, page.text[:2000]
    return await browser.post(html.unescape(form[1]), data={"username": user, "password": password})
