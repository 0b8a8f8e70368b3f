"""The routes between sites against those who may not ask, and against what they send."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from replication import admission
from replication.admission import Admission, AtOnce
from replication.peer_routes import DAYS_A_REQUEST, create_peer_app
from replication.ports import PROTOCOL
from replication.signing import WINDOW_US, Asked, body_hash, sign
from replication.wire_values import as_bytes
from segments.clock import US_PER_S
from segments.errors import TryAgain
from tests.api import StandingClock
from tests.asked_site import KEY, AskedSite
from tests.builders import NOON_US, RUN
from tests.clocks import HandClock

NORTH = "https://north"
QUESTIONS: dict[str, dict[str, Any]] = {
    "digests": {"days": [["gate", "2026-03-14"]]},
    "camera-days": {"after": "", "limit": 10},
    "hours": {"camera": "gate", "day": "2026-03-14"},
    "rows": {"camera": "gate", "day": "2026-03-14", "hours": [12]},
    "run": {"camera": "gate", "run": RUN},
    "between": {"camera": "gate", "span": [NOON_US, NOON_US + 1]},
    "footage": {"camera": "gate", "span": [NOON_US, NOON_US + 1]},
    "has": {"camera": "gate", "day": "2026-03-14", "segments": []},
    "news": {"after": ""},
    "hello": {},
    "camera-stamps": {},
    "cameras": {"bucket": 0},
    "credentials": {"bucket": 0},
    "holds": {"stamp": ""},
    "told-holds": {"holds": []},
    "taken-over": {"site": "south"},
    "heard": {"site": "south"},
}


@pytest.fixture
async def site() -> AskedSite:
    site = AskedSite()
    await site.keep()
    return site


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def http(site: AskedSite, clock: HandClock) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_peer_app(site.source, Admission("north", {"south": KEY, "east": "another key " * 3}, clock))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=NORTH) as client:
        yield client


def a_request(method: str, target: str, body: bytes = b"", **spoiled: Any) -> httpx2.Request:
    """A request as it is signed; what is spoiled is put in its place: key, site, asked, at_us, nonce, sent (path), content, headers."""
    asked = Asked(spoiled.get("site", "south"), spoiled.get("asked", "north"), method, target, body_hash(body))
    at_us, nonce = spoiled.get("at_us", NOON_US), spoiled.get("nonce", f"{id(object()):032x}"[-32:])
    headers = sign(spoiled.get("key", KEY), asked, now_us=at_us, nonce=nonce) | {"keepsight-protocol": str(PROTOCOL)}
    headers |= spoiled.get("headers", {})
    url = httpx2.URL(NORTH, raw_path=spoiled.get("sent", target).encode())
    return httpx2.Request(method, url, content=spoiled.get("content", body), headers=headers)


def asked_for(question: str, body: bytes | None = None, **spoiled: Any) -> httpx2.Request:
    """A question with its good arguments."""
    spoiled.setdefault("nonce", f"{hash((question, body, str(spoiled))) & (1 << 64) - 1:032x}")
    return a_request("POST", f"/sites/{question}", as_bytes(QUESTIONS[question]) if body is None else body, **spoiled)


def object_target(**changes: Any) -> str:
    good = {"camera": "gate", "start_us": NOON_US, "run": RUN, "counter": 0, "size": 5000, "sha256": "0" * 64, "start": 0, "end": 10}
    return f"/sites/object?{httpx2.QueryParams(good | changes)}"


@pytest.mark.parametrize("question", QUESTIONS)
async def test_every_question_is_answered_to_who_signs(http: httpx2.AsyncClient, question: str) -> None:
    """The counterpart of all refusals below, and every question that there is."""
    answer = await http.send(asked_for(question))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("question", QUESTIONS)
async def test_every_question_wants_a_signature(http: httpx2.AsyncClient, question: str) -> None:
    """Without one, with that of another key, or another site's, nothing is told."""
    unsigned = httpx2.Request("POST", f"{NORTH}/sites/{question}", json=QUESTIONS[question])
    wrong = [asked_for(question, key="k" * 40), asked_for(question, site="east"), asked_for(question, site="nobody")]
    assert [(await http.send(request)).status_code for request in wrong] == [401, 401, 401]
    assert (await http.send(unsigned)).status_code == 422


