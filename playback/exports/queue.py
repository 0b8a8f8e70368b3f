"""The queue of export jobs: records, changed by compare-and-set alone, so that any process of the site may ask, work and cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from playback.exports.job import EXPORT, Form, Job, Rules, State, job_of, job_values
from playback.exports.results import ResultStore
from playback.problems import TooMuch
from playback.virtual_mp4 import MAX_FILE_US
from segments.clock import US_PER_DAY, US_PER_HOUR, Clock
from segments.errors import BadInput, Conflict, NotFound
from segments.ports import Records
from segments.record import Record, new_record

_TRIES = 10
"""Changes of one job that may come between reading and writing it."""


class ExportQueue:
    """Jobs of a site. Every call asks the index: nothing is remembered here."""

    def __init__(self, records: Records, clock: Clock, rules: Rules | None = None) -> None:
        self._records = records
        self._clock = clock
        self.rules = rules or Rules()

    async def ask(self, job: Job) -> None:
        """Adds a job; raises BadInput if it asks for too much, TooMuch if too many wait. Asks that come at one moment may pass together."""
        self.check(job)
        waiting = [each for each in await self.jobs() if each.state.waits]
        if len(waiting) >= self.rules.waiting:
            raise TooMuch(f"{len(waiting)} export jobs wait already: ask again when some are done")
        own = sum(each.subject == job.subject for each in waiting)
        if own >= self.rules.waiting_per_subject:
            raise TooMuch(f"{own} of your export jobs wait already: wait for one of them, or cancel it")
        await self._records.put_record(new_record(EXPORT, job.id, job_values(job)))

    def check(self, job: Job) -> None:
        """Raises BadInput if it asks for more footage than one job may."""
        if job.asked_span_us > self.rules.span_hours * US_PER_HOUR:
            raise BadInput(f"an export job takes at most {self.rules.span_hours} hours of footage over all its cameras: divide it")
        if job.form is Form.MP4 and job.asked_span_us > MAX_FILE_US:
            raise BadInput("one film holds at most 24 hours: ask for zip, which holds several")

    async def jobs(self) -> list[Job]:
        """All that are remembered, the newest first."""
        return sorted(map(job_of, await self._all()), key=lambda job: (job.asked_us, job.id), reverse=True)

    async def job(self, job_id: str) -> Job:
        """One job; raises NotFound."""
        return job_of(await self._records.record(EXPORT, job_id))

    async def change(self, job_id: str, decide: Callable[[Job], Job]) -> Job:
        """Makes a job what `decide` makes of it, read anew as often as somebody was faster; passes on what `decide` raises."""
        for _ in range(_TRIES):
            record = await self._records.record(EXPORT, job_id)
            before = job_of(record)
            after = decide(before)
            if after == before:
                return before
            try:
                await self._records.put_record(record.changed(job_values(after)))
            except Conflict:
                continue
            return after
        raise Conflict(f"export {job_id} changes too often; try again")

    async def beat(self, job_id: str, decide: Callable[[Job], Job]) -> Job:
        """The same, and a new revision even if nothing changes: others see by it that the job is worked on."""
        for _ in range(_TRIES):
            record = await self._records.record(EXPORT, job_id)
            after = decide(job_of(record))
            try:
                await self._records.put_record(record.changed(job_values(after)))
            except Conflict:
                continue
            return after
        raise Conflict(f"export {job_id} changes too often; try again")

    async def revisions(self) -> dict[str, int]:
        """The revisions of jobs that run, by id."""
        return {record.id: record.revision for record in await self._all() if job_of(record).state is State.RUNNING}

    async def forget(self) -> None:
        """Removes jobs that ended longer ago than they are remembered."""
        before_us = self._clock.now_us() - self.rules.remember_days * US_PER_DAY
        for record in await self._all():
            job = job_of(record)
            if not job.state.waits and job.state is not State.DONE and job.ended_us < before_us:
                try:
                    await self._records.remove_record(record)
                except (Conflict, NotFound):
                    continue

    async def _all(self) -> Sequence[Record]:
        return await self._records.records(EXPORT)


class Exports(NamedTuple):
    """What the routes stand on: the queue, and the pool of results."""

    queue: ExportQueue
    results: ResultStore
