"""Works off the queue of export jobs: takes them one by one, tells how far each is, and cleans up what is past its time.

Whoever works on a job changes its record every two seconds. A record that stays the same for `LEASE_S`, by the clock of whoever looks, is
abandoned: the job is begun anew. Only the attempt the record names can be published, so a job done twice is published once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from playback.exports.job import Job, State, claimed, done, expired, failed, next_jobs, ours, put_off, told
from playback.exports.queue import ExportQueue
from playback.exports.results import ResultStore, ResultWriter, all_keys, leftovers, remove
from segments.clock import Clock
from segments.errors import Conflict, KeepsightError, NotFound, TryAgain

log = logging.getLogger(__name__)

POLL_S = 1.0
BEAT_S = 2.0
LEASE_S = 20.0
"""Ten beats. Nobody's footage waits for it, and a program that was held up for some seconds loses no hour of work."""
TIDY_S = 60.0
AGAIN_S = 30.0
"""Between attempts, after a passing fault."""


@dataclass
class Progress:
    """How far a job is; written by who makes it."""

    share: float = 0.0
    read_bytes: int = 0
    made_s: float = 0.0

    def put_into(self, job: Job) -> Job:
        """The job, so far done."""
        return told(job, min(self.share, 0.999), self.read_bytes, self.made_s)


class Maker(Protocol):
    """Makes results."""

    async def make(self, job: Job, out: ResultWriter, progress: Progress) -> None:
        """Writes the result of a job; raises an error of ours if there is none. Ends all it started when cancelled."""


