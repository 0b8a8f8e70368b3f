"""The check of index against pool: what is wrong is found, and what is only in motion is not reported."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import date

import pytest

from segments import verify as module
from segments.clock import US_PER_DAY, US_PER_S, day_of
from segments.compare import CameraDay, Kind, Level, compare
from segments.errors import TryAgain
from segments.keys import SegmentKey
from segments.model import Row
from segments.ports import ListedObject, ObjectInfo, Page
from segments.rebuild import adopt
from segments.stored_segment import Pool
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from segments.verify import Sides, VerifyReport, camera_days, verify
from tests.builders import NOON_US, RUN, a_batch, a_camera, a_row, a_run, some_rows
from tests.clocks import HandClock

DAY = CameraDay("gate", day_of(NOON_US))


class Shelf(MemoryObjects):
    """Objects one can damage behind the store's back, and hide from its listings."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()
        self.listed: Callable[[], Awaitable[None]] | None = None

    def damage(self, key: str, data: bytes) -> None:
        """Other bytes under the key; what the store says of them is as before, but for their size."""
        self._objects[key] = data, replace(self._objects[key][1], size=len(data))

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Page[ListedObject, str]:
        page = await super().list(prefix, after=after, limit=min(limit, 7))
        if self.listed is not None and prefix:
            await self.listed()
        return replace(page, items=[listed for listed in page.items if listed.key not in self.hidden])


