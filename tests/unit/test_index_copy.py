"""A whole index copied into another: equal afterwards, resumable, repeatable, patient; and the comparison that finds what is not equal."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from segments import index_compare, index_read, receipt_chains
from segments.clock import day_of
from segments.duty import Duty
from segments.errors import Conflict, Refused, TryAgain
from segments.index_compare import Comparison, compare_indexes
from segments.index_copy import Copied, copy_index
from segments.model import BatchState, Partition, PartitionKind, Row
from segments.stores.memory_index import MemoryIndex
from segments.stores.sqlite_index import SqliteIndex, open_sqlite_index
from segments.usage import PackedHistory, usage_by_pool
from tests import whole_index
from tests.builders import NOON_US, a_batch, a_camera, a_change, a_row, a_run
from tests.clocks import HandClock
from tests.contract.index_partitions_contract import found as all_partitions
from tests.retention_builders import a_hold, a_receipt, a_record, write_hold
from tests.whole_index import CAMERAS, EPOCH, ITEMS, fill

Change = Callable[[MemoryIndex], object]


@pytest.fixture
async def source() -> MemoryIndex:
    """An index with something of everything."""
    index = MemoryIndex()
    await fill(index)
    return index


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteIndex]:
    """An empty embedded index."""
    index = await open_sqlite_index(tmp_path / "index.sqlite")
    yield index
    await index.close()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many steps and pages where there is little."""
    monkeypatch.setattr(index_read, "STEP_PARTITIONS", 3)
    monkeypatch.setattr(index_read, "PAGE_ITEMS", 2)
    monkeypatch.setattr(receipt_chains, "PAGE_RECEIPTS", 2)


MARCH = date(2026, 3, 1)


def contents(index: MemoryIndex) -> tuple[object, ...]:
    """All that a copy carries."""
    rows = {key: rows for key, rows in index._rows.items() if rows}
    return rows, index._runs, {camera: dict(changes) for camera, changes in index._states.items()}, *_rest(index)


def _rest(index: MemoryIndex) -> tuple[object, ...]:
    listed = {key: rows for key, rows in index._batch_rows.items() if rows}
    receipts = {chain: found for chain, found in index._receipts.items() if found}
    said = {(record.kind, record.id): record.text for kind in index._records.values() for record in kind.values()}
    usage = {key: found.packed for key, found in index._usage_history.items()}
    return index._batches, listed, receipts, said, usage, index._cameras, index._credentials


# --- copying ---


@pytest.mark.usefixtures("small_steps")
async def test_there_and_back_is_the_same(source: MemoryIndex, sqlite: SqliteIndex) -> None:
    """Through SQLite into a third index: everything comes back, and comparisons say equal."""
    back = MemoryIndex()
    there = await copy_index(source, sqlite, HandClock())
    await copy_index(sqlite, back, HandClock())
    assert contents(back) == contents(source)
    assert ITEMS - len(CAMERAS) <= there.written <= ITEMS  # a run of two months may be written with either, or with both
    for one, other in ((source, sqlite), (sqlite, back), (back, source)):
        compared = await compare_indexes(one, other, HandClock())
        assert (compared.differing, compared.items, compared.partitions) == (0, ITEMS, there.partitions)


async def test_usage_is_counted_in_the_target(source: MemoryIndex) -> None:
    """How full the pools are is known in the new index at once."""
    target = MemoryIndex()
    await copy_index(source, target, HandClock())
    rows = [row for day in source._rows.values() for row in day.values()]
    used = await usage_by_pool(target)
    assert {name: (one.segments, one.stored_bytes) for name, one in used.items()} == {"main": (len(rows), sum(row.size for row in rows))}


async def test_no_epoch_is_given_twice(source: MemoryIndex) -> None:
    """The copy gives a higher epoch than any that the source gave, those that were given during the copy included."""
    target, given = MemoryIndex(), []

    async def busy(kind: PartitionKind, *, after: str = "", limit: int = 1000):
        lease = await source.acquire(Duty("copies", len(given)), "node-1", seen=None, now_us=0, ttl_us=1)
        given.append(lease)
        return await MemoryIndex.partitions(source, kind, after=after, limit=limit)

    source.partitions = busy  # type: ignore[method-assign]
    await copy_index(source, target, HandClock())
    lease = await target.acquire(Duty("record-a"), "node-1", seen=None, now_us=0, ttl_us=1)
    assert lease is not None
    assert len(given) == 4
    assert lease.epoch > max(one.epoch for one in given) > EPOCH
    assert await target.lease(Duty("copies")) is None


