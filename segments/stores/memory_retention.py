"""Batches' rows, the way out for rows, receipts and records, in dicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from segments.errors import Conflict, NotFound
from segments.model import Batch, BatchState, Row, RowPosition, Span
from segments.ports import Page
from segments.receipt import Receipt, joined_spans
from segments.record import Record
from segments.stores.partitions import cut_page, page_limit


class MemoryRetention:
    """See `BatchRows`, `Unpublish`, `WriteReceipts`, `ReadReceipts` and `Records` in segments/ports.py."""

    _rows: Mapping[tuple[str, date], dict[RowPosition, Row]]
    _batches: Mapping[tuple[str, date], Batch]

    def __init__(self) -> None:
        super().__init__()
        self._batch_rows: dict[tuple[str, date, int], dict[RowPosition, Row]] = defaultdict(dict)
        self._receipts: dict[str, dict[int, Receipt]] = defaultdict(dict)
        self._records: dict[str, dict[str, Record]] = defaultdict(dict)

    # --- batches

    async def put_batch_rows(self, batch: Batch, rows: Sequence[Row]) -> None:
        """See `BatchRows`."""
        self._batch_rows[batch.camera, batch.day, batch.decided_us].update({row.position: row for row in rows})

    async def batch_rows(self, batch: Batch, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        """See `BatchRows`."""
        found = self._batch_rows.get((batch.camera, batch.day, batch.decided_us), {})
        behind = [row for position, row in sorted(found.items()) if after is None or position > after]
        return cut_page(behind[: page_limit(limit) + 1], limit, lambda row: row.position)

    async def remove_batch_rows(self, batch: Batch) -> None:
        """See `BatchRows`."""
        self._batch_rows.pop((batch.camera, batch.day, batch.decided_us), None)

    async def unpublish(self, batch: Batch, positions: Sequence[RowPosition] | None) -> None:
        """See `Unpublish`: commits stay away while there is a batch, so what is there while it is LISTED was there when it was listed."""
        present = self._batches.get((batch.camera, batch.day))
        if present is None or (present.state, present.decided_us) != (BatchState.LISTED, batch.decided_us):
            return
        rows = self._rows.get((batch.camera, batch.day), {})
        for position in list(rows) if positions is None else positions:
            rows.pop(position, None)

    # --- receipts

    async def put_receipt(self, receipt: Receipt) -> None:
        """See `WriteReceipts`."""
        if self._receipts[receipt.chain].setdefault(receipt.number, receipt) != receipt:
            raise Conflict(f"chain {receipt.chain} has another receipt {receipt.number}")

    async def last_receipt(self, chain: str) -> Receipt | None:
        """See `WriteReceipts`."""
        found = self._receipts.get(chain, {})
        return found[max(found)] if found else None

    async def receipts(self, camera: str, month: date) -> Sequence[Receipt]:
        """See `ReadReceipts`."""
        found = [receipt for chain in self._receipts.values() for receipt in chain.values() if receipt.camera == camera]
        found = [receipt for receipt in found if receipt.day.replace(day=1) == month]
        return sorted(found, key=lambda receipt: (receipt.day, receipt.chain, receipt.number))

    async def receipt_chain(self, chain: str, *, after: int = 0, limit: int = 100) -> Page[Receipt, int]:
        """See `ReadReceipts`."""
        behind = [receipt for number, receipt in sorted(self._receipts.get(chain, {}).items()) if number > after]
        return cut_page(behind[: page_limit(limit) + 1], limit, lambda receipt: receipt.number)

    async def receipt_chains(self) -> Sequence[str]:
        """See `ReadReceipts`."""
        return sorted(chain for chain, found in self._receipts.items() if found)

    async def deleted(self, camera: str, month: date) -> Sequence[Span]:
        """See `ReadReceipts`."""
        return joined_spans(span for receipt in await self.receipts(camera, month) for span in receipt.spans)

    # --- records

    async def put_record(self, record: Record) -> None:
        """See `Records`."""
        present = self._records[record.kind].get(record.id)
        if present == record:
            return
        if record.revision != (present.revision if present else 0) + 1:
            raise Conflict(f"{record.kind} {record.id} is at revision {present.revision if present else 0} now; read it again")
        self._records[record.kind][record.id] = record

    async def remove_record(self, record: Record) -> None:
        """See `Records`."""
        present = self._records[record.kind].get(record.id)
        if present is not None and present.revision != record.revision:
            raise Conflict(f"{record.kind} {record.id} is at revision {present.revision} now; read it again")
        self._records[record.kind].pop(record.id, None)

    async def record(self, kind: str, record_id: str) -> Record:
        """See `Records`."""
        found = self._records.get(kind, {}).get(record_id)
        if found is None:
            raise NotFound(f"there is no {kind} {record_id}")
        return found

    async def records(self, kind: str) -> Sequence[Record]:
        """See `Records`."""
        return [record for _, record in sorted(self._records.get(kind, {}).items())]
