"""When the wall clock may be believed, how long a wait has been, and how fast deletes go."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from retention.clock_notes import NOTE_US, accept_clocks, clocks_held, note_clock
from retention.sweep_clock import JUMP_US, STEADY_US, ClockNote, Reading, accepted, gone_back_us, noted
from retention.waits import SURE_S, Waits
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import BadInput
from segments.model import BatchState
from segments.pace import Pace
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_batch
from tests.fakes import SteppedClock, settled

HOUR_US = 3600 * US_PER_S
NOTE = ClockNote(NOON_US, 0, "boot-1")


def reading(wall_us: int, passed_us: int, boot: str = "boot-1", *, synchronised: bool = True) -> Reading:
    """The clocks, so long after the note."""
    return Reading(NOON_US + wall_us, passed_us * 1000, boot, synchronised)


@pytest.mark.parametrize(
    ("now", "held"),
    [
        (reading(HOUR_US, HOUR_US), False),
        (reading(400 * US_PER_DAY, 400 * US_PER_DAY, synchronised=False), False),
        (reading(JUMP_US, 0), False),
        (reading(JUMP_US + 1, 0), True),
        (reading(10 * HOUR_US + JUMP_US + 1, 10 * HOUR_US), True),
        (reading(-30 * US_PER_DAY, HOUR_US), False),
        (reading(5, 5, "boot-2", synchronised=False), True),
        (reading(400 * US_PER_DAY, 5, "boot-2"), False),
    ],
)
def test_what_a_clock_may_gain(now: Reading, held: bool) -> None:
    """On one start of a machine an hour against the monotonic clock, whoever vouches for it; on another what a time source says."""
    assert bool(noted(NOTE, now).held) is held


def test_a_first_note_needs_a_time_source() -> None:
    """Nothing is known of a clock yet: it is believed only if a time source stands behind it."""
    assert not noted(None, reading(0, 0)).held
    assert noted(None, reading(0, 0, synchronised=False)).held


def test_a_clock_that_was_set_is_believed_when_it_has_run_evenly() -> None:
    """Six hours after the jump, with a time source, and not before; a second jump begins anew, and so does another start of the machine."""
    note = noted(NOTE, reading(2 * HOUR_US, 0))
    assert noted(note, reading(2 * HOUR_US + STEADY_US - 1, STEADY_US - 1)).held
    assert not noted(note, reading(2 * HOUR_US + STEADY_US, STEADY_US)).held

    assert noted(note, reading(2 * HOUR_US + STEADY_US, STEADY_US, synchronised=False)).held

    again = noted(note, reading(9 * HOUR_US, 5 * HOUR_US))
    assert noted(again, reading(12 * HOUR_US, 8 * HOUR_US)).held
    assert noted(note, reading(9 * HOUR_US, 7 * HOUR_US, "boot-2")).held
    assert not accepted(note, "Chen").held


def test_a_clock_that_goes_back_is_told_and_believed() -> None:
    """What it says is too early, so nothing goes too early."""
    assert gone_back_us(NOTE, reading(-HOUR_US, HOUR_US)) == 2 * HOUR_US
    assert gone_back_us(NOTE, reading(HOUR_US, HOUR_US)) == 0
    assert gone_back_us(None, reading(0, 0)) == 0
    assert not noted(NOTE, reading(-HOUR_US, HOUR_US)).held


async def test_notes_are_written_when_they_say_something() -> None:
    """Rounds a minute apart write one every five minutes; a jump is written at once, told once, and shown until it is accepted."""
    index = MemoryIndex()
    for minute in range(10):
        await note_clock(index, "sweep.0-of-1", reading(minute * 60 * US_PER_S, minute * 60 * US_PER_S))
    assert (await index.record("sweep-clock", "sweep.0-of-1")).revision == 1 + 9 * 60 * US_PER_S // NOTE_US
    assert (await note_clock(index, "sweep.0-of-1", reading(US_PER_DAY, 600 * US_PER_S))).held
    assert len(await clocks_held(index)) == 1
    with pytest.raises(BadInput, match="named"):
        await accept_clocks(index, " ")
    await accept_clocks(index, "Chen")

    assert await clocks_held(index) == []
    assert not (await note_clock(index, "sweep.0-of-1", reading(US_PER_DAY + 1, 600 * US_PER_S + 1))).held


def test_a_wait_is_over_by_the_monotonic_clock() -> None:
    """A wall clock that is set forward ends a long wait after two minutes and a short one not at all sooner."""
    clock = SteppedClock()
    waits, batch = Waits(clock), a_batch(since_us=NOON_US)
    assert not waits.over(batch, 60)
    clock.start_us += HOUR_US
    clock.stand_still(60)
    assert not waits.over(batch, 60)
    clock.stand_still(1)
    assert waits.over(batch, 60)
    assert not waits.over(batch, 3600)
    clock.stand_still(SURE_S - 60)
    assert waits.over(batch, 3600)


def test_a_wait_of_which_the_beginning_was_not_seen_begins_anew() -> None:
    """A process that has just begun knows nothing; where the wall clock agrees two minutes are enough, else it is the whole wait."""
    clock = SteppedClock()
    early, late = a_batch(since_us=NOON_US - 2 * HOUR_US), a_batch(camera="yard", since_us=NOON_US + US_PER_DAY)
    waits = Waits(clock)
    assert not waits.over(early, 3600)
    assert not waits.over(late, 3600)
    clock.stand_still(SURE_S + 1)
    assert waits.over(early, 3600)
    assert not waits.over(late, 3600)
    assert waits.asleep("yard", late.day)
    clock.stand_still(3600)
    assert not waits.asleep("yard", late.day)
    assert waits.over(late, 3600)


def test_a_batch_in_another_state_waits_anew() -> None:
    """Each state has a beginning of its own, and so has another batch of the same camera-day."""
    clock = SteppedClock()
    waits, batch = Waits(clock), a_batch(since_us=NOON_US)
    waits.saw(batch)
    clock.stand_still(100)

    assert waits.over(batch, 60)
    assert not waits.over(replace(batch, state=BatchState.UNPUBLISHED), 60)
    assert not waits.over(replace(batch, decided_us=5), 60)


async def test_no_more_than_so_many_go_a_second() -> None:
    """A second's worth goes at once; after that each waits for its share."""
    clock = SteppedClock()
    pace = Pace(100, clock)
    done = []

    async def work() -> None:
        for number in range(6):
            await pace.take(50)
            done.append((number, clock.passed_ns // 10**6))

    task = asyncio.create_task(work())
    await settled()
    for _ in range(30):
        await clock.pass_(0.1)
    await task

    assert [at for _, at in done] == [0, 0, 0, 500, 1000, 1500]
