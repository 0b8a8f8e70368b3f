"""`/me/usage` and `/metering`: what consumers took, a day; `/me/limits`: what one may."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from playback.access import Asker, needs
from playback.consumers.metering import MOST_DAYS, Metering
from playback.problems import described
from playback.services import Given, Services
from segments.access import Verb
from segments.clock import day_of
from segments.errors import BadInput

router = APIRouter()

FromDay = Annotated[date | None, Query(alias="from", description="First UTC day; without it, today")]
ToDay = Annotated[date | None, Query(alias="to", description="The day after the last; without it, tomorrow")]


class UsedView(BaseModel):
    """What one consumer took on a UTC day."""

    day: date
    consumer: str = Field(description="Id of the subject: `key:...`, `user:...`; `open` where no access is controlled")
    requests: int
    refused: int = Field(description="Requests over the consumer's limits; `requests` has them too")
    played_s: float
    played_bytes: int
    exported_s: float
    exported_bytes: int


class UsageView(BaseModel):
    """What was taken, day by day; what other processes counted in the last minute may be missing."""

    used: list[UsedView]


class LimitsView(BaseModel):
    """The limits of a consumer; 0: none."""

    requests_per_s: float
    streams: int
    bytes_per_s: int
    export_hours_per_day: float
    timeline_days_per_minute: float


@router.get("/me/usage", dependencies=needs(Verb.OWN), responses=described(422))
async def own_usage(asker: Asker, services: Given, first: FromDay = None, end: ToDay = None) -> UsageView:
    """What you took."""
    return await _usage(services, first, end, asker.id)


@router.get("/me/limits", dependencies=needs(Verb.OWN))
async def own_limits(asker: Asker, services: Given) -> LimitsView:
    """What you may."""
    return LimitsView(**asdict((await services.consumers.account(asker.id)).allowance))


@router.get("/metering", dependencies=needs(Verb.AUDIT), responses=described(422))
async def metering(services: Given, first: FromDay = None, end: ToDay = None) -> UsageView:
    """What all consumers took."""
    return await _usage(services, first, end, None)


async def _usage(services: Services, first: date | None, end: date | None, only: str | None) -> UsageView:
    metering: Metering = services.consumers.metering
    today = day_of(services.clock.now_us())
    start, stop = checked_days(first or today, end or today + timedelta(days=1))
    found = await metering.between(start, stop)
    rows = [(day, who, used) for day, all_used in found.items() for who, used in sorted(all_used.items()) if only in (None, who)]
    return UsageView(used=[UsedView.model_validate({"day": day, "consumer": who} | asdict(used)) for day, who, used in rows])


def checked_days(first: date, end: date) -> tuple[date, date]:
    """The days of a question; raises BadInput if there are none or too many."""
    if not 0 < (end - first).days <= MOST_DAYS:
        raise BadInput(f"`to` ({end}) is the day after the last: 1 to {MOST_DAYS} days after `from` ({first})")
    return first, end
