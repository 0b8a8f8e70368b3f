"""The index made anew from a pool: equal to the old one, repeatable, patient, and careful with what it cannot read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from segments import rebuild as module
from segments import stored_segment
from segments.clock import US_PER_S
from segments.duty import Duty
from segments.errors import Refused, TryAgain
from segments.facts import read_facts
from segments.keys import SegmentKey
from segments.model import Row, Run
from segments.ports import ObjectInfo
from segments.rebuild import RebuildReport, adopt, rebuild
from segments.segment_file import rebuild_tail, scan
from segments.segment_tail import TAIL_GUESS_BYTES
from segments.stored_segment import Pool
from segments.stores.file_objects import FileObjects
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from segments.stores.sqlite_index import open_sqlite_index
from tests.builders import NOON_US, a_batch, at
from tests.clocks import HandClock
from tests.footage import Recorded, Take, cut
from tests.media import Clips


@dataclass
class Site:
    """A pool, the index that was written beside it, and what should come back."""

    objects: MemoryObjects = field(default_factory=MemoryObjects)
    index: MemoryIndex = field(default_factory=MemoryIndex)
    clock: HandClock = field(default_factory=HandClock)
    rows: list[Row] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    @property
    def pool(self) -> Pool:
        return Pool("main", self.objects)

    async def put(self, key: str, data: bytes, attributes: Mapping[str, str] | None = None) -> None:
        await self.objects.put(key, data, sha256=hashlib.sha256(data).hexdigest(), attributes=attributes or {})

    async def record(self, made: Recorded, *, end_cause: str = "") -> None:
        """Stores and indexes a run; with a cause, it is closed by its `_end` object."""
        for row in made.rows:
            await self.put(row.key, made.objects[row.key])
            await self.index.publish(row)
        last = made.rows[-1]
        if end_cause:
            end = SegmentKey(last.camera, last.run, last.end_us, last.counter + 1, is_end=True)
            await self.put(str(end), b"", {"end-cause": end_cause})
        run = replace(made.run, ended=bool(end_cause), end_cause=end_cause)
        await self.index.put_run(run)
        self.rows += made.rows
        self.runs.append(run)

    async def rebuilt(self, **options: object) -> tuple[MemoryIndex, RebuildReport]:
        index = MemoryIndex()
        return index, await rebuild(self.pool, index, self.clock, **options)


@pytest.fixture(scope="module")
def clip(clips: Clips) -> Path:
    """Four seconds, a key frame each."""
    return clips.get(seconds=4, width=320, height=64, audio="aac")


@pytest.fixture
async def site(clip: Path) -> Site:
    """Two cameras, three runs: one over midnight and closed behind it, one still open, one of camera `gate-2`."""
    site = Site()
    await site.record(cut(clip, Take(start_us=NOON_US, segment_s=1)))
    await site.record(cut(clip, Take(start_us=at("2026-03-31T23:59:57.5Z"), run="home-a-7-3", segment_s=1)), end_cause="camera-away")
    await site.record(cut(clip, Take(camera="gate-2", start_us=NOON_US, run="home-b-5-1", segment_s=2)), end_cause="disabled")
    return site


def odd(made: Recorded, **facts: object) -> Recorded:
    """The same footage with other facts in its boxes, and the rows and run that follow from them."""
    rows, objects, run = [], {}, made.run
    for row in made.rows:
        found = scan(made.objects[row.key])
        assert found.tail is not None
        changed = replace(read_facts(found.tail.facts), **facts)
        data = made.objects[row.key][: found.good_bytes] + rebuild_tail(found, changed.as_json())
        new = changed.row(found.fragments, size=len(data), sha256=hashlib.sha256(data).hexdigest(), pool=row.pool)
        rows.append(new)
        objects[new.key] = data
        run = replace(changed.run_as_of_here(found.header), last_us=made.run.last_us)
    return Recorded(run, tuple(rows), objects)


# --- equal ---------------------------------------------------------------------------------------------------------------


async def test_the_rebuilt_index_equals_the_old_one(site: Site) -> None:
    """From objects alone into an empty index: 0 rows and 0 runs differ, over midnight, the month's end, two cameras and two lanes."""
    index, report = await site.rebuilt()
    assert index._rows == site.index._rows
    assert index._runs == site.index._runs
    assert (report.rows, report.adopted, report.left_out) == (len(site.rows), 0, 0)
    assert len(site.rows) == 10


@pytest.mark.parametrize("facts", [{"clock_synced": False}, {"notes": ("sound left out", "声音")}, {"width": 1, "height": 2}])
async def test_every_fact_comes_back(clip: Path, facts: dict[str, object]) -> None:
    """What only the boxes know (notes, clock, size of the picture) is in the rows and runs again."""
    site = Site()
    await site.record(odd(cut(clip, Take(start_us=NOON_US, segment_s=1)), **facts))
    index, _ = await site.rebuilt()
    assert index._rows == site.index._rows
    assert index._runs == site.index._runs


