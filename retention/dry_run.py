"""What a sweep would begin now, and why: found and planned as the sweep does it. Nothing is written but what other sites hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Protocol

from retention.copies import NO_COPIES, Copies
from retention.due_days import DueIndex, all_due
from retention.look import Pressed, look, none_pressed, plan, rows_of
from retention.plan import DayPlan, sentence
from retention.sweep_values import SweepShard
from retention.whole_day import begins
from segments.clock import Clock
from segments.ports import Batches


class DryRunIndex(DueIndex, Batches, Protocol):
    """What a dry run reads."""


async def dry_run(
    index: DryRunIndex, clock: Clock, *, pressed: Pressed = none_pressed, copies: Copies = NO_COPIES
) -> AsyncIterator[DayPlan]:
    """The plan of every camera-day of which something would go, the oldest month first; what is on its way already is left out.

    Raises BadInput if no policy binds.
    """
    looked = await look(index, clock, pressed, copies)
    async for each in all_due(index, looked, SweepShard()):
        if await index.batch(*each) is None:
            planned = await plan(index, looked, each.camera, each.date, await rows_of(index, each.camera, each.date))
            if begins(planned, looked.now_us):
                yield planned


def plan_values(planned: DayPlan) -> dict[str, Any]:
    """What of a camera-day would go, as JSON has it."""
    amount = {"segments": len(planned.going), "bytes": sum(row.size for row in planned.going)}
    return {"camera": planned.camera, "day": planned.day.isoformat(), **amount, "whole": planned.whole, "why": why(planned)}


def why(planned: DayPlan) -> list[str]:
    """The reasons of what goes of a camera-day, as sentences, each with how many segments it is of."""
    counted = Counter(sentence(verdict) for _, verdict in planned.verdicts if verdict.deletes)
    return [f"{count} segment{'s' if count > 1 else ''}: {text}" for text, count in counted.items()]
