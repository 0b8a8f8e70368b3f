"""Signing in at a provider: by code, PKCE, state and nonce, bound to the browser that began; and the provider's word that it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from segments.access import Verb
from tests.api import Api
from tests.house.test_routes_have_rules import rules
from tests.oidc_site import BASE, OidcSite, oidc_site

STATE_COOKIE = "__Host-keepsight_sign_in"


@pytest.fixture
async def site() -> AsyncIterator[OidcSite]:
    async with oidc_site() as made:
        yield made


def changed(address: str, **values: str | None) -> str:
    """An address with other values in its query; None: without that one."""
    parts = urlsplit(address)
    query = {name: value for name, value in {**dict(parse_qsl(parts.query)), **values}.items() if value is not None}
    return parts._replace(query=urlencode(query)).geturl()


async def test_somebody_signs_in_and_gets_what_the_claims_say(site: OidcSite) -> None:
    """The browser comes back to the page it wanted, with a session of that person."""
    assert (await site.cameras()).status_code == 401
    answer = await site.signed_in("/footage?camera=gate")
    assert (answer.status_code, answer.headers["location"]) == (303, "/footage?camera=gate")
    assert [one["id"] for one in (await site.cameras()).json()["cameras"]] == ["gate"]
    subject = await site.entrance.known("oidc:https://id.example.org/realms/video#anna")
    assert subject is not None
    assert (subject.name, subject.roles, subject.scope.areas) == ("Anna", {"viewer"}, ("fujian",))


async def test_the_page_is_told_of_the_provider(site: OidcSite) -> None:
    """Whoever is to sign in can choose; where there is no provider none is offered."""
    assert (await site.browser.get("/api/v1/session/ways")).json() == {"password": True, "provider": True}
    assert (await Api().get("session/ways")).json() == {"password": True, "provider": False}


async def test_the_cookies_are_for_this_site_alone(site: OidcSite) -> None:
    """By TLS only, out of reach of scripts, and gone when the sign-in is over."""
    begun = await site.browser.get("/api/v1/sign-in")
    for word in (f"{STATE_COOKIE}=", "HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=600"):
        assert word in begun.headers["set-cookie"]
    assert begun.headers["cache-control"] == "no-store"
    done = await site.browser.get(site.issuer.let_in(begun.headers["location"]))
    assert STATE_COOKIE not in site.browser.cookies
    assert len(done.headers.get_list("set-cookie")) == 2


FOREIGN_PAGES = ["https://evil.example.org/", "//evil.example.org", "/\\evil.example.org", "evil", "", "/\t/evil", "http://["]


async def test_a_sign_in_ends_on_our_own_pages_only(site: OidcSite) -> None:
    """No address of another place is taken as the page to end at (open redirect)."""
    for page in FOREIGN_PAGES:
        assert (await site.browser.get("/api/v1/sign-in", params={"next": page})).status_code == 422


FORGED: list[dict[str, str | None]] = [
    *({"state": said} for said in ("another", None)),
    *({"code": said} for said in ("made-up", None, "a" * 5000)),
    {"iss": "https://evil.example.org"},
    {"error": "access_denied"},
]


async def test_a_forged_answer_ends_in_a_sentence_and_no_session(site: OidcSite) -> None:
    """What the provider did not say to this browser begins nothing, and ends this sign-in."""
    for forged in FORGED:
        back = site.issuer.let_in(await site.begun())
        answer = await site.browser.get(changed(back, **forged))
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), forged
        assert "begin again" in answer.json()["detail"]
        assert (await site.browser.get(back)).status_code == 400, "the sign-in is over"
    assert (await site.cameras()).status_code == 401


async def test_another_browser_cannot_use_the_answer(site: OidcSite) -> None:
    """Somebody who is given the address of the answer (login CSRF) gets no session, and the code is not spent."""
    back = site.issuer.let_in(await site.begun())
    async with site.stranger() as stranger:
        assert (await stranger.get(back)).status_code == 400
    assert site.issuer.asked["token"] == 0
    assert (await site.browser.get(back)).status_code == 303


async def test_an_answer_counts_once(site: OidcSite) -> None:
    """The same answer again is refused, also by a browser that kept the cookie."""
    address = await site.begun()
    cookie = site.browser.cookies[STATE_COOKIE]
    back = site.issuer.let_in(address)
    assert (await site.browser.get(back)).status_code == 303
    async with site.stranger() as stranger:
        stranger.cookies.set(STATE_COOKIE, cookie)
        assert (await stranger.get(back)).status_code == 400
        assert "keepsight_session" not in stranger.cookies


async def test_a_cookie_that_was_changed_or_is_old_is_none(site: OidcSite) -> None:
    """Its signature and its time are checked."""
    back = site.issuer.let_in(await site.begun())
    site.clock.after(601)
    assert "10 minutes" in (await site.browser.get(back)).json()["detail"]
    back = site.issuer.let_in(await site.begun())
    cookie = site.browser.cookies[STATE_COOKIE]
    site.browser.cookies.set(STATE_COOKIE, ("e" if cookie[0] != "e" else "f") + cookie[1:], domain="video.example.org", path="/")
    async with site.stranger() as stranger:
        stranger.cookies.set(STATE_COOKIE, "x" + cookie)
        assert (await stranger.get(back)).status_code == 400


WRONG_ID_TOKENS: list[dict[str, object]] = [
    *({name: "another"} for name in ("nonce", "aud", "azp", "iss")),
    {"aud": ["keepsight", "another"], "azp": None},
    {"exp": 1},
    *({"sub": said} for said in (None, "")),
]


async def test_an_id_token_that_is_not_for_this_sign_in_is_refused(site: OidcSite) -> None:
    """Nonce, audience, party, issuer, time and subject are checked, though it came straight from the provider."""
    whole = site.issuer.id_token
    for wrong in WRONG_ID_TOKENS:
        site.issuer.id_token = lambda wrong=wrong, **claims: whole(**claims | wrong)  # type: ignore[method-assign,misc]
        assert (await site.signed_in()).status_code == 400, wrong
    assert (await site.cameras()).status_code == 401


async def test_somebody_without_a_role_here_gets_no_session(site: OidcSite) -> None:
    """Whoever is known but has no mapped role is told so."""
    site.issuer.claims["roles"] = ["administrator", "viewer", "offline_access"]
    answer = await site.signed_in()
    assert answer.status_code == 403
    assert "no role" in answer.json()["detail"]
    assert (await site.cameras()).status_code == 401


async def test_while_the_provider_is_away_a_sign_in_waits(site: OidcSite) -> None:
    """The service runs on, says to try again, and does so when the provider is back."""
    site.issuer.away = True
    answer = await site.browser.get("/api/v1/sign-in")
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert (await site.browser.get("/api/v1/health")).status_code == 200
    site.issuer.away = False
    site.clock.after(3)
    assert (await site.signed_in()).status_code == 303


WRONG_PROVIDERS: list[dict[str, Any]] = [
    {"issuer": "https://evil.example.org"},
    {"token_endpoint": "http://id.example.org/token"},
    {"jwks_uri": None},
]


async def test_a_provider_that_is_another_or_unsafe_is_not_used(site: OidcSite) -> None:
    """Its own name must be the one agreed on, and its doors must be by TLS."""
    for said in WRONG_PROVIDERS:
        site.issuer.said = said
        assert (await site.browser.get("/api/v1/sign-in")).status_code == 502
        site.clock.after(3)


async def test_leaving_leads_to_the_provider(site: OidcSite) -> None:
    """The farewell ends the session there, and comes back here."""
    answer = await site.browser.get("/api/v1/sign-in/farewell")
    assert answer.status_code == 302
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked == {"client_id": ["keepsight"], "post_logout_redirect_uri": [f"{BASE}/"]}


async def logged_out(site: OidcSite, token: str) -> int:
    """The status of the answer to the provider's call."""
    return (await site.browser.post("/api/v1/sign-in/logout", data={"logout_token": token})).status_code