@pytest.mark.parametrize(
    "spoiled",
    [
        {"asked": "west"},
        {"at_us": NOON_US - WINDOW_US - 1},
        {"at_us": NOON_US + WINDOW_US + 1},
        {"sent": "/sites/holds?x=1"},
        {"sent": "/sites/credentials"},
        {"content": b'{"bucket": 3}'},
        {"content": b"{} "},
        {"headers": {"keepsight-body": body_hash(b"{} ")}, "content": b"{} "},
        {"headers": {"keepsight-time": str(NOON_US + 1)}},
        {"headers": {"keepsight-nonce": "0" * 32}},
        {"headers": {"keepsight-site": "east"}},
    ],
)
async def test_what_was_not_signed_is_refused(http: httpx2.AsyncClient, clock: HandClock, spoiled: dict[str, Any]) -> None:
    """For another site, of another time, for another path, another body; and a time before the process listened is put off."""
    clock.move(0)
    answer = await http.send(asked_for("holds", **spoiled))
    assert answer.status_code in ((503, 401) if "at_us" in spoiled else (401,))
    assert KEY not in answer.text


async def test_a_request_is_answered_once(http: httpx2.AsyncClient, site: AskedSite) -> None:
    """Sent again as it is, it is refused, and what it tells is not taken twice."""
    first, second = (asked_for("told-holds", nonce="a" * 32) for _ in range(2))
    assert [(await http.send(request)).status_code for request in (first, second)] == [200, 401]


async def test_requests_of_before_the_start_are_put_off(http: httpx2.AsyncClient) -> None:
    """This process cannot know whether they were answered before it began."""
    answer = await http.send(asked_for("holds", at_us=NOON_US - 1))
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:keepsight:problem:try-again")


@pytest.mark.parametrize(
    ("question", "body"),
    [
        ("rows", {"camera": "../../etc", "day": "2026-03-14", "hours": [1]}),
        ("rows", {"camera": "gate", "day": "2026-03-14", "hours": [24]}),
        ("rows", {"camera": "gate", "day": "2026-03-14", "hours": list(range(24)) * 2}),
        ("rows", {"camera": "gate", "day": "2026-02-30", "hours": [1]}),
        ("run", {"camera": "gate", "run": "../x"}),
        ("run", {"camera": "gate"}),
        ("run", {"camera": "gate", "run": RUN, "more": 1}),
        ("run", []),
        ("digests", {"days": [["gate", "2026-03-14"]] * (DAYS_A_REQUEST + 1)}),
        ("camera-days", {"after": "x" * 2000, "limit": 10}),
        ("camera-days", {"after": "", "limit": DAYS_A_REQUEST + 1}),
        ("between", {"camera": "gate", "span": [0, 86_400_000_001]}),
        ("between", {"camera": "gate", "span": [5, 4]}),
        ("has", {"camera": "gate", "day": "2026-03-14", "segments": [[[0, "..", 0], "0" * 64]]}),
        ("cameras", {"bucket": 64}),
        ("taken-over", {"site": "../x"}),
        ("told-holds", {"holds": [{"id": "h"}]}),
        ("hello", {"a": 1}),
    ],
)
async def test_arguments_that_cannot_be_are_refused(http: httpx2.AsyncClient, question: str, body: Any) -> None:
    """With a sentence; ids that would lead elsewhere lead nowhere."""
    answer = await http.send(asked_for(question, as_bytes(body)))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": "../gate"},
        {"run": "a/b"},
        {"start_us": "x"},
        {"start_us": "9" * 30},
        {"start_us": -1},
        {"size": 1 << 40},
        {"start": -1},
        {"end": 5001},
        {"sha256": "x"},
        {"counter": ""},
    ],
)
async def test_bytes_that_cannot_be_are_refused(http: httpx2.AsyncClient, changes: dict[str, Any]) -> None:
    """Ids, numbers and ranges that no segment has."""
    answer = await http.send(a_request("GET", object_target(**changes)))
    assert answer.status_code == 422


async def test_bodies_have_a_limit(http: httpx2.AsyncClient) -> None:
    """A longer body is not read to its end, whatever it says of its length; bytes are asked for without one."""
    large = await http.send(asked_for("hello", b" " * 5000))
    many = await http.send(asked_for("digests", b" " * ((1 << 19) + 1)))
    given = await http.send(a_request("GET", object_target(), b"x"))
    assert [answer.status_code for answer in (large, many, given)] == [422, 422, 422]
    assert "4096 bytes" in large.text


