"""Locks in the store follow the holds: soonest due first, resumable, bounded, and off again where no hold stands any more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from retention.hold_report import report
from retention.holds import HoldOrder, approve_lift, lift, place
from retention.lock_progress import LockProgress, lock_progress, write_progress
from retention.locks import Locker
from retention.signed import Signed
from segments.clock import US_PER_DAY, US_PER_S, day_start_us
from segments.duty import Duty
from segments.errors import NotFound, Refused, TryAgain
from segments.hold import FOR_EVER_US
from segments.model import Row
from segments.shards import bucket_of
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera, some_rows
from tests.clocks import HandClock
from tests.fakes import Died, Life, SwitchedIndex
from tests.retention_builders import write_policy

NOW_US = NOON_US + 4 * US_PER_DAY


@dataclass
class Locks:
    """A pool's locks; `calls` are the requests that took effect, in order."""

    held: set[str] = field(default_factory=set)
    calls: list[tuple[str, bool]] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)
    life: Life = field(default_factory=Life)

    async def set_legal_hold(self, key: str, version: str, held: bool) -> None:
        """See `LegalHolds`."""
        if key in self.fails:
            raise self.fails[key]
        (self.held.add if held else self.held.discard)(key)
        self.calls.append((key, held))
        self.life.called("set_legal_hold")

    async def legal_hold(self, key: str, version: str) -> bool:
        """See `LegalHolds`."""
        return key in self.held


class Site:
    """An index with two cameras of different tiers, footage of some days, and one pool with locks."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.locks = Locks()
        self.clock = HandClock(NOW_US)

    async def fill(self) -> None:
        """Three segments a day over two days, for a general camera and one of a key area."""
        await write_policy(self.index)
        await self.index.add_camera(a_camera("gate", tier="key-area"))
        await self.index.add_camera(a_camera("quay"))
        for n, camera in enumerate(("gate", "quay")):
            for day in range(2):
                await self.record(some_rows(3, camera=camera, start_us=NOON_US + day * US_PER_DAY, run=f"home-a-{n + 1}-{day + 1}"))

    async def record(self, rows: list[Row]) -> None:
        """More footage, counted."""
        await self.index.publish_many(rows)
        for camera, day in {(row.camera, row.day) for row in rows}:
            await self.index.put_usage(camera, day, await self.index.row_sums(camera, day))

    def locker(self, shard: int = 0, of: int = 1, index: MemoryIndex | SwitchedIndex | None = None, **named: float) -> Locker:
        """One that begins anew."""
        duty = Duty("sweep", shard, of)
        return Locker(duty, index=index or self.index, pools={"main": self.locks}, clock=self.clock, **named)  # type: ignore[arg-type]

    async def hold(self, *cameras: str, case: str = "c", start_us: int = NOON_US, end_us: int = FOR_EVER_US) -> str:
        """Places a hold; returns its id."""
        order = HoldOrder(case, "collision", "Li", start_us, end_us, cameras)
        return (await place(order, index=self.index, now_us=NOW_US)).hold.id

    async def lift(self, hold_id: str) -> None:
        """Lifts it, by two persons where that is asked for."""
        if (await lift(hold_id, Signed("Li", "over", NOW_US), index=self.index)).waits_for_approval:
            await approve_lift(hold_id, by="Wang", index=self.index, now_us=NOW_US)

    async def keys(self, *cameras: str) -> list[str]:
        """Of all rows of cameras."""
        days = [day for month in await self.index.usage_months() for c in cameras for day in await self.index.usage(month, bucket_of(c))]
        return [row.key for each in days if each.camera in cameras for row in (await self.index.rows(each.camera, each.day)).items]


@pytest.fixture
async def site() -> Site:
    """Filled."""
    made = Site()
    await made.fill()
    return made


async def test_what_a_hold_covers_is_locked_soonest_due_first(site: Site) -> None:
    """The general camera's days fall due before the key area's; progress is shown with the hold."""
    hold = await site.hold("gate", "quay")
    assert await site.locker().round() == (12, 0, 0)
    assert [key.split("/")[0] for key, _ in site.locks.calls] == ["quay"] * 6 + ["gate"] * 6
    days = [key.split("/")[1] for key, _ in site.locks.calls]
    assert days == sorted(days[:6]) + sorted(days[6:])
    assert str(await lock_progress(hold, site.index)) == "locks set 12 of 12"
    (found,) = await report("c", index=site.index, now_us=NOW_US)
    assert found.locks.locked == 12


async def test_only_its_time_is_locked(site: Site) -> None:
    """Segments that touch the span, and no other."""
    rows = some_rows(3, run="home-a-1-1")
    hold = await site.hold("gate", start_us=rows[1].start_us, end_us=rows[1].end_us)
    await site.locker().round()
    assert site.locks.held == {rows[1].key}
    assert (await lock_progress(hold, site.index)).of == 1


async def test_later_footage_is_locked_in_later_rounds(site: Site) -> None:
    """And nothing is asked for twice, of today's growing camera-day either."""
    await site.hold("gate")
    locker = site.locker()
    await locker.round()
    assert (await locker.round()).locked == 0
    today = some_rows(2, start_us=NOW_US, run="home-a-9-9")
    await site.record(today[:1])
    assert (await locker.round()).locked == 1
    await site.record(today)
    assert (await locker.round()).locked == 1
    assert {row.key for row in today} <= site.locks.held


