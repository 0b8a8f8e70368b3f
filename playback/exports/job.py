"""An export job as a value: what is asked for, how far it is, and which change may follow which. Pure.

queued -> running -> done -> expired; running -> queued where it was interrupted; queued or running -> failed or cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from segments.clock import US_PER_HOUR
from segments.errors import Conflict
from segments.model import Span
from segments.record import Record

EXPORT = "export"
"""The kind of their records."""


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def waits(self) -> bool:
        """Whether it is still to become something."""
        return self in (State.QUEUED, State.RUNNING)


class Form(StrEnum):
    """What the result is: one film, or an archive of several with a manifest."""

    MP4 = "mp4"
    ZIP = "zip"


class Item(NamedTuple):
    """A camera and the time wanted of it."""

    camera: str
    start_us: int
    end_us: int

    @property
    def span(self) -> Span:
        """The time wanted."""
        return Span(self.start_us, self.end_us)


class Transcoding(NamedTuple):
    """How pictures are made anew, as H.264: at most so high, at about so many bits a second (0: as they are), and with a watermark."""

    height: int = 0
    bitrate_bps: int = 0
    watermark: bool = False


class Result(NamedTuple):
    """A finished result: its size and hash, and how it lies in its pool."""

    size: int
    sha256: str
    part_bytes: int
    parts: int


@dataclass(frozen=True, slots=True)
class Job:
    """An export somebody asked for. `said` is why it failed, or was put off, in a sentence.

    `attempt` counts how often it was begun, `tries` how often without an orderly end; `holder` is the program at work. Bytes are those read
    of footage, seconds those of film made.
    """

    id: str
    subject: str
    name: str
    unit: str
    reason: str
    asked_us: int
    items: tuple[Item, ...]
    form: Form
    transcoding: Transcoding | None = None
    state: State = State.QUEUED
    attempt: int = 0
    tries: int = 0
    holder: str = ""
    progress: float = 0.0
    read_bytes: int = 0
    made_s: float = 0.0
    said: str = ""
    ended_us: int = 0
    expires_us: int = 0
    result: Result | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        """All its cameras, each once, in the order asked."""
        return tuple(dict.fromkeys(item.camera for item in self.items))

    @property
    def asked_span_us(self) -> int:
        """How much footage is asked for, over all cameras."""
        return sum(item.end_us - item.start_us for item in self.items)


class Rules(NamedTuple):
    """The limits of jobs, results and what is remembered of them."""

    waiting: int = 100
    waiting_per_subject: int = 10
    span_hours: int = 24 * 7
    keep_hours: int = 48
    remember_days: int = 30
    attempts: int = 3


# --- what may follow what ---


def claimed(job: Job, holder: str, *, seen_attempt: int) -> Job:
    """The job in the hands of a program; raises Conflict if it ended, or somebody else has begun it since it was seen."""
    if not job.state.waits or job.attempt != seen_attempt:
        raise Conflict(f"export {job.id} is {job.state}, begun {job.attempt} times")
    begun = replace(job, state=State.RUNNING, attempt=job.attempt + 1, tries=job.tries + 1, holder=holder)
    return told(begun, 0.0, 0, 0.0)


def ours(job: Job, mine: Job) -> Job:
    """The job as it is now, if the work begun as `mine` still counts; else raises Conflict."""
    if job.state is not State.RUNNING or (job.holder, job.attempt) != (mine.holder, mine.attempt):
        raise Conflict(f"export {job.id} is {job.state} and no longer ours")
    return job


def told(job: Job, share: float, read_bytes: int, made_s: float) -> Job:
    """The job, so far done."""
    return replace(job, progress=share, read_bytes=read_bytes, made_s=made_s, said="")


def put_off(job: Job, said: str = "") -> Job:
    """The job in the queue again: after a passing fault, which `said` tells of, or because its program ends in order."""
    return replace(job, state=State.QUEUED, holder="", progress=0.0, said=said, tries=job.tries - (not said))


def done(job: Job, result: Result, rules: Rules, now_us: int) -> Job:
    """The job with its result."""
    expires_us = now_us + rules.keep_hours * US_PER_HOUR
    return replace(job, state=State.DONE, holder="", progress=1.0, result=result, ended_us=now_us, expires_us=expires_us, said="")


def failed(job: Job, said: str, now_us: int) -> Job:
    """The job given up."""
    return replace(job, state=State.FAILED, holder="", said=said, ended_us=now_us)


def ended(job: Job, now_us: int) -> Job:
    """The job as its owner ends it: one that waits or runs is cancelled, the result of one that is done is let go; others stay."""
    if job.state.waits:
        return replace(job, state=State.CANCELLED, holder="", ended_us=now_us)
    return replace(job, state=State.EXPIRED) if job.state is State.DONE else job


def expired(job: Job, now_us: int) -> Job:
    """The job after its result's time; raises Conflict before that."""
    if job.state is not State.DONE or now_us < job.expires_us:
        raise Conflict(f"export {job.id} is {job.state} and not past its time")
    return replace(job, state=State.EXPIRED)


# --- choosing ---


def next_jobs(jobs: Sequence[Job], abandoned: frozenset[str]) -> list[Job]:
    """What to begin, in order: of each subject one job before anybody's second, the oldest first; then those others have abandoned count
    as waiting where they stood."""
    waiting = sorted(
        (job for job in jobs if job.state is State.QUEUED or (job.state is State.RUNNING and job.id in abandoned)),
        key=lambda job: (job.asked_us, job.id),
    )
    turns = dict.fromkeys((job.subject for job in waiting), 0)
    for job in jobs:
        if job.state is State.RUNNING and job.id not in abandoned:
            turns[job.subject] = turns.get(job.subject, 0) + 1
    ranked = []
    for job in waiting:
        ranked.append((turns[job.subject], job.asked_us, job.id, job))
        turns[job.subject] += 1
    return [job for *_, job in sorted(ranked, key=lambda each: each[:3])]


# --- records ---


def job_values(job: Job) -> dict[str, Any]:
    """What its record says; `job_of` gives it back."""
    return asdict(job)


def job_of(record: Record) -> Job:
    """The job of a record."""
    values = record.values
    return Job(
        **values
        | {
            "items": tuple(Item(*item) for item in values["items"]),
            "form": Form(values["form"]),
            "state": State(values["state"]),
            "transcoding": Transcoding(*values["transcoding"]) if values["transcoding"] else None,
            "result": Result(*values["result"]) if values["result"] else None,
        }
    )
