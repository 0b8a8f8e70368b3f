"""`/holds`: placing, finding, extending and lifting legal holds."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from retention.asked import MAX_TEXT, Asker, Body, By, Day, Doors, Given, Moment, Reason
from retention.hold_report import HoldSearch, listed, report
from retention.hold_scope import check_wanted, found_hold, narrowed, touching
from retention.hold_values import hold_json, known_json, lifting_json, placed_json, report_json
from retention.holds import HoldOrder, approve_lift, extend, lift, place
from retention.signed import Signed
from segments.access import Reach, Verb
from segments.clock import from_datetime
from segments.hold import FOR_EVER_US
from segments.keys import CAMERA_ID

HoldId = Annotated[str, Path(alias="hold", pattern=r"^[A-Za-z0-9-]{1,64}$", description="Id of a hold")]
_Camera = Annotated[str, Field(pattern=f"^{CAMERA_ID.pattern}$")]
_Area = Annotated[str, Field(min_length=1, max_length=512)]


class HoldWanted(Body):
    """A hold as it is asked for: cameras, areas, or both; without `to` it has no end."""

    case: str = Field(min_length=1, max_length=256)
    reason: str = Field(min_length=1, max_length=MAX_TEXT)
    start: Moment = Field(alias="from")
    end: Moment | None = Field(None, alias="to")
    cameras: list[_Camera] = Field(default_factory=list, max_length=20_000)
    areas: list[_Area] = Field(default_factory=list, max_length=1_000)
    review: Day | None = None


class Extension(Reason):
    """A later end (`to`), another review date, or both."""

    end: Moment | None = Field(None, alias="to")
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
    seen: list[str] = Field(description="Cameras its areas had when it was placed: they stay covered where they are moved to")
    review: date | None
    stands: bool
    lifted: str | None
    lifted_by: str
    lifted_reason: str
    approved_by: str
    changes: list[ChangeView]


class StretchView(BaseModel):
    """Footage of a camera."""

    camera: str
    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    end: str = Field(alias="to", json_schema_extra={"format": "date-time"})


class SiteView(BaseModel):
    """Whether a hold binds at another site as it was answered here; if not, why."""

    site: str
    bound: bool
    why: str
    gone: list[StretchView] = Field(description="Footage of its time that it came too late for there, when it was told")
    looking: bool = Field(description="Whether that site is still looking for more of that")


class KnownHoldView(HoldView):
    """A hold, and which other sites have it so."""

    sites: list[SiteView]


class CameraDayView(BaseModel):
    """A camera-day."""

    camera: str
    day: date


class PlacedView(BaseModel):
    """A hold that binds, and what it found on its way to deletion."""

    hold: HoldView
    covered: list[str] = Field(description="All cameras it covers now")
    empty_areas: list[str] = Field(description="Areas of it that have no camera yet")
    taken_back: list[CameraDayView] = Field(description="Camera-days that were on their way to deletion and stay")
    too_late: list[StretchView] = Field(description="Footage whose deletion had begun")
    deleted: list[StretchView] = Field(description="Footage of its time that was deleted before")
    sites: list[SiteView] = Field(description="Where else it binds now; a site that did not answer learns of it when it does")


class LiftingView(BaseModel):
    """A hold that was lifted, or stands until another person approves."""

    hold: HoldView
    waits_for_approval: bool
    sites: list[SiteView] = Field(description="Which other sites know; one that did not answer holds on until it does")


class LocksView(BaseModel):
    """Locks of a hold in the store itself, segment by segment."""

    set: int
    of: int
    refused: int = Field(description="By the store")
    unlockable: int = Field(description="In pools that have no locks")
    lifted: bool = Field(description="The hold was lifted, and all its locks are off")


class ReportView(BaseModel):
    """What a hold keeps just now."""

    hold: HoldView
    cameras: int
    camera_days: int
    segments: int
    stored_bytes: int = Field(alias="bytes")
    locks: LocksView
    deleted: list[StretchView]


def hold_routes(doors: Doors) -> APIRouter:
    """The routes, behind what stands before them."""
    router = APIRouter()
    own, hold_verb = Reach.SCOPE, Verb.HOLD
    router.get("/holds", **doors.look(404, reach=own))(holds)
    router.post("/holds", status_code=201, **doors.change(hold_verb, 404, reach=own))(place_hold)
    router.get("/holds/report", **doors.look(404))(report_case)
    router.get("/holds/{hold}", **doors.look(404, reach=own))(hold)
    router.post("/holds/{hold}/extension", **doors.change(hold_verb, 403, 404, 409, reach=own))(extend_hold)
    router.post("/holds/{hold}/lifting", **doors.change(hold_verb, 403, 404, 409, reach=own))(lift_hold)
    router.post("/holds/{hold}/approval", **doors.change(hold_verb, 403, 404, 409, reach=own))(approve)
    return router


_Text = Annotated[str, Query(max_length=512)]


async def holds(
    services: Given,
    asker: Asker,
    case: _Text = "",
    camera: Annotated[str, Query(pattern=f"^({CAMERA_ID.pattern})?$")] = "",
    area: _Text = "",
    standing: bool | None = None,
    review_before: Day | None = None,
) -> list[HoldView]:
    """Holds that touch your scope, the newest first; of their cameras and areas, those that lie in it."""
    await check_wanted([camera] if camera else [], [], asker.scope, services.index)
    found = await listed(HoldSearch(case, camera, area, standing, review_before), services.index)
    told = [hold_json(each) for each in found if await touching(each, asker.scope, services.index)]
    return [HoldView.model_validate(each) for each in await narrowed(told, asker.scope, services.index)]


async def place_hold(services: Given, asker: Asker, by: By, wanted: HoldWanted) -> PlacedView:
    """Places a hold. After 201 it stands and binds, after 4xx there is none.

    After any other answer, or none at all, it may stand and bind: look for it by its case before placing it again.
    """
    await check_wanted(wanted.cameras, wanted.areas, asker.scope, services.index)
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
    placed = await place(order, index=services.index, now_us=services.clock.now_us(), sites=services.sites)
    return PlacedView.model_validate(await narrowed(placed_json(placed), asker.scope, services.index))


async def hold(services: Given, asker: Asker, hold: HoldId) -> KnownHoldView:
    """One hold, with all that was done to it, and which other sites have it so."""
    found = await found_hold(hold, asker.scope, services.index)
    told = known_json(found, await services.sites.bound(found))
    return KnownHoldView.model_validate(await narrowed(told, asker.scope, services.index))


async def extend_hold(services: Given, asker: Asker, by: By, hold: HoldId, wanted: Extension) -> PlacedView:
    """Moves the end of a standing hold on, or sets its review date."""
    await found_hold(hold, asker.scope, services.index, to_change=True)
    signed = Signed(by, wanted.reason, services.clock.now_us())
    end_us = None if wanted.end is None else from_datetime(wanted.end)
    longer = await extend(hold, signed, index=services.index, end_us=end_us, review=wanted.review, sites=services.sites)
    return PlacedView.model_validate(await narrowed(placed_json(longer), asker.scope, services.index))


async def lift_hold(services: Given, asker: Asker, by: By, hold: HoldId, why: Reason) -> LiftingView:
    """Lifts a hold, or asks for it where the tier of its footage wants a second person."""
    await found_hold(hold, asker.scope, services.index, to_change=True)
    lifting = await lift(hold, Signed(by, why.reason, services.clock.now_us()), index=services.index, sites=services.sites)
    return LiftingView.model_validate(await narrowed(lifting_json(lifting), asker.scope, services.index))


async def approve(services: Given, asker: Asker, by: By, hold: HoldId) -> KnownHoldView:
    """Approves what another person asked for, at this site: the hold is lifted."""
    await found_hold(hold, asker.scope, services.index, to_change=True)
    lifting = await approve_lift(hold, by=by, index=services.index, now_us=services.clock.now_us(), sites=services.sites)
    told = known_json(lifting.hold, lifting.sites)
    return KnownHoldView.model_validate(await narrowed(told, asker.scope, services.index))


async def report_case(services: Given, case: Annotated[str, Query(min_length=1, max_length=256)]) -> list[ReportView]:
    """What the holds of a case keep; reads all their rows."""
    found = await report(case, index=services.index, now_us=services.clock.now_us())
    return [ReportView.model_validate(report_json(each)) for each in found]
