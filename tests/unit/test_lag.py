"""How far copies are behind: figures checked against sums counted anew, and RPO against a second-by-second model of footage."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from replication.copy_values import CopyEvent, CopyKind, CopyShard, Wish
from replication.lag import BOUNDS_S, Backlog, Copied, Promise, backlog, copied, cumulative, late_by_name
from replication.rpo import KEPT_US, QUIET_US, Measured, RpoWatch, here_until_us, summary
from segments.clock import US_PER_S
from segments.model import Footage
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera, a_row
from tests.clocks import HandClock
from tests.copy_sites import FootageSite, SwitchedPeer, footage

PROMISE = Promise(60, 900)
S = US_PER_S


def a_wish(since_s: float, **fields) -> Wish:
    """A segment that was committed so long before noon."""
    camera_class = fields.pop("camera_class", 3)
    row = a_row(start_us=NOON_US - int((since_s + 70) * S), size=1000, **fields)
    return Wish(row, a_camera(row.camera, camera_class=camera_class), 0, committed_us=NOON_US - int(since_s * S))


def a_copied(**fields) -> CopyEvent:
    """A segment of a minute that was copied."""
    good = {"camera": "gate", "position": a_row().position, "size": 1000, "end_us": NOON_US, "camera_class": 3}
    return CopyEvent(CopyKind.COPIED, "north", **good | fields)


def test_what_is_wanted_is_summed_by_class() -> None:
    """Segments, bytes, the oldest, and those that are late; the class is that of our archive."""
    wishes = [a_wish(10), a_wish(901, camera="yard"), a_wish(5000), a_wish(899, camera_class=1)]
    found = backlog(wishes, PROMISE, NOON_US)
    assert found == {3: Backlog(3, 3000, NOON_US - 5000 * S, 2), 1: Backlog(1, 1000, NOON_US - 899 * S, 0)}
    assert found[3] + Backlog() == found[3]
    late = late_by_name(wishes, PROMISE, NOON_US, {wishes[1].key: "its bytes are wrong"}, 10)
    assert [(each.camera, each.since_us, each.text) for each in late] == [
        ("gate", NOON_US - 5000 * S, ""),
        ("yard", NOON_US - 901 * S, "its bytes are wrong"),
    ]
    assert late_by_name(wishes, PROMISE, NOON_US, {}, 1) == late[:1]


def test_lag_counts_from_the_commit_or_else_from_the_end() -> None:
    """Where nobody told when it was committed, the end of the footage was before, so the lag is not made smaller."""
    wish = replace(a_wish(10), committed_us=0)
    assert backlog([wish], PROMISE, NOON_US)[3].oldest_us == wish.row.end_us
    assert copied(a_copied(committed_us=NOON_US - 30 * S, end_us=NOON_US - 90 * S), PROMISE, NOON_US).delays.sum_s == 30
    assert copied(a_copied(committed_us=0, end_us=NOON_US - 90 * S), PROMISE, NOON_US).delays.sum_s == 90


@pytest.mark.parametrize(("delay_s", "soon", "in_time"), [(0, 1, 1), (60, 1, 1), (60.1, 0, 1), (900, 0, 1), (900.1, 0, 0), (9e9, 0, 0)])
def test_the_promise_is_kept_up_to_its_last_moment(delay_s: float, soon: int, in_time: int) -> None:
    """And the histogram has each delay in one class, a bound in the class below."""
    one = copied(a_copied(end_us=NOON_US), PROMISE, NOON_US + int(delay_s * S))
    assert (one.soon, one.in_time, one.late) == (soon, in_time, 1 - in_time)
    assert sum(one.delays.counts) == 1
    below = cumulative(one.delays.counts)
    assert [count == 1 for count in below[:-1]] == [delay_s <= bound for bound in BOUNDS_S]


def test_a_clock_that_is_ahead_makes_no_negative_delay() -> None:
    """The source says it was committed in a minute."""
    assert copied(a_copied(committed_us=NOON_US + 60 * S), PROMISE, NOON_US).delays.sum_s == 0


def test_sums_are_sums() -> None:
    """Of any delays in any order, counted anew."""
    chance = random.Random(1)
    delays = [chance.expovariate(1 / 200) for _ in range(500)]
    total = sum((copied(a_copied(), PROMISE, NOON_US + int(each * S)) for each in delays), Copied())
    assert (total.segments, total.size_bytes) == (500, 500_000)
    assert total.soon == sum(each <= 60 for each in delays)
    assert total.late == sum(int(each * S) > 900 * S for each in delays)
    assert total.delays.sum_s == pytest.approx(sum(delays), abs=1)
    assert cumulative(total.delays.counts)[-1] == 500


# --- RPO


def stretch(start_s: float, end_s: float, run: str = "r") -> Footage:
    """Footage of some seconds before noon."""
    return Footage(NOON_US + int(start_s * S), NOON_US + int(end_s * S), run, "avc1")


@pytest.mark.parametrize(
    ("theirs", "ours", "until_s"),
    [
        ([(-180, -120), (-120, -60), (-60, -5)], [(-180, -120)], -120),
        ([(-180, -120), (-120, -60), (-60, -5)], [(-120, -60)], -180),
        ([(-180, -120), (-100, -5)], [(-180, -120)], -100),
        ([(-120, -5)], [(-120, -30)], -30),
        ([(-120, -60), (-110, -50)], [(-120, -60), (-110, -50)], -50),
        ([(-120, -5)], [(-120, -5)], -5),
    ],
)
def test_the_first_moment_that_is_missing_counts(theirs, ours, until_s) -> None:
    """Not the newest footage that is here: a hole before it would be lost, too. Two recordings of one moment need one copy."""
    found = here_until_us([stretch(*each) for each in theirs], [stretch(*each, "x") for each in ours], NOON_US)
    assert found == NOON_US + until_s * S


def test_a_quiet_camera_is_told_apart() -> None:
    """All is here and nothing young is told: the camera is away, or its node does not answer. It makes no figure better."""
    old = [stretch(-3000, -2900)]
    assert here_until_us(old, old, NOON_US) == 0
    assert here_until_us([], [], NOON_US) == 0
    young = [Footage(NOON_US - QUIET_US - 60 * S, NOON_US - QUIET_US, "r", "avc1")]
    assert here_until_us(young, young, NOON_US) == NOON_US - QUIET_US


@pytest.mark.parametrize("seed", range(30))
def test_rpo_against_a_model_of_seconds(seed: int) -> None:
    """The first second that they have and we have not, found by going through all of them."""
    chance = random.Random(seed)

    def some() -> list[tuple[int, int]]:
        starts = [chance.randrange(-600, -1) for _ in range(chance.randrange(1, 8))]
        return [(start, min(-1, start + chance.randrange(1, 120))) for start in starts]

    theirs, ours = some(), some()
    has = {second for start, end in ours for second in range(start, end)}
    lost = sorted({second for start, end in theirs for second in range(start, end)} - has)
    newest = max(end for _, end in theirs)
    expected = NOON_US + (lost[0] if lost else newest) * S if lost or newest >= -QUIET_US // S else 0
    assert here_until_us([stretch(*each) for each in theirs], [stretch(*each) for each in ours], NOON_US) == expected


def test_the_summary_names_the_worst() -> None:
    """By class, by nearest rank; quiet ones apart; and while the source does not answer all of it grows."""
    measured = {f"c{n}": Measured(1, NOON_US, NOON_US - n * S) for n in range(1, 101)} | {"q": Measured(1, NOON_US, 0)}
    (found,) = summary(measured, NOON_US + 1000 * S, answers=True).values()
    assert (found.cameras, found.quiet, found.worst) == (100, 1, "c100")
    assert found.spread == (50 * S, 99 * S, 100 * S)
    (found,) = summary(measured, NOON_US + 1000 * S, answers=False).values()
    assert found.spread == (1050 * S, 1099 * S, 1100 * S)


class _Live:
    def __init__(self, rows) -> None:
        self.rows = rows

    async def footage(self, camera, span):
        return [Footage(row.start_us, row.end_us, row.run, "") for row in self.rows if row.camera == camera and row.end_us > span.start_us]


async def _watch(peer, **fields) -> RpoWatch:
    index, clock = fields.pop("index", MemoryIndex()), fields.pop("clock", HandClock())
    return RpoWatch(CopyShard("north", **fields), peer=peer, index=index, clock=clock)


async def test_cameras_are_measured_from_footage() -> None:
    """Those of that site, recorded, of the shard; as far back as it is missing, a day at most; ours are nobody's concern."""
    index = MemoryIndex()
    for camera, home, enabled in (("gate", "north", True), ("yard", "north", True), ("quay", "", True), ("off", "north", False)):
        await index.add_camera(a_camera(camera, home=home, enabled=enabled, camera_class=2))
    rows = footage(120, start_us=NOON_US - 7200 * S)
    for row in rows[:30]:
        await index.publish(row)
    watch = await _watch(_Live(rows + footage(120, start_us=NOON_US - 7200 * S, camera="yard")), index=index)
    await watch.look()
    found = watch.summary()[2]
    assert (found.cameras, found.quiet, found.worst) == (2, 0, "yard")
    assert found.spread == (5400 * S, 7200 * S, 7200 * S)


