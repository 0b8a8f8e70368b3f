"""Usage of an installation: its history, what the index counts, and what is kept and held."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from capacity.keeping import keep_bucket
from deploy.capacity_usage import Used, from_files, of_installation
from deploy.cli_history import write_history
from segments.clock import US_PER_DAY, day_start_us
from segments.hold import HOLDS, Hold, hold_values
from segments.record import new_record
from segments.shards import bucket_of
from segments.stores.memory_index import MemoryIndex
from segments.usage import By, UsageSum
from tests.backup_site import settings_in
from tests.builders import a_camera, a_run
from tests.retention_builders import write_policy

FIRST, SECOND, TODAY = date(2026, 3, 14), date(2026, 3, 15), date(2026, 3, 16)
NOW_US = day_start_us(TODAY) + 3600 * 1_000_000


@pytest.fixture
async def index() -> MemoryIndex:
    """A camera that records 100 and 200 bytes in two days, and 9 today so far; the first day is written down, its footage is gone."""
    index = MemoryIndex()
    await write_policy(index)
    await index.add_camera(a_camera("gate", area="fujian/xiamen", owner="police", camera_class=1, pool="main", tier=""))
    start_us = day_start_us(FIRST)
    await index.put_run(a_run(camera="gate", start_us=start_us, last_us=start_us + 2 * US_PER_DAY, codecs="hvc1.1"))
    for day, size in ((FIRST, 100), (SECOND, 200), (TODAY, 9)):
        await index.put_usage("gate", day, {"main": UsageSum(1, size)})
    await keep_bucket(index, bucket_of("gate"), SECOND)
    await index.put_usage("gate", FIRST, {})
    return index


async def used(index: MemoryIndex, folder: Path, days: int = 30, last: date | None = None) -> Used:
    """What the installation used at that moment."""
    return await of_installation(settings_in(folder), index, NOW_US, days, last)


async def test_what_was_deleted_was_recorded_still(index: MemoryIndex, tmp_path: Path) -> None:
    """Of the whole days: 300 bytes recorded, of which 200 and today's 9 are kept; whose they are is known."""
    (found,) = (await used(index, tmp_path)).by([By.OWNER, By.TIER, By.SITE]).iter_rows(named=True)
    assert (found["owner"], found["tier"], found["site"]) == ("police", "key-area", "home")
    assert (found["recorded_bytes"], found["camera_days"], found["s_per_camera_day"]) == (300, 2, 86_400)
    assert (found["kept_bytes"], found["held_share"]) == (209, 0)


async def test_a_window_of_days_is_what_is_counted(index: MemoryIndex, tmp_path: Path) -> None:
    """One day, the last or one that is named."""
    assert (await used(index, tmp_path, 1)).by(())["recorded_bytes"].item() == 200
    assert (await used(index, tmp_path, 1, FIRST)).by(())["recorded_bytes"].item() == 100
    assert (await used(index, tmp_path, 1, TODAY)).by(())["recorded_bytes"].item() == 9
    assert not (await used(index, tmp_path, 1, date(2026, 1, 1))).days


async def test_an_installation_of_an_hour_is_told_today(tmp_path: Path) -> None:
    """There is no whole day yet; and of one that recorded nothing, nothing."""
    index = MemoryIndex()
    await write_policy(index)
    assert not (await used(index, tmp_path)).days
    await index.put_usage("gate", TODAY, {"main": UsageSum(3, 9)})
    found = await used(index, tmp_path)
    assert (found.first, found.last, found.so_far, found.by(())["recorded_bytes"].item()) == (TODAY, TODAY, True, 9)


async def test_footage_held_is_a_share_of_what_is_kept(index: MemoryIndex, tmp_path: Path) -> None:
    """A hold of the area from today on: 9 of 209 bytes."""
    start_us = day_start_us(TODAY) + 600_000_000
    hold = Hold("h", "case", "why", "me", 0, start_us, start_us + US_PER_DAY, areas=("fujian",))
    await index.put_record(new_record(HOLDS, hold.id, hold_values(hold)))
    assert (await used(index, tmp_path)).by(())["held_share"].item() == pytest.approx(9 / 209)


async def test_what_was_recorded_goes_into_files_that_are_read_again(index: MemoryIndex, tmp_path: Path) -> None:
    """The same whole days of the same cameras; an installation without any has files without a line."""
    (tmp_path / "out" / "days").mkdir(parents=True)
    assert await write_history(settings_in(tmp_path), index, NOW_US, tmp_path / "out") == 2
    read = from_files(tmp_path / "out" / "days", tmp_path / "out" / "cameras.parquet", 30)
    whose = ["recorded_bytes", "recorded_s", "camera_days", "owner", "tier", "site"]
    assert read.lines.select(whose).rows() == (await used(index, tmp_path)).lines.filter(pl.col("segments") > 0).select(whose).rows()
    (tmp_path / "none" / "days").mkdir(parents=True)
    assert await write_history(settings_in(tmp_path), MemoryIndex(), NOW_US, tmp_path / "none") == 0
    assert not from_files(tmp_path / "none" / "days", tmp_path / "none" / "cameras.parquet", 30).days