async def test_a_lost_object_is_a_difference(site: Site) -> None:
    """Negative control: the comparison of both indexes goes red when one object is gone."""
    await site.objects.delete([site.rows[1].key])
    index, _ = await site.rebuilt()
    assert index._rows != site.index._rows
    assert await site.index.row("gate", site.rows[1].position) == site.rows[1]


async def test_the_same_through_files_and_sqlite(site: Site, tmp_path: Path) -> None:
    """A real pool of files and a real database give the same rows and runs."""
    files = FileObjects(tmp_path / "pool", clock=site.clock)
    for key, (data, info) in site.objects._objects.items():
        await files.put(key, data, sha256=info.sha256, attributes=info.attributes)
    index = await open_sqlite_index(tmp_path / "index.db")
    report = await rebuild(Pool("main", files), index, site.clock)
    found = [replace(await index.row(row.camera, row.position), version=row.version) for row in site.rows]
    runs = [await index.run(run.camera, run.id) for run in site.runs]
    await index.close()
    files.close()
    assert found == site.rows
    assert runs == site.runs
    assert report.rows == len(site.rows)


# --- again ---------------------------------------------------------------------------------------------------------------


async def test_it_may_be_done_over_an_index_in_use(site: Site) -> None:
    """Over the old index nothing changes, a wrong row is put right, and a run brought forward meanwhile stays forward."""
    await site.index.publish(replace(site.rows[0], size=1, fragments=()))
    ahead = replace(site.runs[0], last_us=site.runs[0].last_us + 60 * US_PER_S)
    await site.index.put_run(ahead)
    await rebuild(site.pool, site.index, site.clock)
    expected, _ = await site.rebuilt()
    assert site.index._rows == expected._rows
    assert await site.index.run("gate", ahead.id) == ahead


async def test_it_goes_on_where_it_was_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after any group and started again behind its last key, it does only the rest, and all is there."""
    monkeypatch.setattr(module, "GROUP_KEYS", 3)
    whole, _ = await site.rebuilt()
    stops: list[RebuildReport] = []
    await site.rebuilt(progress=stops.append)
    assert len(stops) == 5
    for stop in stops:
        index = MemoryIndex()

        def stop_there(report: RebuildReport, last_key: str = stop.last_key) -> None:
            if report.last_key == last_key:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            await rebuild(site.pool, index, site.clock, progress=stop_there)
        rest = await rebuild(site.pool, index, site.clock, after=stop.last_key)
        assert (index._rows, index._runs) == (whole._rows, whole._runs)
        assert stop.rows + rest.rows == len(site.rows)


async def test_epochs_in_keys_are_spent(site: Site) -> None:
    """The next lease after a rebuild has a higher epoch than any run in the pool, or its runs would be taken for those."""
    index, _ = await site.rebuilt()
    lease = await index.acquire(Duty("record-a"), "node-1", seen=None, now_us=NOON_US, ttl_us=US_PER_S)
    assert lease is not None
    assert lease.epoch == 8


# --- left alone, left out, adopted -----------------------------------------------------------------------------------------


async def test_footage_on_its_way_out_gets_no_rows(site: Site) -> None:
    """A camera-day with a batch is left alone and named; the others are done."""
    index = MemoryIndex()
    await index.put_batch(a_batch(), expect=None)
    report = await rebuild(site.pool, index, site.clock)
    leaving = [row.key for row in site.rows if row.camera == "gate" and row.day == a_batch().day]
    assert [left.key for left in report.examples] == leaving
    assert {left.reason for left in report.examples} == {"its camera-day is being deleted"}
    assert (await index.rows("gate", a_batch().day)).items == []
    assert report.rows == len(site.rows) - len(leaving)


async def test_a_batch_written_while_it_reads_is_seen(site: Site) -> None:
    """A sweep that begins between the look and the writing is not overtaken."""
    index = MemoryIndex()

    class SweepBegins(MemoryObjects):
        async def head(self, key: str) -> ObjectInfo:
            if await index.batch("gate", a_batch().day) is None:
                await index.put_batch(a_batch(), expect=None)
            return await super().head(key)

    objects = SweepBegins()
    objects._objects = site.objects._objects
    await rebuild(Pool("main", objects), index, site.clock)
    assert (await index.rows("gate", a_batch().day)).items == []


async def test_footage_of_others_is_adopted(clip: Path) -> None:
    """A segment without our box, with a key of fewer digits and any run name, gets its row from key and fragments."""
    made = cut(clip, Take(start_us=NOON_US, segment_s=2))
    site = Site()
    originals = []
    for row, second in zip(made.rows, ("00.5", "02.5"), strict=True):
        found = scan(made.objects[row.key])
        data = made.objects[row.key][: found.good_bytes]
        key = f"gate/2026-03-14/axis_span.1/12/00-{second}Z.{row.counter}.mp4"
        await site.put(key, data)
        originals.append((key, data, row))
    end = "gate/2026-03-14/axis_span.1/12/00-04.5Z.2.mp4_end"
    await site.put(end, b"")
    index, report = await site.rebuilt()
    rows = (await index.rows("gate", a_batch().day)).items
    assert (report.rows, report.adopted, report.left_out) == (2, 2, 0)
    for found_row, (key, data, row) in zip(rows, originals, strict=True):
        shifted_us = US_PER_S // 2
        assert found_row == replace(
            row,
            run="axis_span.1",
            key=key,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            start_us=row.start_us + shifted_us,
            end_us=row.end_us + shifted_us,
            clock_synced=False,
        )
    run = await index.run("gate", "axis_span.1")
    assert (run.init, run.codecs, run.width, run.ended) == (made.run.init, made.run.codecs, 320, True)
    assert (run.start_us, run.last_us) == (rows[0].start_us, rows[-1].end_us)


async def test_what_cannot_be_read_is_named_with_its_reason(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers, noise, a renamed segment and one too large to read are left out, each with why; all others are there."""
    monkeypatch.setattr(stored_segment, "MAX_ADOPTED_BYTES", 1000)
    bad = {
        "gate/2026-03-14/notes.txt": (b"hello", "not a key"),
        "gate/2026-03-14/x/12/00-00Z.0.mp4": (b"noise" * 20, "no fragment that can be read"),
        "gate/2026-03-14/x/12/00-01Z.0.mp4": (b"", "no fragment that can be read"),
        "gate/2026-03-14/x/12/00-02Z.0.mp4": (site.objects._objects[site.rows[0].key][0], f"says that it is {site.rows[0].key}"),
        "gate/2026-03-14/x/12/00-03Z.0.mp4": (b"noise" * 1000, "5000 bytes without a box of ours"),
        "readme": (b"", "not a key"),
    }
    for key, (data, _) in bad.items():
        await site.put(key, data)
    index, report = await site.rebuilt()
    assert index._rows == site.index._rows
    assert {left.key for left in report.examples} == set(bad)
    for left in report.examples:
        assert bad[left.key][1] in left.reason
    assert report.left_out == len(bad)


