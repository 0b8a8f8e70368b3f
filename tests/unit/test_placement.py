"""Where duties are placed: whatever is found, each has one living holder, lanes stay apart, and nothing moves without a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.fleet.placement import Plan, Scene, done_somewhere, duties_of, plan, wanted_duties
from segments.duty import Duty, Place, Placing
from segments.shards import shard_of
from tests.builders import a_camera, a_place

NAMES = ("n1", "n2", "n3", "n4")
KINDS = ("record-a", "record-b")


def a_scene(places: Sequence[Place] = (), **fields) -> Scene:
    """Two healthy nodes, two shards of ten cameras, nothing placed."""
    places = places or [a_place(name, room=100, load=0) for name in ("n1", "n2")]
    good = {
        "alive": frozenset(place.name for place in places),
        "dead": frozenset(),
        "wanted": {Duty("record-a", shard, 2): 10 for shard in range(2)},
        "placings": (),
        "leases": {},
    }
    return Scene(places, **good | fields)


def after(scene: Scene, decided: Plan) -> Scene:
    """The scene with the changes made, in their order."""
    placings = {(placing.duty, placing.place): placing for placing in scene.placings}
    for change in decided.changes:
        key = (change.placing.duty, change.placing.place)
        if change.removes:
            del placings[key]
        else:
            placings[key] = change.placing
    return replace(scene, placings=tuple(placings.values()))


def led(scene: Scene) -> Scene:
    """A moment later: who is placed no more, or is dead, has given its lease back; who stands by or is placed has taken what was free."""
    leases = dict(scene.leases)
    for duty in scene.wanted:
        placed = {placing.place: placing.standby for placing in scene.placings if placing.duty == duty and placing.place not in scene.dead}
        if leases.get(duty) not in placed:
            leases.pop(duty, None)
            takers = sorted(placed, key=lambda name: placed[name])
            if takers:
                leases[duty] = takers[0]
    return replace(scene, leases=leases)


def holders(scene: Scene) -> dict[Duty, str]:
    """Who does what, as placed."""
    return {placing.duty: placing.place for placing in scene.placings if not placing.standby}


def fit(scene: Scene, name: str | None, duty: Duty) -> bool:
    """Whether a place may go on with a duty."""
    place = next((place for place in scene.places if place.name == name), None)
    return place is not None and name not in scene.dead and not place.draining and duty.kind in place.kinds


# --- what must be true of every decision ---


def wrong_holders(before: Scene, then: Scene) -> Iterator[str]:
    """Duties with several holders, with a dead one or with none although a living place can do them."""
    counted = Counter(placing.duty for placing in then.placings if not placing.standby)
    for duty in before.wanted:
        first = replace(duty, kind="record-a")
        beside = [holders(scene).get(first) for scene in (before, then) if duty.kind == "record-b"]
        able = [name for name in before.alive if fit(before, name, duty) and name not in beside]
        if counted[duty] > 1:
            yield f"{duty} has {counted[duty]} holders"
        if able and (counted[duty] == 0 or not fit(before, holders(then)[duty], duty)):
            yield f"{duty} is not done by a living place, though {able} could"
    yield from (f"{placing.duty} is not wanted" for placing in then.placings if placing.duty not in before.wanted)


def shared_lanes(then: Scene) -> Iterator[str]:
    """Nodes that do both lanes of a shard, or would if lane b's holder went."""
    first = {duty.shard: name for duty, name in holders(then).items() if duty.kind == "record-a"}
    for placing in then.placings:
        if placing.duty.kind == "record-b" and first.get(placing.duty.shard) == placing.place:
            yield f"{placing} beside lane a"


def wrong_standbys(then: Scene) -> Iterator[str]:
    """Duties with two standbys, or one that is the holder."""
    counted = Counter(placing.duty for placing in then.placings if placing.standby)
    yield from (f"{duty} has {count} standbys" for duty, count in counted.items() if count > 1)
    doubled = Counter((placing.duty, placing.place) for placing in then.placings)
    yield from (f"{key} stands by for itself" for key, count in doubled.items() if count > 1)


