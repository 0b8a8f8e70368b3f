"""People at the page: signing in and out, giving a reason, asking for consent and giving it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from playback.identity.identity import Identity, identity_over
from playback.identity.users import User
from playback.sensitive.checks import RecordedConsents
from playback.sensitive.declared import Declaration, Kind
from playback.sensitive.kept import declare
from segments.access import EVERYTHING, Role, Scope
from tests.api import Api
from tests.builders import NOON_US
from tests.e2e.page.conftest import Opener, run
from tests.e2e.page.driver import Driven, moment
from tests.servers.page import PageServer, built_console

pytestmark = pytest.mark.server

PASSWORD = "a long enough password"
PEOPLE = (
    User("ann", "Ann", "north station", frozenset({Role.OPERATOR}), EVERYTHING),
    User("ben", "Ben", "south station", frozenset({Role.OPERATOR}), EVERYTHING),
    User("cleo", "Cleo", "", frozenset({Role.VIEWER}), Scope(cameras=("yard",))),
)


@dataclass
class People:
    """A service that wants to know who asks; the lens camera is sensitive."""

    server: PageServer
    tab: Opener

    def signed_in(self, name: str, camera: str = "", at_s: float | None = None) -> Driven:
        """A tab of somebody."""
        driven = self.tab(self.server)
        driven.page.goto(driven.url + (f"#/camera/{camera}" if camera else "") + (f"/at/{moment(at_s)}" if at_s is not None else ""))
        driven.page.locator("#name").fill(name)
        driven.page.locator("#password").fill(PASSWORD)
        driven.page.locator("#sign-in").click()
        expect(driven.page.locator("#sign-in-box")).not_to_be_visible()
        return driven


@pytest.fixture(scope="module")
def people_server(api: Api) -> Iterator[PageServer]:
    """The footage of all tests, behind an entrance."""
    identity = identity_over(api.index, api.clock)
    run(_fill(api, identity))
    consents = RecordedConsents(api.index, api.clock)
    services = api.services(console=built_console(), access=identity.entrance(), identity=identity, consents=consents)
    with PageServer(services) as server:
        yield server


async def _fill(api: Api, identity: Identity) -> None:
    for user in PEOPLE:
        await identity.users.add(user, PASSWORD, by="test")
    await declare(api.index, Declaration(Kind.CAMERA, "lens", "a school", "test", NOON_US))


@pytest.fixture
def people(people_server: PageServer, tab: Opener) -> People:
    """The service, and a browser for each person."""
    return People(people_server, tab)


def test_a_wrong_password_is_refused_and_the_right_one_opens_what_is_in_scope(people: People) -> None:
    """Cleo sees the yard and nothing else; signed out she sees nothing."""
    driven = people.tab(people.server)
    driven.page.goto(driven.url)
    driven.page.locator("#name").fill("cleo")
    driven.page.locator("#password").fill("wrong")
    driven.page.locator("#sign-in").click()
    expect(driven.page.locator("#sign-in-said")).to_contain_text("wrong")
    driven.page.locator("#password").fill(PASSWORD)
    driven.page.locator("#sign-in").click()
    expect(driven.page.locator("#me")).to_have_text("Cleo")
    expect(driven.page.locator("[data-camera]")).to_have_count(1)
    expect(driven.page.locator("#exports")).to_have_count(0)
    driven.page.locator("#sign-out").click()
    expect(driven.page.locator("#sign-in-box")).to_be_visible()
    expect(driven.page.locator("[data-camera]")).to_have_count(0)


@pytest.mark.parametrize(("who", "goes_on"), [("oidc:keycloak/ann", True), ("user:ann", False)])
def test_signing_out_ends_the_session_at_the_provider_too(people: People, who: str, goes_on: bool) -> None:
    """Who came from the identity provider goes on to it once the session here has ended; who did not stays."""
    driven = people.signed_in("ann")
    mine = driven.page.request.get(driven.url + "api/v1/me").json()
    driven.page.route("**/api/v1/me", lambda route: route.fulfill(json=mine | {"id": who}))
    driven.page.route("**/sign-in/farewell", lambda route: route.fulfill(body="farewell", content_type="text/html"))
    driven.page.reload()
    expect(driven.page.locator("#me")).to_contain_text("Ann")
    asked: list[str] = []
    driven.page.on("request", lambda request: asked.append(f"{request.method} {request.url.removeprefix(driven.url)}"))
    driven.page.locator("#sign-out").click()
    if goes_on:
        driven.page.wait_for_url("**/api/v1/sign-in/farewell")
        assert asked.index("DELETE api/v1/session") < asked.index("GET api/v1/sign-in/farewell")
    else:
        expect(driven.page.locator("#sign-in-box")).to_be_visible()
        assert "GET api/v1/sign-in/farewell" not in asked


def test_sensitive_footage_is_seen_after_a_second_person_agreed(people: People) -> None:
    """Ann is asked for a reason, then for consent; Ben agrees; then it plays. She cannot agree herself."""
    ann = people.signed_in("ann", "lens", 3)
    reason = ann.page.locator("#reason")
    reason.fill("a child is missing")
    ann.page.locator("#give-reason").click()
    expect(ann.page.locator("#need-box")).to_contain_text("second person")
    ann.page.locator("#give-reason").click()
    expect(ann.page.locator("#notice")).to_contain_text("Asked")
    ann.page.locator("#consents").click()
    expect(ann.page.locator("#consent-box li")).to_contain_text("waits for an answer")
    expect(ann.page.locator("#consent-box .approve")).to_have_count(0)
    ben = people.signed_in("ben")
    ben.page.locator("#consents").click()
    expect(ben.page.locator("#consent-box li")).to_contain_text("Ann north station asks to see lens")
    ben.page.locator("#consent-box .approve").click()
    expect(ben.page.locator("#consent-box li")).to_have_count(1)
    ann.page.wait_for_timeout(2500)  # an approval binds within two seconds
    ann.page.reload()
    ann.wait_shown(2.9, 20)
    ann.pause()
