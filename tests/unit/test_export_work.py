"""The work on export jobs, in virtual time: leases, races, restarts, faults, cancelling, expiry."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace

import pytest

from playback.exports import results
from playback.exports.job import Job, Rules, State, ended
from playback.exports.queue import ExportQueue
from playback.exports.results import ResultWriter, all_keys, read_result
from playback.exports.worker import AGAIN_S, LEASE_S, ExportWorker, Progress
from playback.problems import FootageGone, TooMuch
from segments.errors import BadInput, KeepsightError, TryAgain
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.clocks import HandClock
from tests.fakes import SwitchedIndex
from tests.unit.test_export_job import ITEM, JOB
from tests.virtual_time import VirtualClock, run_virtual


class PlainObjects(MemoryObjects):
    """Without threads, which virtual time does not know."""

    async def put(self, key, body, *, sha256, attributes):
        self._objects.setdefault(key, (body, None))
        return ""


@dataclass
class FakeMaker:
    """Writes the name of the attempt, for so many seconds; notes what it began and what was taken from it."""

    seconds: float = 5
    errors: list[KeepsightError] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    async def make(self, job: Job, out: ResultWriter, progress: Progress) -> None:
        name = f"{job.id}/{job.attempt}"
        self.begun.append(name)
        try:
            await out.write(name.encode())
            await asyncio.sleep(self.seconds / 2)
            progress.share = 0.5
            if self.errors:
                raise self.errors.pop(0)
            await asyncio.sleep(self.seconds / 2)
        except asyncio.CancelledError:
            self.stopped.append(name)
            raise


class Site:
    """An index and a pool, and programs that work."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.clock = VirtualClock()
        self.index = MemoryIndex()
        self.objects = PlainObjects()
        self.queue = ExportQueue(self.index, self.clock, rules)
        self.makers: list[FakeMaker] = []
        self.programs: list[asyncio.Task[None]] = []

    def start(self, maker: FakeMaker | None = None, *, running: int = 1, index=None) -> FakeMaker:
        """One more program."""
        made = maker or FakeMaker()
        queue = ExportQueue(index or self.index, self.clock, self.queue.rules)
        write = lambda job: ResultWriter(self.objects, job, self.clock, most_bytes=1000, part_bytes=4)  # noqa: E731
        worker = ExportWorker(queue, made, write, self.objects, self.clock, holder=f"node-{len(self.programs)}")
        self.programs.append(asyncio.create_task(worker.run(running)))
        return made

    async def result(self, job_id: str = JOB.id) -> bytes:
        job = await self.queue.job(job_id)
        found = b"".join([piece async for piece in read_result(self.objects, job, 0, job.result.size)])
        assert hashlib.sha256(found).hexdigest() == job.result.sha256
        return found


def test_a_job_is_made_and_can_be_read() -> None:
    """From the queue to a result in parts, with the progress told on the way."""

    async def story() -> None:
        site = Site()
        site.start()
        await site.queue.ask(JOB)
        await asyncio.sleep(5)
        half = await site.queue.job(JOB.id)
        assert (half.state, half.progress) == (State.RUNNING, 0.5)
        await asyncio.sleep(5)
        made = await site.queue.job(JOB.id)
        assert (made.state, made.progress, made.result.parts) == (State.DONE, 1.0, 3)
        assert await site.result() == b"aaaaaaaa/1"

    run_virtual(story())


def test_several_programs_make_it_once() -> None:
    """Whoever is first has it; with three programs ten jobs are begun ten times."""

    async def story() -> None:
        site = Site(Rules(waiting_per_subject=100))
        makers = [site.start() for _ in range(3)]
        for n in range(10):
            await site.queue.ask(replace(JOB, id=f"job{n:05d}"))
        await asyncio.sleep(60)
        assert {job.state for job in await site.queue.jobs()} == {State.DONE}
        assert len([name for maker in makers for name in maker.begun]) == 10

    run_virtual(story())