def needless_moves(before: Scene, then: Scene, decided: Plan) -> Iterator[str]:
    """Duties taken from a place that has the lease and may go on; for balance one may be."""
    taken = []
    for duty, name in before.leases.items():
        placed = any((placing.duty, placing.place) == (duty, name) for placing in before.placings)
        beside = duty.kind == "record-b" and holders(then).get(replace(duty, kind="record-a")) == name
        if duty in before.wanted and placed and fit(before, name, duty) and not beside and holders(then).get(duty) != name:
            taken.append(f"{duty} is taken from {name}")
    yield from taken[1 if decided.move else 0 :]
    yield from (f"{change} has no reason" for change in decided.changes if not change.reason)


def faults(before: Scene, decided: Plan) -> list[str]:
    """All that is wrong with a decision."""
    then = after(before, decided)
    return [*wrong_holders(before, then), *shared_lanes(then), *wrong_standbys(then), *needless_moves(before, then, decided)]


# --- any scene ---

duties = st.builds(Duty, st.sampled_from(KINDS), st.integers(0, 3), st.just(4))


@st.composite
def scenes(draw) -> Scene:
    """Anything that may be found: nodes in every state, placings of all times, leases of anybody."""
    places = [
        a_place(
            name,
            room=draw(st.sampled_from([0, 20, 100])),
            kinds=draw(st.sampled_from([(*KINDS, "supervise"), (*KINDS, "supervise"), ("record-a",), ()])),
            draining=draw(st.integers(0, 4)) == 0,
        )
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    ]
    states = {place.name: draw(st.sampled_from(["alive", "alive", "alive", "quiet", "dead"])) for place in places}
    placings = {
        (placing.duty, placing.place): placing
        for placing in draw(st.lists(st.builds(Placing, duties, st.sampled_from(NAMES), st.booleans()), max_size=20))
        if placing.place in states  # those of a place that is not there are gone with it
    }
    return Scene(
        places,
        alive=frozenset(name for name, state in states.items() if state == "alive"),
        dead=frozenset(name for name, state in states.items() if state == "dead"),
        wanted=draw(st.dictionaries(duties, st.integers(0, 40))),
        placings=tuple(placings.values()),
        leases=draw(st.dictionaries(duties, st.sampled_from([*NAMES, "gone"]))),
        calm=draw(st.booleans()),
    )


@given(scene=scenes())
@settings(max_examples=150, deadline=None)
def test_every_decision_keeps_the_rules(scene: Scene) -> None:
    """Whatever is found: one living holder where any place can do it, lanes apart, standbys beside holders, no needless move."""
    assert faults(scene, plan(scene)) == []


@given(scene=scenes())
@settings(max_examples=80, deadline=None)
def test_decisions_come_to_rest(scene: Scene) -> None:
    """While nothing else changes, rounds keep the rules, move at most one duty each for balance, and end in one that changes nothing."""
    scene = replace(scene, calm=True)
    for _ in range(60):
        decided = plan(scene)
        assert faults(scene, decided) == []
        before, scene = scene, led(after(scene, decided))
        if not decided.changes and scene == before:
            return
    raise AssertionError(f"it never rests: {decided}")


