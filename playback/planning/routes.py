"""`/capacity`: how much storage there is, when it is full, what a plan comes to and what would help."""

from __future__ import annotations

from typing import Any, cast

from fastapi import APIRouter, Request
from pydantic import BaseModel

from playback.access import needs
from playback.planning.plan_views import ComparisonView, ComparisonWanted, ExplanationView, ExplanationWanted, PlanView, PlanWanted
from playback.planning.planner import Turns
from playback.problems import described
from playback.services import Given, Services
from segments.access import Verb

router = APIRouter(prefix="/capacity")

_PLAN: dict[str, Any] = {"dependencies": needs(Verb.PLAN), "responses": described(400, 404, 413, 422, 429, 503)}


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


async def _answer(request: Request, services: Services, question: str, wanted: BaseModel) -> Any:
    async with cast("Turns", request.app.state.planning).turn():
        return await services.planner.answer(question, wanted.model_dump(mode="json"))
