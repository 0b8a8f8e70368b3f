"""An installation read as capacity's frames."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from capacity.keeping import keep_bucket
from deploy.capacity_history import Bucket, read_buckets, read_history
from segments.clock import US_PER_DAY, day_start_us
from segments.errors import BadInput
from segments.shards import bucket_of
from segments.stores.memory_index import MemoryIndex
from segments.usage import UsageSum
from tests.backup_site import settings_in
from tests.builders import a_camera, a_run
from tests.retention_builders import write_policy

FIRST = date(2026, 3, 14)
TODAY = date(2026, 3, 16)
NOW_US = day_start_us(TODAY) + 3600 * 1_000_000


@pytest.fixture
async def index() -> MemoryIndex:
    """Two cameras, one of class 1, and one that was removed; two whole days and an hour of today."""
    index = MemoryIndex()
    await write_policy(index)
    await index.add_camera(a_camera("gate", area="fujian/xiamen", owner="police", camera_class=1, pool="main", tier=""))
    await index.add_camera(a_camera("yard", area="", owner="", camera_class=3, pool="", tier="", home="south"))
    start_us = day_start_us(FIRST)
    for camera in ("gate", "yard", "gone"):
        await index.put_run(a_run(camera=camera, start_us=start_us, last_us=start_us + 2 * US_PER_DAY, codecs="hvc1.1"))
        for day, size in ((FIRST, 100), (date(2026, 3, 15), 200), (TODAY, 9)):
            await index.put_usage(camera, day, {"main": UsageSum(1, size)})
    await index.put_usage("gone", TODAY, {})
    return index


async def buckets(folder: Path, index: MemoryIndex, before: date | None = None) -> list[Bucket]:
    """Those that have something."""
    found = [each async for each in read_buckets(settings_in(folder), index, NOW_US, before=before)]
    assert len(found) == 64
    return [each for each in found if each.days.height or each.cameras.height]


async def test_cameras_are_lines_with_pool_tier_and_site(index: MemoryIndex, tmp_path: Path) -> None:
    """The pool is the one new footage goes to, the tier that of the policy that binds, the site the camera's home."""
    lines = [line for each in await buckets(tmp_path, index) for line in each.cameras.iter_rows(named=True)]
    assert sorted(lines, key=lambda line: line["camera"]) == [
        {
            "camera": "gate",
            "pool": "main",
            "site": "home",
            "area": "fujian/xiamen",
            "owner": "police",
            "class": 1,
            "tier": "key-area",
            "kind": "",
        },
        {"camera": "yard", "pool": "main", "site": "south", "area": "", "owner": "", "class": 3, "tier": "general", "kind": ""},
    ]


async def test_removed_cameras_are_told_apart(index: MemoryIndex, tmp_path: Path) -> None:
    """They are in no list of the registered, and their days are there."""
    found = await buckets(tmp_path, index)
    (gone,) = [line for each in found for line in each.former.iter_rows(named=True)]
    assert (gone["camera"], gone["pool"], gone["area"], gone["class"]) == ("gone", "", "", 3)
    assert sum(each.days.height for each in found) == 8


async def test_today_is_read_only_by_those_who_ask(index: MemoryIndex, tmp_path: Path) -> None:
    """Usage sees what is being recorded; a forecast sees whole days."""
    whole = await buckets(tmp_path, index, TODAY)
    assert {day for each in whole for day in each.days["day"].to_list()} == {FIRST, date(2026, 3, 15)}
    assert TODAY in {day for each in await buckets(tmp_path, index) for day in each.days["day"].to_list()}


async def test_a_history_is_that_of_all_buckets_and_outlives_the_footage(index: MemoryIndex, tmp_path: Path) -> None:
    """After everything is deleted it says the same, from what was kept."""
    before = await read_history(settings_in(tmp_path), index, NOW_US, before=TODAY)
    assert before.first == FIRST
    assert sorted(before.cameras["camera"].to_list()) == ["gate", "gone", "yard"]
    assert set(before.cameras["kind"].to_list()) == {"hvc1 1920x1080"}
    np.testing.assert_array_equal(before.recorded_bytes, [[100, 200]] * 3)
    for camera in ("gate", "yard", "gone"):
        await keep_bucket(index, bucket_of(camera), TODAY)
        for day in (FIRST, date(2026, 3, 15)):
            await index.put_usage(camera, day, {})
    after = await read_history(settings_in(tmp_path), index, NOW_US, before=TODAY)
    assert after.cameras.equals(before.cameras)
    np.testing.assert_array_equal(after.recorded_bytes, before.recorded_bytes)


async def test_a_new_installation_is_told_what_it_lacks(tmp_path: Path) -> None:
    """Before the first whole day there is no history, and without a policy no tier."""
    index = MemoryIndex()
    await index.add_camera(a_camera("gate", tier="general"))
    await index.put_usage("gate", TODAY, {"main": UsageSum(1, 10)})
    with pytest.raises(BadInput, match="no whole day"):
        await read_history(settings_in(tmp_path), index, NOW_US, before=TODAY)
    (one,) = await buckets(tmp_path, index)
    assert one.days["recorded_bytes"].to_list() == [10]
    assert one.cameras["tier"].to_list() == [""]
