"""The placer at work: real holders and placers of several places over one index, in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from deploy.fleet import placer as module
from deploy.fleet.beats import Beats
from segments.clock import SystemClock
from segments.duty import Duty
from segments.shards import bucket_of
from segments.stores.sqlite_index import open_sqlite_index
from tests.builders import a_camera, a_place, a_placing
from tests.fakes import SwitchedIndex, until
from tests.fleet_model.places import APlace, now_s
from tests.unit.test_duty_holder import virtually

NANO = 1_000_000_000


def held_by(*places: APlace) -> dict[str, list[str]]:
    """Which recording duty is held where."""
    found: dict[str, list[str]] = {}
    for place in places:
        for duty in place.does:
            found.setdefault(duty, []).append(place.name)
    return {duty: names for duty, names in sorted(found.items()) if duty.startswith("record")}


def all_once(found: dict[str, list[str]], shards: int) -> bool:
    """Whether every shard of lane a is held by exactly one place."""
    return all(len(names) == 1 for names in found.values()) and sum(duty.startswith("record-a") for duty in found) == shards


@virtually
async def test_one_place_begins_without_waiting(index: SwitchedIndex) -> None:
    """On an empty index it supervises, places and holds everything before any time has passed."""
    place = APlace("n1", index, shards=8)
    await asyncio.sleep(0.05)
    assert all_once(held_by(place), 8)


async def test_one_place_begins_quickly_on_a_real_index(tmp_path: Path) -> None:
    """With SQLite and its syncs, from the first call to eight duties held: a fraction of a second."""
    index = await open_sqlite_index(tmp_path / "index.db")
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    place = APlace("n1", index, shards=8, clock=clock)
    await until(lambda: all_once(held_by(place), 8))
    took_s = (clock.monotonic_ns() - begun_ns) / NANO
    await place.holder.leave()
    await place.die()
    await index.close()
    assert took_s < 1


@virtually
async def test_a_dead_place_is_replaced(index: SwitchedIndex) -> None:
    """Whichever of three places dies, the one that supervises too: within 4.5 s all it did is done by the others, each by one."""
    places = {name: APlace(name, index, shards=6) for name in ("n1", "n2", "n3")}
    await asyncio.sleep(60)
    assert all_once(held_by(*places.values()), 6)
    assert sorted(len(place.does & set(held_by(place))) for place in places.values()) == [2, 2, 2]
    for name in ("n1", "n2", "n3"):
        dead = places.pop(name)
        await dead.die()
        await asyncio.sleep(4.5)
        assert all_once(held_by(*places.values()), 6)
        places = {**places, name: APlace(name, index, shards=6)}
        await asyncio.sleep(60)
        assert all_once(held_by(*places.values()), 6)


@virtually
async def test_a_handover_for_balance_leaves_no_gap(index: SwitchedIndex) -> None:
    """A place that joins is given duties one by one, each begun there before the old place's linger is over."""
    for n in range(60):
        await index.inner.add_camera(a_camera(f"c{n}"))
    old = APlace("n1", index, shards=4)
    await asyncio.sleep(5)
    new = APlace("n2", index, shards=4)
    await asyncio.sleep(60)
    assert Counter(name for names in held_by(old, new).values() for name in names) == {"n1": 2, "n2": 2}
    begun = {one.duty: one.at_s for one in new.handler.of("held")}
    for one in old.handler.of("lost"):
        assert begun[one.duty] < one.at_s + one.linger_s
        assert one.linger_s == 2.0


@virtually
async def test_a_draining_place_is_emptied(index: SwitchedIndex) -> None:
    """At the administrator's wish its duties go to the others within about 2 s, and come back after it, in time."""
    places = [APlace(name, index, shards=4) for name in ("n1", "n2")]
    await asyncio.sleep(60)
    await index.inner.set_draining("n1", draining=True)
    await asyncio.sleep(2.5)
    assert places[0].does & set(held_by(*places)) == set()
    assert all_once(held_by(*places), 4)
    await index.inner.set_draining("n1", draining=False)
    await asyncio.sleep(60)
    assert {name for names in held_by(*places).values() for name in names} == {"n1", "n2"}


@virtually
async def test_lane_b_follows_the_cameras(index: SwitchedIndex) -> None:
    """A camera that is to be recorded twice gets its second lane on the other node, and loses it when it is not any more."""
    places = [APlace(name, index, shards=2) for name in ("n1", "n2")]
    await index.inner.add_camera(a_camera())
    await asyncio.sleep(5)
    await index.inner.set_camera(a_camera(twice=True))
    await asyncio.sleep(2)
    found = held_by(*places)
    (second,) = (duty for duty in found if duty.startswith("record-b"))
    assert found[second] != found[second.replace("-b", "-a")]
    await index.inner.set_camera(a_camera())
    await asyncio.sleep(2)
    assert second not in held_by(*places)


@virtually
async def test_one_node_says_that_lane_b_needs_another(index: SwitchedIndex) -> None:
    """There is an alarm while there is no second node."""
    place = APlace("n1", index, shards=1)
    await index.inner.add_camera(a_camera(twice=True))
    await asyncio.sleep(3)
    assert place.placer.alarms == ("1 cameras are to be recorded twice, and there is no second node for them: add one",)


