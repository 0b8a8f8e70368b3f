"""What the API counts of its requests and of its questions to the uploaders."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from deploy.metrics.requests import ELSEWHERE, RequestMetrics
from playback.app import PREFIX, create_app
from replication.elsewhere import PeerElsewhere
from segments.errors import TryAgain
from tests.api import Api
from tests.builders import a_camera, a_row, a_run
from tests.fakes import SteppedClock
from tests.other_site import OtherSite


class Counted:
    """The application with its requests counted."""

    def __init__(self) -> None:
        self.api = Api()
        self.registry = CollectorRegistry()
        self.metrics = RequestMetrics(self.registry, SteppedClock())
        self.live = self.metrics.live(self.api.live)
        self.app = self.metrics.app(create_app(self.api.services(live=self.live)))

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://keepsight") as client:
            return await client.get(path, **options)

    def figure(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"keepsight_{name}", labels) or 0.0

    def routes(self) -> set[str]:
        return {sample.labels["route"] for family in self.registry.collect() for sample in family.samples if "route" in sample.labels}


@pytest.fixture
def counted() -> Counted:
    return Counted()


async def test_requests_are_counted_by_route_and_status(counted: Counted) -> None:
    """By the template, whatever camera was asked for."""
    await counted.api.index.add_camera(a_camera())
    assert (await counted.get(f"{PREFIX}/cameras/gate")).status_code == 200
    for camera in ("barn", "roof"):
        assert (await counted.get(f"{PREFIX}/cameras/{camera}")).status_code == 404

    assert counted.figure("api_requests_total", route="/cameras/{camera}", status="2xx") == 1
    assert counted.figure("api_requests_total", route="/cameras/{camera}", status="4xx") == 2
    assert counted.figure("api_request_seconds_count", route="/cameras/{camera}") == 3
    assert counted.figure("api_requests_under_way") == 0


async def test_strangers_make_no_labels(counted: Counted) -> None:
    """Whatever paths are tried, there is one more route and no more."""
    for path in ("/wp-login.php", "/api/v1/../../etc/passwd", "/api/v2/cameras", f"{PREFIX}/nothing/{'x' * 100}"):
        await counted.get(path)

    assert counted.routes() == {ELSEWHERE}
    assert counted.figure("api_requests_total", route=ELSEWHERE, status="4xx") == 4


async def test_a_fault_of_ours_is_a_5xx(counted: Counted) -> None:
    """Also one that ends the application before it answers."""

    async def broken(scope: object, receive: object, send: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await counted.metrics.app(broken)({"type": "http"}, None, None)  # type: ignore[arg-type]

    assert counted.figure("api_requests_total", route=ELSEWHERE, status="5xx") == 1
    assert counted.figure("api_requests_under_way") == 0


async def test_questions_to_the_uploaders_are_counted(counted: Counted) -> None:
    """Those that were answered with their time, those that were not by kind."""
    await counted.live.segments("gate")
    counted.api.live.away = True
    with pytest.raises(TryAgain):
        await counted.live.segments("gate")

    assert counted.figure("live_edge_call_seconds_count", call="segments") == 1
    assert counted.figure("live_edge_failures_total", call="segments", kind="try-again") == 1


async def test_what_other_sites_are_asked_is_counted(counted: Counted) -> None:
    """By question; a site that does not answer for a segment is a failure, and bytes that come instead of a pool's are told apart."""
    b = OtherSite()
    row, body = a_row(size=5, sha256=hashlib.sha256(b"12345").hexdigest()), b"12345"
    for site in (counted.api, b):
        await site.index.put_run(a_run())
        await site.index.publish(row)
    await b.objects.put(row.key, body, sha256=row.sha256, attributes={})
    elsewhere = counted.metrics.elsewhere(PeerElsewhere({"b": b}, SteppedClock()))
    counted.app = counted.metrics.app(create_app(counted.api.services(elsewhere=elsewhere)))
    path = f"{PREFIX}/cameras/gate/segments/{row.start_us}/{row.run}"

    assert (await counted.get(f"{path}/0.mp4")).content == body
    assert counted.figure("elsewhere_call_seconds_count", call="instead") == 1
    b.error = TryAgain("busy")
    assert (await counted.get(f"{path}/9.mp4")).status_code == 503
    assert counted.figure("elsewhere_failures_total", call="row", kind="try-again") == 1
