"""Holds at several sites: told at once, named where a site does not answer, pulled later, and taken back there as here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from replication.holds import HoldsAtPeers, pull_holds
from retention.hold_values import known_json, lifting_json, placed_json
from retention.holds import HoldOrder, approve_lift, extend, lift, place
from retention.merged_holds import MergedHolds, merge_holds
from retention.rules import standing_holds
from retention.signed import Signed
from segments.clock import US_PER_DAY, US_PER_S, day_start_us, iso
from segments.errors import Conflict, DataDamaged, TryAgain
from segments.hold import HOLDS, Hold, HoldAtSite, Stretch, hold_of
from segments.model import BatchState
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_batch, a_camera, some_rows
from tests.fakes import SwitchedIndex
from tests.peer_over import PeerOver, as_peers
from tests.retention_builders import a_hold, write_hold, write_policy

NOW_US = NOON_US + 40 * US_PER_DAY
DAY = some_rows(1)[0].day
ORDER = HoldOrder("2026-17", "collision", "Li", day_start_us(DAY), day_start_us(DAY) + US_PER_DAY, ("gate",))
BY_LI = Signed("Li", "court order 7", NOW_US + 1)


BOUND = HoldAtSite()


def whys(sites: Mapping[str, HoldAtSite]) -> dict[str, str]:
    """What is wrong at each."""
    return {site: said.why for site, said in sites.items()}


async def an_index() -> MemoryIndex:
    """With a policy and the gate."""
    index = MemoryIndex()
    await write_policy(index)
    await index.add_camera(a_camera("gate"))
    return index


async def hold_at(index: Any, hold_id: str) -> Any:
    """As a site has it."""
    return hold_of(await index.record(HOLDS, hold_id))


async def test_every_change_is_told_to_all_at_once() -> None:
    """Placing, extending, lifting: who asked reads of each site that it binds there."""
    here, b, c = await an_index(), await an_index(), await an_index()
    sites = HoldsAtPeers(as_peers(b=PeerOver(b), c=PeerOver(c)))
    placed = await place(ORDER, index=here, now_us=NOW_US, sites=sites)
    hold_id = placed.hold.id
    assert placed.sites == {"b": BOUND, "c": BOUND}
    assert await hold_at(b, hold_id) == await hold_at(c, hold_id) == placed.hold
    longer = await extend(hold_id, BY_LI, index=here, end_us=NOW_US, sites=sites)
    assert (await hold_at(b, hold_id)).end_us == NOW_US
    assert placed_json(longer)["sites"] == [{"site": name, "bound": True, "why": "", "gone": [], "looking": False} for name in "bc"]
    lifting = await lift(hold_id, BY_LI, index=here, sites=sites)
    assert lifting_json(lifting)["sites"] == placed_json(longer)["sites"]
    assert await standing_holds(b) == await standing_holds(c) == []


async def test_a_site_that_does_not_answer_is_named_and_learns_of_it_later() -> None:
    """Away, silent, or talking nonsense: the hold stands here, is bound at the others, and is pulled by those when they ask."""
    here, index_b = await an_index(), await an_index()
    b, silent, mad = PeerOver(index_b, away=True), PeerOver(await an_index(), silent=True), PeerOver(None)
    sites = HoldsAtPeers(as_peers(b=b, c=PeerOver(await an_index()), d=silent), limit_s=0.05)
    placed = await place(ORDER, index=here, now_us=NOW_US, sites=sites)
    assert whys(placed.sites) == {"b": "it does not answer", "c": "", "d": "it did not answer within 0.05 s"}
    assert placed_json(placed)["sites"][0] == {"site": "b", "bound": False, "why": "it does not answer", "gone": [], "looking": False}
    await pull_holds("a", as_peers(a=PeerOver(here))["a"], lambda holds: MergedHolds(index_b, lambda: NOW_US)(holds))
    assert [each.id for each in await standing_holds(index_b)] == [placed.hold.id]
    b.away = False
    assert (await sites.bound(placed.hold))["b"] == BOUND
    mad.index = type("Mad", (), {"records": staticmethod(_raise)})()
    assert whys(await HoldsAtPeers(as_peers(e=mad)).bound(placed.hold)) == {"e": "it says what cannot be"}


async def _raise(_: str) -> None:
    raise DataDamaged("it says what cannot be")


async def test_show_names_sites_with_another_state_of_it() -> None:
    """One that does not know it, one that knows an older state, one that has it so."""
    here, b, c, d = [await an_index() for _ in range(4)]
    placed = await place(ORDER, index=here, now_us=NOW_US, sites=HoldsAtPeers(as_peers(b=PeerOver(b))))
    longer = await extend(placed.hold.id, BY_LI, index=here, end_us=NOW_US, sites=HoldsAtPeers(as_peers(d=PeerOver(d))))
    bound = await HoldsAtPeers(as_peers(b=PeerOver(b), c=PeerOver(c), d=PeerOver(d))).bound(longer.hold)
    assert whys(bound) == {"b": "it knows an older state of it", "c": "it does not know it", "d": ""}
    assert known_json(longer.hold, bound)["sites"][0]["bound"] is False


async def test_a_lifting_that_is_approved_is_told() -> None:
    """By the second person, at the site where the first asked."""
    here, b = await an_index(), await an_index()
    await here.add_camera(a_camera("bank", tier="key-area"))
    sites = HoldsAtPeers(as_peers(b=PeerOver(b)))
    hold = (await place(HoldOrder("c", "r", "Li", NOON_US, cameras=("bank",)), index=here, now_us=NOW_US, sites=sites)).hold
    asked = await lift(hold.id, BY_LI, index=here, sites=sites)
    assert asked.waits_for_approval
    assert [each.id for each in await standing_holds(b)] == [hold.id]
    lifting = await approve_lift(hold.id, by="Wang", index=here, now_us=NOW_US + 2, sites=sites)
    assert lifting.sites == {"b": BOUND}
    assert await hold_at(b, hold.id) == lifting.hold
    assert (lifting.hold.lifted_by, lifting.hold.approved_by) == ("Li", "Wang")


# --- at the site that is told


async def test_what_is_told_takes_back_what_was_on_its_way() -> None:
    """As placing it here would; and a second time nothing is done."""
    index = await an_index()
    rows = some_rows(3)
    batch = a_batch(state=BatchState.UNPUBLISHED, decided_us=NOW_US - 1)
    await index.put_batch_rows(batch, rows)
    await index.put_batch(batch, expect=None)
    merge = MergedHolds(index, lambda: NOW_US)
    await merge([a_hold()])
    await merge.finished()
    assert list((await index.rows("gate", DAY)).items) == rows
    assert await index.batch("gate", DAY) is None
    before = await index.records(HOLDS)
    await merge([a_hold()])
    assert await index.records(HOLDS) == before
    await merge.close()


async def test_a_hold_binds_though_its_taking_back_fails(caplog: pytest.LogCaptureFixture) -> None:
    """The record is what counts; the sweep takes back the rest."""
    index = SwitchedIndex(await an_index())
    index.fails["usage_months"] = TryAgain("no answer")
    merge = MergedHolds(index, lambda: NOW_US)
    assert await merge([a_hold()]) is None
    await merge.finished()
    assert len(await standing_holds(index.inner)) == 1
    assert "holds.taken-back-later" in caplog.text


async def a_late_index() -> MemoryIndex:
    """Where a deletion of three segments had begun."""
    index = await an_index()
    batch = a_batch(state=BatchState.DELETING)
    await index.put_batch_rows(batch, some_rows(3))
    await index.put_batch(batch, expect=None)
    return index


GONE = Stretch("gate", NOON_US, NOON_US + 180 * US_PER_S)


async def test_what_came_too_late_elsewhere_is_logged_there(caplog: pytest.LogCaptureFixture) -> None:
    """Its deletion had begun; and who told of the hold is told that."""
    merge = MergedHolds(await a_late_index(), lambda: NOW_US)
    assert await merge([a_hold()]) == [GONE]
    assert "holds.came-too-late: h1: 1 stretches" in caplog.text
    assert await merge([a_hold()]) == ()


async def test_what_is_told_again_later_changes_nothing() -> None:
    """A request that is sent a second time, to a process that has not seen its nonce, brings no lifted or shortened hold back."""
    here, there = await an_index(), await an_index()
    told: list[list[Hold]] = []

    class Overheard(PeerOver):
        async def tell_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
            told.append(list(holds))
            return await super().tell_holds(holds)

    sites = HoldsAtPeers(as_peers(b=Overheard(there)))
    hold_id = (await place(ORDER, index=here, now_us=NOW_US, sites=sites)).hold.id
    await extend(hold_id, BY_LI, index=here, end_us=NOW_US, sites=sites)
    await lift(hold_id, BY_LI, index=here, sites=sites)
    before = await there.records(HOLDS)
    assert len(told) == 3
    for holds in told:
        assert await MergedHolds(there, lambda: NOW_US)(holds) == ()
    assert await there.records(HOLDS) == before
    assert await standing_holds(there) == []


async def test_who_places_a_hold_reads_what_it_came_too_late_for_elsewhere() -> None:
    """By site: what is gone there, or that it is still looking; in the words of API and command."""
    there = MergedHolds(await a_late_index(), lambda: NOW_US)
    telling = PeerOver(None)
    telling.tell_holds = there  # type: ignore[method-assign]
    peers = as_peers(b=telling, c=PeerOver(await an_index(), gone=None), d=PeerOver(await an_index()))
    placed = await place(ORDER, index=await an_index(), now_us=NOW_US, sites=HoldsAtPeers(peers))
    assert placed.sites == {"b": HoldAtSite("", [GONE]), "c": HoldAtSite("", (), looking=True), "d": BOUND}
    said = placed_json(placed)["sites"]
    assert said[0]["gone"] == [{"camera": "gate", "from": iso(NOON_US), "to": iso(NOON_US + 180 * US_PER_S)}]
    assert [each["looking"] for each in said] == [False, True, False]


async def test_a_hold_that_is_changed_at_once_here_and_there_has_both() -> None:
    """It is merged again on top of what was faster; who cannot come through says so."""
    index = SwitchedIndex(await an_index())
    await write_hold(index.inner, a_hold(cameras=("bank",)))
    index.fails["put_record"] = Conflict("somebody was faster")
    (found,) = await merge_holds([a_hold()], index)
    assert found.cameras == ("bank", "gate")
    assert await hold_at(index.inner, "h1") == found
    with pytest.raises(TryAgain, match="hold h2 is being changed by others"):
        await merge_holds([a_hold(id="h2")], _AlwaysLate(await an_index()))


class _AlwaysLate(SwitchedIndex):
    """Somebody else is always faster."""

    def __getattr__(self, name: str) -> Any:
        if name == "put_record":
            self.fails["put_record"] = Conflict("somebody was faster")
        return super().__getattr__(name)