def test_what_a_dead_program_had_is_made_anew() -> None:
    """Another program waits for the lease, begins from nothing, and what the dead one left is removed."""

    async def story() -> None:
        site = Site()
        frozen = SwitchedIndex(site.index)
        first = site.start(FakeMaker(seconds=1000), index=frozen)
        await site.queue.ask(JOB)
        await asyncio.sleep(3)
        frozen.away = True
        second = site.start()
        await asyncio.sleep(LEASE_S - 2)
        assert second.begun == []
        await asyncio.sleep(12)
        assert (first.begun, second.begun) == (["aaaaaaaa/1"], ["aaaaaaaa/2"])
        assert await site.result() == b"aaaaaaaa/2"
        await asyncio.sleep(120)
        assert {key.split("/")[1] for key in await all_keys(site.objects)} == {"0002"}

    run_virtual(story())


def test_two_that_work_on_one_job_publish_it_once() -> None:
    """A program that was only cut off comes back and finishes: what it made is thrown away."""

    async def story() -> None:
        site = Site()
        frozen = SwitchedIndex(site.index)
        site.start(FakeMaker(seconds=60), index=frozen)
        await site.queue.ask(JOB)
        await asyncio.sleep(3)
        frozen.away = True
        site.start(FakeMaker(seconds=5))
        await asyncio.sleep(45)
        frozen.away = False
        await asyncio.sleep(60)
        made = await site.queue.job(JOB.id)
        assert (made.state, made.attempt) == (State.DONE, 2)
        assert await site.result() == b"aaaaaaaa/2"

    run_virtual(story())


def test_a_cancelled_job_stops_within_seconds() -> None:
    """Whoever makes it is told at the next beat, and nothing of it is left."""

    async def story() -> None:
        site = Site()
        maker = site.start(FakeMaker(seconds=1000))
        await site.queue.ask(JOB)
        await asyncio.sleep(10)
        await site.queue.change(JOB.id, lambda job: ended(job, site.clock.now_us()))
        await asyncio.sleep(3)
        assert maker.stopped == ["aaaaaaaa/1"]
        assert (await site.queue.job(JOB.id)).state is State.CANCELLED
        await asyncio.sleep(70)
        assert await all_keys(site.objects) == []

    run_virtual(story())


def test_an_orderly_end_gives_the_job_back() -> None:
    """The next program begins it at once, without waiting for a lease, and no try is lost."""

    async def story() -> None:
        site = Site(Rules(attempts=1))
        site.start(FakeMaker(seconds=1000))
        await site.queue.ask(JOB)
        await asyncio.sleep(4)
        site.programs[0].cancel()
        await asyncio.wait(site.programs)
        assert (await site.queue.job(JOB.id)).state is State.QUEUED
        site.start()
        await asyncio.sleep(7)
        assert (await site.queue.job(JOB.id)).state is State.DONE

    run_virtual(story())


def test_a_passing_fault_is_tried_again_and_then_given_up() -> None:
    """After a while, so many times; the sentence says why. A fault for good is not tried again."""

    async def story() -> None:
        site = Site(Rules(attempts=2))
        maker = site.start(FakeMaker(errors=[TryAgain("the pool is away")] * 2 + [BadInput("too large")]))
        await site.queue.ask(JOB)
        await asyncio.sleep(2 * AGAIN_S + 20)
        job = await site.queue.job(JOB.id)
        assert (job.state, job.said) == (State.FAILED, "given up after 2 attempts: the pool is away")
        await site.queue.ask(replace(JOB, id="bbbbbbbb"))
        await asyncio.sleep(10)
        job = await site.queue.job("bbbbbbbb")
        assert (job.state, job.said) == (State.FAILED, "too large")
        assert maker.begun == ["aaaaaaaa/1", "aaaaaaaa/2", "bbbbbbbb/1"]

    run_virtual(story())


def test_a_result_is_removed_after_its_time() -> None:
    """Its bytes go; that there was a job is remembered."""

    async def story() -> None:
        site = Site(Rules(keep_hours=1))
        site.start()
        await site.queue.ask(JOB)
        await asyncio.sleep(3000)
        assert await site.result()
        await asyncio.sleep(800)
        job = await site.queue.job(JOB.id)
        assert (job.state, await all_keys(site.objects)) == (State.EXPIRED, [])

    run_virtual(story())


