"""What every index promises of `Usage`: sums of camera-days, counted from rows, found by month and bucket."""

from __future__ import annotations

import asyncio
from datetime import date

from segments.clock import US_PER_DAY, day_of
from segments.ports import Index
from segments.shards import bucket_of
from segments.usage import DayUsage, PoolUsage, UsageSum, usage_by_pool
from tests.builders import NOON_US, a_row

DAY = day_of(NOON_US)
MONTH = DAY.replace(day=1)


async def of(index: Index, camera: str, month: date = MONTH) -> list[DayUsage]:
    """The sums of one camera in a month."""
    return [each for each in await index.usage(month, bucket_of(camera)) if each.camera == camera]


class UsageContract:
    """`Usage`."""

    async def test_rows_are_summed_by_pool(self, index: Index) -> None:
        """The sums of a camera-day are those of its rows, by pool, and of no other camera or day."""
        assert await index.row_sums("gate", DAY) == {}
        for counter, (pool, size) in enumerate([("main", 100), ("main", 23), ("archive", 7)]):
            await index.publish(a_row(counter=counter, pool=pool, size=size))
        await index.publish(a_row(start_us=NOON_US + US_PER_DAY, size=1_000_000))
        await index.publish(a_row(camera="yard", size=1_000_000))
        assert await index.row_sums("gate", DAY) == {"main": UsageSum(2, 123), "archive": UsageSum(1, 7)}

    async def test_sums_are_replaced(self, index: Index) -> None:
        """A second write of a camera-day takes the place of the first, pools that are in it no more included; none at all removes it."""
        await index.put_usage("gate", DAY, {"main": UsageSum(1, 10), "old": UsageSum(5, 50)})
        await index.put_usage("gate", DAY, {"main": UsageSum(2, 20)})
        assert await of(index, "gate") == [DayUsage("gate", DAY, "main", UsageSum(2, 20))]
        await index.put_usage("gate", DAY, {})
        assert await of(index, "gate") == []
        await index.put_usage("gate", DAY, {"old": UsageSum(1, 1)})
        assert await of(index, "gate") == [DayUsage("gate", DAY, "old", UsageSum(1, 1))]

    async def test_large_sums_are_exact(self, index: Index) -> None:
        """A camera-day of 4 PB, more than 32 bits and more than a float holds, comes back exactly."""
        large = UsageSum(86_400, (1 << 52) + 1)
        await index.put_usage("gate", DAY, {"main": large})
        assert [each.sum for each in await of(index, "gate")] == [large]

    async def test_sums_are_found_by_month_and_bucket(self, index: Index) -> None:
        """Each lies in the UTC month of its day and the bucket of its camera, nowhere else, and the months are known."""
        assert list(await index.usage_months()) == []
        days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28)]
        for day in days:
            await index.put_usage("gate", day, {"main": UsageSum(1, 1)})
        assert [each.day for each in await of(index, "gate", date(2026, 1, 1))] == days[:1]
        assert [each.day for each in await of(index, "gate", date(2026, 2, 1))] == days[1:]
        assert list(await index.usage(date(2026, 2, 1), (bucket_of("gate") + 1) % 64)) == []
        assert list(await index.usage_months()) == [date(2026, 1, 1), date(2026, 2, 1)]

    async def test_pools_are_totalled(self, index: Index, second: Index) -> None:
        """Over all cameras, days and months, counted by whoever: bytes, segments, cameras and days of each pool."""
        await asyncio.gather(
            *(
                door.put_usage(f"cam{n}", day, {"main": UsageSum(10, 1000 + n), **({"b": UsageSum(1, 5)} if n < 2 else {})})
                for door in (index, second)
                for n in range(6)
                for day in (date(2026, 1, 31), date(2026, 2, 1))
            )
        )
        assert await usage_by_pool(index) == {
            "main": PoolUsage(120, 2 * (6000 + 15), 6, 12, date(2026, 1, 31), date(2026, 2, 1)),
            "b": PoolUsage(4, 20, 2, 4, date(2026, 1, 31), date(2026, 2, 1)),
        }
