"""When a camera-day of which something is due is begun: with the rest of it where that is due soon. Pure.

Terms run by civil days, camera-days by UTC. So in most zones the first part of a camera-day falls due a day before the last. All of a
camera-day is taken out of the index by one mark, a part of it by one for each row, so it is worth waiting for: a day at most, never beyond
a ceiling, and not for what pressure takes.
"""

from __future__ import annotations

from retention.plan import DayPlan, Why
from segments.clock import US_PER_DAY, US_PER_HOUR

WAIT_US = US_PER_DAY
"""For so long at most what is due waits for the rest of its camera-day."""

COPIES_AGAIN_US = US_PER_HOUR
"""A missing copy is asked for again after this."""


def next_us(planned: DayPlan, now_us: int) -> int:
    """When the camera-day should be planned again, because more of it may go then; 0 if that is not known (held, or empty)."""
    return min((verdict.until_us for _, verdict in planned.verdicts if verdict.until_us > now_us), default=0)


def again_us(planned: DayPlan, now_us: int) -> int:
    """The same, but sooner where it may be a copy that comes."""
    if any(verdict.why is Why.COPIES for _, verdict in planned.verdicts):
        return min(next_us(planned, now_us), now_us + COPIES_AGAIN_US)
    return next_us(planned, now_us)


def begins(planned: DayPlan, now_us: int) -> bool:
    """Whether what goes of a camera-day goes now; if not, then at `next_us`."""
    if not planned.going or any(verdict.why is Why.PRESSURE for _, verdict in planned.verdicts):
        return bool(planned.going)
    soon_us = next_us(planned, now_us)
    ceiling_us = min(verdict.due.ceiling_us for _, verdict in planned.verdicts if verdict.deletes)
    return not now_us < soon_us <= min(now_us + WAIT_US, ceiling_us)
