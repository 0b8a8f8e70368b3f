"""Export jobs as values: which change may follow which, who is next, and what a record keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playback.exports.job import (
    Form,
    Item,
    Job,
    Result,
    Rules,
    State,
    Transcoding,
    claimed,
    done,
    ended,
    expired,
    failed,
    job_of,
    job_values,
    next_jobs,
    ours,
    put_off,
    told,
)
from segments.clock import US_PER_HOUR, US_PER_S
from segments.errors import Conflict
from segments.record import new_record
from tests.builders import NOON_US

ITEM = Item("gate", NOON_US, NOON_US + 10 * US_PER_S)
JOB = Job("aaaaaaaa", "key:1", "张三", "分局", "case 7", NOON_US, (ITEM,), Form.ZIP, Transcoding(720, 500_000, watermark=True))
RESULT = Result(7, "0" * 64, 16, 1)


def test_a_record_keeps_all_of_a_job() -> None:
    """What is written is read back, at every state."""
    running = claimed(JOB, "north", seen_attempt=0)
    for job in (JOB, running, done(running, RESULT, Rules(), NOON_US), replace(JOB, transcoding=None)):
        assert job_of(new_record("export", job.id, job_values(job))) == job


def test_a_job_is_begun_by_one() -> None:
    """Who saw an older attempt comes too late, and nobody begins what has ended."""
    running = claimed(JOB, "north", seen_attempt=0)
    assert (running.state, running.attempt, running.holder) == (State.RUNNING, 1, "north")
    with pytest.raises(Conflict):
        claimed(running, "south", seen_attempt=0)
    assert claimed(running, "south", seen_attempt=1).attempt == 2
    for over in (failed(JOB, "no", NOON_US), ended(JOB, NOON_US), done(running, RESULT, Rules(), NOON_US)):
        with pytest.raises(Conflict):
            claimed(over, "south", seen_attempt=over.attempt)


def test_only_the_attempt_of_the_record_may_go_on() -> None:
    """A program that was taken for dead publishes nothing, nor does one whose job was cancelled."""
    first = claimed(JOB, "north", seen_attempt=0)
    second = claimed(first, "north", seen_attempt=1)
    assert ours(told(second, 0.5, 9, 1.0), second)
    for now in (second, ended(first, NOON_US), put_off(first, "away")):
        with pytest.raises(Conflict):
            ours(now, first)


def test_an_orderly_end_costs_no_try() -> None:
    """A program that is told to stop gives the job back as it had it; a fault counts."""
    running = claimed(JOB, "north", seen_attempt=0)
    assert (put_off(running).tries, put_off(running, "away").tries) == (0, 1)


def test_a_result_has_its_time() -> None:
    """It is kept for as long as the rules say, and not let go before."""
    made = done(claimed(JOB, "north", seen_attempt=0), RESULT, Rules(keep_hours=2), NOON_US)
    with pytest.raises(Conflict):
        expired(made, NOON_US + 2 * US_PER_HOUR - 1)
    assert expired(made, NOON_US + 2 * US_PER_HOUR).state is State.EXPIRED


@pytest.mark.parametrize(
    ("state", "then"),
    [
        (State.QUEUED, State.CANCELLED),
        (State.RUNNING, State.CANCELLED),
        (State.DONE, State.EXPIRED),
        (State.FAILED, State.FAILED),
        (State.CANCELLED, State.CANCELLED),
    ],
)
def test_its_owner_may_end_it_at_any_time(state: State, then: State) -> None:
    """What waits or runs is cancelled, a result is let go, what has ended stays as it was."""
    assert ended(replace(JOB, state=state), NOON_US).state is then


def test_nobody_waits_behind_all_of_another() -> None:
    """Of each subject one job before anybody's second; what runs counts as a turn, what is abandoned is waiting again."""

    def job(name: str, subject: str, asked_s: int, state: State = State.QUEUED) -> Job:
        return replace(JOB, id=name, subject=subject, asked_us=NOON_US + asked_s, state=state)

    jobs = [job("a1", "a", 1), job("a2", "a", 2), job("a3", "a", 3), job("b1", "b", 9), job("c1", "c", 0, State.RUNNING), job("c2", "c", 1)]
    assert [each.id for each in next_jobs(jobs, frozenset())] == ["a1", "b1", "c2", "a2", "a3"]
    assert [each.id for each in next_jobs(jobs, frozenset({"c1"}))][:2] == ["c1", "a1"]
    assert next_jobs([replace(JOB, state=State.DONE)], frozenset()) == []