async def test_a_lifted_hold_lets_go_what_no_other_covers(site: Site) -> None:
    """Once; its progress says that all is lifted."""
    lifted, _ = await site.hold("gate", "quay"), await site.hold("quay", end_us=NOON_US + US_PER_DAY)
    locker = site.locker()
    await locker.round()
    await site.lift(lifted)
    assert (await locker.round()).lifted == 9
    first_day = [row.key for row in some_rows(3, camera="quay", run="home-a-2-1")]
    assert site.locks.held == set(first_day)
    assert str(await lock_progress(lifted, site.index)) == "all locks lifted"
    assert (await locker.round()).lifted == 0
    assert await locker.round() == (0, 0, 0)


async def test_a_lock_that_the_store_does_not_let_go_is_not_called_lifted(site: Site) -> None:
    """It is tried again each round; an object that is gone has none."""
    hold = await site.hold("gate")
    locker = site.locker()
    await locker.round()
    await site.lift(hold)
    first, second = (await site.keys("gate"))[:2]
    site.locks.fails = {first: Refused("no"), second: NotFound("gone")}
    assert (await locker.round()).left == 1
    assert not (await lock_progress(hold, site.index)).lifted
    site.locks.fails.pop(first)
    assert (await locker.round()).left == 0
    assert (await lock_progress(hold, site.index)).lifted


async def test_a_hold_that_is_placed_while_another_is_let_go_keeps_its_locks(site: Site) -> None:
    """Holds are read again before a lock goes."""
    lifted = await site.hold("gate")
    locker = site.locker(index=(index := SwitchedIndex(site.index)))
    await locker.round()
    await site.lift(lifted)
    reads = 0

    def place_second(name: str) -> None:
        nonlocal reads
        reads += name == "rows"
        if reads == 1 and name == "rows":
            hold_record = dict(site.index._records["hold"])
            record = hold_record[lifted]
            text = re.sub(r'"lifted_us":[0-9]+', '"lifted_us":0', record.text).replace(lifted, "h-second")
            site.index._records["hold"]["h-second"] = record._replace(id="h-second", revision=1, text=text)

    index.before = place_second
    assert (await locker.round()).lifted == 0
    assert site.locks.held == set(await site.keys("gate"))


async def test_a_pool_without_locks_is_said(site: Site) -> None:
    """The hold binds all the same; what cannot be locked is counted."""
    hold = await site.hold("gate")
    await site.record(some_rows(2, camera="gate", start_us=NOON_US + 2 * US_PER_DAY, run="home-a-7-7", pool="old"))
    await site.locker().round()
    assert str(await lock_progress(hold, site.index)) == "locks set 6 of 8; 2 in pools that have none (old)"


