"""Finding holds, and what a case keeps: cameras, camera-days, segments, bytes, locks in the store, and what it came too late for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from retention.held import HeldIndex, archived_camera, covered_cameras, kept_days, rows_within, span_until
from retention.lock_progress import LockProgress, lock_progress
from retention.rules import Rules, read_rules
from retention.taking_back import deletable, deleted_of, oldest_kept_us
from segments.errors import NotFound
from segments.hold import HOLDS, Hold, Stretch, hold_of
from segments.model import Camera
from segments.ports import Cameras, ReadReceipts, Records
from segments.shards import bucket_of


@dataclass(frozen=True, slots=True)
class HoldSearch:
    """What a listing is narrowed to; empty: all holds. `area` finds holds on it, on an area around it or below it."""

    case: str = ""
    camera: str = ""
    area: str = ""
    standing: bool | None = None
    review_before: date | None = None


@dataclass(frozen=True, slots=True)
class HoldReport:
    """What one hold keeps just now, and `deleted`: what receipts name of its time."""

    hold: Hold
    cameras: int
    camera_days: int
    segments: int
    stored_bytes: int
    deleted: Sequence[Stretch]
    locks: LockProgress


class ListIndex(Cameras, Records, Protocol):
    """What listing holds needs of an index."""


class ReportIndex(HeldIndex, Records, ReadReceipts, Protocol):
    """What a report needs of an index."""


async def listed(search: HoldSearch, index: ListIndex) -> list[Hold]:
    """The holds of a search, the newest first."""
    holds = [hold_of(record) for record in await index.records(HOLDS)]
    camera = await _known_camera(search.camera, index) if search.camera else None
    return sorted((hold for hold in holds if fits(hold, search, camera)), key=lambda hold: (-hold.placed_us, hold.id))


async def report(case: str, *, index: ReportIndex, now_us: int) -> list[HoldReport]:
    """What the holds of a case keep, the lifted ones included; reads all their rows. Raises NotFound if the case has none."""
    holds = await listed(HoldSearch(case=case), index)
    if not holds:
        raise NotFound(f"no hold is of the case {case!r}")
    rules = await read_rules(index)
    return [await report_of(hold, rules, index=index, now_us=now_us) for hold in holds]


async def report_of(hold: Hold, rules: Rules, *, index: ReportIndex, now_us: int) -> HoldReport:
    """What one hold keeps, or would keep if it still stood."""
    covered = await covered_cameras(hold, rules, index)
    span, wanted = span_until(hold, now_us), {each.camera.id for each in covered}
    days, segments, stored_bytes = 0, 0, 0
    async for kept in kept_days(span, sorted({bucket_of(camera) for camera in wanted}), index):
        rows = await rows_within(span, kept.camera, kept.day, index) if kept.camera in wanted else []
        days += bool(rows)
        segments += len(rows)
        stored_bytes += sum(row.size for row in rows)
    oldest_us = await oldest_kept_us(index, now_us)
    spans = {each.camera.id: deletable(hold, each, oldest_us, now_us) for each in covered}
    deleted = await deleted_of(hold, spans, index)
    return HoldReport(hold, len(covered), days, segments, stored_bytes, deleted, await lock_progress(hold.id, index))


def fits(hold: Hold, search: HoldSearch, camera: Camera | None) -> bool:
    """Whether a search finds a hold; `camera` is the one it names, as it is known."""
    return (
        (not search.case or search.case.casefold() in hold.case.casefold())
        and (camera is None or hold.covers(camera))
        and (not search.area or any(_touch(search.area.strip("/"), area) for area in hold.areas))
        and (search.standing is None or hold.stands is search.standing)
        and (search.review_before is None or (hold.stands and hold.review is not None and hold.review < search.review_before))
    )


def _touch(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


async def _known_camera(camera_id: str, index: ListIndex) -> Camera:
    return (await read_rules(index)).camera(camera_id, await archived_camera(camera_id, index))