async def test_the_provider_ends_sessions(site: OidcSite) -> None:
    """A logout token ends the session it names, or all of the person it names; the same token is not taken twice."""
    for whom in ({}, {"sid": None}, {"sub": None}):
        await site.signed_in()
        assert (await site.cameras()).status_code == 200
        token = site.issuer.logout_token(**whom)
        assert await logged_out(site, token) == 200
        assert (await site.cameras()).status_code == 401
        assert await logged_out(site, token) == 400


WRONG_LOGOUTS: list[dict[str, Any]] = [
    {"header": {"typ": "JWT"}},
    {"aud": "another"},
    {"iss": "https://evil.example.org"},
    *({"events": said} for said in (None, {"http://schemas.openid.net/event/other": {}}, "logout")),
    {"nonce": "n"},
    *({"jti": said} for said in (None, 7)),
    {"iat": 1},
    {"exp": 1},
    {"sub": None, "sid": None},
]


async def test_what_is_no_logout_token_ends_nothing(site: OidcSite) -> None:
    """Each thing the standard asks of a logout token is checked; one of another session ends none of ours."""
    await site.signed_in()
    for wrong in WRONG_LOGOUTS:
        assert await logged_out(site, site.issuer.logout_token(**wrong)) == 400, wrong
    assert await logged_out(site, site.issuer.logout_token(sid="another")) == 200
    assert (await site.cameras()).status_code == 200


async def test_an_id_token_is_no_logout_token_and_a_form_is_wanted(site: OidcSite) -> None:
    """Other tokens of the provider, two of them, none, and a flood end in 400."""
    assert await logged_out(site, site.issuer.id_token(nonce="n")) == 400
    for body in (b"", b"logout_token=a&logout_token=b", b"\xff", b"logout_token=" + b"a" * 100_000):
        assert (await site.browser.post("/api/v1/sign-in/logout", content=body)).status_code == 400


async def test_its_routes_are_the_only_more_that_are_open(site: OidcSite) -> None:
    """A provider adds four routes, each with its rule, and nothing else that may be asked without being somebody."""
    added = {path: [one.verb for one in before] for path, before in rules(site.app) if path.startswith("/api/v1/sign-in")}
    assert added == {f"/api/v1/sign-in{end}": [Verb.PROBE] for end in ("", "/done", "/farewell", "/logout")}
