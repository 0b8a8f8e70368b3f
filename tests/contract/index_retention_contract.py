"""What every index promises of batches' rows, the way out for rows, receipts and records, clause by clause of segments/ports.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import date

import pytest

from segments.clock import US_PER_DAY, US_PER_S, SystemClock, day_of
from segments.errors import Conflict, NotFound
from segments.model import Batch, BatchState, Fragment, Row, Span
from segments.ports import Index
from segments.receipt import Receipt
from tests.builders import NOON_US, a_batch, a_row, some_fragments, some_rows
from tests.contract.index_footage_contract import all_pages
from tests.retention_builders import a_gone, a_receipt, a_record

DAY = day_of(NOON_US)
MONTH = DAY.replace(day=1)


async def rows_of(index: Index, batch: Batch, limit: int = 1000) -> list[Row]:
    """All rows of a batch, page by page."""
    return await all_pages(index.batch_rows, batch, first={}, cursor="after", limit=limit)


async def lost(writes: Sequence[Awaitable[None]]) -> list[int]:
    """Does all at once; which of them lost, by their numbers. Any other error is raised."""
    results = await asyncio.gather(*writes, return_exceptions=True)
    others = [result for result in results if result is not None and not isinstance(result, Conflict)]
    assert others == []
    return [number for number, result in enumerate(results) if result is not None]


class BatchRowsContract:
    """`BatchRows`."""

    async def test_rows_of_a_batch_are_read_back_whole(self, index: Index, second: Index) -> None:
        """Every field comes back, through any door, odd fragments and empty texts included; none were put: none come."""
        odd = (Fragment(10, 5, 0, -90_000, 3), Fragment(1 << 34, 1, 1, 1 << 42, 0))
        rows = [a_row(), a_row(counter=1, fragments=odd, clock_synced=False, version="", sha256=""), a_row(counter=2, fragments=())]
        assert (await index.batch_rows(a_batch())).items == []
        await index.put_batch_rows(a_batch(), rows)
        assert (await second.batch_rows(a_batch())).items == rows

    async def test_rows_may_be_added_and_put_again(self, index: Index) -> None:
        """A second write adds; what was there already is there once; no rows at all are fine."""
        rows = some_rows(5)
        for some in (rows[:3], rows[2:], rows, []):
            await index.put_batch_rows(a_batch(), some)
        assert await rows_of(index, a_batch()) == rows

    async def test_what_was_put_last_counts(self, index: Index, second: Index) -> None:
        """A row that is put again with another object is that, however the rows come together; put once more as it was, it is that."""
        rows = some_rows(5)
        newer = [replace(row, version="v2") for row in rows]
        for door, some in ((index, rows), (second, newer[1:3]), (index, newer[2:4]), (second, rows[4:]), (index, [rows[1]])):
            await door.put_batch_rows(a_batch(), some)
        assert [await rows_of(index, a_batch(), limit) for limit in (2, 100)] == [[*rows[:2], *newer[2:4], rows[4]]] * 2
        await index.put_batch_rows(a_batch(), rows)
        assert await rows_of(second, a_batch()) == rows

    @pytest.mark.parametrize("limit", [1, 3, 7, 100])
    async def test_pages_of_a_batch_leave_nothing_out(self, index: Index, limit: int) -> None:
        """In order of position, whatever the order of writing."""
        at_once = [a_row(run=run, counter=counter) for run in ("home-a-1-1", "home-a-10-1", "home-b-1-1") for counter in (2, 10)]
        rows = [*at_once, a_row(start_us=NOON_US + 1, run="a-a-1-1")]
        await index.put_batch_rows(a_batch(), rows[::-1])
        assert await rows_of(index, a_batch(), limit) == rows

    async def test_a_whole_camera_day_fits(self, index: Index) -> None:
        """1,440 rows in one write, all of them found."""
        rows = some_rows(1_440, start_us=NOON_US - US_PER_DAY // 2, fragments=some_fragments(30))
        await index.put_batch_rows(a_batch(), rows)
        assert await rows_of(index, a_batch()) == rows

    async def test_batches_are_never_mixed(self, index: Index) -> None:
        """Another decision on the same camera-day, another day or camera have rows of their own; removal takes those of one batch."""
        tomorrow = NOON_US + US_PER_DAY
        batches = {
            a_batch(): some_rows(2),
            a_batch(decided_us=NOON_US + 1): some_rows(3, counter=1, start_us=NOON_US + 60 * US_PER_S),
            a_batch(day=day_of(tomorrow)): some_rows(1, start_us=tomorrow),
            a_batch(camera="yard"): some_rows(4, camera="yard"),
        }
        for batch, rows in batches.items():
            await index.put_batch_rows(batch, rows)
        for _ in range(2):
            assert [await rows_of(index, batch) for batch in batches] == list(batches.values())
            await index.remove_batch_rows(a_batch(decided_us=NOON_US + 2))
        await index.remove_batch_rows(a_batch())
        assert [len(await rows_of(index, batch)) for batch in batches] == [0, 3, 1, 4]

    async def test_a_batch_has_its_rows_in_any_state(self, index: Index) -> None:
        """What tells it apart is its camera, day and decision; nothing else of it matters."""
        await index.put_batch_rows(a_batch(), some_rows(2))
        later = a_batch(state=BatchState.DELETING, since_us=9, listed_us=8, whole=True, policy=7, finding="x")
        assert await rows_of(index, later) == some_rows(2)
        await index.remove_batch_rows(later)
        await index.remove_batch_rows(later)
        assert await rows_of(index, a_batch()) == []

    async def test_rows_of_a_batch_are_no_footage(self, index: Index) -> None:
        """Listing rows publishes none, and forgetting them takes none out of the index."""
        await index.put_batch_rows(a_batch(), some_rows(2))
        assert (await index.rows("gate", DAY)).items == []
        await index.publish_many(some_rows(2))
        await index.remove_batch_rows(a_batch())
        assert (await index.rows("gate", DAY)).items == some_rows(2)


class UnpublishContract:
    """`Unpublish`. Times are real: an index may tell by them what was there when a batch was listed."""

    async def listed(self, index: Index, rows: Sequence[Row], **fields: object) -> Batch:
        """Published rows, and a batch that has listed them just now."""
        await index.publish_many(rows)
        now_us = SystemClock().now_us()
        batch = a_batch(state=BatchState.LISTED, decided_us=now_us - 60 * US_PER_S, since_us=now_us, listed_us=now_us, **fields)
        await index.put_batch_rows(batch, rows)
        await index.put_batch(batch, expect=None)
        return batch

    async def given_back(self, index: Index, batch: Batch, rows: Sequence[Row]) -> None:
        """As a hold gives it back."""
        held = replace(batch, state=BatchState.HELD)
        await index.put_batch(held, expect=BatchState.LISTED)
        await index.publish_many(rows)
        await index.remove_batch_rows(held)
        await index.forget_batch(held.camera, held.day, expect=BatchState.HELD)

    async def test_a_whole_camera_day_goes(self, index: Index, second: Index) -> None:
        """All its rows and nothing else: not the batch's, not those of the next day or another camera. Twice is the same."""
        tomorrow = NOON_US + US_PER_DAY
        others = [a_row(start_us=tomorrow), a_row(camera="yard"), a_row(camera="gate-2")]
        for row in others:
            await index.publish(row)
        batch = await self.listed(index, some_rows(20), whole=True)
        for door in (index, second):
            await door.unpublish(batch, None)
            assert (await index.rows("gate", DAY)).items == []
            assert (await index.footage("gate", DAY)).items == []
        assert await index.row_sums("gate", DAY) == {}
        assert [(await index.rows(row.camera, row.day)).items for row in others] == [[row] for row in others]
        assert await rows_of(index, batch) == some_rows(20)
        assert await index.batch("gate", DAY) == batch

    async def test_some_rows_of_a_camera_day_go(self, index: Index, second: Index) -> None:
        """Those that are named; one that is not there is fine, and so is a second time."""
        rows = some_rows(20)
        batch = await self.listed(index, rows)
        gone = [row.position for row in rows if row.counter % 3] + [a_row(counter=99).position]
        for door in (index, second):
            await door.unpublish(batch, gone)
            assert (await second.rows("gate", DAY)).items == rows[::3]
        with pytest.raises(NotFound):
            await index.row("gate", rows[1].position)
        await index.unpublish(batch, [])
        assert (await index.rows("gate", DAY)).items == rows[::3]

    @pytest.mark.parametrize("whole", [True, False])
    @pytest.mark.parametrize("first", [True, False])
    async def test_a_late_call_harms_nothing(self, index: Index, second: Index, whole: bool, first: bool) -> None:
        """A batch is given back, its rows unpublished before or not; a call of then that arrives now takes none of those put back."""
        rows = some_rows(5)
        batch = await self.listed(index, rows, whole=whole)
        going = None if whole else [row.position for row in rows[:4]]
        if first:
            await index.unpublish(batch, going)
        await self.given_back(index, batch, rows)
        await second.unpublish(batch, going)
        assert (await index.rows("gate", DAY)).items == rows

    @pytest.mark.parametrize("whole", [True, False])
    async def test_a_call_for_a_former_batch_does_not_help_the_present_one(self, index: Index, second: Index, whole: bool) -> None:
        """The camera-day is listed again in another batch: a late call for the first one still takes nothing, one for the second does."""
        rows = some_rows(5)
        going = None if whole else [row.position for row in rows[:4]]
        former = await self.listed(index, rows, whole=whole)
        await self.given_back(index, former, rows)
        present = await self.listed(index, rows[4:], whole=whole)
        await second.unpublish(former, going)
        assert (await index.rows("gate", DAY)).items == rows
        await second.unpublish(present, going)
        assert (await index.rows("gate", DAY)).items == ([] if whole else rows[4:])

    async def test_what_is_committed_after_the_batch_stays(self, index: Index) -> None:
        """Footage that comes when the batch is forgotten lies in the same camera-day, and a call that arrives late leaves it."""
        batch = await self.listed(index, some_rows(5), whole=True)
        await index.unpublish(batch, None)
        await index.forget_batch("gate", DAY, expect=BatchState.LISTED)
        await index.publish(a_row(counter=50))
        await index.unpublish(batch, None)
        assert (await index.rows("gate", DAY)).items == [a_row(counter=50)]


