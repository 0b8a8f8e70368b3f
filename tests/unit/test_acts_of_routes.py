"""The register knows what was done on every kind of route, and what was refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from urllib.parse import quote

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException

from playback.access import Rule, needs
from playback.acts import BY_THE_GATE
from playback.consents import NeedsConsent, NoConsents
from segments.access import Subject, Verb
from segments.audit import Act, Action, Outcome
from segments.clock import day_of
from segments.errors import TryAgain
from segments.model import Span
from tests.api import Api, asked
from tests.audit_builders import LI
from tests.builders import NOON_US, a_camera
from tests.footage import Take, recorded
from tests.media import Clips

TRIVIAL = {Verb.PROBE, Verb.OWN, Verb.LIST, Verb.PLAN}
"""What cameras there are, one's own things and figures of storage leave no act; what of it changes something writes its own."""
VALUES = {"start_us": "1000000", "counter": "1", "version": "1", "part": "1"}
KEY = {"Authorization": "Bearer k"}


class Kept:
    """A register that keeps acts in a list."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.away = False

    async def write(self, act: Act) -> None:
        """See `Register`."""
        if self.away:
            raise TryAgain("the index is away")
        self.acts.append(act)

    @property
    def said(self) -> list[tuple[Action, Outcome]]:
        """What was done, in order."""
        return [(act.action, act.outcome) for act in self.acts]


class RefusesAll:
    """Knows who asks, and lets them do nothing."""

    def __init__(self, status: int = 403) -> None:
        self.status = status

    async def allow(self, request: Request, verb: Verb, camera: str | None) -> Subject:
        """See `Access`."""
        if self.status != 401:
            request.state.subject = LI
        raise HTTPException(self.status, "no")

    async def known(self, subject_id: str) -> Subject | None:
        """See `Access`."""
        return None


class NobodyConsents:
    """All footage is sensitive, and nobody lets anybody see it."""

    async def check(self, who: Subject, action: Action, camera: str, span: Span, reason: str) -> str:
        """See `Consents`."""
        raise NeedsConsent("ask somebody")


def routes(app: FastAPI) -> Iterator[tuple[str, str, Rule]]:
    """Method, path and rule of every route."""
    for context in iter_route_contexts(app.router.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            rules = [one.call for one in route.dependant.dependencies if isinstance(one.call, Rule)]
            for method in sorted(route.methods or ()):
                yield method, str(context.path), rules[0]


def path_of(template: str, values: Mapping[str, str] = VALUES) -> str:
    """An address of a route."""
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: values.get(found[1], "gate"), template)


def silent(app: FastAPI) -> Sequence[str]:
    """Routes that leave no act, but for those where none is wanted."""
    return [f"{method} {path}" for method, path, rule in routes(app) if rule.verb not in TRIVIAL and rule.action(method) is None]


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    """Asks an application that has routes of the test's own."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://keepsight/api/v1/")


async def shown(api: Api, app: FastAPI) -> AsyncIterator[str]:
    """Routes that hand out footage of eight seconds."""
    rows = (await api.index.rows("gate", day_of(NOON_US))).items
    values = {"start_us": str(rows[0].start_us), "run": rows[0].run, "counter": str(rows[0].counter)}
    async with client_of(app) as client:
        for method, path, rule in routes(app):
            if rule.action(method) in BY_THE_GATE and method in ("GET", "HEAD"):
                params = asked(1, 5) | {"at": asked(0, 3)["to"]}
                answer = await client.request(method, path_of(path, values).removeprefix("/api/v1/"), params=params)
                if answer.status_code < 400:
                    yield f"{method} {path}"


def test_every_route_has_its_action() -> None:
    """All but those where none is wanted; and those are few."""
    app = Api().app()
    assert silent(app) == []
    actions = {f"{method} {path.removeprefix('/api/v1')}": rule.action(method) for method, path, rule in routes(app)}
    wanted = {
        "GET /cameras/{camera}/timeline": Action.SEARCH,
        "GET /cameras/{camera}/hls/media.m3u8": Action.VIEW,
        "GET /cameras/{camera}/snapshot.jpg": Action.VIEW,
        "GET /cameras/{camera}/footage.mp4": Action.EXPORT,
        "GET /cameras/{camera}/footage": Action.SEARCH,
        "GET /cameras/{camera}/footage.json": Action.SEARCH,
        "POST /holds": Action.HOLD,
        "POST /holds/{hold}/lifting": Action.HOLD,
        "POST /holds/{hold}/approval": Action.HOLD,
        "GET /holds": Action.SEARCH,
        "POST /retention/policies": Action.CHANGE,
        "POST /consents/{consent}/approval": Action.CONSENT,
        "GET /audit": Action.AUDIT,
        "GET /audit/chains/{chain}": Action.AUDIT,
        "GET /cameras/{camera}/viewers": Action.AUDIT,
    }
    assert {name: actions.get(name) for name in wanted} == wanted


async def test_every_refusal_is_registered() -> None:
    """On every route but the probes: who, on which camera, with its outcome; once, however often it is tried again."""
    app = Api().app(access=RefusesAll())
    for method, path, rule in routes(app):
        if rule.verb is Verb.PROBE:
            continue
        register, api = Kept(), Api()
        async with api.client(register=register, access=RefusesAll()) as client:
            for _ in range(2):
                answer = await client.request(method, path_of(path).removeprefix("/api/v1/"), headers=KEY)
                assert answer.status_code == 403, f"{method} {path}"
        assert [(act.outcome, act.who) for act in register.acts] == [(Outcome.REFUSED, LI)], f"{method} {path}"
        assert register.acts[0].cameras == (("gate",) if "{camera}" in path else ())