@pytest.mark.usefixtures("small_steps")
async def test_it_goes_on_where_it_was_stopped(source: MemoryIndex) -> None:
    """Stopped after any step and started again with what it had told, it does only the rest, and all is there."""
    steps: list[Copied] = []
    await copy_index(source, MemoryIndex(), HandClock(), progress=steps.append)
    assert len(steps) > 8
    assert [step.kind for step in steps].count(None) == 1
    for stop in steps:
        target = MemoryIndex()

        def stop_there(step: Copied, last: Copied = stop) -> None:
            if step == last:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            await copy_index(source, target, HandClock(), progress=stop_there)
        done = await copy_index(source, target, HandClock(), so_far=replace(stop, partitions=0, written=0))
        assert contents(target) == contents(source)
        assert done.written <= ITEMS - stop.written


async def test_a_second_copy_writes_only_what_differs(source: MemoryIndex) -> None:
    """Nothing if nothing changed; of footage that came meanwhile its camera-day, its run and the state, and then both are equal again."""
    target = MemoryIndex()
    await copy_index(source, target, HandClock())
    assert (await copy_index(source, target, HandClock())).written == 0
    await source.publish(a_row(counter=900, start_us=NOON_US + 5))
    await source.put_run(a_run(last_us=NOON_US + 900_000_000))
    await source.put_state(a_change(at_us=NOON_US + 7))
    await source.set_camera(a_camera(name="another"))
    await source.put_batch(a_batch(state=BatchState.DELETING), expect=BatchState.HELD)
    assert (await compare_indexes(source, target, HandClock())).differing == 5
    assert (await copy_index(source, target, HandClock())).written < 20
    assert contents(target) == contents(source)
    assert (await compare_indexes(source, target, HandClock())).differing == 0


async def test_what_was_decided_meanwhile_is_carried(source: MemoryIndex, sqlite: SqliteIndex) -> None:
    """A changed hold, a new one and new receipts are all that a second copy writes; revisions count in each index by itself."""
    await copy_index(source, sqlite, HandClock())
    assert (await source.record("hold", "h1")).revision == 2
    assert (await sqlite.record("hold", "h1")).revision == 1
    for name in ("h1", "案件-2"):
        hold = await source.record("hold", name)
        await source.put_record(hold.changed(hold.values | {"lifted_us": 7}))
    await write_hold(source, a_hold(id="h3"))
    last = await source.last_receipt("sweep.1-of-2")
    assert last is not None
    for chain, number, previous in (("sweep.1-of-2", 2, last.digest), ("sweep.0-of-1", 1, "")):
        await source.put_receipt(a_receipt(chain=chain, number=number, previous=previous))
    assert (await compare_indexes(source, sqlite, HandClock())).differing == 5
    assert (await copy_index(source, sqlite, HandClock())).written == 5
    assert (await compare_indexes(source, sqlite, HandClock())).differing == 0
    assert await sqlite.deleted("gate", date(2026, 3, 1)) == await source.deleted("gate", date(2026, 3, 1)) != []


async def test_another_receipt_of_the_same_number_is_not_overwritten(source: MemoryIndex) -> None:
    """A chain that went on in the target by itself stays as it is, and is named."""
    target = MemoryIndex()
    await copy_index(source, target, HandClock())
    ours, theirs = a_receipt(chain="sweep.1-of-2", number=2), a_receipt(chain="sweep.1-of-2", number=2, older=9)
    await source.put_receipt(ours)
    await target.put_receipt(theirs)
    await copy_index(source, target, HandClock())
    assert await target.last_receipt("sweep.1-of-2") == theirs
    compared = await compare_indexes(source, target, HandClock())
    assert [(one.kind, one.where) for one in compared.examples] == [("receipts", "sweep.1-of-2")]


async def test_what_was_deleted_between_two_copies_is_named(source: MemoryIndex) -> None:
    """The rows of a camera-day that left meanwhile stay in the target, since nothing is removed there; the comparison says which."""
    target = MemoryIndex()
    await copy_index(source, target, HandClock())
    source._rows["yard", day_of(NOON_US)].clear()
    await copy_index(source, target, HandClock())
    compared = await compare_indexes(source, target, HandClock())
    assert [(one.kind, one.where, one.source.items) for one in compared.examples] == [("rows", f"yard {day_of(NOON_US)}", 0)]


