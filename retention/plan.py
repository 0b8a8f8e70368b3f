"""What becomes of each segment of a camera-day, and why: kept or deleted, by its end, its terms, the holds and its copies. Pure and total.

In this order: what a hold covers stays. What is under its floor stays, whatever happens. Between floor and keep-for only pressure may take
it, and not where a copy is missing; between keep-for and ceiling only a missing copy may keep it; past the ceiling nothing keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from enum import StrEnum
from typing import NamedTuple

from retention.policy import Choice, Due, due
from segments.clock import day_start_us, iso, to_datetime
from segments.hold import Hold, holding
from segments.model import Camera, Row, RowPosition, Span


class Why(StrEnum):
    """The reason of a verdict."""

    HELD = "held"
    """A hold covers it."""
    FLOOR = "floor"
    """It may not go yet."""
    KEPT = "kept"
    """It may go, but is not due."""
    COPIES = "copies"
    """It is due, and a copy is missing that its tier asks for, or another site may hold it; until its ceiling it waits for that."""
    PRESSURE = "pressure"
    """It may go, and the pool needs the room."""
    DUE = "due"
    CEILING = "ceiling"
    """It is past its ceiling, with a copy missing."""


DELETES = frozenset({Why.PRESSURE, Why.DUE, Why.CEILING})


class Verdict(NamedTuple):
    """Of one segment. `until_us`: when its reason to stay ends (a hold's is not known: 0); 0 for what goes. `holds`: those that keep it."""

    why: Why
    due: Due
    until_us: int = 0
    holds: tuple[str, ...] = ()

    @property
    def deletes(self) -> bool:
        """Whether the segment goes."""
        return self.why in DELETES


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What verdicts depend on beside the segment. `short`: the positions of rows that miss a copy, or may be held elsewhere.

    `pressed`: its pool needs the room.
    """

    now_us: int
    zone: tzinfo
    chosen: Sequence[Choice]
    holds: Sequence[Hold] = ()
    short: Collection[RowPosition] = ()
    pressed: bool = False


@dataclass(frozen=True, slots=True)
class DayPlan:
    """The verdicts of a camera-day, by row, in the order of the rows; each row has one."""

    camera: str
    day: date
    verdicts: Sequence[tuple[Row, Verdict]]

    @property
    def going(self) -> list[Row]:
        """What is to be deleted."""
        return [row for row, verdict in self.verdicts if verdict.deletes]

    @property
    def staying(self) -> list[Row]:
        """What is not."""
        return [row for row, verdict in self.verdicts if not verdict.deletes]

    @property
    def whole(self) -> bool:
        """Whether nothing of the camera-day stays."""
        return bool(self.verdicts) and not self.staying


def plan_day(camera: Camera, day: date, rows: Sequence[Row], circumstances: Circumstances) -> DayPlan:
    """A verdict for each of these rows of a camera-day."""
    dues: dict[date, Due] = {}
    verdicts = []
    for row in rows:
        civil_day = to_datetime(row.end_us - 1).astimezone(circumstances.zone).date()
        if civil_day not in dues:
            dues[civil_day] = due(circumstances.chosen, row.end_us, circumstances.zone)
        held = holding(circumstances.holds, camera, Span(row.start_us, row.end_us)) if circumstances.holds else ()
        verdicts.append((row, judge(dues[civil_day], circumstances, held=held, short=row.position in circumstances.short)))
    return DayPlan(camera.id, day, verdicts)


def judge(times: Due, circumstances: Circumstances, *, held: Sequence[Hold] = (), short: bool = False) -> Verdict:
    """The verdict of a segment with these times."""
    now_us = circumstances.now_us
    if held:
        return Verdict(Why.HELD, times, 0, tuple(hold.id for hold in held))
    if now_us < times.floor_us:
        return Verdict(Why.FLOOR, times, times.floor_us)
    if now_us < times.keep_us:
        return Verdict(Why.PRESSURE, times) if circumstances.pressed and not short else Verdict(Why.KEPT, times, times.keep_us)
    if short:
        return Verdict(Why.COPIES, times, times.ceiling_us) if now_us < times.ceiling_us else Verdict(Why.CEILING, times)
    return Verdict(Why.DUE, times)


def first_look_us(day: date, circumstances: Circumstances) -> int:
    """Before this moment no verdict on a camera-day can be to delete: the earliest a segment that starts in it could go.

    A segment ends after it starts, so none ends before the day begins; and no choice alone lets it go sooner than all together.
    """
    times = due(circumstances.chosen, day_start_us(day) + 1, circumstances.zone)
    return times.floor_us if circumstances.pressed else times.keep_us


def sentence(verdict: Verdict, holds: Sequence[Hold] = (), *, waits_for: str = "") -> str:
    """A verdict for people: what, why, and until when. `holds`: where the names of cases are found; `waits_for`: which copy is missing."""
    times, choice = verdict.due, verdict.due.choice
    if verdict.why is Why.HELD:
        cases = ", ".join(f"{hold.id} (case {hold.case})" for hold in holds if hold.id in verdict.holds) or ", ".join(verdict.holds)
        return f"stays: held by {cases}; without that it would fall due on {iso(times.keep_us)} by {choice}"
    missing = waits_for or "a copy is missing"
    return {
        Why.FLOOR: f"stays: it may not go before {iso(times.floor_us)} and falls due on {iso(times.keep_us)}, by {choice}",
        Why.KEPT: f"stays: it falls due on {iso(times.keep_us)}, by {choice}; only pressure could take it sooner",
        Why.COPIES: f"stays: due since {iso(times.keep_us)} by {choice}, but {missing}; it goes by {iso(times.ceiling_us)}",
        Why.PRESSURE: f"goes: its pool needs the room, and its floor ended on {iso(times.floor_us)}, by {choice}",
        Why.DUE: f"goes: due since {iso(times.keep_us)}, by {choice}",
        Why.CEILING: f"goes: past its ceiling of {iso(times.ceiling_us)}, by {choice}, though {missing}",
    }[verdict.why]