@pytest.mark.parametrize("error", [Refused("no"), NotFound("gone")])
async def test_what_the_store_refuses_is_counted(site: Site, error: Exception) -> None:
    """And tried again when the service starts anew, not each round."""
    hold = await site.hold("gate")
    site.locks.fails[(await site.keys("gate"))[0]] = error
    assert await site.locker().round() == (5, 0, 0)
    assert str(await lock_progress(hold, site.index)) == "locks set 5 of 6; 1 refused by the store"


async def test_a_pool_that_does_not_answer_is_tried_next_round(site: Site) -> None:
    """What could not be done is left, and done then."""
    await site.hold("gate")
    site.locks.fails[(await site.keys("gate"))[4]] = TryAgain("away")
    locker = site.locker()
    assert (await locker.round()).left == 1
    site.locks.fails.clear()
    assert (await locker.round()).left == 0
    assert site.locks.held == set(await site.keys("gate"))


async def test_killed_anywhere_it_goes_on_where_it_was(site: Site) -> None:
    """Killed after any request, the next process ends with every lock set, and the progress never claims more than there is."""
    hold = await site.hold("gate", "quay")
    for calls in range(1, 12):
        site.locks.held.clear()
        site.locks.life = Life(calls)
        with pytest.raises(Died):
            await site.locker().round()
        site.locks.life = Life()
        await site.locker().round()
        assert len(site.locks.held) == 12
        assert (await lock_progress(hold, site.index)).locked == 12


async def test_a_new_process_begins_with_what_is_not_done(site: Site) -> None:
    """What was done before is looked over last, and counts meanwhile."""
    hold = await site.hold("gate", "quay")
    await site.locker().round()
    await site.record(some_rows(3, camera="quay", start_us=NOON_US + 2 * US_PER_DAY, run="home-a-8-8"))
    before = await lock_progress(hold, site.index)
    quay_days = sorted({key.split("/")[1] for key in await site.keys("quay")})
    half = LockProgress(**{name: getattr(before, name) for name in ("locked", "of")}, through_us=_due_of_first_days(before))
    await _note(site, hold, half)
    site.locks.calls.clear()
    await site.locker().round()
    assert site.locks.calls[0][0].split("/")[:2] == ["quay", quay_days[2]]
    assert len(site.locks.held) == 15


def _due_of_first_days(before: LockProgress) -> int:
    """A moment between the second and the third day of the general camera falling due: a month after noon of the second."""
    assert before.through_us > 0
    return day_start_us(some_rows(1, start_us=NOON_US + 33 * US_PER_DAY)[0].day) + 6 * 3600 * US_PER_S


async def _note(site: Site, hold: str, progress: LockProgress) -> None:
    await write_progress(hold, Duty("sweep", 0, 1), progress, site.index)


async def test_shards_add_up_and_do_their_own_cameras(site: Site) -> None:
    """Also when they are divided anew: what other divisions noted does not count twice, and their locks are let go."""
    hold = await site.hold("gate", "quay")
    for shard in range(2):
        await site.locker(shard, 2).round()
    assert len(site.locks.calls) == 12
    assert str(await lock_progress(hold, site.index)) == "locks set 12 of 12"
    await site.lift(hold)
    site.clock.move(1)
    for shard in range(3):
        await site.locker(shard, 3).round()
    assert site.locks.held == set()
    assert (await lock_progress(hold, site.index)).lifted


async def test_requests_keep_to_a_rate(site: Site) -> None:
    """Twelve at two a second: each camera-day's three wait until those before have had their time."""
    await site.hold("gate", "quay")
    await site.locker(per_s=2).round()
    assert 3 <= sum(site.clock.slept_s) <= 6


async def test_without_holds_nothing_is_read(site: Site) -> None:
    """A round costs the look at the records."""
    life = Life()
    index = SwitchedIndex(site.index, life)
    assert await site.locker(index=index).round() == (0, 0, 0)
    assert set(life.calls) == {"records"}