@given(counts=st.lists(st.integers(0, 60), min_size=8, max_size=8), rooms=st.lists(st.integers(60, 300), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None)
def test_rest_is_balance(counts: list[int], rooms: list[int]) -> None:
    """Nodes come to carry what they have room for: at rest no duty could go where the node would be less full by a tenth."""
    places = [a_place(name, room=room) for name, room in zip(NAMES[:3], rooms, strict=True)]
    wanted = {Duty("record-a", shard, 8): count for shard, count in enumerate(counts)}
    scene = a_scene(places, wanted=wanted, calm=True)
    first = {Duty("record-a", shard, 8): "n1" for shard in range(8)}
    scene = replace(scene, placings=tuple(Placing(duty, "n1") for duty in first), leases=first)
    moves = 0
    while (decided := plan(scene)).changes:
        moves += decided.move
        scene = led(after(scene, decided))
    assert moves <= 2 * len(wanted) + 2
    fill = {place.name: sum(max(1, wanted[duty]) for duty, name in holders(scene).items() if name == place.name) for place in places}
    for duty, name in holders(scene).items():
        for place in places:
            here = next(one for one in places if one.name == name)
            if place.name != name:
                margin = 0.1 if wanted[duty] else 0
                assert (fill[place.name] + max(1, wanted[duty])) / place.room >= fill[name] / here.room - margin


# --- single decisions ---


def settled(scene: Scene) -> Scene:
    """The scene when nothing changes any more."""
    while (decided := plan(scene)).changes:
        scene = led(after(scene, decided))
    return scene


def test_an_empty_site_is_placed_at_once() -> None:
    """The first round spreads all duties over the nodes; a standby comes only when a duty is held, lest two run for it."""
    first = plan(a_scene())
    assert {(str(change.placing.duty), change.placing.place, change.placing.standby) for change in first.changes} == {
        ("record-a.0-of-2", "n1", False),
        ("record-a.1-of-2", "n2", False),
    }
    second = plan(led(after(a_scene(), first)))
    assert {(change.placing.place, change.placing.standby) for change in second.changes} == {("n1", True), ("n2", True)}


def test_one_node_does_all() -> None:
    """Room is soft: what does not fit is recorded all the same, and once things are calm it is said."""
    scene = settled(a_scene([a_place("n1", room=5)]))
    assert set(holders(scene).values()) == {"n1"}
    assert plan(scene).alarms == ()
    assert "room for 5" in plan(replace(scene, calm=True)).alarms[0]


def test_a_dead_node_is_replaced_by_the_standbys() -> None:
    """Its duties go to who stood by for them, all in one round."""
    scene = settled(a_scene([a_place(name) for name in NAMES]))
    standbys = {placing.duty: placing.place for placing in scene.placings if placing.standby}
    lost = holders(scene)
    broken = replace(scene, alive=scene.alive - {"n1"}, dead=frozenset({"n1"}))
    then = holders(after(broken, plan(broken)))
    assert {duty: then[duty] for duty, name in lost.items() if name == "n1"} == {
        duty: standbys[duty] for duty, name in lost.items() if name == "n1"
    }


def test_a_standby_that_took_over_keeps_it() -> None:
    """Who has the lease does the duty: placings follow, even if the old holder is back."""
    scene = settled(a_scene())
    duty, old = next(iter(holders(scene).items()))
    new = next(placing.place for placing in scene.placings if placing.duty == duty and placing.standby)
    taken = replace(scene, leases={**scene.leases, duty: new})
    assert holders(after(taken, plan(taken)))[duty] == new
    assert holders(settled(taken))[duty] == new
    assert old != new


def test_a_node_that_is_quiet_keeps_what_it_has_and_gets_nothing() -> None:
    """Between alive and dead nothing is taken from a node, and nothing given to it."""
    scene = replace(settled(a_scene()), alive=frozenset({"n2"}))
    assert plan(scene).changes == ()
    more = replace(scene, wanted={**scene.wanted, Duty("record-a", 7, 9): 1})
    assert holders(after(more, plan(more)))[Duty("record-a", 7, 9)] == "n2"


def test_a_draining_node_is_emptied() -> None:
    """All of it goes to standbys at once; the last node keeps its cameras, and it is said that it cannot be emptied."""
    scene = settled(a_scene())
    draining = replace(scene, places=[a_place("n1", room=100, draining=True), a_place("n2", room=100)])
    emptied = settled(draining)
    assert set(holders(emptied).values()) == {"n2"}
    last = settled(a_scene([a_place("n1", room=100, draining=True)]))
    assert set(holders(last).values()) == {"n1"}
    assert plan(last).alarms == ("node n1 cannot be emptied: nobody else can take its cameras",)


def test_a_node_that_leaves_gets_nothing() -> None:
    """One that says it does nothing any more is left, if another can take over."""
    scene = settled(a_scene())
    leaving = replace(scene, places=[a_place("n1", kinds=()), a_place("n2", room=100)])
    assert set(holders(settled(leaving)).values()) == {"n2"}


TWICE = {Duty("record-a", 0, 1): 5, Duty("record-b", 0, 1): 5}


def test_lane_b_needs_a_second_node() -> None:
    """With one node there is lane a alone, and an alarm; with the second comes lane b, and never on the same one."""
    alone = settled(a_scene([a_place("n1")], wanted=TWICE))
    assert holders(alone) == {Duty("record-a", 0, 1): "n1"}
    assert plan(alone).alarms == ("5 cameras are to be recorded twice, and there is no second node for them: add one",)
    both = settled(replace(alone, places=[a_place("n1"), a_place("n2")], alive=frozenset({"n1", "n2"})))
    assert holders(both) == {Duty("record-a", 0, 1): "n1", Duty("record-b", 0, 1): "n2"}


def test_lane_a_goes_before_lane_b() -> None:
    """Of two nodes the one of lane a dies: the other has lane a alone, until there is another for lane b."""
    both = settled(a_scene([a_place("n1"), a_place("n2")], wanted=TWICE))
    broken = settled(replace(both, alive=frozenset({"n2"}), dead=frozenset({"n1"})))
    assert holders(broken) == {Duty("record-a", 0, 1): "n2"}


def test_standbys_keep_lanes_apart_where_they_can() -> None:
    """With three nodes the standby of either lane is the third, so that no failure brings both lanes to one node."""
    scene = settled(a_scene([a_place(name) for name in NAMES[:3]], wanted=TWICE))
    assert {placing.place for placing in scene.placings if placing.standby} == {"n3"}


def test_balance_goes_by_way_of_the_standby_once_all_is_calm() -> None:
    """A node that comes is given one duty at a time, which it stands by for first; before things are calm nothing moves."""
    wanted = {Duty("record-a", shard, 4): 20 for shard in range(4)}
    scene = settled(a_scene([a_place("n1", room=100)], wanted=wanted))
    joined = replace(scene, places=[a_place("n1", room=100), a_place("n2", room=100)], alive=frozenset({"n1", "n2"}))
    joined = settled(joined)
    assert set(holders(joined).values()) == {"n1"}
    decided = plan(replace(joined, calm=True))
    assert decided.move
    assert [(change.placing.place, change.removes) for change in decided.changes] == [("n2", False), ("n1", True)]
    rest = Counter(holders(settled(replace(joined, calm=True))).values())
    assert rest == {"n1": 2, "n2": 2}


def test_a_small_difference_is_no_reason() -> None:
    """What would even out less than a tenth of the room stays where it is."""
    wanted = {Duty("record-a", shard, 2): 9 for shard in range(2)}
    scene = settled(a_scene([a_place("n1", room=100)], wanted=wanted))
    joined = replace(scene, places=[a_place("n1", room=100), a_place("n2", room=100)], alive=frozenset({"n1", "n2"}), calm=True)
    assert set(holders(settled(joined)).values()) == {"n1"}


def test_wanted_duties_follow_the_cameras() -> None:
    """Lane a of every shard with its enabled cameras, lane b only where some are recorded twice."""
    cameras = [a_camera(f"c{n}", twice=n == 3, enabled=n != 4) for n in range(6)]
    counted = wanted_duties([duties_of(cameras[:2], 4), duties_of(cameras[2:], 4)], 4)
    shards = Counter(shard_of(camera.id, 4) for camera in cameras if camera.enabled)
    assert counted == {Duty("record-a", shard, 4): shards[shard] for shard in range(4)} | {Duty("record-b", shard_of("c3", 4), 4): 1}
    assert wanted_duties([], 2) == {Duty("record-a", 0, 2): 0, Duty("record-a", 1, 2): 0}


BAD = {
    "no holder": [],
    "two holders": [Placing(Duty("record-a", 0, 1), "n1"), Placing(Duty("record-a", 0, 1), "n2")],
    "a dead holder": [Placing(Duty("record-a", 0, 1), "n3")],
    "lanes together": [Placing(duty, "n1") for duty in TWICE],
    "standby of oneself": [Placing(Duty("record-a", 0, 1), "n1"), Placing(Duty("record-a", 0, 1), "n1", standby=True)],
    "unwanted": [Placing(Duty("record-a", 5, 9), "n1")],
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_broken_placings_are_seen(bad: list[Placing]) -> None:
    """The negative control: the rules that every decision is held against see one bad example of each kind."""
    places = [a_place(name) for name in NAMES[:3]]
    scene = a_scene(places, alive=frozenset({"n1", "n2"}), dead=frozenset({"n3"}), wanted=TWICE)
    then = replace(scene, placings=tuple(bad))
    assert [*wrong_holders(scene, then), *shared_lanes(then), *wrong_standbys(then)]


def test_needless_moves_are_seen() -> None:
    """The negative control: a duty that is taken from a healthy holder is found."""
    scene = settled(a_scene())
    duty, name = next(iter(holders(scene).items()))
    moved = replace(
        scene, placings=tuple(replace(one, place="n9") if one.duty == duty and not one.standby else one for one in scene.placings)
    )
    assert list(needless_moves(scene, moved, Plan((), ()))) == [f"{duty} is taken from {name}"]


SWEEPS = [Duty("sweep", shard, 4) for shard in range(4)]


def duties_places() -> list[Place]:
    """Two nodes, each with the place that records and the one of its duties program."""
    beside = [a_place(f"{name}/duties", kinds=("sweep",), url="", room=0, load=0, recorders=0, spooled=()) for name in ("n1", "n2")]
    return [*(a_place(name, room=100, load=0) for name in ("n1", "n2")), *beside]


def test_duties_beside_recording_go_to_the_places_that_do_them() -> None:
    """Spread evenly and backed, beside all recording; a place without recorders is not overloaded, and records nothing."""
    scene = settled(a_scene(duties_places(), wanted={Duty("record-a", shard, 2): 10 for shard in range(2)} | dict.fromkeys(SWEEPS, 0)))
    held = {placing.duty: placing.place for placing in scene.placings if not placing.standby}

    assert Counter(held[duty] for duty in SWEEPS) == {"n1/duties": 2, "n2/duties": 2}
    assert {held[Duty("record-a", shard, 2)] for shard in range(2)} == {"n1", "n2"}
    assert {placing.place for placing in scene.placings if placing.standby and placing.duty in SWEEPS} == {"n1/duties", "n2/duties"}
    assert plan(replace(scene, calm=True)).alarms == ()


def test_a_duty_of_a_lost_place_goes_to_its_standby() -> None:
    """As recording does, and back to balance when the place is there again."""
    scene = settled(a_scene(duties_places(), wanted=dict.fromkeys(SWEEPS, 0)))
    lost = replace(scene, alive=scene.alive - {"n1/duties"}, dead=frozenset({"n1/duties"}))
    held = {placing.place for placing in settled(lost).placings if not placing.standby}

    assert held == {"n2/duties"}


def test_a_duty_is_wanted_where_somebody_does_its_kind() -> None:
    """While no place of the site can do it nothing is missing that a person could mend; once one could, its absence is told."""
    places = duties_places()
    assert done_somewhere(SWEEPS, places[:2]) == {}
    assert done_somewhere(SWEEPS, places) == dict.fromkeys(SWEEPS, 0)

    nobody = a_scene(places, alive=frozenset({"n1", "n2"}), dead=frozenset(), wanted={SWEEPS[0]: 0})
    assert plan(nobody).alarms == ("nobody does sweep.0-of-4: no node is there that can",)
