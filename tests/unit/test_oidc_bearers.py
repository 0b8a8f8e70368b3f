"""Access tokens of a provider: which are believed, whom they name, and what happens while the provider is away or changes its keys."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from playback.identity.oidc_provider import FRESH_S, KEPT_S, PAUSE_S
from segments.access import Subject
from tests.issuer import ISSUER, key
from tests.oidc_site import OidcSite, oidc_site

ANNA = f"oidc:{ISSUER}#anna"


@pytest.fixture
async def site() -> AsyncIterator[OidcSite]:
    async with oidc_site() as made:
        yield made


async def status(site: OidcSite, token: str) -> int:
    """The answer to a question with this token."""
    return (await site.cameras(token)).status_code


async def unwritten(site: OidcSite, subject_id: str) -> Subject | None:
    """Whom a job of another process would act for."""
    return await site.entrance.known(subject_id)


async def test_a_token_of_the_provider_opens(site: OidcSite) -> None:
    """Signed with any of its keys, by any algorithm that was agreed on."""
    for kid in ("ec-1", "rsa-1"):
        assert await status(site, site.issuer.token(kid)) == 200
        assert await status(site, site.issuer.token(kid, {"typ": "at+jwt"}, typ=None)) == 200


NOT_FOR_US: list[dict[str, Any]] = [
    *({"aud": said} for said in ("keepsight", ["other", "keepsight"], None, [], {})),
    *({"iss": said} for said in ("https://evil.example.org", f"{ISSUER}/", None, [ISSUER])),
    *({"exp": said} for said in (None, "never", True)),
    *({"sub": said} for said in (None, "", 7, "a\nb")),
    *({"typ": said} for said in ("ID", "Refresh", "Logout")),
    {"nonce": "n"},
    {"at_hash": "h"},
    {"events": {}},
    *({"header": said} for said in ({"typ": "logout+jwt"}, {"kid": "unknown"}, {"kid": None}, {"crit": ["odd"], "odd": 1})),
    {"kid": "ec-2"},
]
"""What is wrong with each token; it is right otherwise."""


async def test_what_is_no_access_token_for_us_is_refused(site: OidcSite) -> None:
    """Audience, issuer, time, subject, kind and key: each alone refuses a token."""
    refused = {str(wrong): await status(site, site.issuer.token(**wrong)) for wrong in NOT_FOR_US}
    assert {wrong: said for wrong, said in refused.items() if said != 401} == {}


async def test_a_token_has_its_time(site: OidcSite) -> None:
    """Ten seconds of difference between clocks are fine; more are not, on both ends."""
    now_s = site.clock.at_us // 1_000_000
    assert [await status(site, site.issuer.token(exp=now_s - ago)) for ago in (9, 11)] == [200, 401]
    assert [await status(site, site.issuer.token(nbf=now_s + ahead)) for ahead in (9, 11)] == [200, 401]


def part(value: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_changed_claims_and_no_signature_are_seen(site: OidcSite) -> None:
    """The classic forgeries: other claims under the same signature, alg none, and a secret that is the public key."""
    head, claims, signature = site.issuer.token("rsa-1").split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    more = part(said | {"roles": ["video-operator"]})
    pem = key("rsa-1").as_pem(private=False)  # type: ignore[union-attr]
    keyed = f"{part({'alg': 'HS256', 'kid': 'rsa-1'})}.{claims}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, keyed.encode(), "sha256")).rstrip(b"=").decode()
    none = f"{part({'alg': 'none', 'kid': 'rsa-1'})}.{claims}."
    for token in (f"{head}.{more}.{signature}", none, f"{head}.{claims}.", f"{none}{signature}", f"{keyed}.{mac}"):
        assert await status(site, token) == 401
    assert await status(site, f"{head}.{claims}.{signature}") == 200


@pytest.mark.parametrize(
    "token", ["a", "a.b.c", "..", "....", "eyJ.eyJ.x", "\xe9.b.c", "W10.e30.x", "bnVsbA.e30.x", "a" * 20_000, "." * 2 + "x" * 20_000]
)
async def test_what_is_no_token_costs_no_question(site: OidcSite, token: str) -> None:
    """Anything else is nobody's, and the provider is not asked about it."""
    answer = await site.browser.get("/api/v1/cameras", headers={"Authorization": f"Bearer {token}".encode("latin-1")})
    assert answer.status_code == 401
    assert not site.issuer.asked


