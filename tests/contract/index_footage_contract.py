"""What every index promises of rows, runs and states, clause by clause of segments/ports.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

import pytest

from segments.clock import US_PER_DAY, US_PER_S, day_of, day_start_us
from segments.digest import mark_of
from segments.errors import BadInput, NotFound
from segments.model import CameraState, Cause, Footage, Fragment, RowPosition
from segments.ports import Index, Page
from segments.stores.partitions import MAX_PAGE
from tests.builders import NOON_US, a_change, a_loss, a_row, a_run, at, some_rows

T = TypeVar("T")
DAY = day_of(NOON_US)
MONTH = DAY.replace(day=1)


async def all_pages(
    listing: Callable[..., Awaitable[Page[T, Any]]], *key: object, first: dict[str, Any], cursor: str, limit: int
) -> list[T]:
    """Everything a listing has, walked page by page; no page may be longer than asked for."""
    page = await listing(*key, **first, limit=limit)
    found = list(page.items)
    while page.next is not None:
        page = await listing(*key, **{**first, cursor: page.next}, limit=limit)
        assert len(page.items) <= limit
        found += page.items
    return found


class RowsContract:
    """`WriteRows` and `ReadRows`."""

    async def test_a_published_row_is_read_back_whole(self, index: Index) -> None:
        """Every field comes back, odd fragments, empty texts and an unsynchronised clock included."""
        odd = (Fragment(10, 5, 0, -90_000, 3), Fragment(1 << 34, 1, 1, 1 << 42, 0))
        rows = [a_row(), a_row(counter=1, fragments=odd, clock_synced=False, version="", sha256=""), a_row(counter=2, fragments=())]
        for row in rows:
            await index.publish(row)
        assert (await index.rows("gate", DAY)).items == rows
        assert [await index.row("gate", row.position) for row in rows] == rows

    async def test_publishing_again_replaces(self, index: Index) -> None:
        """The newest write of a key wins, and the same write twice is one row."""
        await index.publish(a_row(version="old"))
        await index.publish(a_row(version="new"))
        await index.publish(a_row(version="new"))
        assert (await index.rows("gate", DAY)).items == [a_row(version="new")]

    async def test_rows_come_in_the_order_of_their_positions(self, index: Index) -> None:
        """Start, then run, then counter as a number; the order of writing does not matter."""
        rows = [
            a_row(start_us=NOON_US - 1, run="z-a-1-1", counter=9),
            a_row(run="home-a-1-1", counter=2),
            a_row(run="home-a-1-1", counter=10),
            a_row(run="home-b-1-1", counter=0),
            a_row(start_us=NOON_US + 1, run="a-a-1-1", counter=0),
        ]
        for row in reversed(rows):
            await index.publish(row)
        assert (await index.rows("gate", DAY)).items == rows

    async def test_a_camera_day_is_the_utc_date_of_the_start(self, index: Index) -> None:
        """A row belongs to one day only, even if it lasts into the next, and to one camera only."""
        midnight = day_start_us(date(2026, 3, 15))
        last, first, other = a_row(start_us=midnight - 1), a_row(start_us=midnight), a_row(start_us=midnight, camera="yard")
        for row in (last, first, other):
            await index.publish(row)
        assert (await index.rows("gate", date(2026, 3, 14))).items == [last]
        assert (await index.rows("gate", date(2026, 3, 15))).items == [first]
        assert (await index.rows("yard", date(2026, 3, 15))).items == [other]
        assert (await index.rows("gate", date(2026, 3, 16))).items == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
    async def test_pages_leave_nothing_out(self, index: Index, limit: int) -> None:
        """Walking the pages gives every row once and in order, whatever the page size."""
        rows = some_rows(4)
        await index.publish_many(rows)
        assert await all_pages(index.rows, "gate", DAY, first={"after": None}, cursor="after", limit=limit) == rows

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_footage_is_what_the_rows_say(self, index: Index, limit: int) -> None:
        """Start, end, run and codecs of every row, in the same pages with the same cursors; of another day or camera nothing."""
        midnight = day_start_us(date(2026, 3, 15))
        rows = [*some_rows(3), a_row(run="home-b-2-1", codecs="hvc1.1.6.L93.B0"), a_row(start_us=midnight - 1), a_row(start_us=midnight)]
        for row in rows:
            await index.publish(row)
        after: RowPosition | None = None
        while True:
            page = await index.rows("gate", DAY, after=after, limit=limit)
            found = await index.footage("gate", DAY, after=after, limit=limit)
            assert list(found.items) == [Footage(row.start_us, row.end_us, row.run, row.codecs) for row in page.items]
            assert found.next == page.next
            if page.next is None:
                break
            after = page.next
        assert (await index.footage("yard", DAY)).items == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_marks_are_what_the_rows_say(self, index: Index, limit: int) -> None:
        """What comparing needs of every row, in the same pages with the same cursors; of another day or camera nothing."""
        midnight = day_start_us(date(2026, 3, 15))
        rows = [*some_rows(3), a_row(run="home-b-2-1", pool="cold"), a_row(start_us=midnight - 1), a_row(start_us=midnight)]
        for row in rows:
            await index.publish(row)
        after: RowPosition | None = None
        while True:
            page = await index.rows("gate", DAY, after=after, limit=limit)
            found = await index.marks("gate", DAY, after=after, limit=limit)
            assert list(found.items) == [mark_of(row) for row in page.items]
            assert [mark.key for mark in found.items] == [row.key for row in page.items]
            assert found.next == page.next
            if page.next is None:
                break
            after = page.next
        assert (await index.marks("yard", DAY)).items == []

    async def test_after_need_not_be_a_row(self, index: Index) -> None:
        """A page begins behind a position whether or not there is a row at it; behind the last one it is empty and the last page."""
        rows = some_rows(3)
        await index.publish_many(rows)
        between = RowPosition(rows[1].start_us, "a", 7)
        assert (await index.rows("gate", DAY, after=between)).items == rows[1:]
        assert await index.rows("gate", DAY, after=rows[2].position) == Page([], None)

    async def test_many_rows_are_all_written(self, index: Index) -> None:
        """A full camera-day of 1,440 segments goes in at once, over rows that are there already too."""
        rows = some_rows(1440, start_us=day_start_us(DAY))
        await index.publish(replace(rows[7], version="old"))
        await index.publish_many(rows)
        assert await all_pages(index.rows, "gate", DAY, first={"after": None}, cursor="after", limit=1000) == rows
        await index.publish_many([])

    async def test_many_rows_are_of_one_camera_day(self, index: Index) -> None:
        """Rows of two days or two cameras in one write are refused, and none of them is written."""
        for other in (a_row(start_us=NOON_US + US_PER_DAY), a_row(camera="yard")):
            with pytest.raises(BadInput):
                await index.publish_many([a_row(), other])
        assert (await index.rows("gate", DAY)).items == []

    async def test_a_row_that_is_not_there(self, index: Index) -> None:
        """Another camera, start, run or counter is NotFound."""
        await index.publish(a_row())
        here = a_row().position
        for position in (here._replace(start_us=1), here._replace(run="x"), here._replace(counter=1)):
            with pytest.raises(NotFound):
                await index.row("gate", position)
        with pytest.raises(NotFound):
            await index.row("yard", here)

    async def test_a_page_has_limits(self, index: Index) -> None:
        """No page of less than one item can be asked for, and none has more than the declared most."""
        for limit in (0, -1):
            with pytest.raises(BadInput):
                await index.rows("gate", DAY, limit=limit)
        rows = [a_row(counter=n, fragments=(), sha256="") for n in range(MAX_PAGE + 1)]
        await index.publish_many(rows)
        page = await index.rows("gate", DAY, limit=10 * MAX_PAGE)
        assert len(page.items) == MAX_PAGE
        assert (await index.rows("gate", DAY, after=page.next)).items == rows[-1:]


class RunsContract:
    """`Runs`."""

    async def test_a_run_is_read_back_whole(self, index: Index) -> None:
        """Every field comes back, the init segment byte by byte and notes in any script."""
        run = a_run(init=bytes(range(256)) * 8, notes=("sound left out", "时钟未同步"), ended=True, end_cause="camera-away")
        await index.put_run(run)
        assert await index.run("gate", run.id) == run
        assert (await index.runs("gate", MONTH)).items == [run]
        for camera, run_id in (("yard", run.id), ("gate", "home-a-9-9")):
            with pytest.raises(NotFound):
                await index.run(camera, run_id)

    async def test_last_moment_and_end_survive_any_order(self, index: Index) -> None:
        """`last_us` never moves back and an ended run stays ended with its cause, even if an older write comes later."""
        ended = a_run(last_us=NOON_US + 9, ended=True, end_cause="camera-away")
        for writes in ([a_run(last_us=NOON_US + 5), ended], [ended, a_run(last_us=NOON_US + 5)]):
            for run in writes:
                await index.put_run(replace(run, id=f"{id(writes)}"))
            found = await index.run("gate", f"{id(writes)}")
            assert (found.last_us, found.ended, found.end_cause) == (NOON_US + 9, True, "camera-away")

    async def test_a_later_write_brings_the_run_forward(self, index: Index) -> None:
        """Its last moment, end and notes are those of the newer write; its start stays, and it is listed once."""
        await index.put_run(a_run())
        newer = a_run(last_us=NOON_US + 300 * US_PER_S, notes=("clock not synchronised",), ended=True)
        await index.put_run(replace(newer, start_us=NOON_US + 7))
        assert (await index.runs("gate", MONTH)).items == [newer]

    async def test_a_run_is_listed_in_every_month_of_its_footage(self, index: Index) -> None:
        """From the month of its start to that of its last moment, over the new year, and in no other; also when it grew step by step."""
        start, end = at("2025-11-30T23:59:59Z"), at("2026-02-01T00:00:00Z")
        await index.put_run(a_run(start_us=start, last_us=start + 1))
        await index.put_run(a_run(start_us=start, last_us=end))
        listed = [month for month in range(1, 13) if (await index.runs("gate", date(2026, month, 1))).items]
        listed_before = [month for month in range(1, 13) if (await index.runs("gate", date(2025, month, 1))).items]
        assert (listed_before, listed) == ([11, 12], [1])
        await index.put_run(a_run(start_us=start, last_us=end + 1))
        assert (await index.runs("gate", date(2026, 2, 1))).items == [a_run(start_us=start, last_us=end + 1)]

    async def test_a_run_without_footage_is_listed_where_it_began(self, index: Index) -> None:
        """A run that has just begun is in its month, even at its first microsecond."""
        began = at("2026-03-01T00:00:00Z")
        await index.put_run(a_run(start_us=began, last_us=began))
        assert [run.start_us for run in (await index.runs("gate", MONTH)).items] == [began]
        assert (await index.runs("gate", date(2026, 2, 1))).items == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 10])
    async def test_runs_come_in_the_order_of_their_start(self, index: Index, limit: int) -> None:
        """Pages give every run once, in order of start and then id, each with the cursor that leads on."""
        runs = [
            a_run(start_us=NOON_US + start, last_us=NOON_US + 99, id=name) for start, name in ((0, "b"), (1, "a"), (1, "c"), (10, "a2"))
        ]
        for run in reversed(runs):
            await index.put_run(run)
        await index.put_run(a_run(camera="yard"))
        assert await all_pages(index.runs, "gate", MONTH, first={"after": ""}, cursor="after", limit=limit) == runs


class StatesContract:
    """`States`."""

    async def test_changes_are_read_back_whole_and_in_order(self, index: Index) -> None:
        """Every state and cause comes back, page by page, in order of time."""
        changes = [a_change(at_us=NOON_US - 1), *(a_loss(at_us=NOON_US + n, cause=cause) for n, cause in enumerate(Cause))]
        changes += [
            a_loss(at_us=NOON_US + 100 + n, state=state) for n, state in enumerate(CameraState) if state is not CameraState.RECORDING
        ]
        for change in reversed(changes):
            await index.put_state(change)
        assert await all_pages(index.states, "gate", MONTH, first={"after_us": -1}, cursor="after_us", limit=5) == changes
        assert (await index.states("yard", MONTH)).items == []

    async def test_the_last_write_of_a_moment_wins(self, index: Index) -> None:
        """One change a camera and moment."""
        await index.put_state(a_loss())
        await index.put_state(a_change())
        await index.put_state(a_change())
        assert (await index.states("gate", MONTH)).items == [a_change()]

    async def test_changes_lie_in_their_utc_month(self, index: Index) -> None:
        """The first microsecond of a month belongs to it, the one before does not."""
        begin = at("2026-03-01T00:00:00Z")
        await index.put_state(a_change(at_us=begin - 1))
        await index.put_state(a_change(at_us=begin))
        assert [change.at_us for change in (await index.states("gate", MONTH)).items] == [begin]
        assert [change.at_us for change in (await index.states("gate", date(2026, 2, 1))).items] == [begin - 1]

    async def test_the_state_at_a_moment_is_the_last_change_up_to_it(self, index: Index) -> None:
        """The very moment counts, years may lie between, other cameras do not count, and before the first change there is none."""
        old, new = a_loss(at_us=at("2019-12-31T23:00:00Z")), a_change()
        for change in (old, new, a_change(camera="yard", at_us=NOON_US - 1)):
            await index.put_state(change)
        assert await index.state_before("gate", NOON_US) == new
        assert await index.state_before("gate", NOON_US + 900 * US_PER_DAY) == new
        assert await index.state_before("gate", NOON_US - 1) == old
        assert await index.state_before("gate", old.at_us - 1) is None
        assert await index.state_before("roof", NOON_US) is None
