"""Mends what dead recorders left in the spool: torn segments get their end, runs that nobody goes on with are marked as over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from recorder.repair import fmp4, repair
from recorder.run_end import mark_end
from recorder.spool_folder import SpoolFile, SpoolKind, is_written_to, open_parts, remove_unnamed
from segments.duty import LANE_OF
from segments.errors import KeepsightError, NotFound, TryAgain
from segments.keys import parse_run
from segments.model import Cause, Lease, Run
from segments.ports import Runs
from segments.timeline import epoch_of

log = logging.getLogger(__name__)


async def mend(folder: Path, index: Runs) -> int:
    """Seals every torn segment nobody writes to any more; returns how many. Must be done before anything of them is served.

    What dead recorders left unnamed beside them goes.
    """
    await asyncio.to_thread(remove_unnamed, folder)
    mended = 0
    for torn in await asyncio.to_thread(open_parts, folder):
        if torn.kind is SpoolKind.PART and await asyncio.to_thread(is_written_to, torn.path):
            continue
        try:
            mended += await _mend_one(folder, torn, index)
        except FileNotFoundError:
            continue  # its writer sealed it meanwhile
        except (KeepsightError, OSError) as error:
            log.error("segment.unrepaired: %s cannot be repaired now: %s; it is tried again", torn.path, error)
    return mended


async def _mend_one(folder: Path, torn: SpoolFile, index: Runs) -> bool:
    run = await _run_of(torn, index)
    repaired = await asyncio.to_thread(repair, torn.path, fmp4(run))
    mark_end(folder, torn.camera, torn.run, Cause.RECORDER_AWAY)
    if repaired is None:
        log.warning("segment.empty: %s held no whole fragment and was removed", torn.path)
        return False
    log.warning("segment.repaired: %s: %d fragments, %d bytes behind them dropped", torn.path, repaired.fragments, repaired.dropped_bytes)
    return True


async def _run_of(torn: SpoolFile, index: Runs) -> Run | None:
    try:
        return await index.run(torn.camera, torn.run)
    except (NotFound, TryAgain):
        return None


async def end_runs_before(folder: Path, lease: Lease, cameras: Iterable[str], months: Iterable[date], index: Runs) -> None:
    """Marks runs of these cameras as over that the index still has open in the lease's lane in an older epoch: their recorder is gone."""
    lane = LANE_OF[lease.duty.kind]
    months = list(months)
    for camera in cameras:
        for month in months:
            after: str | None = ""
            while after is not None:
                page = await index.runs(camera, month, after=after)
                for run in page.items:
                    if not run.ended and 0 < epoch_of(run.id) < lease.epoch and parse_run(run.id).lane == lane:
                        (folder / camera / run.id).mkdir(mode=0o700, parents=True, exist_ok=True)
                        mark_end(folder, camera, run.id, Cause.RECORDER_AWAY)
                after = page.next


def highest_epoch(folder: Path) -> int:
    """The highest epoch any run in the spool bears; 0 for an empty one."""
    return max((epoch_of(path.name) for path in folder.glob("*/*")), default=0)