class Site:
    """Twenty segments and the end of their run, in both sides."""

    def __init__(self) -> None:
        self.objects, self.index, self.clock = Shelf(), MemoryIndex(), HandClock()
        self.rows: list[Row] = []

    @property
    def sides(self) -> Sides:
        return Sides(Pool("main", self.objects), self.index, self.clock)

    async def put(self, key: str, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        await self.objects.put(key, data, sha256=sha256, attributes={})
        return sha256

    async def store(self, row: Row) -> Row:
        data = row.key.encode() * 9
        return replace(row, size=len(data), sha256=await self.put(row.key, data))

    async def commit(self, row: Row) -> Row:
        stored = await self.store(row)
        await self.index.publish(stored)
        return stored

    async def check(self, level: Level = Level.HASH, *days: CameraDay) -> VerifyReport:
        async def listed() -> AsyncIterator[CameraDay]:
            for day in days or (DAY,):
                yield day

        return await verify(self.sides, listed(), level)


@pytest.fixture
async def site() -> Site:
    """All is well."""
    site = Site()
    site.rows = [await site.commit(row) for row in some_rows(20)]
    await site.index.put_run(a_run(last_us=site.rows[-1].end_us, ended=True))
    await site.put(str(SegmentKey("gate", RUN, site.rows[-1].end_us, 20, is_end=True)), b"")
    return site


@pytest.mark.parametrize("level", Level)
async def test_two_equal_sides_are_sound(site: Site, level: Level) -> None:
    """Nothing is found and nothing is waited for; the counts say what was compared, and only the deepest level reads footage."""
    report = await site.check(level)
    assert (report.findings, dict(report.counts), report.lost) == ((), {}, 0)
    assert (report.days, report.rows, report.objects) == (1, 20, 21)
    assert report.hashed_bytes == (sum(row.size for row in site.rows) if level is Level.HASH else 0)
    assert site.clock.slept_s == []


# --- each damage, and the level that sees it -----------------------------------------------------------------------------


async def remove(site: Site) -> None:
    """The object of row 5 is gone."""
    await site.objects.delete([site.rows[5].key])


async def truncate(site: Site) -> None:
    """The object of row 5 lost its last byte."""
    site.objects.damage(site.rows[5].key, (await site.objects.get(site.rows[5].key))[:-1])


async def flip(site: Site) -> None:
    """One bit of the object of row 5 is another."""
    data = bytearray(await site.objects.get(site.rows[5].key))
    data[len(data) // 2] ^= 1
    site.objects.damage(site.rows[5].key, bytes(data))


async def forget(site: Site) -> None:
    """Row 5 is gone."""
    del site.index._rows["gate", DAY.day][site.rows[5].position]


@pytest.mark.parametrize(
    ("spoil", "kind", "seen_by"),
    [
        (remove, Kind.GHOST, {Level.PRESENCE, Level.SIZE, Level.HASH}),
        (forget, Kind.ORPHAN, {Level.PRESENCE, Level.SIZE, Level.HASH}),
        (truncate, Kind.SIZE, {Level.SIZE, Level.HASH}),
        (flip, Kind.HASH, {Level.HASH}),
    ],
)
@pytest.mark.parametrize("level", Level)
async def test_damage_is_found_by_its_level(
    site: Site, spoil: Callable[[Site], Awaitable[None]], kind: Kind, seen_by: set[Level], level: Level
) -> None:
    """Each damage is found once, by its kind and key, at the levels that can see it, and at no other."""
    await spoil(site)
    report = await site.check(level)
    expected = [(kind, site.rows[5].key)] if level in seen_by else []
    assert [(finding.kind, finding.key) for finding in report.findings] == expected
    assert report.lost == len(expected) * (kind is not Kind.ORPHAN)
    assert report.orphans == [key for kind, key in expected if kind is Kind.ORPHAN]


async def test_every_bit_counts(site: Site) -> None:
    """A flipped bit anywhere in an object is found (every 97th bit is tried)."""
    key = site.rows[0].key
    good = await site.objects.get(key)
    for bit in range(0, len(good) * 8, 97):
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        site.objects.damage(key, bytes(data))
        assert dict((await site.check()).counts) == {Kind.HASH: 1}


async def test_strangers_are_named_and_left_alone(site: Site) -> None:
    """An object that is not of the layout is neither orphan nor loss, and still there afterwards."""
    await site.put("gate/2026-03-14/thumbs.db", b"x")
    report = await site.check()
    assert [(finding.kind, finding.key) for finding in report.findings] == [(Kind.STRANGER, "gate/2026-03-14/thumbs.db")]
    assert (report.lost, report.orphans) == (0, [])
    assert await site.objects.get("gate/2026-03-14/thumbs.db") == b"x"


async def test_the_end_of_an_unknown_run_is_an_orphan(site: Site) -> None:
    """An `_end` object without any run is reported; one that lies alone in its day but has its run is in its place."""
    unknown = str(SegmentKey("gate", "home-a-9-9", NOON_US, 0, is_end=True))
    next_day = SegmentKey("gate", RUN, NOON_US + US_PER_DAY, 21, is_end=True)
    for key in (unknown, str(next_day)):
        await site.put(key, b"")
    report = await site.check(Level.PRESENCE, DAY, CameraDay("gate", day_of(next_day.start_us)))
    assert report.orphans == [unknown]


# --- what is only in motion ------------------------------------------------------------------------------------------------


async def test_an_object_being_committed_is_no_orphan(site: Site) -> None:
    """An object whose row comes within the commit deadline is not reported; the check waits for just that long."""
    row = await site.store(a_row(counter=77))

    async def publish(seconds: float) -> None:
        site.clock.slept_s.append(seconds)
        site.clock.move(seconds)
        await site.index.publish(row)

    site.clock.sleep = publish  # type: ignore[method-assign]
    assert (await site.check()).findings == ()
    assert site.clock.slept_s == [60.0]


async def test_a_row_that_came_at_once_is_not_waited_for(site: Site) -> None:
    """A commit between the two readings, the usual case in a pool in use, costs no wait."""
    row = await site.store(a_row(counter=77))

    async def publish() -> None:
        await site.index.publish(row)

    site.objects.listed = publish
    report = await site.check()
    assert (report.findings, site.clock.slept_s) == ((), [])
    assert report.objects == 22


async def test_the_wait_counts_from_when_the_object_was_seen(site: Site) -> None:
    """Time spent on other camera-days is not waited again, and an object that went meanwhile is no orphan."""
    orphan, gone = await site.store(a_row(counter=77)), await site.store(a_row(counter=78))

    async def take_long() -> None:
        site.clock.move(25)
        await site.objects.delete([gone.key])

    site.objects.listed = take_long
    report = await site.check(Level.PRESENCE, DAY, CameraDay("yard", DAY.day))
    assert site.clock.slept_s == [35.0]
    assert report.orphans == [orphan.key]


async def test_a_listing_that_lags_makes_no_ghosts(site: Site) -> None:
    """An object missing from an eventual listing is asked for itself before its row is called a ghost."""
    site.objects.hidden = {row.key for row in site.rows[:3]}
    report = await site.check()
    assert report.findings == ()
    assert report.objects == 18


async def test_footage_swept_meanwhile_is_no_ghost(site: Site) -> None:
    """Row and object that go between the two readings are not reported."""

    async def sweep() -> None:
        site.index._rows["gate", DAY.day].pop(site.rows[5].position, None)
        await site.objects.delete([site.rows[5].key])

    site.objects.listed = sweep
    assert (await site.check()).findings == ()


async def test_footage_on_its_way_out_is_left_alone(site: Site) -> None:
    """A camera-day with a batch is counted and not compared, also if the batch is written while an orphan waits."""
    await site.store(a_row(counter=77))

    async def decide(seconds: float) -> None:
        site.clock.move(seconds)
        await site.index.put_batch(a_batch(), expect=None)

    site.clock.sleep = decide  # type: ignore[method-assign]
    assert (await site.check()).findings == ()
    report = await site.check()
    assert (report.days, report.left_alone, report.rows) == (1, 1, 0)


async def test_each_pool_is_compared_by_itself(site: Site) -> None:
    """Rows of another pool are not missed here, and do not hide an object that is here without a row."""
    await site.index.publish(a_row(counter=50, pool="other"))
    moved = await site.store(a_row(counter=51))
    await site.index.publish(replace(moved, pool="other"))
    report = await site.check()
    assert [(finding.kind, finding.key) for finding in report.findings] == [(Kind.ORPHAN, moved.key)]


# --- limits and faults -----------------------------------------------------------------------------------------------------


async def test_findings_are_bounded_and_all_counted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names so many and counts the rest."""
    monkeypatch.setattr(module, "MAX_FINDINGS", 3)
    await site.objects.delete([row.key for row in site.rows[:8]])
    report = await site.check()
    assert len(report.findings) == 3
    assert dict(report.counts) == {Kind.GHOST: 8}
    assert report.lost == 8


async def test_what_waits_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many objects to remember the check looks at them again before it goes on."""
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    days = [DAY, CameraDay("gate", day_of(NOON_US + US_PER_DAY)), CameraDay("gate", day_of(NOON_US + 2 * US_PER_DAY))]
    orphans = [await site.store(a_row(start_us=NOON_US + n % 3 * US_PER_DAY, counter=100 + n)) for n in range(5)]
    report = await site.check(Level.PRESENCE, *days)
    assert sorted(report.orphans) == sorted(row.key for row in orphans)
    assert site.clock.slept_s == [60.0] * 2 + [60.0] * (len(site.clock.slept_s) - 2)
    assert len(site.clock.slept_s) == 3


async def test_passing_faults_are_waited_for(site: Site) -> None:
    """A store that fails now and then changes nothing; one that stays away is TryAgain."""
    failures = [TryAgain("busy")] * 3
    head = site.objects.head

    async def flaky(key: str) -> ObjectInfo:
        if failures:
            raise failures.pop()
        return await head(key)

    site.objects.head = flaky  # type: ignore[method-assign]
    await remove(site)
    assert dict((await site.check()).counts) == {Kind.GHOST: 1}
    failures.extend([TryAgain("busy")] * 10**3)
    with pytest.raises(TryAgain):
        await site.check()


async def test_progress_is_told_after_each_day(site: Site) -> None:
    """A long check says how far it is."""
    told: list[VerifyReport] = []

    async def days() -> AsyncIterator[CameraDay]:
        yield DAY
        yield CameraDay("yard", DAY.day)

    await verify(site.sides, days(), Level.PRESENCE, progress=told.append)
    assert [(report.days, report.rows) for report in told] == [(1, 20), (2, 20)]


# --- which days, and the pure part -----------------------------------------------------------------------------------------


async def test_all_cameras_of_both_sides_are_checked(site: Site) -> None:
    """Cameras of the archive and cameras that only have objects, however their ids begin alike; every day of the span."""
    for key in ("gate-2", "gate-2-x/a", "gate.b/2026-03-14/x", "gate0/~~", "gate/\u00e9/x", "yard/1/2"):
        await site.put(key, b"")
    await site.index.add_camera(a_camera("roof"))
    days = [day async for day in camera_days(site.sides, date(2026, 2, 28), date(2026, 3, 1))]
    names = ["gate", "gate-2-x", "gate.b", "gate0", "roof", "yard"]
    assert days == [CameraDay(name, day) for name in names for day in (date(2026, 2, 28), date(2026, 3, 1))]


async def test_an_orphan_can_be_adopted_or_says_why_not(site: Site) -> None:
    """The keys a check gives go straight into the adoption; footage that is none is named there."""
    await forget(site)
    report = await site.check()
    adopted = await adopt(site.sides.pool, site.index, site.clock, report.orphans)
    assert (adopted.rows, [left.key for left in adopted.examples]) == (0, report.orphans)


def test_the_comparison_is_pure() -> None:
    """From rows and sizes alone: what is on one side only, what has another size, what is the same."""
    rows = [a_row(counter=n, start_us=NOON_US + n * US_PER_S) for n in range(4)]
    sizes = {rows[0].key: rows[0].size, rows[1].key: 1, "gate/2026-03-14/odd": 5}
    stray = SegmentKey("gate", RUN, NOON_US, 9)
    end = SegmentKey("gate", RUN, NOON_US, 9, is_end=True)
    found = compare(rows, {**sizes, str(stray): 3, str(end): 0})
    assert (found.ghosts, found.sizes, found.same) == ((rows[2], rows[3]), (rows[1],), (rows[0],))
    assert (found.orphans, found.strangers) == (((str(stray), stray),), ("gate/2026-03-14/odd",))