async def test_what_the_target_has_is_kept(source: MemoryIndex) -> None:
    """Nothing is removed from the target; what only it has is named."""
    target = MemoryIndex()
    await target.publish(a_row(camera="elsewhere"))
    await target.add_camera(a_camera("elsewhere"))
    await copy_index(source, target, HandClock())
    compared = await compare_indexes(source, target, HandClock())
    assert {(one.kind, one.where) for one in compared.examples} == {("rows", f"elsewhere {day_of(NOON_US)}"), ("camera", "elsewhere")}
    assert [one.source.items for one in compared.examples] == [0, 0]
    assert await target.camera("elsewhere") == a_camera("elsewhere")


async def test_a_few_partitions_are_held_at_once(source: MemoryIndex) -> None:
    """However many camera-days there are, at most four are worked on at once, by pages of 500 items."""
    now, most, largest = 0, 0, 0

    class Watched(MemoryIndex):
        async def publish_many(self, rows) -> None:
            nonlocal now, most, largest
            now += 1
            most, largest = max(most, now), max(largest, len(rows))
            await HandClock().sleep(0)
            now -= 1
            await super().publish_many(rows)

    big = MemoryIndex()
    for n in range(9):
        await big.publish_many(whole_index.rows_of(f"cam{n}", 0, 700))
    target = Watched()
    await copy_index(big, target, HandClock())
    assert (await compare_indexes(big, target, HandClock())).differing == 0
    assert (most, largest) == (4, 500)


class Failing(MemoryIndex):
    """Fails so many writes, those of rows after having done them."""

    def __init__(self, failures: int, error: Exception) -> None:
        super().__init__()
        self.failures, self.error = failures, error

    async def publish_many(self, rows) -> None:
        await super().publish_many(rows)
        if self.failures:
            self.failures -= 1
            raise self.error


async def test_passing_faults_are_waited_for(source: MemoryIndex) -> None:
    """One that fails now and then delays the copy and changes nothing; one that stays away is TryAgain, one that refuses is Refused."""
    target = Failing(3, TryAgain("busy"))
    await copy_index(source, target, HandClock())
    assert contents(target) == contents(source)
    for failures, error in ((10**6, TryAgain("away")), (1, Refused("no rights"))):
        with pytest.raises(type(error)):
            await copy_index(source, Failing(failures, error), HandClock())


async def test_two_copies_at_once(source: MemoryIndex) -> None:
    """Whoever takes an epoch of the source at the same moment is told to wait for the other."""

    class Taken(MemoryIndex):
        async def acquire(self, *_: object, **__: object) -> None:
            return None

    with pytest.raises(Conflict, match="another copy"):
        await copy_index(Taken(), MemoryIndex(), HandClock())


# --- comparing: each thing spoiled on purpose is found ---


async def _spoil(index: MemoryIndex, change: Change) -> None:
    change(index)


def _row(index: MemoryIndex) -> tuple[dict[object, Row], Row]:
    rows = index._rows["gate", day_of(NOON_US)]
    return rows, next(iter(rows.values()))


def _lose_row(index: MemoryIndex) -> None:
    rows, row = _row(index)
    del rows[row.position]


def _spoil_row(index: MemoryIndex, **fields: object) -> None:
    rows, row = _row(index)
    rows[row.position] = replace(row, **fields)


def _listed(index: MemoryIndex) -> dict[object, Row]:
    (rows,) = index._batch_rows.values()
    return rows


def _spoil_listed(index: MemoryIndex, **fields: object) -> None:
    position, row = next(iter(_listed(index).items()))
    _listed(index)[position] = replace(row, **fields)