async def test_a_wrong_key_is_registered_and_none_is_not() -> None:
    """A credential that is not valid leaves its source; who comes without any leaves nothing."""
    register = Kept()
    async with Api().client(register=register, access=RefusesAll(401)) as client:
        await client.get("cameras")
        assert register.acts == []
        await client.get("cameras", headers=KEY)
    assert [(act.who.id, act.outcome, act.source) for act in register.acts] == [("", Outcome.REFUSED, "127.0.0.1")]


async def test_no_footage_passes_beside_the_gate(clips: Clips) -> None:
    """Routes that show what there is show nothing where all footage is sensitive and nobody consents."""
    api = Api()
    await api.index.add_camera(a_camera())
    await recorded(api.index, api.objects, clips.get(seconds=8), Take(start_us=NOON_US, segment_s=3))
    assert len([route async for route in shown(api, api.app(consents=NoConsents()))]) >= 8
    app = api.app(consents=NobodyConsents())
    assert [route async for route in shown(api, app)] == []
    app.add_api_route("/api/v1/cameras/{camera}/leak", leak, dependencies=needs(Verb.VIEW))
    assert [route async for route in shown(api, app)] == ["GET /api/v1/cameras/{camera}/leak"], "the negative control"


async def leak() -> str:
    """A route of footage that forgets the gate."""
    return "footage"


async def test_what_a_file_is_made_of_is_a_search(clips: Clips) -> None:
    """List and manifest say times, causes and hashes, and show no picture: no consent is needed, and the register has them as searches."""
    api, register = Api(), Kept()
    await api.index.add_camera(a_camera())
    await recorded(api.index, api.objects, clips.get(seconds=8), Take(start_us=NOON_US, segment_s=3))
    async with api.client(register=register, consents=NobodyConsents()) as client:
        answers = [(await client.get(f"cameras/gate/{name}", params=asked(1, 5))).status_code for name in ("footage", "footage.json")]
        assert (await client.get("cameras/gate/footage.mp4", params=asked(1, 5))).status_code == 403
    assert answers == [200, 200]
    assert register.said == [(Action.SEARCH, Outcome.DONE)] * 2 + [(Action.EXPORT, Outcome.REFUSED)]
    assert all(act.cameras == ("gate",) and act.span for act in register.acts)


async def test_what_passes_beside_the_gate_is_seen_and_written_down() -> None:
    """A route of footage that forgets the gate leaves an act all the same, before it answers."""
    api, register = Api(), Kept()
    app = api.app(register=register, consents=NobodyConsents())
    app.add_api_route("/api/v1/leak", leak, dependencies=needs(Verb.VIEW))
    async with client_of(app) as client:
        assert (await client.get("leak")).status_code == 200
        assert register.said == [(Action.VIEW, Outcome.DONE)]
        register.away = True
        assert (await client.get("leak", params={"reason": "another"})).status_code == 503


async def test_a_change_is_written_before_it_is_done_and_again_if_it_fails() -> None:
    """Without the register nothing is changed."""
    register, api = Kept(), Api()
    async with api.client(register=register) as client:
        answer = await client.post("holds/h9/lifting", json={"reason": "over"}, headers={"Keepsight-By": "Li"})
        assert answer.status_code == 404
        assert register.said == [(Action.HOLD, Outcome.DONE), (Action.HOLD, Outcome.FAILED)]
        assert "h9" in register.acts[0].detail
        register.away = True
        assert (await client.post("holds/h9/lifting", json={"reason": "over"}, headers={"Keepsight-By": "Li"})).status_code == 503


async def test_searches_are_written_once_an_hour_of_footage() -> None:
    """A page that follows the timeline leaves one act; another hour is another."""
    register, api = Kept(), Api()
    async with api.client(register=register) as client:
        for end_s in (10, 20, 30, 4000):
            await client.get("cameras/gate/timeline", params=asked(0, end_s))
    assert register.said == [(Action.SEARCH, Outcome.DONE)] * 2
    assert register.acts[0].cameras == ("gate",)
    assert register.acts[0].span is not None


@pytest.mark.parametrize("reason", ["案件 2026-17", "a" * 500])
async def test_a_reason_comes_by_query_or_header(reason: str) -> None:
    """As it was said; what is no reason is refused and says why."""
    register, api = Kept(), Api()
    async with api.client(register=register) as client:
        await client.get("holds", params={"reason": reason})
        await client.get("holds/report", headers={"Keepsight-Reason": quote(reason)})
    assert {act.reason for act in register.acts} == {reason}


async def test_a_reason_is_a_bounded_text() -> None:
    """Too long, or with line ends: 422."""
    api = Api()

    async def asked_for(reason: str) -> int:
        async with api.client() as client:
            return (await client.get("cameras/gate/snapshot.jpg", params={"at": asked(0, 1)["from"], "reason": reason})).status_code

    assert [await asked_for(reason) for reason in ("a" * 501, "x\ny", "x\u2028y")] == [422] * 3