async def test_all_cameras_have_their_turn() -> None:
    """Fifty at a time, those last that were measured last, new ones first."""
    index, asked = MemoryIndex(), []

    class Peer:
        async def footage(self, camera, span):
            asked.append(camera)
            return []

    for number in range(120):
        await index.add_camera(a_camera(f"c{number}", home="north"))
    watch = await _watch(Peer(), index=index)
    for _ in range(3):
        await watch.look()
    assert len(set(asked[:120])) == 120
    assert len(asked) == 150


async def test_cameras_that_come_to_be_known_are_measured_in_the_next_look() -> None:
    """Where there were none: the archive is not waited for."""
    index = MemoryIndex()
    watch = await _watch(_Live(footage(2, start_us=NOON_US - 120 * S)), index=index)
    await watch.look()
    assert watch.summary() == {}
    await index.add_camera(a_camera(home="north"))
    await watch.look()
    assert watch.summary()[3].cameras == 1


async def test_a_source_that_does_not_answer_makes_it_grow() -> None:
    """Nothing more comes here; what was measured stays as it was but for the time since, however long; it is measured again later."""
    index, clock, site = MemoryIndex(), HandClock(), FootageSite()
    await index.add_camera(a_camera(home="north"))
    rows = footage(10, start_us=NOON_US - 600 * S)
    await site.keep(rows)
    for row in rows[:-1]:
        await index.publish(row)
    peer = SwitchedPeer(site.source())
    watch = await _watch(peer, index=index, clock=clock)
    await watch.look()
    assert watch.summary()[3].spread.max_us == 60 * S
    peer.away = True
    clock.move(KEPT_US / S + 600)
    await watch.look()
    assert watch.summary()[3].spread.max_us == 60 * S + KEPT_US + 600 * S
    peer.away = False
    await index.publish(rows[-1])
    await watch.look()
    assert watch.summary()[3].quiet == 1
