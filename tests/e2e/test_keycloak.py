"""The real Keycloak as the identity provider: people at its login form, services with their tokens, and the attacks on both."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from joserfc.jwk import JWKRegistry
from playwright.async_api import Page

from deploy.api_access import open_access
from deploy.api_app import whole_app
from deploy.settings import load_settings
from deploy.web_server import Listening, serve_http
from playback.access import Access
from retention.asked import RetentionServices
from retention.policies import PolicyLimits
from segments.clock import US_PER_S, SystemClock
from segments.stores.memory_index import MemoryIndex
from tests.api import Api
from tests.builders import a_camera
from tests.keycloak_realm import AUDIENCE, CLIENT, PASSWORD, SECRET, SERVICE, SERVICE_SECRET, realm
from tests.servers.keycloak import Keycloak, filled_in
from tests.servers.processes import free_port

pytestmark = pytest.mark.server

PORT = free_port()
BASE = f"http://127.0.0.1:{PORT}"
CALL_S = 10


class MovedClock(SystemClock):
    """The machine's clock, moved on by the test."""

    ahead_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.ahead_us

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_us * 1000


@dataclass
class Site:
    """The API on its port, with cameras in two cities."""

    keycloak: Keycloak
    clock: MovedClock
    access: Access

    def browser(self) -> httpx2.AsyncClient:
        """A browser of its own."""
        return httpx2.AsyncClient(trust_env=False, base_url=BASE, timeout=60)

    async def back_from(self, browser: httpx2.AsyncClient, user: str) -> str:
        """The address of ours that Keycloak sends a browser to when somebody has filled in its form; empty if it sends it nowhere."""
        begun = await browser.get("/api/v1/sign-in")
        assert begun.status_code == 302, begun.text
        return (await filled_in(browser, begun.headers["location"], user, PASSWORD)).headers.get("location", "")

    async def status(self, token: str, path: str = "/api/v1/cameras") -> int:
        """The answer to a bearer."""
        async with self.browser() as client:
            return (await client.get(path, headers={"Authorization": f"Bearer {token}"})).status_code

    def service_token(self) -> str:
        """A new token of the service."""
        form = {"grant_type": "client_credentials", "client_id": SERVICE, "client_secret": SERVICE_SECRET}
        return str(self.keycloak.token(**form).raise_for_status().json()["access_token"])


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """One Keycloak for all tests of this module."""
    with Keycloak(tmp_path_factory.mktemp("keycloak")) as running:
        running.make_realm(realm(BASE))
        yield running


@pytest.fixture
async def site(keycloak: Keycloak, tmp_path: Path) -> AsyncIterator[Site]:
    """A site that is set up as the guide says."""
    secret = tmp_path / "oidc.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    section = {"issuer": keycloak.issuer, "client_id": CLIENT, "client_secret_file": str(secret), "base_url": BASE, "audience": AUDIENCE}
    lines = ["[access.oidc]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    lines.append('roles = { "video-viewer" = "viewer", "video-operator" = "operator" }')
    (tmp_path / "keepsight.toml").write_text("\n".join(lines))
    settings = load_settings(tmp_path / "keepsight.toml", {})
    clock, index = MovedClock(), MemoryIndex()
    for camera, area in (("gate", "fujian/xiamen/siming"), ("quay", "fujian/fuzhou")):
        await index.add_camera(a_camera(camera, area=area))
    async with open_access(settings, index, clock) as who:
        services = Api(index=index).services(clock=clock, access=who.access, identity=who.identity)
        app = whole_app(services, RetentionServices(index, clock, PolicyLimits()), who.routes)
        serving = asyncio.create_task(serve_http(app, Listening("127.0.0.1", PORT)))
        try:
            await _answers()
            yield Site(keycloak, clock, who.access)
        finally:
            serving.cancel()
            await asyncio.wait([serving])


async def _answers() -> None:
    async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(CALL_S):
        while True:
            try:
                await client.get(f"{BASE}/api/v1/health")
                return
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)


async def _ended(browser: httpx2.AsyncClient) -> bool:
    """Whether the session of a browser ends within the time a call may take."""
    for _ in range(CALL_S * 20):
        if (await browser.get("/api/v1/cameras")).status_code == httpx2.codes.UNAUTHORIZED:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_somebody_signs_in_and_sees_what_the_realm_says(site: Site) -> None:
    """By code and PKCE through the real form: roles are mapped, other ones count nothing, and areas narrow what there is."""
    async with site.browser() as browser:
        done = await browser.get(await site.back_from(browser, "anna"))
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert [one["id"] for one in (await browser.get("/api/v1/cameras")).json()["cameras"]] == ["gate"]
        assert (await browser.get("/api/v1/cameras/gate")).status_code == 200
        assert (await browser.get("/api/v1/cameras/quay")).status_code == 404
        assert (await browser.get("/api/v1/holds")).status_code == 403
    subject = await site.access.known(f"oidc:{site.keycloak.issuer}#{site.keycloak.user_id('anna')}")
    assert subject is not None
    assert (subject.name, subject.unit, set(subject.roles)) == ("Anna Chen", "Harbour police", {"viewer"})


async def test_a_browser_signs_in(site: Site, browser_page: Page) -> None:
    """Real Chromium takes all the cookies along, and asks with its session afterwards."""
    await browser_page.goto(f"{BASE}/api/v1/sign-in")
    await browser_page.fill("#username", "anna")
    await browser_page.fill("#password", PASSWORD)
    await browser_page.click("#kc-login")
    await browser_page.wait_for_url(f"{BASE}/")
    asked = "async () => (await fetch('/api/v1/cameras')).status"
    assert await browser_page.evaluate(asked) == 200


