"""Runs of copied segments: known while they are copied, and closed here when they have ended there and their last segment is here.

A run stays open here until its closing object lies beside it, so that one that is forgotten by a process that died is found again.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Protocol

from replication.ports import AskFootage, Keeping
from segments.clock import US_PER_S, Clock
from segments.commit import CommitObjects, store_object
from segments.errors import KeepsightError, NotFound, Refused, TryAgain
from segments.facts import ONVIF_VERSION
from segments.keys import SegmentKey
from segments.model import Camera, Row, Run, Span
from segments.ports import ReadRows, Runs
from segments.timeline import rows_between

log = logging.getLogger(__name__)

MOST_RUNS = 4096
"""So many are remembered."""
QUIET_S = 90
"""A run of which nothing more was copied for so long is asked for: it may have ended."""
LOOK_S = 3600
"""So often the index is asked for open runs of a month."""
ASKED_AT_ONCE = 64
"""Runs that are asked for in one look."""
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class RunsIndex(Runs, ReadRows, Protocol):
    """What closing runs needs of the index."""


class CopiedRuns:
    """The runs of one site's footage that is copied here."""

    def __init__(self, peer: AskFootage, *, index: RunsIndex, keeping: Keeping, pools: Mapping[str, CommitObjects], clock: Clock) -> None:
        self._peer = peer
        self._index = index
        self._keeping = keeping
        self._pools = pools
        self._clock = clock
        self._runs: OrderedDict[tuple[str, str], Run] = OrderedDict()
        self._open: dict[tuple[str, str], int] = {}
        """Runs that are open here, and when they are to be asked for (monotonic, ns)."""
        self._looked_ns: dict[date, int] = {}

    async def run_of(self, row: Row) -> Run:
        """The run to commit this row with: as it is at the source, still open, and reaching at least to the row's end."""
        key = row.camera, row.run
        run = self._runs.get(key) or await self._ask(key)
        self._runs.move_to_end(key)
        return replace(run, last_us=max(run.last_us, row.end_us), ended=False, end_cause="")

    async def copied(self, row: Row) -> None:
        """A row of this run was committed here."""
        key = row.camera, row.run
        run = self._runs.get(key)
        self._ask_later(key)
        if run is not None and run.ended and row.end_us >= run.last_us:
            with suppress(TryAgain):  # its turn comes again
                await self._close_or_say(run)

    async def look(self, cameras: Callable[[], Awaitable[Iterable[Camera]]], months: Iterable[date]) -> None:
        """Closes what may be closed by now; each month's open runs are looked for once an hour. Raises TryAgain."""
        now_ns = self._clock.monotonic_ns()
        for month in set(months):
            if now_ns - self._looked_ns.get(month, -LOOK_S * 1_000_000_000) >= LOOK_S * 1_000_000_000:
                for camera in await cameras():
                    await self._find(camera.id, month)
                self._looked_ns = {each: ns for each, ns in self._looked_ns.items() if now_ns - ns < LOOK_S * 1_000_000_000} | {
                    month: now_ns
                }
        for key in [key for key, at_ns in self._open.items() if at_ns <= now_ns][:ASKED_AT_ONCE]:
            await self._ask_and_close(key)

    async def _find(self, camera: str, month: date) -> None:
        quiet_us = self._clock.now_us() - QUIET_S * US_PER_S
        after: str | None = ""
        while after is not None:
            page = await self._index.runs(camera, month, after=after)
            for run in page.items:
                if not run.ended and run.last_us < quiet_us:
                    self._open.setdefault((camera, run.id), 0)
            after = page.next

    async def _ask_and_close(self, key: tuple[str, str]) -> None:
        """One that cannot be read is told, and stands in no other's way. Raises TryAgain."""
        try:
            run = await self._ask(key)
        except NotFound:
            self._open.pop(key, None)  # one of ours, or of a third site
            return
        except TryAgain:
            raise
        except KeepsightError as error:
            self._ask_later(key)
            self._say(key, error)
            return
        self._ask_later(key)
        if run.ended:
            await self._close_or_say(run)

    async def _close_or_say(self, run: Run) -> None:
        """A run that cannot be closed is no fault of the others, nor of its segments. Raises TryAgain."""
        try:
            await self._close(run)
        except TryAgain:
            raise
        except KeepsightError as error:
            self._say((run.camera, run.id), error)

    def _say(self, key: tuple[str, str], error: KeepsightError) -> None:
        log.error("copy.unclosed: run %s of camera %s: %s", key[1], key[0], error)

    async def _ask(self, key: tuple[str, str]) -> Run:
        run = self._runs[key] = await self._peer.run(*key)
        if len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)
        return run

    def _ask_later(self, key: tuple[str, str]) -> None:
        if key in self._open or len(self._open) < MOST_RUNS:
            self._open[key] = self._clock.monotonic_ns() + QUIET_S * 1_000_000_000

    async def _close(self, run: Run) -> None:
        """Idempotent. Without its last segment a run waits, unless that will never come; then it has no object that closes it."""
        rows = await rows_between(self._index, run.camera, Span(run.last_us - 1, run.last_us))
        last = max((row for row in rows if row.run == run.id), key=lambda row: row.counter, default=None)
        if last is not None:
            if last.pool not in self._pools:
                raise Refused(f"{last.key} lies in pool {last.pool!r}, which the configuration does not name")
            key = str(SegmentKey(run.camera, run.id, last.end_us, last.counter + 1, is_end=True))
            attributes = {"version": ONVIF_VERSION, "source": run.camera, "end-cause": run.end_cause}
            try:
                await store_object(self._pools[last.pool], key, b"", size=0, sha256=EMPTY_SHA256, attributes=attributes)
            except TryAgain as error:  # a pool of ours: no reason to ask nothing more of the other site
                raise Refused(f"its closing object was not put into pool {last.pool}: {error}") from None
        elif await self._last_comes(run):
            return
        await self._index.put_run(run)
        self._open.pop((run.camera, run.id), None)

    async def _last_comes(self, run: Run) -> bool:
        """Whether the source has the run's last segment, and it is kept here."""
        last = await self._peer_last(run)
        return last is not None and last.position in await self._keeping.kept(run.camera, last.day, [last])

    async def _peer_last(self, run: Run) -> Row | None:
        found = await self._peer.between(run.camera, Span(run.last_us - 1, run.last_us))
        rows = [row for row, _ in found if row.run == run.id and row.pool]
        return max(rows, key=lambda row: row.counter, default=None)
