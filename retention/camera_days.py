"""Reading what a camera's days were: footage from runs, without what receipts say is gone, and the cause of everything else.

A UTC month at a time, so that what is in memory is never more than a month of one camera.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from retention.civil_days import Told, told
from segments.clock import day_of, day_start_us
from segments.coverage import Facts, coverage
from segments.errors import BadInput
from segments.model import Camera, CameraState, Cause, Span, StateChange
from segments.ports import ReadReceipts, Runs, States
from segments.receipt import joined_spans
from segments.takeover import ALONE, Standing, recorded_elsewhere
from segments.timeline import deleted_between, footage_of_runs, months, outside, runs_between, states_between


class DaysIndex(Runs, States, ReadReceipts, Protocol):
    """What is read of a camera."""


async def parts_of(index: DaysIndex, camera: Camera, span: Span, now_us: int, standing: Standing = ALONE) -> list[Told]:
    """What every moment of a span was, in order; by `standing`, when another site was to record the camera.

    Raises BadInput, naming the camera, if a month holds more than can be read.
    """
    elsewhere = recorded_elsewhere(camera, standing, now_us) if camera.enabled else ()
    edges_us = [span.start_us, *(day_start_us(month) for month in months(span)[1:]), span.end_us]
    parts: list[Told] = []
    for start_us, end_us in pairwise(edges_us):
        try:
            parts += await _parts_within(index, camera, Span(start_us, end_us), now_us, elsewhere)
        except BadInput as error:
            raise BadInput(f"camera {camera.id}, {day_of(start_us):%Y-%m}: {error}") from None
    return parts


async def _parts_within(index: DaysIndex, camera: Camera, span: Span, now_us: int, elsewhere: Sequence[Span]) -> list[Told]:
    deleted = await deleted_between(index, camera.id, span)
    early = await _early(index, camera.id, deleted) if deleted else []
    runs, states = await asyncio.gather(runs_between(index, camera.id, span), states_between(index, camera.id, span))
    footage = outside(footage_of_runs(runs), deleted)
    facts = Facts(footage, states or _before_any_recorder(camera), camera.added_us, now_us, deleted, elsewhere)
    return await asyncio.to_thread(lambda: list(told(coverage(span, facts), early, camera.added_us)))


async def _early(index: ReadReceipts, camera_id: str, deleted: Sequence[Span]) -> list[Span]:
    """What of this went before it was due. Whole receipts are large, so only months with deletions are asked for them."""
    early: list[Span] = []
    for month in sorted({month for span in deleted for month in months(span)}):
        for receipt in await index.receipts(camera_id, month):
            early += receipt.spans if not receipt.when_due else []
    return joined_spans(early)


def _before_any_recorder(camera: Camera) -> list[StateChange]:
    """What is known of a camera that no recorder has ever spoken of."""
    return [] if camera.enabled else [StateChange(camera.id, camera.added_us, CameraState.STOPPED, Cause.DISABLED)]
