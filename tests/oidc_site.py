"""A site whose people sign in at a provider, with its API in memory and the provider in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from deploy.api_app import whole_app
from deploy.api_oidc import oidc_parts
from playback.identity.entrance import Entrance
from playback.identity.identity import identity_over
from playback.identity.oidc import Oidc
from retention.asked import RetentionServices
from retention.policies import PolicyLimits
from segments.access import Role
from segments.clock import US_PER_S, SystemClock
from segments.stores.memory_index import MemoryIndex
from tests.api import Api
from tests.builders import NOON_US, a_camera
from tests.issuer import AUDIENCE, CLIENT, ISSUER, SECRET, Issuer

BASE = "https://video.example.org"
KEY = "a key of the site that is long enough"


class StandingClock(SystemClock):
    """A clock that the test moves, wall and monotonic time together."""

    def __init__(self) -> None:
        self.at_us = NOON_US

    def now_us(self) -> int:
        return self.at_us

    def monotonic_ns(self) -> int:
        return self.at_us * 1000

    def after(self, seconds: float) -> None:
        """Moves it on."""
        self.at_us += round(seconds * US_PER_S)


def an_agreement(**changes: Any) -> Oidc:
    """What the site agrees with the issuer of the tests."""
    roles = {"video-viewer": Role.VIEWER, "video-operator": Role.OPERATOR}
    good: dict[str, Any] = {"issuer": ISSUER, "client_id": CLIENT, "base_url": BASE, "audience": AUDIENCE, "client_secret": SECRET}
    return Oidc(**good | {"roles": roles} | changes)


@dataclass
class OidcSite:
    """The API under test, the provider, and a browser at the page."""

    issuer: Issuer
    clock: StandingClock
    index: MemoryIndex
    entrance: Entrance
    browser: httpx2.AsyncClient
    app: Any

    def stranger(self) -> httpx2.AsyncClient:
        """Another browser."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app, raise_app_exceptions=False), base_url=BASE)

    async def begun(self, page: str = "/") -> str:
        """The address the browser is sent to when it begins to sign in."""
        answer = await self.browser.get("/api/v1/sign-in", params={"next": page})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def signed_in(self, page: str = "/") -> httpx2.Response:
        """What answers the browser that comes back from the provider."""
        return await self.browser.get(self.issuer.let_in(await self.begun(page)))

    async def cameras(self, token: str | None = None) -> httpx2.Response:
        """A question for the cameras, by the browser or with a token."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self.browser.get("/api/v1/cameras", headers=headers)


@asynccontextmanager
async def oidc_site(**changes: Any) -> AsyncIterator[OidcSite]:
    """A site with one camera in Fujian."""
    clock, index = StandingClock(), MemoryIndex()
    await index.add_camera(a_camera("gate"))
    issuer, identity = Issuer(clock), identity_over(index, clock)
    async with oidc_parts(an_agreement(**changes), KEY, identity.sessions, index, clock, transport=issuer.transport) as parts:
        entrance = identity.entrance(parts.bearers)
        services = Api(index=index).services(clock=clock, access=entrance, identity=identity)
        app = whole_app(services, RetentionServices(index, clock, PolicyLimits()), [parts.routes])
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as browser:
            yield OidcSite(issuer, clock, index, entrance, browser, app)