async def test_orphans_are_adopted_by_their_keys(site: Site) -> None:
    """Only the named objects get rows; an object that went meanwhile is named."""
    index = MemoryIndex()
    keys = [site.rows[3].key, site.rows[0].key, site.rows[0].key.replace("home", "none"), site.rows[-1].key]
    report = await adopt(site.pool, index, site.clock, keys)
    assert {row.key for rows in index._rows.values() for row in rows.values()} == {site.rows[n].key for n in (0, 3, -1)}
    assert (report.rows, report.left_out) == (3, 1)


# --- reading -------------------------------------------------------------------------------------------------------------


class Flaky(MemoryObjects):
    """Counts what it is asked, and fails as told."""

    def __init__(self, site: Site, *, failures: int = 0, error: Exception | None = None) -> None:
        super().__init__()
        self._objects = site.objects._objects
        self.failures, self.error = failures, error or TryAgain("the store is busy")
        self.now = self.most = 0
        self.read_bytes = 0

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000):
        self._fail()
        return await super().list(prefix, after=after, limit=min(limit, 3))

    async def head(self, key: str) -> ObjectInfo:
        self._fail()
        self.now += 1
        self.most = max(self.most, self.now)
        await HandClock().sleep(0)
        self.now -= 1
        return await super().head(key)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        self._fail()
        data = await super().get(key, start, end)
        self.read_bytes += len(data)
        return data


@pytest.mark.parametrize("failures", [1, 5])
async def test_passing_faults_are_waited_for(site: Site, failures: int) -> None:
    """A store that fails now and then delays the rebuild and changes nothing."""
    index = MemoryIndex()
    await rebuild(Pool("main", Flaky(site, failures=failures)), index, site.clock)
    assert index._rows == site.index._rows
    assert len(site.clock.slept_s) == failures


async def test_lasting_faults_end_it(site: Site) -> None:
    """A store that stays away is TryAgain after about 13 s, one that refuses us is Refused at once."""
    with pytest.raises(TryAgain):
        await rebuild(Pool("main", Flaky(site, failures=10**6)), MemoryIndex(), site.clock)
    assert 12 < sum(site.clock.slept_s) < 15
    site.clock.slept_s.clear()
    with pytest.raises(Refused):
        await rebuild(Pool("main", Flaky(site, failures=1, error=Refused("no such key"))), MemoryIndex(), site.clock)
    assert site.clock.slept_s == []


async def test_a_few_are_read_at_once_and_only_their_ends(clip: Path) -> None:
    """At most 16 heads run at once, more than one does; of large segments only header and tail are read."""
    site = Site()
    for n in range(20):
        await site.record(cut(clip, Take(start_us=NOON_US + n * 10 * US_PER_S, run=f"home-a-1-{n}", segment_s=2)))
    flaky = Flaky(site)
    index = MemoryIndex()
    await rebuild(Pool("main", flaky), index, site.clock)
    assert index._rows == site.index._rows
    assert flaky.most == module.AT_ONCE
    assert flaky.read_bytes <= len(site.rows) * (TAIL_GUESS_BYTES + 4096)
