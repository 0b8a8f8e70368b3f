"""What auditors are told over HTTP."""

from __future__ import annotations

from fastapi import Request

from segments.access import Role, Scope, Subject, Verb
from segments.audit import Action, Outcome
from segments.audit_line import lines_behind
from segments.clock import US_PER_S
from segments.hold import FOR_EVER_US
from segments.model import Span
from tests.api import Api, asked
from tests.audit_builders import LI, an_act
from tests.builders import NOON_US, a_camera

WU = Subject("user:wu", "吴", "厦门市档案馆", frozenset({Role.AUDITOR}), Scope(cameras=("yard",)))


class As:
    """Lets in whoever it is made for."""

    def __init__(self, who: Subject) -> None:
        self.who = who

    async def allow(self, request: Request, verb: Verb, camera: str | None) -> Subject:
        """See `Access`."""
        return self.who

    async def known(self, subject_id: str) -> Subject | None:
        """See `Access`."""
        return self.who


async def registered() -> Api:
    """An hour in which Li saw two cameras, searched, and was refused once."""
    api = Api()
    for camera in ("gate", "yard"):
        await api.index.add_camera(a_camera(camera))
    seen = Span(NOON_US, NOON_US + 60 * US_PER_S)
    acts = [
        an_act(at_us=NOON_US + 100 * US_PER_S, span=seen),
        an_act(at_us=NOON_US + 101 * US_PER_S, span=seen, cameras=("gate", "yard"), action=Action.EXPORT, what="exported mp4"),
        an_act(at_us=NOON_US + 102 * US_PER_S, span=seen, action=Action.SEARCH, what="timeline"),
        an_act(at_us=NOON_US + 103 * US_PER_S, span=seen, outcome=Outcome.REFUSED),
        an_act(at_us=NOON_US + 104 * US_PER_S, span=Span(seen.end_us, seen.end_us + 1)),
        an_act(at_us=NOON_US + 105 * US_PER_S, span=None, cameras=(), who=Subject("key:7", "平台"), action=Action.SIGN_IN),
    ]
    await api.index.put_audit(lines_behind("api.a", None, acts))
    return api


async def test_who_has_seen_footage_is_one_question() -> None:
    """Those who were shown some of it or took it away, with unit, name, reason and address; nobody who searched or was refused."""
    api = await registered()
    found = (await api.get("cameras/gate/viewers", params=asked(30, 40))).json()["acts"]
    assert [(act["number"], act["action"]) for act in found] == [(1, "view"), (2, "export")]
    assert (found[0]["name"], found[0]["unit"], found[0]["reason"], found[0]["source"]) == (LI.name, LI.unit, "案件 2026-17", "192.0.2.7")
    assert [act["number"] for act in (await api.get("cameras/gate/viewers", params=asked(60, 61))).json()["acts"]] == [5]


async def test_acts_are_searched_by_all_that_they_say() -> None:
    """By who, camera, action, outcome and time, and page by page."""
    api = await registered()

    async def numbers(**params: str) -> list[int]:
        return [act["number"] for act in (await api.get("audit", params=params)).json()["acts"]]

    assert await numbers() == [1, 2, 3, 4, 5, 6]
    assert await numbers(who="李") == [1, 2, 3, 4, 5]
    assert await numbers(who="公安") == [1, 2, 3, 4, 5]
    assert await numbers(camera="yard") == [2]
    assert await numbers(action="sign-in") == [6]
    assert await numbers(outcome="refused") == [4]
    assert await numbers(**asked(101, 103)) == [2, 3]
    pages, after = [], ""
    while True:
        page = (await api.get("audit", params={"limit": "4", "after": after})).json()
        pages.append(len(page["acts"]))
        if page["next"] is None:
            break
        after = page["next"]
    assert pages == [4, 2]
    assert (await api.get("audit", params={"after": "x"})).status_code == 422


async def test_an_auditor_sees_acts_on_cameras_of_the_scope_only() -> None:
    """Of an act on several cameras too; and no chains."""
    api = await registered()
    async with api.client(access=As(WU)) as client:
        found = (await client.get("audit")).json()["acts"]
        assert [(act["number"], act["cameras"]) for act in found] == [(2, ["yard"])]
        assert (await client.get("cameras/gate/viewers", params=asked(0, 60))).json()["acts"][0]["cameras"] == ["yard"]
        assert [(await client.get(path)).status_code for path in ("audit/chains", "audit/chains/api.a")] == [403, 403]


async def test_chains_are_given_as_they_are_stored() -> None:
    """With their ends, so that they can be checked elsewhere."""
    api = await registered()
    (end,) = (await api.get("audit/chains")).json()
    page = (await api.get("audit/chains/api.a", params={"limit": 4})).json()
    assert (end["chain"], end["number"], page["next"]) == ("api.a", 6, 4)
    stored = (await api.index.audit_chain("api.a")).items
    assert [line["text"] for line in page["lines"]] == [line.text for line in stored[:4]]
    assert (await api.get("audit/chains/none")).status_code == 404


async def test_an_act_without_an_end_is_shown() -> None:
    """As a hold for ever has none."""
    api = Api()
    await api.index.put_audit(lines_behind("api.a", None, [an_act(action=Action.HOLD, span=Span(NOON_US, FOR_EVER_US))]))
    (act,) = (await api.get("audit")).json()["acts"]
    assert (act["from"], act["to"]) == ("2026-03-14T12:00:00.000Z", None)
