"""What every index promises of `Partitions`: everything it holds can be found without knowing any camera."""

from __future__ import annotations

from datetime import date

import pytest

from segments.clock import US_PER_DAY, day_of
from segments.errors import BadInput
from segments.model import BatchState, Partition, PartitionKind
from segments.ports import Index
from tests.builders import NOON_US, a_batch, a_camera, a_change, a_row, a_run, at
from tests.contract.index_footage_contract import all_pages

DAY = day_of(NOON_US)
MONTH = DAY.replace(day=1)


async def found(index: Index, kind: PartitionKind, *, limit: int = 1000) -> list[Partition]:
    """All partitions of a kind, page by page."""
    return await all_pages(index.partitions, kind, first={"after": ""}, cursor="after", limit=limit)


class PartitionsContract:
    """`Partitions`."""

    async def test_an_empty_index_has_no_partitions(self, index: Index) -> None:
        """Nothing is listed where nothing was written; a camera of the archive alone makes no partition."""
        await index.add_camera(a_camera())
        for kind in PartitionKind:
            assert await found(index, kind) == []

    async def test_each_kind_is_listed_by_itself(self, index: Index) -> None:
        """A row lists its camera-day, a run each month of its footage, a state its month, a batch its camera-day; none lists another."""
        await index.publish(a_row(camera="rows"))
        await index.put_run(a_run(camera="runs", start_us=at("2026-03-31T23:59:00Z"), last_us=at("2026-04-01T00:01:00Z")))
        await index.put_state(a_change(camera="states", at_us=at("2026-05-31T23:59:59Z")))
        await index.put_batch(a_batch(camera="batches"), expect=None)
        assert await found(index, PartitionKind.ROWS) == [Partition("rows", DAY)]
        assert set(await found(index, PartitionKind.RUNS)) == {Partition("runs", date(2026, 3, 1)), Partition("runs", date(2026, 4, 1))}
        assert await found(index, PartitionKind.STATES) == [Partition("states", date(2026, 5, 1))]
        assert await found(index, PartitionKind.BATCHES) == [Partition("batches", DAY)]

    @pytest.mark.parametrize("limit", [1, 2, 7, 100])
    async def test_pages_of_partitions_leave_nothing_out(self, index: Index, limit: int) -> None:
        """Each partition is there once, whatever the page size and however many values lie in it, and like names are told apart."""
        cameras = ["gate", "gate-2", "gate.2", "gate2", "Gate", "35020000001310000001"]
        wanted = {Partition(camera, day_of(NOON_US + day * US_PER_DAY)) for camera in cameras for day in range(3)}
        for camera, _ in wanted:
            for day in range(3):
                for counter in range(2):
                    await index.publish(a_row(camera=camera, start_us=NOON_US + day * US_PER_DAY, counter=counter, fragments=()))
        listed = await found(index, PartitionKind.ROWS, limit=limit)
        assert len(listed) == len(wanted)
        assert set(listed) == wanted

    async def test_a_cursor_stays_good(self, index: Index) -> None:
        """Behind a cursor come the same partitions later, also if there are more by then; after the last one there are none."""
        for day in range(4):
            await index.put_state(a_change(camera=f"cam{day}"))
        first = await index.partitions(PartitionKind.STATES, limit=2)
        assert first.next is not None
        rest = set((await index.partitions(PartitionKind.STATES, after=first.next)).items)
        await index.put_state(a_change(camera="another"))
        later = set((await index.partitions(PartitionKind.STATES, after=first.next)).items)
        assert {*first.items} | rest == {Partition(f"cam{day}", MONTH) for day in range(4)}
        assert later - {Partition("another", MONTH)} == rest

    async def test_a_forgotten_batch_is_listed_no_more(self, index: Index) -> None:
        """What is emptied goes from the listing."""
        for camera in ("gate", "yard"):
            await index.put_batch(a_batch(camera=camera), expect=None)
        await index.forget_batch("gate", DAY, expect=BatchState.PENDING)
        assert await found(index, PartitionKind.BATCHES) == [Partition("yard", DAY)]

    async def test_a_cursor_of_nobodys_is_refused(self, index: Index) -> None:
        """A text that no page gave is BadInput, and so is a page of no items."""
        with pytest.raises(BadInput):
            await index.partitions(PartitionKind.ROWS, after="no cursor")
        with pytest.raises(BadInput):
            await index.partitions(PartitionKind.ROWS, limit=0)
