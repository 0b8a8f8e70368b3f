"""Where footage is asked for at other sites: the stretches of a span that there is none of here. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from segments.clock import US_PER_HOUR
from segments.coverage import UNDER_WAY_US
from segments.model import Footage, Row, Span
from segments.timeline import SLEW_US, outside

NEAR_US = US_PER_HOUR
"""Missing stretches that lie nearer to each other are asked for in one question: of a day so never more than a dozen."""
_NEVER_US = 1 << 62


def missing(span: Span, here: Iterable[Footage | Row], deleted: Iterable[Span], now_us: int) -> list[Span]:
    """The stretches of a span's past without footage here and without a receipt that says that it was deleted; in order.

    Not those that only the slew of a clock made, and not the newest moments behind footage of here, which is on its way.
    """
    known = sorted(Span(one.start_us, one.end_us) for one in (*here, *deleted))
    end_us = min(span.end_us, now_us)
    at_us = span.start_us
    found: list[Span] = []
    for one in known:
        found.append(Span(at_us, min(one.start_us, end_us)))
        at_us = max(at_us, one.end_us)
    if not known or at_us < now_us - UNDER_WAY_US:
        found.append(Span(at_us, end_us))
    return [each for each in found if each.end_us - each.start_us > SLEW_US]


def together(stretches: Sequence[Span]) -> list[Span]:
    """What to ask for: stretches in order, joined where less than `NEAR_US` lies between them."""
    asked: list[Span] = []
    for each in stretches:
        if asked and each.start_us - asked[-1].end_us < NEAR_US:
            asked[-1] = Span(asked[-1].start_us, each.end_us)
        else:
            asked.append(each)
    return asked


def touches(row: Row, stretches: Sequence[Span]) -> bool:
    """Whether a part of a row lies in one of these stretches, which are in order."""
    place = bisect_right(stretches, row.start_us, key=lambda each: each.end_us)
    return place < len(stretches) and stretches[place].start_us < row.end_us


def within(footage: Iterable[Footage], stretches: Sequence[Span]) -> list[Footage]:
    """The parts of footage that lie in these stretches, which are in order."""
    between = zip((0, *(each.end_us for each in stretches)), (*(each.start_us for each in stretches), _NEVER_US), strict=True)
    return outside(footage, [Span(*each) for each in between])