async def test_a_role_that_is_not_mapped_is_none(site: Site) -> None:
    """Somebody with a role of another system, and every area there is, gets no session."""
    async with site.browser() as browser:
        assert (await browser.get(await site.back_from(browser, "carl"))).status_code == 403
        assert (await browser.get("/api/v1/cameras")).status_code == 401


async def test_forged_and_replayed_answers_begin_no_session(site: Site) -> None:
    """Another state, another browser, the same answer again, and a code that was used in an answer that is right otherwise."""
    async with site.browser() as browser, site.browser() as other:
        back = await site.back_from(browser, "anna")
        query = dict(parse_qsl(urlsplit(back).query))
        done = f"{BASE}/api/v1/sign-in/done"
        assert (await other.get(back)).status_code == 400
        assert (await browser.get(back)).status_code == 303
        assert (await browser.get(back)).status_code == 400
        begun = await other.get("/api/v1/sign-in")
        state = dict(parse_qsl(urlsplit(begun.headers["location"]).query))["state"]
        replayed = await other.get(f"{done}?{urlencode(query | {'state': state})}")
        assert (replayed.status_code, "begin again" in replayed.json()["detail"]) == (400, True)
        assert (await other.get("/api/v1/cameras")).status_code == 401


async def test_a_service_is_known_by_its_token(site: Site) -> None:
    """Client credentials: role and areas are those of the service's account."""
    token = site.service_token()
    assert await site.status(token) == 200
    assert await site.status(token, "/api/v1/holds") == 200
    assert await site.status(token, "/api/v1/cameras/quay") == 404


def part(value: Any) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature of a token."""
    head, claims, signature = token.split(".")
    return json.loads(base64.urlsafe_b64decode(head + "==")), json.loads(base64.urlsafe_b64decode(claims + "==")), signature


async def test_forged_tokens_are_refused(site: Site) -> None:
    """Alg none, a secret that is the published key, other claims, and a token whose time is over."""
    token = site.service_token()
    head, claims, signature = parts(token)
    async with site.browser() as client:
        keys = (await client.get(f"{site.keycloak.issuer}/protocol/openid-connect/certs")).json()["keys"]
    published = JWKRegistry.import_key(next(key for key in keys if key["kid"] == head["kid"]))
    keyed = f"{part(head | {'alg': 'HS256'})}.{part(claims)}"
    mac = hmac.digest(published.as_pem(private=False), keyed.encode(), "sha256")  # type: ignore[union-attr]
    forged = [
        f"{part(head | {'alg': 'none'})}.{part(claims)}.",
        f"{keyed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}",
        f"{part(head)}.{part(claims | {'areas': ['*']})}.{signature}",
        f"{part(head | {'kid': 'another'})}.{part(claims)}.{signature}",
    ]
    assert [await site.status(one) for one in (token, *forged)] == [200, 401, 401, 401, 401]
    site.clock.ahead_us = 400 * US_PER_S
    assert await site.status(token) == 401


async def test_tokens_that_are_not_for_us_are_refused(site: Site) -> None:
    """A token of the same realm for something else, one of another realm, and a person's ID token."""
    anna = {"grant_type": "password", "username": "anna", "password": PASSWORD}
    elsewhere = site.keycloak.token(**anna, client_id="admin-cli").raise_for_status().json()["access_token"]
    client = site.keycloak.admin("GET", f"/clients?clientId={CLIENT}")[0]
    site.keycloak.admin("PUT", f"/clients/{client['id']}", client | {"directAccessGrantsEnabled": True})
    form = anna | {"client_id": CLIENT, "client_secret": SECRET, "scope": "openid"}
    tokens = site.keycloak.token(**form).raise_for_status().json()
    assert await site.status(tokens["access_token"]) == 200, "the control: it is the audience that makes the difference"
    for token in (elsewhere, site.keycloak.master_token(), tokens["id_token"], tokens["refresh_token"]):
        assert await site.status(token) == 401


async def test_keys_may_change(site: Site) -> None:
    """A token of a new key opens as soon as one comes, and those of the old key go on."""
    old = site.service_token()
    assert await site.status(old) == 200
    config = {"priority": ["200"], "algorithm": ["ES256"], "ecdsaEllipticCurveKey": ["P-256"]}
    kind = {"name": "new", "providerId": "ecdsa-generated", "providerType": "org.keycloak.keys.KeyProvider"}
    site.keycloak.admin("POST", "/components", kind | {"config": config})
    site.keycloak.admin("PUT", "", {"defaultSignatureAlgorithm": "ES256"})
    new = site.service_token()
    assert (parts(old)[0]["alg"], parts(new)[0]["alg"]) == ("RS256", "ES256")
    site.clock.ahead_us = 4 * US_PER_S
    assert [await site.status(token) for token in (new, old)] == [200, 200]


async def test_the_provider_ends_sessions(site: Site) -> None:
    """An administrator of Keycloak ends somebody's sessions: the one here ends by its call, another person's does not."""
    async with site.browser() as anna, site.browser() as ben:
        for browser, name in ((anna, "anna"), (ben, "ben")):
            assert (await browser.get(await site.back_from(browser, name))).status_code == 303
        site.keycloak.admin("POST", f"/users/{site.keycloak.user_id('anna')}/logout")
        assert await _ended(anna)
        assert (await ben.get("/api/v1/cameras")).status_code == 200


async def test_somebody_who_is_disabled_gets_no_new_session(site: Site) -> None:
    """The form lets them in no more."""
    user = site.keycloak.user_id("ben")
    site.keycloak.admin("PUT", f"/users/{user}", {"enabled": False})
    try:
        async with site.browser() as browser:
            assert await site.back_from(browser, "ben") == ""
            assert (await browser.get("/api/v1/cameras")).status_code == 401
    finally:
        site.keycloak.admin("PUT", f"/users/{user}", {"enabled": True})
