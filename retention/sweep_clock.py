"""Whether the wall clock may be believed when it says that footage is old enough. Pure.

A clock that runs ahead would delete early. So what it says is compared with what a note of before said: on the same start of a machine by
the monotonic clock, which nobody can set; on another one only by whether a time source stands behind it. What is held back for a jump stays
a little longer, which is the safe side: until a time source stands behind a clock that runs evenly, or somebody accepts it. A clock that
goes back deletes nothing early; it is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from segments.clock import US_PER_S, iso

JUMP_US = 3600 * US_PER_S
"""A wall clock that gains more than this on the monotonic one was set."""
STEADY_US = 6 * 3600 * US_PER_S
"""A clock that was set is believed when it has run evenly for so long with a time source behind it."""


class Reading(NamedTuple):
    """What the clocks say. `boot` names the start of the machine; `synchronised`: a time source stands behind the wall clock."""

    wall_us: int
    monotonic_ns: int
    boot: str
    synchronised: bool


@dataclass(frozen=True, slots=True)
class ClockNote:
    """What the clocks said. `held`: why the wall clock is not believed, '' if it is; `steady_ns`: since when it runs evenly, on `boot`.

    `accepted_by` is who said last that a clock that was set is right.
    """

    wall_us: int
    monotonic_ns: int
    boot: str
    held: str = ""
    steady_ns: int = 0
    accepted_by: str = ""


def noted(before: ClockNote | None, now: Reading) -> ClockNote:
    """The next note."""
    note = ClockNote(now.wall_us, now.monotonic_ns, now.boot, accepted_by=before.accepted_by if before else "")
    if jump := _jump(before, now):
        return replace(note, held=jump, steady_ns=now.monotonic_ns)
    if before is None or not before.held:
        return note
    since_ns = before.steady_ns if before.boot == now.boot and now.synchronised else now.monotonic_ns
    if now.synchronised and (now.monotonic_ns - since_ns) // 1000 >= STEADY_US:
        return note
    return replace(note, held=before.held, steady_ns=since_ns)


def gone_back_us(before: ClockNote | None, now: Reading) -> int:
    """How much the wall clock has gone back since the note, as far as that can be known; 0 if it has not."""
    if before is None:
        return 0
    passed_us = (now.monotonic_ns - before.monotonic_ns) // 1000 if before.boot == now.boot else 0
    return max(0, before.wall_us + passed_us - now.wall_us)


def accepted(note: ClockNote, by: str) -> ClockNote:
    """The note after somebody has said that the clock is right as it is."""
    return replace(note, held="", steady_ns=0, accepted_by=by)


def _jump(before: ClockNote | None, now: Reading) -> str:
    if before is None:
        return (
            "" if now.synchronised else "no time source stands behind this machine's clock, and there is no earlier note to compare it with"
        )
    gained_us = now.wall_us - before.wall_us
    if before.boot == now.boot:
        gained_us -= (now.monotonic_ns - before.monotonic_ns) // 1000
        return f"the clock was set forward, by {gained_us // US_PER_S} s, to {iso(now.wall_us)}" if gained_us > JUMP_US else ""
    if not now.synchronised:
        return f"{gained_us // US_PER_S} s have passed since {iso(before.wall_us)} by a clock without a time source"
    return ""
