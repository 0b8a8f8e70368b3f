"""How far a webhook has been told of a source (a camera, all holds, all exports). Pure.

A source is a set of happenings, each at a moment; they may appear in any order, up to a look-back late. Told is what lies before the
watermark, and what is marked behind it. Nothing is told out of the source's order but what appears late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

MAX_MARKS = 4000
"""So many happenings are remembered behind a watermark; of more the oldest are passed, and what appears late among them is not told."""


class Happening(NamedTuple):
    """Something of a source: when, and a mark that nothing else of the source has. In order of time."""

    at_us: int
    mark: str


@dataclass(frozen=True, slots=True)
class Head:
    """The happening that is being told just now and could not be: how often it was tried, and when it is tried again."""

    mark: str
    attempts: int
    next_us: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything before `watermark_us` was told, and all of `marks` (mark to moment), which lie behind it."""

    watermark_us: int
    marks: Mapping[str, int] = field(default_factory=dict)
    head: Head | None = None

    def untold(self, happened: Iterable[Happening]) -> list[Happening]:
        """What is still to be told, in order."""
        return sorted(one for one in happened if one.at_us >= self.watermark_us and one.mark not in self.marks)

    def told(self, one: Happening) -> Cursor:
        """After one was told, or given up."""
        return replace(self, marks={**self.marks, one.mark: one.at_us}, head=None)

    def failed(self, one: Happening, next_us: int) -> Cursor:
        """After one could not be told."""
        attempts = self.head.attempts if self.head is not None and self.head.mark == one.mark else 0
        return replace(self, head=Head(one.mark, attempts + 1, next_us))

    def moved(self, untold: Sequence[Happening], horizon_us: int) -> Cursor:
        """Its watermark brought forward to the horizon (before it nothing appears any more), never past what is untold."""
        newest = sorted(self.marks.values())[-MAX_MARKS:]
        full_us = newest[0] if len(self.marks) > MAX_MARKS else 0
        wanted_us = min([max(horizon_us, full_us), *(one.at_us for one in untold)])
        watermark_us = max(self.watermark_us, wanted_us)
        return replace(self, watermark_us=watermark_us, marks={mark: at_us for mark, at_us in self.marks.items() if at_us >= watermark_us})


def cursor_values(cursor: Cursor) -> dict[str, Any]:
    """What its record says; `cursor_of` gives it back."""
    head = [cursor.head.mark, cursor.head.attempts, cursor.head.next_us] if cursor.head else None
    return {"watermark_us": cursor.watermark_us, "marks": dict(cursor.marks), "head": head}


def cursor_of(values: Mapping[str, Any]) -> Cursor:
    """The cursor of a record."""
    return Cursor(values["watermark_us"], values["marks"], Head(*values["head"]) if values["head"] else None)
