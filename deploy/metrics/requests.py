"""What the API counts: requests by route template, and its calls for the live edge and to other sites.

No label ever holds a camera or a path.
"""

from __future__ import annotations

from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.metrics.stores import CallMetrics, Counted
from playback.elsewhere import Elsewhere
from playback.live import LiveFootage
from segments.clock import Clock

ELSEWHERE = "elsewhere"
"""The route of what is no route of the API: the page's files, and whatever strangers try."""
REQUEST_BUCKETS_S = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0)


class RequestMetrics:
    """The instruments of the API; makes the counting wrappers."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._requests = Counter("keepsight_api_requests", "Requests answered.", ["route", "status"], registry=registry)
        self._seconds = Histogram(
            "keepsight_api_request_seconds",
            "From a request to the last byte of its answer.",
            ["route"],
            buckets=REQUEST_BUCKETS_S,
            registry=registry,
        )
        self._under_way = Gauge("keepsight_api_requests_under_way", "Requests being answered now.", registry=registry)
        self._live = CallMetrics(registry, clock, "live_edge", what="the uploaders, for footage that is not indexed yet,")
        self._elsewhere = CallMetrics(registry, clock, "elsewhere", what="other sites, for footage that is not here,")

    def live(self, live: LiveFootage) -> LiveFootage:
        """The live edge, counted."""
        return cast("LiveFootage", Counted(live, self._live))

    def elsewhere(self, elsewhere: Elsewhere) -> Elsewhere:
        """The other sites, counted: `instead` is what is asked of them for segments that a pool of here should give."""
        return cast("Elsewhere", Counted(elsewhere, self._elsewhere))

    def app(self, app: ASGIApp) -> ASGIApp:
        """The application, its requests counted."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status = 500  # of an application that fails before it answers

            async def heard(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = int(message["status"])
                await send(message)

            began_ns = self._clock.monotonic_ns()
            with self._under_way.track_inprogress():
                try:
                    await app(scope, receive, heard)
                finally:
                    route = route_of(scope)
                    self._requests.labels(route, f"{status // 100}xx").inc()
                    self._seconds.labels(route).observe((self._clock.monotonic_ns() - began_ns) / 1e9)

        return counted


def route_of(scope: Scope) -> str:
    """The template of the route that answered, such as `/cameras/{camera}`."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", ELSEWHERE))