async def test_jobs_are_forgotten_in_the_end() -> None:
    """Those that ended so long ago; not what waits, nor a result that is still there."""
    clock, index = HandClock(), MemoryIndex()
    queue = ExportQueue(index, clock, Rules(remember_days=30))
    for state in State:
        await queue.ask(replace(JOB, id=f"job-{state}", state=state, ended_us=clock.now_us()))
    clock.move(30 * 86_400 - 1)
    await queue.forget()
    assert len(await queue.jobs()) == len(State)
    clock.move(2)
    await queue.forget()
    assert {job.state for job in await queue.jobs()} == {State.QUEUED, State.RUNNING, State.DONE}


def test_a_result_that_lost_a_part_is_not_given() -> None:
    """Who reads is told, instead of getting less."""

    async def story() -> None:
        site = Site()
        site.start()
        await site.queue.ask(JOB)
        await asyncio.sleep(10)
        await site.objects.delete([f"{JOB.id}/0001/000001"])
        with pytest.raises(FootageGone):
            await site.result()

    run_virtual(story())


def test_too_large_a_result_fails() -> None:
    """The writer refuses the byte over the limit."""

    async def story() -> None:
        out = ResultWriter(PlainObjects(), JOB, VirtualClock(), most_bytes=8, part_bytes=4)
        await out.write(b"12345678")
        with pytest.raises(BadInput, match="larger than 8 bytes"):
            await out.write(b"9")

    run_virtual(story())


@pytest.mark.parametrize(("start", "end"), [(0, 10), (0, 4), (3, 5), (4, 8), (9, 10), (2, 10)])
def test_a_range_is_read_over_parts(start: int, end: int) -> None:
    """The bytes asked for, wherever parts begin."""

    async def story() -> None:
        objects = PlainObjects()
        out = ResultWriter(objects, JOB, VirtualClock(), most_bytes=100, part_bytes=4)
        await out.write(b"0123456")
        await out.write(b"789")
        job = replace(JOB, result=await out.finished())
        assert b"".join([piece async for piece in read_result(objects, job, start, end)]) == b"0123456789"[start:end]

    run_virtual(story())


def test_limits_of_the_queue() -> None:
    """So many wait for one, so many in all, and so much footage is in one."""

    async def story() -> None:
        queue = ExportQueue(MemoryIndex(), VirtualClock(), Rules(waiting=3, waiting_per_subject=2, span_hours=1))
        for n in range(2):
            await queue.ask(replace(JOB, id=f"job{n:05d}"))
        with pytest.raises(TooMuch, match="your export jobs"):
            await queue.ask(replace(JOB, id="one-more"))
        await queue.ask(replace(JOB, id="another1", subject="key:2"))
        with pytest.raises(TooMuch, match="export jobs wait"):
            await queue.ask(replace(JOB, id="another2", subject="key:3"))
        with pytest.raises(BadInput, match="1 hours"):
            await queue.ask(replace(JOB, items=(ITEM._replace(end_us=ITEM.start_us + 3601 * 1_000_000),)))

    run_virtual(story())


def test_without_the_attempt_in_the_record_both_would_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: with a check that lets everybody pass, the job that was made twice is published by the wrong one."""
    monkeypatch.setattr("playback.exports.worker.ours", lambda job, mine: job)
    with pytest.raises(AssertionError):
        test_two_that_work_on_one_job_publish_it_once()


def test_leftovers_are_all_but_what_counts() -> None:
    """The attempt of a result, and that under way, stay."""
    jobs = [replace(JOB, id="j1", state=State.DONE, attempt=2), replace(JOB, id="j2", state=State.CANCELLED, attempt=1)]
    keys = ["j1/0001/000000", "j1/0002/000000", "j2/0001/000000", "j3/0001/000000"]
    assert results.leftovers(keys, jobs) == ["j1/0001/000000", "j2/0001/000000", "j3/0001/000000"]
