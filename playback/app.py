"""The application: all routes under `/api/v1`, the description of them, and the page at `/`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from playback import (
    audit_routes,
    camera_routes,
    file_routes,
    group_routes,
    health,
    link_routes,
    live_routes,
    problems,
    segment_routes,
    snapshot_routes,
    stream_routes,
    timeline_routes,
)
from playback.access import Open, needs
from playback.body_limit import BodyLimit
from playback.consumers import routes as consumer_routes
from playback.consumers.passages import Paced
from playback.description import describe
from playback.exports import routes as exports
from playback.identity import people_routes, session_routes
from playback.identity.identity import identity_over
from playback.layouts import Layouts
from playback.limits import RequestLimits, Traffic
from playback.planning import routes as planning_routes
from playback.planning.planner import Turns
from playback.seen import Seen
from playback.sensitive import routes as sensitive_routes
from playback.services import Services
from playback.snapshot import Decoding
from playback.webhooks import routes as webhook_routes
from segments.access import Reach, Verb

__all__ = ["PREFIX", "Services", "create_app", "describe"]

PREFIX = "/api/v1"

_ROUTERS = (
    health.router,
    session_routes.router,
    people_routes.router,
    audit_routes.router,
    camera_routes.router,
    timeline_routes.router,
    stream_routes.router,
    live_routes.router,
    group_routes.router,
    link_routes.router,
    segment_routes.router,
    snapshot_routes.router,
    sensitive_routes.router,
    exports.router,
    file_routes.router,
    webhook_routes.router,
    consumer_routes.router,
    planning_routes.router,
)
_description = APIRouter()


def create_app(services: Services, more: Sequence[APIRouter] = ()) -> FastAPI:
    """The application over these services, with the routes of other rooms beside its own.

    It starts nothing and holds nothing but the threads that decode snapshots.
    """
    app = FastAPI(title="Keepsight", version=version("keepsight"), openapi_url=None, docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.services = services
    app.state.access = services.access
    app.state.identity = services.identity or identity_over(services.index, services.clock)
    app.state.decoding = Decoding()
    app.state.layouts = Layouts()
    app.state.live_marks = live_routes.LiveMarks()
    app.state.traffic = Traffic(services.limits)
    app.state.seen = Seen()
    app.state.planning = Turns(services.limits.plans)
    for router in (*_ROUTERS, *more, _description):
        app.include_router(router, prefix=PREFIX)
    problems.install(app)
    if isinstance(services.access, Open) and services.hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(services.hosts))
    app.add_middleware(BodyLimit)
    app.add_middleware(Paced)
    app.add_middleware(RequestLimits, traffic=app.state.traffic, free=frozenset({f"{PREFIX}/health"}))
    if services.console is not None and services.console.is_dir():
        app.mount("/", _Console(directory=services.console, html=True), name="console")
    return app


class _Console(StaticFiles):
    """The built page: files with a hash in their name are kept for ever, the page itself is asked for anew."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See `StaticFiles`."""
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        return answer


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.decoding.close()


@_description.get("/openapi.json", dependencies=needs(Verb.LIST, reach=Reach.SCOPE), include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The description of all routes (OpenAPI 3.1)."""
    return JSONResponse(describe(request.app))
