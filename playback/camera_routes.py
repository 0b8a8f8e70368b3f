"""`GET /cameras` and `GET /cameras/{camera}`: the camera archive with what each camera is doing; never an address of a camera."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from playback.access import Asker, needs
from playback.asked import CameraId
from playback.problems import described
from playback.services import Given, Services
from segments.access import Reach, Verb
from segments.clock import iso
from segments.keys import CAMERA_ID
from segments.model import Camera, CameraState, Cause
from segments.ports import CameraFilter
from segments.scoped import cameras_of_scope
from segments.takeover import Standing, read_standing, recorded_elsewhere, recorded_here

router = APIRouter()


class State(BaseModel):
    """What a camera is doing, since when, and why if it is not recording."""

    state: CameraState
    cause: Cause | None
    since: str | None = Field(json_schema_extra={"format": "date-time"}, description="None: nothing was ever written of this camera")
    detail: str


class CameraView(BaseModel):
    """A camera of the archive."""

    id: str
    name: str
    camera_class: int = Field(alias="class")
    area: str
    owner: str
    latitude: float | None
    longitude: float | None
    tier: str
    tags: list[str]
    enabled: bool
    home: str = Field(description="The site whose camera it is; empty: this one")
    twice: bool = Field(description="Recorded by two nodes at once")
    state: State


class CameraPage(BaseModel):
    """Cameras in order of id; `next` is the `after` of the next page."""

    cameras: list[CameraView]
    next: str | None


ClassQuery = Annotated[int | None, Query(alias="class", ge=1, le=3)]
AreaQuery = Annotated[str, Query(max_length=512, description="Path of areas, outermost first, joined by `/`; with all areas below it")]
AfterQuery = Annotated[str, Query(pattern=f"^({CAMERA_ID.pattern})?$", description="The `next` of the page before")]
LimitQuery = Annotated[int, Query(ge=1, le=1000)]


@router.get("/cameras", dependencies=needs(Verb.LIST, reach=Reach.SCOPE))
async def cameras(
    services: Given, asker: Asker, camera_class: ClassQuery = None, area: AreaQuery = "", after: AfterQuery = "", limit: LimitQuery = 100
) -> CameraPage:
    """Those of your scope in order of id, a page at a time."""
    page = await cameras_of_scope(asker.scope, services.index, CameraFilter(camera_class, area), after=after, limit=limit)
    standing = await read_standing(services.index)
    return CameraPage(cameras=[await _view(services, camera, standing) for camera in page.items], next=page.next)


@router.get("/cameras/{camera}", dependencies=needs(Verb.LIST), responses=described(404))
async def camera(services: Given, camera: CameraId) -> CameraView:
    """One camera."""
    return await _view(services, await services.index.camera(camera), await read_standing(services.index))


async def _view(services: Services, camera: Camera, standing: Standing) -> CameraView:
    return CameraView.model_validate(
        {
            "id": camera.id,
            "name": camera.name,
            "class": camera.camera_class,
            "area": camera.area,
            "owner": camera.owner,
            "latitude": camera.latitude,
            "longitude": camera.longitude,
            "tier": camera.tier,
            "tags": list(camera.tags),
            "enabled": camera.enabled,
            "home": camera.home,
            "twice": camera.twice,
            "state": await _state(services, camera, standing),
        }
    )


async def _state(services: Services, camera: Camera, standing: Standing) -> State:
    """The last state written of a camera; one of which nothing was written has not begun yet. What another site records is stopped here,
    whatever was written when it was recorded here last."""
    now_us = services.clock.now_us()
    if camera.enabled and not recorded_here(camera, standing):
        since_us = max((span.start_us for span in recorded_elsewhere(camera, standing, now_us)), default=0)
        return State(state=CameraState.STOPPED, cause=Cause.ELSEWHERE, since=iso(since_us) if since_us else None, detail="")
    change = await services.index.state_before(camera.id, now_us)
    if change is None:
        cause = Cause.UNKNOWN if camera.enabled else Cause.DISABLED
        return State(state=CameraState.STOPPED, cause=cause, since=None, detail="")
    return State(state=change.state, cause=change.cause, since=iso(change.at_us), detail=change.detail)
