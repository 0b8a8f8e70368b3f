"""What every index promises of `UsageHistory`: a packed document a month and bucket, changed by compare-and-set on its revision."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from segments.errors import Conflict
from segments.ports import Index
from segments.usage import PackedHistory

MARCH = date(2026, 3, 1)
MIB = 1 << 20


def a_history(revision: int = 1, packed: bytes = b"\x00PAR1\xff", *, month: date = MARCH, bucket: int = 7) -> PackedHistory:
    """One of March."""
    return PackedHistory(month, bucket, revision, packed)


class UsageHistoryContract:
    """`UsageHistory`."""

    async def test_a_history_is_read_back_whole(self, index: Index, second: Index) -> None:
        """At once, through any door and byte by byte, some MiB of it, too; of a month or bucket without one it is of revision 0."""
        assert await index.usage_history(MARCH, 7) == PackedHistory(MARCH, 7, 0, b"")
        large = a_history(packed=bytes(range(256)) * (3 * MIB // 256))
        await index.put_usage_history(large)
        assert await second.usage_history(MARCH, 7) == large
        for month, bucket in ((MARCH, 8), (date(2026, 4, 1), 7)):
            assert (await index.usage_history(month, bucket)).revision == 0

    async def test_the_months_are_known(self, index: Index) -> None:
        """Each once, in order, of whatever buckets."""
        assert list(await index.usage_history_months()) == []
        for month, bucket in ((date(2026, 4, 1), 0), (MARCH, 0), (MARCH, 63), (date(2025, 12, 1), 1)):
            await index.put_usage_history(a_history(month=month, bucket=bucket))
        assert list(await index.usage_history_months()) == [date(2025, 12, 1), MARCH, date(2026, 4, 1)]

    async def test_a_history_follows_the_one_before(self, index: Index, second: Index) -> None:
        """Revision after revision; any other is a Conflict and changes nothing; the present one may be written again."""
        for revision in (0, 2):
            with pytest.raises(Conflict):
                await index.put_usage_history(a_history(revision))
        for revision in (1, 2, 3):
            for door in (index, second):
                await door.put_usage_history(a_history(revision, bytes([revision])))
        for revision in (0, 1, 2, 3, 5):
            with pytest.raises(Conflict):
                await index.put_usage_history(a_history(revision, b"another"))
        assert await second.usage_history(MARCH, 7) == a_history(3, b"\x03")

    async def test_no_day_is_lost(self, index: Index, second: Index) -> None:
        """Several that read, add and write again until they win: what each of them added is in the last revision."""

        async def add(door: Index, day: bytes) -> None:
            while True:
                try:
                    before = await door.usage_history(MARCH, 7)
                    await door.put_usage_history(before.changed(before.packed + day))
                except Conflict:
                    continue
                return

        await asyncio.gather(*(add((index, second)[day % 2], bytes([day])) for day in range(6)))
        last = await index.usage_history(MARCH, 7)
        assert (last.revision, sorted(last.packed)) == (6, list(range(6)))