async def test_a_body_that_never_comes_is_given_up(
    site: AskedSite, clock: HandClock, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who signs and then sends nothing does not keep a place for long."""

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    monkeypatch.setattr(admission, "BODY_S", 0.05)
    request = asked_for("hello")
    slow = httpx2.Request("POST", request.url, content=never(), headers=request.headers)
    assert (await http.send(slow)).status_code == 503


async def test_unknown_questions_and_methods(http: httpx2.AsyncClient) -> None:
    """Are told to nobody who does not sign; there is nothing else at this address."""
    signed = a_request("POST", "/sites/nothing", b"{}")
    assert (await http.send(signed)).status_code == 404
    assert (await http.post("/sites/nothing")).status_code == 422
    assert [(await http.get(path)).status_code for path in ("/", "/api/v1/status", "/sites/../api")] == [404, 404, 404]
    assert (await http.get("/sites/hello")).status_code == 405


async def test_another_protocol_is_refused_by_name(http: httpx2.AsyncClient) -> None:
    """A site of another version is told which one is spoken here."""
    answer = await http.send(asked_for("hello", headers={"keepsight-protocol": "7"}))
    assert "protocol 1" in answer.text
    assert "'7'" in answer.text


async def test_nothing_secret_is_logged_or_said(
    http: httpx2.AsyncClient, site: AskedSite, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the key, nor a signature, nor what a fault of ours was about; and refusals are logged once a minute of a site."""

    async def broken(_: str) -> int:
        raise RuntimeError("canary of the inside")

    monkeypatch.setattr(site.voice, "heard_us", broken)
    refused = [asked_for("holds", key="k" * 40, nonce=f"{n:032x}") for n in range(5)]
    with caplog.at_level(logging.DEBUG):
        answers = [await http.send(request) for request in [*refused, asked_for("heard")]]
    assert [answer.status_code for answer in answers] == [401] * 5 + [500]
    said = "".join(record.getMessage() for record in caplog.records) + "".join(answer.text for answer in answers)
    secret = [KEY, "canary", *(request.headers["keepsight-signature"] for request in refused)]
    assert not any(word in said for word in secret)
    assert sum("site.not-admitted" in record.getMessage() for record in caplog.records) == 1


async def test_names_of_strangers_are_not_logged(http: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever can reach the port cannot write into the log."""
    await http.send(asked_for("holds", site="evil-name"))
    assert "evil" not in caplog.text


async def test_only_so_much_at_once() -> None:
    """More requests than the limit are put off at once, and let in again when one is done; bytes do not keep questions out."""
    release = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx2.ASGITransport(app=AtOnce(slow, questions=3, objects=2))
    async with httpx2.AsyncClient(transport=transport, base_url=NORTH) as http:
        under_way = [asyncio.create_task(http.get("/sites/object")) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert (await http.get("/sites/object")).status_code == 503
        under_way += [asyncio.create_task(http.get("/sites/holds")) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert (await http.get("/sites/holds")).status_code == 503
        release.set()
        assert [(await task).status_code for task in under_way] == [200] * 5
        assert (await http.get("/sites/object")).status_code == 200


async def test_costly_questions_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four are worked on at once; one whose turn does not come is put off."""
    monkeypatch.setattr(admission, "TURN_S", 0.05)
    of_site = Admission("north", {}, StandingClock(NOON_US))
    turns = [of_site.turn(costly=True) for _ in range(4)]
    for turn in turns:
        await turn.__aenter__()
    with pytest.raises(TryAgain):
        await of_site.turn(costly=True).__aenter__()
    async with of_site.turn(costly=False):
        await turns[0].__aexit__(None, None, None)
    async with of_site.turn(costly=True):
        pass


async def test_control_without_nonces_it_is_answered_twice(site: AskedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the same request sent again is answered by routes that do not remember."""
    monkeypatch.setattr(admission.Nonces, "spend", lambda *_, **__: None)
    app = create_peer_app(site.source, Admission("north", {"south": KEY}, StandingClock(NOON_US + US_PER_S)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=NORTH) as http:
        again = [asked_for("told-holds", nonce="a" * 32) for _ in range(2)]
        assert [(await http.send(request)).status_code for request in again] == [200, 200]