SPOILS: dict[str, tuple[Change, str]] = {
    "a row is missing": (_lose_row, "rows"),
    "a row's hash": (lambda index: _spoil_row(index, sha256="0" * 64), "rows"),
    "a row's size": (lambda index: _spoil_row(index, size=1), "rows"),
    "a row's clock": (lambda index: _spoil_row(index, clock_synced=False), "rows"),
    "a row's fragment": (lambda index: _spoil_row(index, fragments=_row(index)[1].fragments[:-1]), "rows"),
    "a run's end": (lambda index: index._runs.update({("gate", a_run().id): a_run(ended=True)}), "runs"),
    "a state's cause": (lambda index: index._states["gate"].update({NOON_US: a_change(detail="x")}), "states"),
    "a state is missing": (lambda index: index._states["gate"].pop(NOON_US), "states"),
    "a batch's state": (lambda index: index._batches.update({("gate", day_of(NOON_US)): a_batch()}), "batches"),
    "a batch is missing": (lambda index: index._batches.clear(), "batches"),
    "a batch's row": (lambda index: _spoil_listed(index, pool="other"), "batches"),
    "a row of a batch is missing": (lambda index: _listed(index).popitem(), "batches"),
    "all rows of a batch are missing": (lambda index: index._batch_rows.clear(), "batches"),
    "a camera's place": (lambda index: index._cameras.update(gate=replace(index._cameras["gate"], latitude=1.0)), "camera"),
    "a camera is missing": (lambda index: index._cameras.pop("gate"), "camera"),
    "a credential": (lambda index: index._credentials.update(gate=b"other"), "credential"),
    "a hold": (lambda index: index._records["hold"].update(h1=a_record(kind="hold", id="h1", revision=2)), "record"),
    "a hold is missing": (lambda index: index._records["hold"].pop("h1"), "record"),
    "a policy is missing": (lambda index: index._records.pop("policy"), "record"),
    "what was recorded": (lambda index: index._usage_history.update({(MARCH, 0): PackedHistory(MARCH, 0, 1, b"x")}), "usage"),
    "what was recorded is missing": (lambda index: index._usage_history.pop((MARCH, 1)), "usage"),
    "a receipt": (lambda index: index._receipts["sweep.0-of-2"].update({2: a_receipt(number=2)}), "receipts"),
    "a receipt is missing": (lambda index: index._receipts["sweep.0-of-2"].pop(1), "receipts"),
    "the last receipt is missing": (lambda index: index._receipts["sweep.0-of-2"].pop(3), "receipts"),
    "a chain is missing": (lambda index: index._receipts.pop("sweep.1-of-2"), "receipts"),
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("side", ["source", "target"])
async def test_what_was_spoiled_is_named(source: MemoryIndex, spoil: str, side: str) -> None:
    """The control of the comparison: one value changed or lost on either side is one difference, of its kind and name."""
    target = MemoryIndex()
    await copy_index(source, target, HandClock())
    change, kind = SPOILS[spoil]
    change({"source": source, "target": target}[side])
    compared = await compare_indexes(source, target, HandClock())
    assert compared.differing == 1
    (one,) = compared.examples
    assert one.kind == kind
    assert one.where.split()[0] in ("gate", "hold", "policy", "2026-03", "sweep.0-of-2", "sweep.1-of-2")
    assert one.source != one.target


async def test_a_row_spoiled_in_the_file_is_found(source: MemoryIndex, sqlite: SqliteIndex, tmp_path: Path) -> None:
    """The control past our code: a byte of one row changed by another program in SQLite's file is the one camera-day that differs."""
    await copy_index(source, sqlite, HandClock())
    with sqlite3.connect(tmp_path / "index.sqlite") as file:
        file.execute("UPDATE segment_row SET object_version = 'v2' WHERE camera = 'yard' AND counter = 3 AND day = '2026-03-15'")
    file.close()
    compared = await compare_indexes(source, sqlite, HandClock())
    assert [(one.kind, one.where, one.source.items, one.target.items) for one in compared.examples] == [("rows", "yard 2026-03-15", 7, 7)]


async def test_all_differences_are_counted(source: MemoryIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many differences some are named and all are counted, and the progress is told."""
    monkeypatch.setattr(index_compare, "MAX_NAMED", 3)
    told: list[Comparison] = []
    compared = await compare_indexes(source, MemoryIndex(), HandClock(), progress=told.append)
    partitions = sum([len(await all_partitions(source, kind)) for kind in PartitionKind])
    assert compared.differing == partitions + 2 * len(CAMERAS) + whole_index.RECORDS + whole_index.HISTORIES + len(whole_index.CHAINS) + 1
    assert len(compared.examples) == 3
    assert told[-1] == compared
    assert Partition("gate", date(2026, 4, 1)) in await all_partitions(source, PartitionKind.RUNS)