def chained(count: int, **fields: object) -> list[Receipt]:
    """Receipts of one chain, each naming the one before."""
    made = [a_receipt(**fields)]
    while len(made) < count:
        made.append(a_receipt(**fields | {"number": len(made) + 1, "previous": made[-1].digest}))
    return made


class ReceiptsContract:
    """`WriteReceipts` and `ReadReceipts`."""

    async def test_a_receipt_is_read_back_whole(self, index: Index, second: Index) -> None:
        """Every field comes back, through any door and every way to it, and its text is the same to the letter."""
        full = a_receipt(
            closings=("gate/2026-03-14/home-a-1-1/12/59-00.000000Z.60_end",),
            older=3,
            holds=2,
            reasons={"due": 1, "pressure": 2},
            rule="等级 general",
            place="节点-1",
        )
        assert await index.last_receipt(full.chain) is None
        await index.put_receipt(full)
        assert await second.last_receipt(full.chain) == full
        assert list(await second.receipts("gate", MONTH)) == [full]
        assert (await second.receipt_chain(full.chain)).items == [full]
        assert [receipt.text for receipt in await second.receipts("gate", MONTH)] == [full.text]

    async def test_a_receipt_of_a_whole_day_fits(self, index: Index) -> None:
        """1,440 segments, no two joined."""
        rows = some_rows(1_440, start_us=NOON_US - US_PER_DAY // 2, fragments=())
        whole = a_receipt(segments=tuple(a_gone(row, end_us=row.start_us + 50 * US_PER_S) for row in rows))
        await index.put_receipt(whole)
        assert await index.last_receipt(whole.chain) == whole
        assert list(await index.deleted("gate", MONTH)) == whole.spans
        assert len(whole.spans) == 1_440

    async def test_a_number_is_given_once(self, index: Index) -> None:
        """The same receipt may be written again, also when others have followed; another of its number is a Conflict and is nowhere."""
        first, later = chained(2)
        for receipt in (first, first, later, first):
            await index.put_receipt(receipt)
        for other in (a_receipt(older=1), a_receipt(camera="yard"), a_receipt(day=date(2026, 5, 1))):
            with pytest.raises(Conflict):
                await index.put_receipt(other)
        assert (await index.receipt_chain(first.chain)).items == [first, later]
        assert list(await index.receipts("gate", MONTH)) == [first, later]
        assert [list(await index.receipts(*where)) for where in (("yard", MONTH), ("gate", date(2026, 5, 1)))] == [[], []]
        assert list(await index.deleted("yard", MONTH)) == []

    async def test_of_many_racing_writers_one_has_the_number(self, index: Index, second: Index) -> None:
        """Two sweeps of one name, one of them a ghost, never both write receipt n; what is there is the winner's, wherever it is read."""
        previous = ""
        for number in (1, 2, 3):
            wanted = [a_receipt(number=number, previous=previous, older=older, day=date(2026, 3, 1 + older)) for older in range(6)]
            losers = await lost([(index, second)[n % 2].put_receipt(receipt) for n, receipt in enumerate(wanted)])
            assert len(losers) == 5
            (winner,) = (receipt for n, receipt in enumerate(wanted) if n not in losers)
            assert [await door.last_receipt(winner.chain) for door in (index, second)] == [winner, winner]
            assert [receipt for receipt in await index.receipts("gate", MONTH) if receipt.number == number] == [winner]
            previous = winner.digest

    async def test_the_last_receipt_is_never_an_older_one(self, index: Index, second: Index) -> None:
        """Whoever asks after a receipt was written is shown it, past the ninth too, and each chain has its own."""
        await index.put_receipt(a_receipt(chain="sweep.1-of-2"))
        for n, receipt in enumerate(chained(12)):
            await (index, second)[n % 2].put_receipt(receipt)
            assert await (second, index)[n % 2].last_receipt(receipt.chain) == receipt
        assert await index.last_receipt("sweep.1-of-2") == a_receipt(chain="sweep.1-of-2")
        assert await index.last_receipt("sweep") is None

    async def test_receipts_are_found_by_camera_and_month(self, index: Index) -> None:
        """In order of day, chain and number (as a number); of the month of the camera-day, not of the deletion."""
        days = [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 1)]
        ours = chained(12, chain="b")
        ours = [replace(receipt, day=days[0 if receipt.number == 1 else 3 if receipt.number == 12 else 1]) for receipt in ours]
        others = [a_receipt(chain="a", day=days[1]), a_receipt(chain="c", day=days[2]), a_receipt(chain="d", day=days[1], camera="yard")]
        for receipt in (*ours, *others):
            await index.put_receipt(receipt)
        assert list(await index.receipts("gate", MONTH)) == [others[0], *ours[1:11], others[1]]
        assert list(await index.receipts("gate", date(2026, 2, 1))) == ours[:1]
        assert list(await index.receipts("gate", date(2026, 4, 1))) == ours[11:]
        assert list(await index.receipts("yard", MONTH)) == others[2:]
        assert list(await index.receipts("yard", date(2025, 3, 1))) == []

    @pytest.mark.parametrize("limit", [1, 5, 12, 100])
    async def test_pages_of_a_chain_leave_nothing_out(self, index: Index, limit: int) -> None:
        """In order of number, those behind a number that was reached before."""
        chain = chained(12)
        for receipt in chain:
            await index.put_receipt(receipt)
        assert await all_pages(index.receipt_chain, chain[0].chain, first={"after": 0}, cursor="after", limit=limit) == chain
        assert (await index.receipt_chain(chain[0].chain, after=9, limit=limit)).items == chain[9 : 9 + limit]
        assert (await index.receipt_chain(chain[0].chain, after=12, limit=limit)).items == []
        assert (await index.receipt_chain("another", limit=limit)).items == []

    async def test_chains_are_known(self, index: Index, second: Index) -> None:
        """All of them, each once, in order of name."""
        assert list(await index.receipt_chains()) == []
        for name in ("sweep.1-of-2", "sweep.0-of-2", "sweep.0-of-1"):
            for receipt in chained(3, chain=name):
                await second.put_receipt(receipt)
        assert list(await index.receipt_chains()) == ["sweep.0-of-1", "sweep.0-of-2", "sweep.1-of-2"]

    async def test_the_time_of_deleted_footage_is_told(self, index: Index) -> None:
        """Joined over receipts of any chain, in order, of the camera and the month of the camera-day only."""
        rows = some_rows(6)
        spans = [Span(row.start_us, row.end_us) for row in rows]
        assert list(await index.deleted("gate", MONTH)) == []
        await index.put_receipt(a_receipt(chain="b", segments=tuple(a_gone(row) for row in (rows[5], rows[2]))))
        assert list(await index.deleted("gate", MONTH)) == [spans[2], spans[5]]
        await index.put_receipt(a_receipt(chain="a", segments=tuple(a_gone(row) for row in rows[:2])))
        await index.put_receipt(a_receipt(chain="c", day=date(2026, 2, 28), segments=(a_gone(rows[3]),)))
        await index.put_receipt(a_receipt(chain="d", camera="yard", segments=(a_gone(rows[3]),)))
        assert list(await index.deleted("gate", MONTH)) == [Span(spans[0].start_us, spans[2].end_us), spans[5]]


