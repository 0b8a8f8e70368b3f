"""`/holds`: placing, finding, extending and lifting legal holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from retention.asked import MAX_TEXT, Body, By, Day, Doors, Given, Reason
from retention.hold_report import HoldReport, HoldSearch, listed, report
from retention.holds import HoldOrder, Placed, approve_lift, extend, lift, place
from retention.policies import Signed
from retention.taking_back import Stretch
from segments.clock import from_datetime, iso
from segments.hold import FOR_EVER_US, HOLDS, Hold, hold_of
from segments.keys import CAMERA_ID

HoldId = Annotated[str, Path(alias="hold", pattern=r"^[A-Za-z0-9-]{1,64}$", description="Id of a hold")]
_Camera = Annotated[str, Field(pattern=f"^{CAMERA_ID.pattern}$")]
_Area = Annotated[str, Field(min_length=1, max_length=512)]


class HoldWanted(Body):
    """A hold as it is asked for: cameras, areas, or both; without `to` it has no end."""

    case: str = Field(min_length=1, max_length=256)
    reason: str = Field(min_length=1, max_length=MAX_TEXT)
    start: AwareDatetime = Field(alias="from")
    end: AwareDatetime | None = Field(None, alias="to")
    cameras: list[_Camera] = Field(default_factory=list, max_length=20_000)
    areas: list[_Area] = Field(default_factory=list, max_length=1_000)
    review: Day | None = None


class Extension(Reason):
    """A later end (`to`), another review date, or both."""

    end: AwareDatetime | None = Field(None, alias="to")
    review: Day | None = None


class ChangeView(BaseModel):
    """What was done to a hold."""

    at: str = Field(json_schema_extra={"format": "date-time"})
    by: str
    what: str
    why: str


class HoldView(BaseModel):
    """A hold. `to` is null where it has no end, `lifted` is null while it stands."""

    id: str
    case: str
    reason: str
    placed_by: str
    placed: str = Field(json_schema_extra={"format": "date-time"})
    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    end: str | None = Field(alias="to")
    cameras: list[str]
    areas: list[str]
    review: date | None
    lifted: str | None
    lifted_by: str
    approved_by: str
    changes: list[ChangeView]


class StretchView(BaseModel):
    """Footage of a camera."""

    camera: str
    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    end: str = Field(alias="to", json_schema_extra={"format": "date-time"})


class PlacedView(BaseModel):
    """A hold that binds, and what it found on its way to deletion."""

    hold: HoldView
    covered: list[str] = Field(description="All cameras it covers now")
    empty_areas: list[str] = Field(description="Areas of it that have no camera yet")
    taken_back: int = Field(description="Camera-days that were on their way to deletion and stay")
    too_late: list[StretchView] = Field(description="Footage whose deletion had begun")
    deleted: list[StretchView] = Field(description="Footage of its time that was deleted before")


class LiftingView(BaseModel):
    """A hold that was lifted, or stands until another person approves."""

    hold: HoldView
    waits_for_approval: bool


class ReportView(BaseModel):
    """What a hold keeps just now."""

    hold: HoldView
    cameras: int
    camera_days: int
    segments: int
    stored_bytes: int = Field(alias="bytes")
    deleted: list[StretchView]
    locks: str = Field(description="How many of its segments the store itself keeps")


def hold_routes(doors: Doors) -> APIRouter:
    """The routes, behind what stands before them."""
    router = APIRouter()
    router.get("/holds", **doors.look())(holds)
    router.post("/holds", status_code=201, **doors.change())(place_hold)
    router.get("/holds/report", **doors.look(404))(report_case)
    router.get("/holds/{hold}", **doors.look(404))(hold)
    router.post("/holds/{hold}/extension", **doors.change(404, 409))(extend_hold)
    router.post("/holds/{hold}/lifting", **doors.change(404, 409))(lift_hold)
    router.post("/holds/{hold}/approval", **doors.change(404, 409))(approve)
    return router


_Text = Annotated[str, Query(max_length=512)]


async def holds(
    services: Given,
    case: _Text = "",
    camera: Annotated[str, Query(pattern=f"^({CAMERA_ID.pattern})?$")] = "",
    area: _Text = "",
    standing: bool | None = None,
    review_before: Day | None = None,
) -> list[HoldView]:
    """Holds, the newest first."""
    found = await listed(HoldSearch(case, camera, area, standing, review_before), services.index)
    return [_view(each) for each in found]


async def place_hold(services: Given, by: By, wanted: HoldWanted) -> PlacedView:
    """Places a hold. It binds when this answers, whatever the answer is but for 4xx."""
    order = HoldOrder(
        case=wanted.case,
        reason=wanted.reason,
        by=by,
        start_us=from_datetime(wanted.start),
        end_us=FOR_EVER_US if wanted.end is None else from_datetime(wanted.end),
        cameras=tuple(wanted.cameras),
        areas=tuple(wanted.areas),
        review=wanted.review,
    )
    return _placed(await place(order, index=services.index, now_us=services.clock.now_us()))


async def hold(services: Given, hold: HoldId) -> HoldView:
    """One hold, with all that was done to it."""
    return _view(hold_of(await services.index.record(HOLDS, hold)))


async def extend_hold(services: Given, by: By, hold: HoldId, wanted: Extension) -> PlacedView:
    """Moves the end of a standing hold on, or sets its review date."""
    signed = Signed(by, wanted.reason, services.clock.now_us())
    end_us = None if wanted.end is None else from_datetime(wanted.end)
    return _placed(await extend(hold, signed, index=services.index, end_us=end_us, review=wanted.review))


async def lift_hold(services: Given, by: By, hold: HoldId, why: Reason) -> LiftingView:
    """Lifts a hold, or asks for it where the tier of its footage wants a second person."""
    lifting = await lift(hold, Signed(by, why.reason, services.clock.now_us()), index=services.index)
    return LiftingView(hold=_view(lifting.hold), waits_for_approval=lifting.waits_for_approval)


async def approve(services: Given, by: By, hold: HoldId) -> HoldView:
    """Approves what another person asked for: the hold is lifted."""
    return _view(await approve_lift(hold, by=by, index=services.index, now_us=services.clock.now_us()))


async def report_case(services: Given, case: Annotated[str, Query(min_length=1, max_length=256)]) -> list[ReportView]:
    """What the holds of a case keep; reads all their rows."""
    return [_reported(each) for each in await report(case, index=services.index, now_us=services.clock.now_us())]


def _view(hold: Hold) -> HoldView:
    return HoldView.model_validate(
        {
            "id": hold.id,
            "case": hold.case,
            "reason": hold.reason,
            "placed_by": hold.placed_by,
            "placed": iso(hold.placed_us),
            "from": iso(hold.start_us),
            "to": None if hold.end_us >= FOR_EVER_US else iso(hold.end_us),
            "cameras": list(hold.cameras),
            "areas": list(hold.areas),
            "review": hold.review,
            "lifted": iso(hold.lifted_us) if hold.lifted_us else None,
            "lifted_by": hold.lifted_by,
            "approved_by": hold.approved_by,
            "changes": [{"at": iso(each.at_us), "by": each.by, "what": each.what, "why": each.why} for each in hold.changes],
        }
    )


def _placed(placed: Placed) -> PlacedView:
    back = placed.back
    return PlacedView(
        hold=_view(placed.hold),
        covered=list(placed.cameras),
        empty_areas=list(placed.empty_areas),
        taken_back=len(back.camera_days),
        too_late=_stretches(back.too_late),
        deleted=_stretches(back.deleted),
    )


def _stretches(stretches: Sequence[Stretch]) -> list[StretchView]:
    return [StretchView.model_validate({"camera": each.camera, "from": iso(each.start_us), "to": iso(each.end_us)}) for each in stretches]


def _reported(found: HoldReport) -> ReportView:
    return ReportView.model_validate(
        {
            "hold": _view(found.hold),
            "cameras": found.cameras,
            "camera_days": found.camera_days,
            "segments": found.segments,
            "bytes": found.stored_bytes,
            "deleted": _stretches(found.deleted),
            "locks": str(found.locks),
        }
    )
