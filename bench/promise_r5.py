"""R5: a full spool refuses loudly, drops nothing acknowledged, and takes footage again by itself.

Three cameras fill a spool on a disk of 64 MB while the uploader is away; then some of it is stored, and is removed or (index away) shrunk
to its stub, and the time until a new fragment is acknowledged is measured. Control: a spool that evicts its oldest. Needs root.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from bench.promise import bound95, read_form, report
from recorder.spool import Spool, SpoolFull, SpoolLimit
from recorder.spool_folder import check_spool
from tests.faults.full_spool import EvictingSpool, Recording, small_disk

SHORT, FULL = 5, 100
MB = 1_000_000
DISK_BYTES = 64 * MB
LIMIT = SpoolLimit(max_bytes=40 * MB, min_free_bytes=8 * MB)
RESUME_S = 5.0


async def fill_and_resume(folder: Path, times: int) -> tuple[int, int, float]:
    """So often filled and resumed: how often it did not refuse as it should, segments lost, and the slowest resumption in seconds."""
    quiet, lost, slowest_s = 0, 0, 0.0
    with closing(Recording(Spool(folder, limit=LIMIT))) as recording:
        for n in range(times):
            quiet += not isinstance(await recording.fill(DISK_BYTES), SpoolFull) or not recording.spool.full
            lost += len(recording.lost())
            recording.upload(8, indexed=n % 2 == 0)
            slowest_s = max(slowest_s, await recording.resume())
            lost += len(recording.lost())
            print(f"filled {n + 1} times: {lost} lost, resumed after {slowest_s:.2f} s at worst", flush=True)
    return quiet, lost, slowest_s


async def evict(folder: Path) -> int:
    """What a spool loses that makes room by dropping its oldest."""
    check_spool(folder, min_free_bytes=0)
    with closing(Recording(EvictingSpool(folder, limit=SpoolLimit(8 * MB, 0)))) as recording:
        try:
            await recording.fill(DISK_BYTES // 4)
        except AssertionError:
            return len(recording.lost())
    return 0


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    if os.geteuid() != 0:
        sys.exit("R5 needs root: it mounts a disk of its own")
    times = FULL if form.full else SHORT
    with tempfile.TemporaryDirectory() as place:
        with small_disk(Path(place) / "disk", DISK_BYTES) as disk:
            quiet, lost, slowest_s = asyncio.run(fill_and_resume(disk, times))
        evicted = asyncio.run(evict(Path(place) / "control"))
    print(f"control: {evicted} segments lost by eviction")
    result = report(
        promise="R5",
        form=form.name,
        n=times,
        value=lost,
        unit=f"acknowledged segments lost; resumed within {slowest_s:.2f} s",
        gate="0 acknowledged evicted before stored; resume <= 5 s after space",
        bound95=bound95(times) if lost == 0 else None,
        control="red" if evicted else "green",
        met=lost == 0 and quiet == 0 and slowest_s <= RESUME_S,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