class RecordsContract:
    """`Records`."""

    async def test_a_record_is_read_back_whole(self, index: Index, second: Index) -> None:
        """At once and through any door; what was never written is NotFound."""
        with pytest.raises(NotFound):
            await index.record("note", "n1")
        await index.put_record(a_record())
        assert await second.record("note", "n1") == a_record()
        for kind, record_id in (("note", "n2"), ("notes", "n1")):
            with pytest.raises(NotFound):
                await index.record(kind, record_id)

    async def test_long_texts_fit(self, index: Index) -> None:
        """A hold that has seen 10,000 cameras, in any script."""
        long = a_record(id="案件/2026-17 'a\"b'", text=json.dumps({"seen": [f"摄像机-{n}" for n in range(10_000)]}, ensure_ascii=False))
        await index.put_record(long)
        assert await index.record("note", long.id) == long

    async def test_a_revision_follows_the_one_before(self, index: Index) -> None:
        """The first where there is none, then one after the other; any other is a Conflict and changes nothing."""
        for revision in (0, 2):
            with pytest.raises(Conflict):
                await index.put_record(a_record(revision=revision))
        with pytest.raises(NotFound):
            await index.record("note", "n1")
        for revision in range(1, 4):
            await index.put_record(a_record(revision=revision, text=f'{{"said":{revision}}}'))
        for revision in (0, 1, 2, 3, 5):
            with pytest.raises(Conflict):
                await index.put_record(a_record(revision=revision, text='{"said":"another"}'))
        assert await index.record("note", "n1") == a_record(revision=3, text='{"said":3}')

    async def test_a_put_may_be_repeated(self, index: Index, second: Index) -> None:
        """Whoever had no answer writes again: fine while it is the present revision, a Conflict when another has followed."""
        for _ in range(2):
            await index.put_record(a_record())
            await second.put_record(a_record())
        changed = a_record().changed({"said": "more"})
        await index.put_record(changed)
        await index.put_record(changed)
        with pytest.raises(Conflict):
            await index.put_record(a_record())
        assert await index.record("note", "n1") == changed

    @pytest.mark.parametrize("revision", [1, 2])
    async def test_of_many_racing_writers_one_wins(self, index: Index, second: Index, revision: int) -> None:
        """Of several texts for one revision one is written; the others are told, and every door shows the winner's."""
        if revision == 2:
            await index.put_record(a_record())
        wanted = [a_record(revision=revision, text=f'{{"said":"{n}"}}') for n in range(8)]
        losers = await lost([(index, second)[n % 2].put_record(record) for n, record in enumerate(wanted)])
        assert len(losers) == 7
        (winner,) = (record for n, record in enumerate(wanted) if n not in losers)
        assert [await door.record("note", "n1") for door in (index, second)] == [winner, winner]

    async def test_no_change_is_lost(self, index: Index, second: Index) -> None:
        """Several that read, change and write again until they win: every one of their changes is in the last revision."""
        await index.put_record(a_record(text='{"said":[]}'))

        async def add(door: Index, word: int) -> None:
            while True:
                present = await door.record("note", "n1")
                try:
                    return await door.put_record(present.changed({"said": [*present.values["said"], word]}))
                except Conflict:
                    continue

        await asyncio.gather(*(add((index, second)[word % 2], word) for word in range(6)))
        last = await index.record("note", "n1")
        assert (last.revision, sorted(last.values["said"])) == (7, list(range(6)))

    async def test_records_of_a_kind_come_in_order(self, index: Index, second: Index) -> None:
        """All of the kind and no other, each as it is now, in order of id (as text)."""
        assert list(await index.records("note")) == []
        names = ["1", "10", "2", "Z", "a", "a b", "摄"]
        for name in reversed(names):
            await second.put_record(a_record(id=name))
        await index.put_record(a_record(kind="other"))
        changed = a_record(id="2", revision=2, text='{"said":"now"}')
        await second.put_record(changed)
        assert list(await index.records("note")) == [changed if name == "2" else a_record(id=name) for name in names]
        assert list(await index.records("other")) == [a_record(kind="other")]
