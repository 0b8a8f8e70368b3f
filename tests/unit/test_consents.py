"""Sensitive footage: who may see it when, and the workflow of a second person's consent, over the routes and their register."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from playback.app import PREFIX, create_app
from playback.consents import NeedsConsent, NeedsReason
from playback.identity.entrance import Entrance
from playback.identity.known_cameras import KnownCameras
from playback.identity.sessions import Sessions
from playback.sensitive.checks import RecordedConsents
from playback.sensitive.consent import CONSENT, MOST_OPEN
from segments.access import Role, Scope, Subject
from segments.audit import Act, Action, Outcome
from segments.clock import US_PER_HOUR, US_PER_S
from segments.errors import Conflict, TryAgain
from segments.hold import HOLDS, Hold, hold_values
from segments.model import Span
from segments.record import Record, new_record
from segments.stores.memory_index import MemoryIndex
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera
from tests.clocks import HandClock
from tests.people import People, bearer, person

VIEWER = person("viewer", Role.VIEWER)
PLATFORM = person("platform", Role.PLATFORM)
OPERATOR = person("operator", Role.OPERATOR)
SECOND = person("second", Role.OPERATOR)
FAR = person("far", Role.OPERATOR, scope=Scope(areas=("fujian/fuzhou",)))
BOSS = person("boss", Role.ADMINISTRATOR)
LOCAL = person("local", Role.ADMINISTRATOR, scope=Scope(areas=("fujian/xiamen",)))
MINUTE = Span(NOON_US, NOON_US + 60 * US_PER_S)
WANTED = {"cameras": ["gate"], **asked(0, 3600), "reason": "case 7", "action": "view"}


@dataclass
class Kept:
    """A register that keeps its acts; `away` makes it refuse."""

    acts: list[Act] = field(default_factory=list)
    away: bool = False

    async def write(self, act: Act) -> None:
        if self.away:
            raise TryAgain("the register does not answer")
        self.acts.append(act)


@dataclass
class Site:
    """The routes, the check, and all they stand on."""

    client: httpx2.AsyncClient
    index: MemoryIndex
    clock: HandClock
    register: Kept
    consents: RecordedConsents

    async def post(self, who: Subject, path: str, body: Any = None) -> httpx2.Response:
        return await self.client.post(path, json=body, headers=bearer(who.name))

    async def get(self, who: Subject, path: str) -> Any:
        return (await self.client.get(path, headers=bearer(who.name))).json()

    async def asked(self, who: Subject = VIEWER, **changes: Any) -> str:
        answer = await self.post(who, "consents", WANTED | changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def lets(self, who: Subject, action: Action = Action.VIEW, camera: str = "gate", span: Span = MINUTE) -> bool:
        """Whether footage is given out, once what was read lately is forgotten."""
        self.clock.move(2)
        try:
            await self.consents.check(who, action, camera, span, "case 7")
        except NeedsConsent:
            return False
        return True

    async def declare(self, kind: str, name: str) -> str:
        answer = await self.post(BOSS, "sensitive", {"kind": kind, "name": name, "reason": "a school"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@asynccontextmanager
async def site(index: MemoryIndex | None = None) -> AsyncIterator[Site]:
    """A site with a camera at the gate and one in the yard."""
    index, clock, register = index or MemoryIndex(), HandClock(NOON_US + 2 * US_PER_HOUR), Kept()
    for camera in ("gate", "yard"):
        await index.add_camera(a_camera(camera))
    people = People(VIEWER, PLATFORM, OPERATOR, SECOND, FAR, BOSS, LOCAL)
    consents = RecordedConsents(index, clock)
    access = Entrance([people], Sessions(index, clock), KnownCameras(index, clock))
    app = create_app(Api(index=index).services(clock=clock, access=access, register=register, consents=consents))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://keepsight{PREFIX}/") as client:
        yield Site(client, index, clock, register, consents)


async def test_nothing_is_sensitive_that_is_not_declared() -> None:
    """Without a declaration, and for another camera than the declared one, no reason and no consent is needed."""
    async with site() as here:
        assert await here.consents.check(VIEWER, Action.VIEW, "gate", MINUTE, "") == ""
        await here.declare("camera", "yard")
        assert await here.lets(VIEWER)
        assert not await here.lets(VIEWER, camera="yard")


async def test_a_reason_comes_before_a_consent() -> None:
    """Who gives no reason is told so; who does is told how to ask."""
    async with site() as here:
        await here.declare("camera", "gate")
        here.clock.move(2)
        with pytest.raises(NeedsReason, match="say why"):
            await here.consents.check(VIEWER, Action.VIEW, "gate", MINUTE, " ")
        with pytest.raises(NeedsConsent, match="POST /api/v1/consents"):
            await here.consents.check(VIEWER, Action.VIEW, "gate", MINUTE, "case 7")
        assert await here.consents.check(VIEWER, Action.SEARCH, "gate", MINUTE, "") == ""


async def test_a_second_person_lets_the_asker_and_nobody_else() -> None:
    """An approval binds asker, camera, span and action; an export consent also lets look; its reason is the one that counts."""
    async with site() as here:
        await here.declare("area", "fujian/xiamen")
        consent = await here.asked(PLATFORM)
        assert not await here.lets(PLATFORM)
        assert (await here.post(SECOND, f"consents/{consent}/approval")).status_code == 200
        assert await here.lets(PLATFORM)
        assert await here.consents.check(PLATFORM, Action.VIEW, "gate", MINUTE, "") == "case 7"
        assert not await here.lets(VIEWER)
        assert not await here.lets(PLATFORM, Action.EXPORT)
        assert not await here.lets(PLATFORM, camera="yard")
        assert not await here.lets(PLATFORM, span=Span(NOON_US - 60 * US_PER_S, NOON_US + US_PER_S))
        await here.post(SECOND, f"consents/{await here.asked(PLATFORM, action='export', cameras=['yard'])}/approval")
        assert await here.lets(PLATFORM, Action.EXPORT, "yard")
        assert await here.lets(PLATFORM, Action.VIEW, "yard")


async def test_who_may_not_decide() -> None:
    """The asker may not; nobody without the right; and to one in whose scope the camera does not lie there is no such consent."""
    async with site() as here:
        consent = await here.asked(OPERATOR)
        for who, status in ((OPERATOR, 403), (VIEWER, 403), (FAR, 404)):
            assert (await here.post(who, f"consents/{consent}/approval")).status_code == status
        assert (await here.post(FAR, f"consents/{consent}/withdrawal", {"reason": "x"})).status_code == 404
        assert (await here.get(FAR, "consents"))["consents"] == []
        assert [one["may_decide"] for one in (await here.get(SECOND, "consents"))["consents"]] == [True]
        assert [one["may_decide"] for one in (await here.get(OPERATOR, "consents"))["consents"]] == [False]
        assert (await here.post(SECOND, f"consents/{consent}/approval")).status_code == 200


async def test_what_may_be_asked() -> None:
    """Nobody asks for what their roles do not give them, or for cameras outside of their scope."""
    async with site() as here:
        assert (await here.post(VIEWER, "consents", WANTED | {"action": "export"})).status_code == 403
        assert (await here.post(BOSS, "consents", WANTED)).status_code == 403
        assert (await here.post(FAR, "consents", WANTED)).status_code == 404
        assert (await here.post(VIEWER, "consents", WANTED | {"reason": " "})).status_code == 422
        assert (await here.post(VIEWER, "consents", WANTED | asked(0, 32 * 86_400))).status_code == 422
        for _ in range(MOST_OPEN):
            await here.asked()
        assert (await here.post(VIEWER, "consents", WANTED)).status_code == 409


async def test_questions_and_approvals_expire() -> None:
    """A question after 24 h, an approval after 8; what has expired cannot be approved."""
    async with site() as here:
        await here.declare("camera", "gate")
        consent, late = await here.asked(), await here.asked()
        await here.post(SECOND, f"consents/{consent}/approval")
        here.clock.move(8 * 3600 - 60)
        assert await here.lets(VIEWER)
        here.clock.move(60)
        assert not await here.lets(VIEWER)
        here.clock.move(16 * 3600)
        assert (await here.post(SECOND, f"consents/{late}/approval")).status_code == 409
        assert {one["state"] for one in (await here.get(VIEWER, "consents"))["consents"]} == {"expired"}


@pytest.mark.parametrize("who", [VIEWER, SECOND])
async def test_an_approval_is_withdrawn(who: Subject) -> None:
    """By the asker or by one who may decide; within two seconds nothing is given out any more, and it cannot be approved again."""
    async with site() as here:
        await here.declare("camera", "gate")
        consent = await here.asked()
        await here.post(SECOND, f"consents/{consent}/approval")
        assert await here.lets(VIEWER)
        assert (await here.post(who, f"consents/{consent}/withdrawal", {"reason": "done"})).status_code == 200
        assert not await here.lets(VIEWER)
        assert (await here.post(SECOND, f"consents/{consent}/approval")).status_code == 409


async def test_a_refusal_is_told() -> None:
    """The asker sees who refused and why; footage stays closed."""
    async with site() as here:
        await here.declare("camera", "gate")
        consent = await here.asked()
        assert (await here.post(SECOND, f"consents/{consent}/refusal", {"reason": "no case 7"})).status_code == 200
        seen = (await here.get(VIEWER, "consents"))["consents"][0]
        assert (seen["state"], seen["decider"], seen["why"]) == ("refused", "second", "no case 7")
        assert not await here.lets(VIEWER)


class Racing(MemoryIndex):
    """An index that lets another write in before each first write of a consent."""

    between: Any = None

    async def put_record(self, record: Record) -> None:
        if record.kind == CONSENT and self.between is not None:
            first, self.between = self.between, None
            await first()
        await super().put_record(record)


@pytest.mark.parametrize(("first", "second"), [("approval", "withdrawal"), ("withdrawal", "approval")])
async def test_approval_and_withdrawal_race(first: str, second: str) -> None:
    """Whichever is written first, a withdrawn consent never lets anybody through, and the loser is told the truth."""
    async with site(Racing()) as here:
        index = here.index
        assert isinstance(index, Racing)
        await here.declare("camera", "gate")
        consent, answers = await here.asked(), {}

        async def do(what: str) -> None:
            who, body = (SECOND, None) if what == "approval" else (VIEWER, {"reason": "done"})
            answers[what] = (await here.post(who, f"consents/{consent}/{what}", body)).status_code

        index.between = lambda: do(first)
        await do(second)
        assert answers == {"withdrawal": 200, "approval": 200 if first == "approval" else 409}
        assert not await here.lets(VIEWER)


async def test_many_at_once() -> None:
    """Of many who approve one question, one does; questions asked at once are all kept."""
    async with site() as here:
        asked_ids = await asyncio.gather(*(here.asked() for _ in range(8)))
        statuses = await asyncio.gather(*(here.post(who, f"consents/{asked_ids[0]}/approval") for who in (SECOND, OPERATOR, BOSS)))
        assert sorted(one.status_code for one in statuses) == [200, 409, 409]
        assert len((await here.get(VIEWER, "consents"))["consents"]) == 8


async def test_a_hold_makes_its_footage_sensitive() -> None:
    """Only what it covers, and only while it stands."""
    async with site() as here:
        hold = Hold("h1", "case 7", "evidence", "boss", NOON_US, NOON_US, NOON_US + 30 * US_PER_S, cameras=("gate",))
        await here.index.put_record(new_record(HOLDS, "h1", hold_values(hold)))
        assert (await here.post(BOSS, "sensitive", {"kind": "hold", "name": "h2", "reason": "x"})).status_code == 404
        await here.declare("hold", "h1")
        assert not await here.lets(VIEWER)
        assert await here.lets(VIEWER, span=Span(NOON_US + 30 * US_PER_S, NOON_US + 60 * US_PER_S))
        assert await here.lets(VIEWER, camera="yard")
        record = await here.index.record(HOLDS, "h1")
        await here.index.put_record(record.changed(record.values | {"lifted_us": NOON_US + 1}))
        assert await here.lets(VIEWER)


async def test_a_camera_nobody_knows_the_area_of() -> None:
    """Footage of a camera that was taken out of the archive counts as of each sensitive area."""
    async with site() as here:
        await here.declare("area", "fujian/fuzhou")
        assert await here.lets(VIEWER)
        await here.index.remove_camera("gate")
        assert not await here.lets(VIEWER)


async def test_declarations_keep_to_scopes() -> None:
    """An administrator of an area declares and sees what lies in it; a declaration is taken back with a reason."""
    async with site() as here:
        body = {"kind": "area", "name": "fujian", "reason": "x"}
        assert (await here.post(LOCAL, "sensitive", body)).status_code == 404
        mine = (await here.post(LOCAL, "sensitive", body | {"name": "/fujian/xiamen/siming/"})).json()["id"]
        await here.declare("area", "fujian/fuzhou")
        assert [one["name"] for one in (await here.get(LOCAL, "sensitive"))["sensitive"]] == ["fujian/xiamen/siming"]
        assert not await here.lets(VIEWER)
        removed = await here.client.delete(f"sensitive/{mine}", params={"reason": "moved"}, headers=bearer("boss"))
        assert removed.status_code == 204
        assert await here.lets(VIEWER)
        assert (await here.post(VIEWER, "sensitive", body)).status_code == 403


async def test_every_step_is_registered() -> None:
    """Each act stands in the register with its cameras and reason; while the register is away nothing is done."""
    async with site() as here:
        await here.declare("camera", "gate")
        consent = await here.asked()
        await here.post(SECOND, f"consents/{consent}/approval")
        said = [(act.who.name, act.action, act.what.split()[0], act.cameras, act.outcome) for act in here.register.acts]
        assert said == [
            ("boss", Action.CHANGE, "declared", ("gate",), Outcome.DONE),
            ("viewer", Action.CONSENT, "asked", ("gate",), Outcome.DONE),
            ("second", Action.CONSENT, "approved", ("gate",), Outcome.DONE),
        ]
        here.register.away = True
        assert (await here.post(VIEWER, "consents", WANTED)).status_code == 503
        assert len((await here.get(VIEWER, "consents"))["consents"]) == 1


async def test_a_step_that_fails_is_registered_as_failed() -> None:
    """What was written down as done and then could not be is written down again as failed."""

    class Losing(MemoryIndex):
        async def put_record(self, record: Record) -> None:
            if record.kind == CONSENT:
                raise Conflict("somebody was faster")
            await super().put_record(record)

    async with site(Losing()) as here:
        assert (await here.post(VIEWER, "consents", WANTED)).status_code == 409
        assert [act.outcome for act in here.register.acts] == [Outcome.DONE, Outcome.FAILED]
