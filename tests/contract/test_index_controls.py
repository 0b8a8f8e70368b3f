"""Negative controls of the retention contracts: an index that breaks one rule is seen."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from segments.errors import Conflict
from segments.model import Batch, RowPosition, Span
from segments.receipt import Receipt
from segments.record import Record
from segments.stores.memory_index import MemoryIndex
from segments.usage import PackedHistory
from tests.contract.index_archive_contract import BatchesContract
from tests.contract.index_history_contract import UsageHistoryContract
from tests.contract.index_retention_contract import BatchRowsContract, ReceiptsContract, RecordsContract, UnpublishContract


class AnyBatch(MemoryIndex):
    """Takes rows out whatever has become of the batch."""

    async def unpublish(self, batch: Batch, positions: Sequence[RowPosition] | None) -> None:
        rows = self._rows[batch.camera, batch.day]
        for position in list(rows) if positions is None else positions:
            rows.pop(position, None)


class AnyListedBatch(MemoryIndex):
    """Takes the present batch for the one that is meant."""

    async def unpublish(self, batch: Batch, positions: Sequence[RowPosition] | None) -> None:
        present = self._batches.get((batch.camera, batch.day))
        await super().unpublish(present or batch, positions)


class OneBatchADay(MemoryIndex):
    """Does not tell the batches of a camera-day apart."""

    async def put_batch_rows(self, batch: Batch, rows: Any) -> None:
        await super().put_batch_rows(replace(batch, decided_us=0), rows)

    async def batch_rows(self, batch: Batch, **cursor: Any) -> Any:
        return await super().batch_rows(replace(batch, decided_us=0), **cursor)


class NoFinding(MemoryIndex):
    """Forgets a field of a batch."""

    async def put_batch(self, batch: Batch, **expect: Any) -> None:
        await super().put_batch(replace(batch, finding=""), **expect)


class LastReceiptWins(MemoryIndex):
    """Overwrites receipts."""

    async def put_receipt(self, receipt: Receipt) -> None:
        self._receipts[receipt.chain][receipt.number] = receipt


class EveryMonth(MemoryIndex):
    """Tells what was deleted in any month."""

    async def deleted(self, camera: str, month: date) -> Sequence[Span]:
        found = [await super(EveryMonth, self).deleted(camera, month.replace(month=n)) for n in range(1, 13)]
        return [span for spans in found for span in spans]


class LastRecordWins(MemoryIndex):
    """Looks at no revision."""

    async def put_record(self, record: Record) -> None:
        await asyncio.sleep(0)
        self._records[record.kind][record.id] = record


class NoRepeat(MemoryIndex):
    """Takes a repeated write for another's."""

    async def put_record(self, record: Record) -> None:
        if self._records[record.kind].get(record.id) == record:
            raise Conflict("it is there already")
        await super().put_record(record)


class LastHistoryWins(MemoryIndex):
    """Looks at no revision of usage."""

    async def put_usage_history(self, history: PackedHistory) -> None:
        await asyncio.sleep(0)
        self._usage_history[history.month, history.bucket] = history


class OneMonth(MemoryIndex):
    """Keeps the usage of all months in one place."""

    async def usage_history(self, month: date, bucket: int) -> PackedHistory:
        return await super().usage_history(month.replace(month=1), bucket)

    async def put_usage_history(self, history: PackedHistory) -> None:
        await super().put_usage_history(history._replace(month=history.month.replace(month=1)))


HISTORY = UsageHistoryContract()
UNPUBLISH, RECEIPTS, RECORDS = UnpublishContract(), ReceiptsContract(), RecordsContract()
BROKEN: list[tuple[type[MemoryIndex], Callable[..., Any], dict[str, Any]]] = [
    (AnyBatch, UNPUBLISH.test_a_late_call_harms_nothing, {"whole": True, "first": True}),
    (AnyBatch, UNPUBLISH.test_a_late_call_harms_nothing, {"whole": False, "first": False}),
    (AnyBatch, UNPUBLISH.test_what_is_committed_after_the_batch_stays, {}),
    (AnyListedBatch, UNPUBLISH.test_a_call_for_a_former_batch_does_not_help_the_present_one, {"whole": True}),
    (OneBatchADay, BatchRowsContract().test_batches_are_never_mixed, {}),
    (NoFinding, BatchesContract().test_a_batch_is_read_back_whole, {}),
    (LastReceiptWins, RECEIPTS.test_a_number_is_given_once, {}),
    (LastReceiptWins, RECEIPTS.test_of_many_racing_writers_one_has_the_number, {}),
    (EveryMonth, RECEIPTS.test_the_time_of_deleted_footage_is_told, {}),
    (LastRecordWins, RECORDS.test_a_revision_follows_the_one_before, {}),
    (LastRecordWins, RECORDS.test_of_many_racing_writers_one_wins, {"revision": 1}),
    (LastRecordWins, RECORDS.test_no_change_is_lost, {}),
    (LastHistoryWins, HISTORY.test_a_history_follows_the_one_before, {}),
    (LastHistoryWins, HISTORY.test_no_day_is_lost, {}),
    (OneMonth, HISTORY.test_a_history_is_read_back_whole, {}),
    (OneMonth, HISTORY.test_the_months_are_known, {}),
    (NoRepeat, RECORDS.test_a_put_may_be_repeated, {}),
]


@pytest.mark.parametrize(("kind", "clause", "values"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
async def test_a_broken_rule_is_seen(kind: type[MemoryIndex], clause: Callable[..., Any], values: dict[str, Any]) -> None:
    """The clause that forbids it goes red; over the whole index it is green."""
    doors = [name for name in ("index", "second") if name in inspect.signature(clause).parameters]
    await clause(**dict.fromkeys(doors, MemoryIndex()), **values)
    with pytest.raises((AssertionError, Conflict, pytest.fail.Exception)):
        await clause(**dict.fromkeys(doors, kind()), **values)
