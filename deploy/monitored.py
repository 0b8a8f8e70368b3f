"""What every program with a port answers beside its own routes: `/health/live`, `/health/ready` and `/metrics`."""

from __future__ import annotations

import hmac

from prometheus_client import CONTENT_TYPE_LATEST, Gauge
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.health import Health
from deploy.metrics.program import ProgramMetrics


def monitored(app: ASGIApp, *, health: Health, metrics: ProgramMetrics, key: str) -> ASGIApp:
    """The application with these routes before it.

    Health is told to everybody, in names of parts; why a part is ill, and the metrics, are told to those who have the key. How healthy
    each part is is a metric too.
    """
    routes = _Routes(health, metrics, key)
    own = Starlette(routes=routes.all)
    paths = {route.path for route in routes.all}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and scope["path"] in paths
        await (own if ours else app)(scope, receive, send)

    return answer


class _Routes:
    def __init__(self, health: Health, metrics: ProgramMetrics, key: str) -> None:
        self._health = health
        self._metrics = metrics
        self._key = key.encode()
        self._healthy = Gauge(
            "keepsight_part_healthy",
            "Whether a part the program stands on does its work (1) or not (0).",
            ["part"],
            registry=metrics.registry,
        )
        metrics.sample_with(self._sample)
        self.all = [Route("/health/live", self.live), Route("/health/ready", self.ready), Route("/metrics", self.text)]

    async def live(self, _: Request) -> Response:
        """That it answers is the answer."""
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """503 while a part is ill that the program cannot work without."""
        found = await self._health.findings()
        answer: dict[str, object] = {"status": found.status, "ill": list(found.ill)}
        if self._has_key(request):
            answer["why"] = dict(found.ill)
        return JSONResponse(answer, 200 if found.ready else 503, {"Cache-Control": "no-store"})

    async def text(self, request: Request) -> Response:
        """Everything counted, in Prometheus' text format."""
        if not self._has_key(request):
            return JSONResponse({"title": "the key of the metrics is wanted"}, 401, {"WWW-Authenticate": "Bearer"})
        return Response(await self._metrics.text(), media_type=CONTENT_TYPE_LATEST)

    def _has_key(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._key)

    async def _sample(self) -> None:
        ill = (await self._health.findings()).ill
        for part in self._health.parts:
            self._healthy.labels(part.name).set(part.name not in ill)
