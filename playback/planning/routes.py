"""`/capacity`: how much storage there is, when it is full, what a plan comes to and what would help."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from playback.access import needs
from playback.planning.forecast_views import BacktestView, BacktestWanted, ForecastView, ForecastWanted
from playback.planning.placement_views import PlacementView, PlacementWanted
from playback.planning.plan_views import ComparisonView, ComparisonWanted, ExplanationView, ExplanationWanted, PlanView, PlanWanted
from playback.planning.planner import Turns
from playback.planning.usage_views import EncodersView, UsageView
from playback.problems import described
from playback.services import Given, Services
from segments.access import Verb
from segments.usage import By

router = APIRouter(prefix="/capacity")

MOST_LINES = 10_000
_LOOK: dict[str, Any] = {"dependencies": needs(Verb.PLAN), "responses": described(404, 422, 429, 502, 503)}
_PLAN: dict[str, Any] = {"dependencies": needs(Verb.PLAN), "responses": described(400, 404, 413, 422, 429, 502, 503)}


DaysQuery = Annotated[int, Query(ge=1, le=3660, description="How many days, up to yesterday (UTC)")]
UntilQuery = Annotated[date | None, Query(description="The last of the days; without it, yesterday")]


@router.get("/usage", **_LOOK)
async def usage(
    request: Request,
    services: Given,
    by: Annotated[list[By] | None, Query(max_length=8, description="What is summed by, each once; by pool if nothing is said")] = None,
    depth: Annotated[int, Query(ge=0, le=20, description="Areas by so many of their parts, 1 for the outermost; 0: whole")] = 0,
    days: DaysQuery = 30,
    until: UntilQuery = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 1_000,
) -> UsageView:
    """What is recorded and kept: bytes, seconds, objects, rows and requests, by pool, area, class, tier, site, owner, kind or camera."""
    names = [str(each) for each in (by if by is not None else [By.POOL])]
    asked = {"by": names, "depth": depth, "days": days, "until": until.isoformat() if until else None, "limit": limit}
    return UsageView.model_validate(await _answer(request, services, "usage", asked))


@router.get("/encoders", **_LOOK)
async def encoders(
    request: Request,
    services: Given,
    days: DaysQuery = 30,
    until: UntilQuery = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES, description="So many cameras, those that waste most")] = 1_000,
) -> EncodersView:
    """Bitrates by codec and picture size, and the cameras far above their kind."""
    asked = {"days": days, "until": until.isoformat() if until else None, "limit": limit}
    return EncodersView.model_validate(await _answer(request, services, "encoders", asked))


@router.post("/forecast", **_PLAN)
async def forecast(request: Request, services: Given, wanted: ForecastWanted) -> ForecastView:
    """When each pool and site fills, with intervals; which floor breaks first, and for whom."""
    return ForecastView.model_validate(await _answer(request, services, "forecast", wanted))


@router.post("/backtest", **_PLAN)
async def backtest(request: Request, services: Given, wanted: BacktestWanted) -> BacktestView:
    """How right forecasts would have been on earlier days: error and coverage of each model, against the naive ones."""
    return BacktestView.model_validate(await _answer(request, services, "backtest", wanted))


@router.post("/placement", **_PLAN)
async def placement(request: Request, services: Given, wanted: PlacementWanted) -> PlacementView:
    """Which cameras to move to which pool before one fills, with as few bytes a day as can be. Nothing is moved by asking."""
    asked = wanted.model_dump(mode="json") | {"chance": wanted.chance / 100}
    return PlacementView.model_validate(await _answer(request, services, "placement", asked))


@router.post("/plan", **_PLAN)
async def plan(request: Request, services: Given, wanted: PlanWanted) -> PlanView:
    """What a plan comes to: bytes, disks, nodes, objects, requests, cores, network and money, year by year."""
    return PlanView.model_validate(await _answer(request, services, "plan", wanted))


@router.post("/comparison", **_PLAN)
async def comparison(request: Request, services: Given, wanted: ComparisonWanted) -> ComparisonView:
    """Two plans side by side, in the same worlds."""
    return ComparisonView.model_validate(await _answer(request, services, "comparison", wanted))


@router.post("/explanation", **_PLAN)
async def explanation(request: Request, services: Given, wanted: ExplanationWanted) -> ExplanationView:
    """Where a figure of a plan comes from: its formula, all formulas below it, and what they are fed with."""
    return ExplanationView.model_validate(await _answer(request, services, "explanation", wanted))


async def _answer(request: Request, services: Services, question: str, wanted: BaseModel | Mapping[str, Any]) -> Any:
    asked = wanted.model_dump(mode="json") if isinstance(wanted, BaseModel) else wanted
    async with cast("Turns", request.app.state.planning).turn():
        return await services.planner.answer(question, asked)
