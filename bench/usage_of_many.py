"""What it costs to count the usage of many cameras: `python -m bench.usage_of_many [CAMERAS] [DAYS]`; time and the most memory held.

An index is played whose months lie packed on disk and whose sums of camera-days are made as they are asked for, so that what is measured is
the counting: unpacking, comparing with the sums, adding up bucket by bucket, and every table and list in the end.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from capacity.days import DAYS, packed, unpacked
from capacity.encoders import bitrates, hot
from deploy.capacity_history import CapacityIndex
from deploy.capacity_usage import Daily, of_installation
from deploy.settings import Settings
from segments.clock import day_start_us
from segments.model import Camera
from segments.shards import CAMERA_BUCKETS
from segments.usage import By, DayUsage, PackedHistory, UsageSum

FIRST = date(2026, 3, 1)
KINDS = (("avc1 1920x1080", 3.6), ("avc1 1280x720", 1.9), ("hvc1 1920x1080", 1.7), ("hvc1 3840x2160", 6.5))
POOLS, AREAS, OWNERS = 24, 88, 10


class PlayedIndex:
    """Cameras of one bucket are those whose number has it as remainder."""

    def __init__(self, folder: Path, cameras: int) -> None:
        self._folder, self._cameras = folder, cameras

    async def usage_months(self) -> Sequence[date]:
        """All that there are."""
        return sorted(date.fromisoformat(file.name) for file in self._folder.iterdir())

    usage_history_months = usage_months

    async def usage_history(self, month: date, bucket: int) -> PackedHistory:
        """As it lies on disk."""
        return PackedHistory(month, bucket, 1, (self._folder / month.isoformat() / f"{bucket}").read_bytes())

    async def usage(self, month: date, bucket: int) -> Sequence[DayUsage]:
        """All that was recorded is kept."""
        days = unpacked((await self.usage_history(month, bucket)).packed, "")
        columns = days.select("camera", "day", "pool", "segments", "recorded_bytes").iter_rows()
        return [DayUsage(camera, day, pool, UsageSum(segments, size)) for camera, day, pool, segments, size in columns]

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """Those of the archive."""
        numbers = range(bucket, self._cameras, CAMERA_BUCKETS)
        return [
            Camera(name_of(n), name_of(n), "rtsp://there", n % 3 + 1, f"province/city-{n % 10}/county-{n % AREAS}", f"owner-{n % OWNERS}")
            for n in numbers
        ]

    async def records(self, kind: str) -> Sequence[Any]:
        """No policies and no holds."""
        return []


def name_of(number: int) -> str:
    """Twenty digits, as GB/T 28181 has them."""
    return f"3502{number:016d}"


def made(folder: Path, cameras: int, days: int) -> None:
    """Writes the history of all buckets."""
    rng = np.random.default_rng(1)
    dates = [FIRST + timedelta(days=day) for day in range(days)]
    for bucket in range(CAMERA_BUCKETS):
        numbers = np.arange(bucket, cameras, CAMERA_BUCKETS)
        kinds = rng.choice(len(KINDS), len(numbers))
        rates = np.array([rate for _, rate in KINDS])[kinds] * rng.lognormal(0, 0.35, len(numbers)) * 1e6 / 8
        of_camera = np.repeat(np.arange(len(numbers)), days)
        share = rng.uniform(0.9, 1, len(of_camera))
        columns = {
            "camera": [name_of(numbers[n]) for n in of_camera],
            "day": dates * len(numbers),
            "pool": [f"pool-{numbers[n] % POOLS}" for n in of_camera],
            "kind": [KINDS[kinds[n]][0] for n in of_camera],
            "segments": (share * 1440).astype(np.uint32),
            "recorded_bytes": (rates[of_camera] * share * 86_400 * rng.lognormal(0, 0.1, len(share))).astype(np.uint64),
            "recorded_s": share * 86_400,
        }
        frame = pl.DataFrame(columns).cast(DAYS)  # type: ignore[arg-type]
        for month in sorted({day.replace(day=1) for day in dates}):
            (folder / month.isoformat()).mkdir(exist_ok=True)
            (folder / month.isoformat() / f"{bucket}").write_bytes(packed(frame.filter(pl.col("day").dt.month_start() == month)))


async def measured(folder: Path, cameras: int, days: int) -> dict[str, float]:
    """Counts all and makes every table; seconds and bytes."""
    before_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    index = cast("CapacityIndex", PlayedIndex(folder, cameras))
    start_s, start_cpu_s = time.monotonic(), time.process_time()
    used = await of_installation(Settings(), index, day_start_us(FIRST + timedelta(days=days)), days, daily=Daily([By.POOL, By.TIER]))
    counted_s, cpu_s = time.monotonic() - start_s, time.process_time() - start_cpu_s
    start_s = time.monotonic()
    tables = [used.by([each]) for each in By]
    lists = [hot(used.lines), bitrates(used.lines), used.by([By.AREA, By.CLASS], depth=2)]
    shown_s = time.monotonic() - start_s
    (whole,) = used.by(()).iter_rows(named=True)
    if whole["cameras"] != cameras or whole["camera_days"] != cameras * days or not all(frame.height for frame in tables + lists[1:]):
        raise RuntimeError(f"counted {whole}")
    most_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    packed_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    found = {"cameras": cameras, "days": days, "camera_days": whole["camera_days"], "packed_bytes": packed_bytes}
    cost = {"counted_s": counted_s, "counted_cpu_s": cpu_s, "shown_s": shown_s, "loaded_bytes": before_bytes, "most_bytes": most_bytes}
    return found | cost


def main() -> None:
    """Makes the history in a process of its own, whose memory is not measured."""
    cameras = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    with tempfile.TemporaryDirectory() as folder:
        maker = multiprocessing.get_context("spawn").Process(target=made, args=(Path(folder), cameras, days))
        maker.start()
        maker.join()
        sys.stdout.write(json.dumps(asyncio.run(measured(Path(folder), cameras, days)), indent=2) + "\n")


if __name__ == "__main__":
    main()