async def test_a_key_of_another_kind_is_not_taken_for_a_signing_key(site: OidcSite) -> None:
    """Secret keys, keys for encryption, keys without an id and nonsense among the published ones are passed over."""
    odd = [
        key("ec-9").as_dict(private=False) | {"use": "enc"},
        {"kty": "oct", "k": "AAAA", "kid": "s"},
        {"kty": "RSA", "kid": "r"},
        7,
        {},
        None,
    ]
    site.issuer.more_keys = odd
    assert await status(site, site.issuer.token()) == 200
    assert await status(site, site.issuer.token("ec-9")) == 401


async def test_keys_are_asked_for_once_and_again_when_one_is_new(site: OidcSite) -> None:
    """One question serves many; a key nobody knows makes one more, and a flood of them one in some seconds."""
    for _ in range(3):
        assert await status(site, site.issuer.token()) == 200
    assert site.issuer.asked["keys"] == 1
    site.issuer.kids = ["ec-2", "ec-1"]
    site.clock.after(PAUSE_S)
    assert await status(site, site.issuer.token("ec-2")) == 200
    for n in range(20):
        assert await status(site, site.issuer.token(header={"kid": f"made-up-{n}"})) == 401
    assert site.issuer.asked["keys"] == 2


async def test_a_key_that_is_withdrawn_counts_no_more(site: OidcSite) -> None:
    """The keys are asked for again in time; until the answer the old ones count, for nobody waits for it."""
    old = site.issuer.token(exp=site.clock.at_us // 1_000_000 + 9999)
    assert await status(site, old) == 200
    site.issuer.kids = ["ec-2"]
    site.clock.after(FRESH_S)
    assert await status(site, old) == 200
    for _ in range(100):
        await asyncio.sleep(0)  # the question for the keys is on its way beside the answer
    assert await status(site, old) == 401
    assert await status(site, site.issuer.token("ec-2")) == 200


async def test_while_the_provider_is_away_known_keys_go_on(site: OidcSite) -> None:
    """Tokens of known keys open, those of unknown ones have to wait; after a day nothing that it said counts any more."""
    assert await status(site, site.issuer.token()) == 200
    site.issuer.away = True
    for seconds in (PAUSE_S, FRESH_S, FRESH_S, KEPT_S - 2 * FRESH_S - PAUSE_S - 1):
        site.clock.after(seconds)
        assert await status(site, site.issuer.token()) == 200
        assert await status(site, site.issuer.token("ec-2")) == 503
    site.clock.after(10)
    assert await status(site, site.issuer.token()) == 503
    site.issuer.away = False
    site.clock.after(PAUSE_S)
    assert await status(site, site.issuer.token()) == 200


async def test_the_service_starts_while_the_provider_is_away(site: OidcSite) -> None:
    """Nothing is asked before somebody comes; what then cannot be known is answered with 503 and the time to wait."""
    site.issuer.away = True
    assert (await site.browser.get("/api/v1/health")).status_code == 200
    answer = await site.cameras(site.issuer.token())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_who_came_with_a_token_is_known_for_an_hour(site: OidcSite) -> None:
    """Links and jobs of a service go on that long after it was here; the provider's word about the person ends it at once."""
    assert await unwritten(site, ANNA) is None
    await status(site, site.issuer.token())
    site.clock.after(3500)
    await status(site, site.issuer.token(roles=["video-operator"]))
    site.clock.after(3500)
    found = await unwritten(site, ANNA)
    assert found is not None
    assert found.roles == {"operator"}
    site.clock.after(101)
    assert await unwritten(site, ANNA) is None
    await status(site, site.issuer.token())
    assert await unwritten(site, ANNA) is not None
    token = site.issuer.logout_token(sid=None)
    assert (await site.browser.post("/api/v1/sign-in/logout", data={"logout_token": token})).status_code == 200
    assert await unwritten(site, ANNA) is None


async def test_a_token_is_written_down_seldom(site: OidcSite) -> None:
    """Many questions of one bearer are one record, written once."""
    for _ in range(5):
        await status(site, site.issuer.token())
    assert [one.revision for one in await site.index.records("bearer")] == [1]


async def test_no_role_no_right(site: OidcSite) -> None:
    """A token that is right, of somebody without a role that counts here, opens nothing."""
    assert await status(site, site.issuer.token(roles=["viewer"])) == 403
    assert await status(site, site.issuer.token(roles=None)) == 403
