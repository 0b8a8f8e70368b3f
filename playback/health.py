"""`GET /health` and `GET /status`: whether the process serves, and how the whole service is."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from playback.access import Asker, needs
from playback.services import Given
from segments.access import Reach, Verb
from segments.clock import iso
from segments.errors import Refused, TryAgain

router = APIRouter()


class Health(BaseModel):
    """Said by a process that serves."""

    status: Literal["ok"] = "ok"


class Status(BaseModel):
    """How the service is. What the recording side counts is empty while it does not answer; an alarm says so then."""

    site: str
    now: str = Field(json_schema_extra={"format": "date-time"})
    cameras: dict[str, int] = Field(default_factory=dict, description="How many cameras are in each state")
    fragments: dict[str, int] = Field(default_factory=dict, description="How many fragments have come how far")
    spool: dict[str, int] = Field(default_factory=dict, description="`bytes`, `limit` and `segments` of the spools")
    alarms: list[str] = Field(default_factory=list, description="What a person must look at, a sentence each")


@router.get("/health", dependencies=needs(Verb.PROBE))
async def health() -> Health:
    """Answers as soon as the process serves; needs no token."""
    return Health()


@router.get("/status", dependencies=needs(Verb.LIST, reach=Reach.SCOPE))
async def status(services: Given, asker: Asker) -> Status:
    """Counts and alarms of the whole service; whose scope is a part of it sees only that it answers."""
    if not asker.scope.everything:
        return Status(site=services.site, now=iso(services.clock.now_us()))
    try:
        known = await services.live.status()
    except (TryAgain, Refused) as error:
        known = {"alarms": [f"the recording side does not answer: {error}"]}
    return Status.model_validate({**known, "site": services.site, "now": iso(services.clock.now_us())})