@virtually
async def test_only_changed_buckets_are_read(index: SwitchedIndex) -> None:
    """The archive is read once; a change of one camera costs its bucket and nothing else."""
    for n in range(200):
        await index.inner.add_camera(a_camera(f"c{n}"))
    read: list[str] = []
    index.before = read.append
    APlace("n1", index, shards=2)
    await asyncio.sleep(5)
    assert read.count("cameras_in") == len({bucket_of(f"c{n}") for n in range(200)})
    await index.inner.set_camera(a_camera("c7", enabled=False))
    await asyncio.sleep(5)
    assert read.count("cameras_in") == len({bucket_of(f"c{n}") for n in range(200)}) + 1


@virtually
async def test_a_placer_without_its_lease_writes_nothing(index: SwitchedIndex) -> None:
    """Once its own clock says that its lease is over, what it decided is left to its successor."""
    place = APlace("n1", index, shards=2)
    await asyncio.sleep(2.4)
    lease = place.holder.held()[Duty("supervise")]
    stale = a_placing(duty=Duty("record-a", 0, 99), place="n1")
    await index.inner.put_placing(stale)
    place.placer.stands(lease, 0.0, answers=True)
    await place.placer._round()
    assert stale in await index.inner.placings("n1")
    place.placer.stands(lease, 3.0, answers=True)
    await place.placer._round()
    assert stale not in await index.inner.placings("n1")


@virtually
async def test_a_round_that_fails_is_said_and_tried_again(index: SwitchedIndex) -> None:
    """Duties stay where they are meanwhile, whatever the fault is."""
    place = APlace("n1", index, shards=2)
    await asyncio.sleep(2)
    index.fails["camera_stamps"] = ValueError("a fault of the program")
    await asyncio.sleep(1)
    assert place.placer.alarms == ("duties cannot be placed: a fault of the program",)
    await asyncio.sleep(1)
    assert place.placer.alarms == ()
    assert all_once(held_by(place), 2)


@virtually
async def test_an_index_that_was_away_moves_nothing(index: SwitchedIndex) -> None:
    """After a minute without the index nobody is taken for dead: every duty is where it was, in its epoch."""
    places = [APlace(name, index, shards=4) for name in ("n1", "n2", "n3")]
    await asyncio.sleep(60)
    before = {str(duty): lease.epoch for place in places for duty, lease in place.holder.held().items()}
    index.away = True
    await asyncio.sleep(60)
    index.away = False
    await asyncio.sleep(20)
    assert {str(duty): lease.epoch for place in places for duty, lease in place.holder.held().items()} == before


def test_a_place_that_is_long_dead_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it was silent for the time set for it (a day) and has nothing placed on it."""
    monkeypatch.setattr(module, "FORGET_S", 30.0)

    @virtually
    async def scenario(index: SwitchedIndex) -> None:
        places = [APlace(name, index, shards=1) for name in ("n1", "n2")]
        await asyncio.sleep(10)
        await places[1].die()
        await asyncio.sleep(25)
        assert [place.name for place in await index.inner.places()] == ["n1", "n2"]
        await asyncio.sleep(10)
        assert [place.name for place in await index.inner.places()] == ["n1"]
        assert now_s() == 45

    scenario()


# --- beats ---


def beats(*looks: tuple[float, int]) -> Beats:
    """What was seen of one place: moments in seconds, and its beat then."""
    seen = Beats(3.0)
    for at_s, beat in looks:
        seen = seen.saw([a_place(beat=beat)], int(at_s * NANO))
    return seen


@pytest.mark.parametrize(
    ("looks", "alive", "dead"),
    [
        ([(100, 1)], False, False),
        ([(100, 1), (101, 2)], True, False),
        ([(100, 1), (101, 2), (102, 2), (103, 2)], True, False),
        ([(100, 1), (101, 2), (102, 2), (103, 2), (104, 2)], False, False),
        ([(100, 2), (101, 1)], True, False),
        ([(100 + n, 1) for n in range(7)], False, True),
        ([(100, 1), (101, 2), *((102 + n, 2) for n in range(6))], False, True),
        ([(100, 1), (101, 2), (160, 2)], True, False),
    ],
    ids=["first", "risen", "late", "quiet", "new life", "never risen", "dead", "nobody looked"],
)
def test_a_place_is_alive_while_its_beat_changes(looks: list[tuple[float, int]], alive: bool, dead: bool) -> None:
    """Alive for 3 s after a change that was seen, dead after 6 s without one; a minute in which nobody looked says nothing."""
    seen = beats(*looks)
    assert (bool(seen.alive), bool(seen.dead)) == (alive, dead)


def test_a_place_that_is_not_listed_is_forgotten() -> None:
    """It begins anew if it comes back."""
    seen = beats((100, 1), (101, 2)).saw([], 102 * NANO)
    assert (seen.alive, seen.dead, seen.silent_s("node-1")) == (frozenset(), frozenset(), 0.0)
