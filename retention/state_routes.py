"""`/retention/status` and its like: how retention stands, what a sweep would begin, floors that cannot be kept, and clocks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from retention.asked import Asker, By, Doors, Given
from retention.breaches import breaches
from retention.clock_notes import accept_clocks
from retention.dry_run import dry_run, plan_values
from retention.status import status
from segments.access import Reach, Verb
from segments.clock import iso
from segments.scoped import ids_in_scope


class BreachView(BaseModel):
    """Floors of a pool that cannot be kept. `closed` is null while that lasts."""

    pool: str
    opened: str = Field(json_schema_extra={"format": "date-time"})
    closed: str | None
    missing_bytes: int
    hits: list[dict[str, str]] = Field(description="The camera-days that are hit first")
    waiting: list[dict[str, str]] = Field(description="Camera-days that would make room, and wait for copies at other sites")


class Accepted(BaseModel):
    """The shards of the sweep that go on."""

    shards: list[str]


def state_routes(doors: Doors) -> APIRouter:
    """The routes, behind what stands before them."""
    router = APIRouter(prefix="/retention")
    router.get("/status", **doors.look())(how_it_stands)
    router.get("/dry-run", **doors.look(reach=Reach.SCOPE))(would_begin)
    router.get("/breaches", **doors.look())(all_breaches)
    router.post("/clock", **doors.change(Verb.ADMINISTER, 409))(accept_clock)
    return router


async def how_it_stands(services: Given) -> dict[str, Any]:
    """Policies, reviews, holds, camera-days on their way out, and what each shard of the sweep said last."""
    return (await status(services.index, now_us=services.clock.now_us())).as_json()


async def would_begin(services: Given, asker: Asker, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[dict[str, Any]]:
    """What a sweep would begin now, camera-day by camera-day of your scope, and why; so many at most. Nothing is written."""
    found: list[dict[str, Any]] = []
    async for planned in dry_run(services.index, services.clock, copies=services.copies):
        if not await ids_in_scope(asker.scope, services.index, [planned.camera]):
            continue
        found.append(plan_values(planned))
        if len(found) == limit:
            break
    return found


async def all_breaches(services: Given) -> list[BreachView]:
    """Breaches, those that are over included."""
    return [
        BreachView(
            pool=each.pool,
            opened=iso(each.opened_us),
            closed=iso(each.closed_us) if each.closed_us else None,
            missing_bytes=each.missing_bytes,
            hits=[{"camera": camera, "day": day.isoformat()} for camera, day in each.hits],
            waiting=[{"camera": camera, "day": day.isoformat()} for camera, day in each.waiting],
        )
        for each in await breaches(services.index)
    ]


async def accept_clock(services: Given, by: By) -> Accepted:
    """Says that the machines' clocks are right, where a sweep does not believe them."""
    return Accepted(shards=list(await accept_clocks(services.index, by)))