class ExportWorker:
    """The work of one program; `holder` is its name and never another's, `running` how many jobs it has at a time."""

    def __init__(
        self, queue: ExportQueue, maker: Maker, writer: Callable[[Job], ResultWriter], results: ResultStore, clock: Clock, *, holder: str
    ) -> None:
        self._queue = queue
        self._maker = maker
        self._writer = writer
        self._results = results
        self._clock = clock
        self._holder = holder
        self._working: dict[str, asyncio.Task[None]] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._again_ns: dict[str, int] = {}

    async def run(self, running: int) -> None:
        """Works until cancelled, on so many jobs at a time; what is under way is then put back into the queue."""
        tidied_ns = 0
        try:
            while True:
                try:
                    await self.round(running)
                    if self._clock.monotonic_ns() - tidied_ns > TIDY_S * 1e9:
                        tidied_ns = self._clock.monotonic_ns()
                        await self.tidy()
                except KeepsightError as error:
                    log.warning("exports.blind: %s; jobs wait meanwhile", error)
                await self._clock.sleep(POLL_S)
        finally:
            await asyncio.shield(self._stop())

    async def round(self, running: int) -> None:
        """Begins what can be begun."""
        jobs = await self._queue.jobs()
        abandoned = self._abandoned(await self._queue.revisions())
        for job in next_jobs(jobs, abandoned):
            if len(self._working) >= running:
                return
            if job.id not in self._working and self._clock.monotonic_ns() >= self._again_ns.get(job.id, 0):
                await self._begin(job)

    async def tidy(self) -> None:
        """Lets go of results past their time, of what no result needs, and of jobs that ended long ago."""
        keys = await all_keys(self._results)
        for job in await self._queue.jobs():
            if job.state is State.DONE and self._clock.now_us() >= job.expires_us:
                with suppress(Conflict, NotFound):
                    await self._queue.change(job.id, lambda present: expired(present, self._clock.now_us()))
        refused = await remove(self._results, leftovers(keys, await self._queue.jobs()))
        if refused:
            log.warning("exports.kept: the pool of exports did not remove %d objects; tried again in %d s", refused, TIDY_S)
        await self._queue.forget()

    async def idle(self) -> None:
        """Returns when nothing of ours is under way."""
        await asyncio.gather(*self._working.values())

    def _abandoned(self, revisions: dict[str, int]) -> frozenset[str]:
        """The running jobs, not ours, whose records have stayed the same for a lease."""
        now_ns = self._clock.monotonic_ns()
        before, self._seen = self._seen, {}
        for job_id, revision in revisions.items():
            same = job_id in before and before[job_id][0] == revision
            self._seen[job_id] = before[job_id] if same else (revision, now_ns)
        stale = {job_id for job_id, (_, since_ns) in self._seen.items() if now_ns - since_ns > LEASE_S * 1e9}
        return frozenset(stale - self._working.keys())

    async def _begin(self, job: Job) -> None:
        if job.tries >= self._queue.rules.attempts:
            said = job.said or "its work was interrupted each time"
            await self._settle(job, lambda present: failed(present, f"given up after {job.tries} attempts: {said}", self._clock.now_us()))
            return
        with suppress(Conflict, NotFound):
            mine = await self._queue.change(job.id, lambda present: claimed(present, self._holder, seen_attempt=job.attempt))
            log.info("export.begun: %s of %s, attempt %d", mine.id, mine.name or mine.subject, mine.attempt)
            task = asyncio.create_task(self._work(mine))
            self._working[mine.id] = task
            task.add_done_callback(lambda _: self._working.pop(mine.id))

    async def _work(self, mine: Job) -> None:
        progress = Progress()
        making = asyncio.create_task(self._make(mine, progress))
        beating = asyncio.create_task(self._beat(mine, progress))
        try:
            await asyncio.wait((making, beating), return_when=asyncio.FIRST_COMPLETED)
        finally:
            beating.cancel()
            making.cancel()
            await asyncio.gather(making, beating, return_exceptions=True)
        if making.cancelled():
            log.info("export.stopped: %s is no longer ours, or cancelled", mine.id)
        else:
            making.result()

    async def _make(self, mine: Job, progress: Progress) -> None:
        try:
            out = self._writer(mine)
            await self._maker.make(mine, out, progress)
            result = await out.finished()
        except TryAgain as error:
            said = str(error)
            self._again_ns[mine.id] = self._clock.monotonic_ns() + round(AGAIN_S * 1e9)
            log.warning("export.put-off: %s: %s", mine.id, said)
            await self._settle(mine, lambda present: put_off(ours(present, mine), said))
        except KeepsightError as error:
            said = str(error)
            log.warning("export.failed: %s: %s", mine.id, said)
            await self._settle(mine, lambda present: failed(ours(present, mine), said, self._clock.now_us()))
        else:
            log.info("export.done: %s, %d bytes", mine.id, result.size)
            rules, now_us = self._queue.rules, self._clock.now_us()
            await self._settle(mine, lambda present: done(progress.put_into(ours(present, mine)), result, rules, now_us))

    async def _beat(self, mine: Job, progress: Progress) -> None:
        """Returns when the job is not ours any more."""
        while True:
            await self._clock.sleep(BEAT_S)
            try:
                await self._queue.beat(mine.id, lambda present: progress.put_into(ours(present, mine)))
            except (Conflict, NotFound):
                return
            except TryAgain:
                continue

    async def _settle(self, mine: Job, decide: Callable[[Job], Job]) -> None:
        """Writes how a job ended, if it is still ours. If the index does not answer, the record stays as it is and the job is abandoned."""
        try:
            await self._queue.change(mine.id, decide)
        except (Conflict, NotFound):
            log.info("export.lost: %s was ended or taken over meanwhile; what was made of it is thrown away", mine.id)
        except TryAgain as error:
            log.warning("export.unsettled: %s: %s; it is begun anew", mine.id, error)

    async def _stop(self) -> None:
        working = dict(self._working)
        for task in working.values():
            task.cancel()
        await asyncio.gather(*working.values(), return_exceptions=True)
        for job_id in working:
            await self._settle_stopped(job_id)

    async def _settle_stopped(self, job_id: str) -> None:
        def back(present: Job) -> Job:
            mine = present.state is State.RUNNING and present.holder == self._holder
            return put_off(present) if mine else present

        with suppress(KeepsightError):
            await self._queue.change(job_id, back)
