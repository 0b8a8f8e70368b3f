"""`GET /cameras` and `GET /cameras/{camera}`: the camera archive with what each camera is doing; never an address of a camera."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from playback.access import Verb, needs
from playback.asked import CameraId
from playback.problems import described
from playback.services import Given, Services
from segments.clock import iso
from segments.keys import CAMERA_ID
from segments.model import Camera, CameraState, Cause
from segments.ports import CameraFilter

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


@router.get("/cameras", dependencies=needs(Verb.LIST))
async def cameras(
    services: Given, camera_class: ClassQuery = None, area: AreaQuery = "", after: AfterQuery = "", limit: LimitQuery = 100
) -> CameraPage:
    """Cameras in order of id, a page at a time."""
    page = await services.index.cameras(CameraFilter(camera_class, area), after=after, limit=limit)
    return CameraPage(cameras=[await _view(services, camera) for camera in page.items], next=page.next)


@router.get("/cameras/{camera}", dependencies=needs(Verb.LIST), responses=described(404))
async def camera(services: Given, camera: CameraId) -> CameraView:
    """One camera."""
    return await _view(services, await services.index.camera(camera))


async def _view(services: Services, camera: Camera) -> CameraView:
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
            "state": await _state(services, camera),
        }
    )


async def _state(services: Services, camera: Camera) -> State:
    """The last state written of a camera; one of which nothing was written has not begun yet."""
    change = await services.index.state_before(camera.id, services.clock.now_us())
    if change is None:
        cause = Cause.DISABLED if not camera.enabled else Cause.ELSEWHERE if camera.home else Cause.UNKNOWN
        return State(state=CameraState.STOPPED, cause=cause, since=None, detail="")
    return State(state=change.state, cause=change.cause, since=iso(change.at_us), detail=change.detail)
