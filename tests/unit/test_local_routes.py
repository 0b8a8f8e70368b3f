"""The uploader's routes for other processes, and the client that asks them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from playback.live_client import LiveClient
from recorder.live import LiveEdge
from recorder.local_routes import create_local_app
from recorder.news import NewsRing
from segments.errors import NotFound, Refused, TryAgain
from segments.model import RowPosition
from tests.builders import NOON_US, RUN
from tests.fakes import Sealed, SteppedClock, a_sealed_file

KEY = "k" * 43
PATHS = ["/live/gate", f"/live/gate/{NOON_US}/{RUN}/0?start=0&end=10", "/status"]


@pytest.fixture
def made(tmp_path: Path) -> Sealed:
    return a_sealed_file(tmp_path)


@pytest.fixture
def transport(made: Sealed) -> httpx2.ASGITransport:
    app = create_local_app(LiveEdge(made.path.parents[2]), key=KEY, status=lambda: {"alarms": ["a"]}, news=NewsRing(SteppedClock()))
    return httpx2.ASGITransport(app=app, raise_app_exceptions=False)


@pytest.fixture
async def http(transport: httpx2.ASGITransport) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=transport, base_url="http://uploader") as client:
        yield client


@pytest.fixture
async def client(transport: httpx2.ASGITransport) -> AsyncIterator[LiveClient]:
    found = LiveClient("http://uploader", KEY)
    await found.close()
    found._http = httpx2.AsyncClient(transport=transport, base_url="http://uploader", headers={"Authorization": f"Bearer {KEY}"})
    yield found
    await found.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": "Bearer "}]
)
async def test_every_route_wants_the_key(http: httpx2.AsyncClient, path: str, headers: dict[str, str]) -> None:
    """Without it nothing is told, not even whether the camera is there."""
    answer = await http.get(path, headers=headers)

    assert answer.status_code == 401
    assert KEY not in answer.text


@pytest.mark.parametrize("path", PATHS)
async def test_with_the_key_each_answers(http: httpx2.AsyncClient, path: str) -> None:
    """The counterpart."""
    assert (await http.get(path, headers={"Authorization": f"Bearer {KEY}"})).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/live/..%2f..",
        "/live/%20",
        f"/live/gate/x/{RUN}/0?start=0&end=1",
        f"/live/gate/{NOON_US}/..%2f../0?start=0&end=1",
        f"/live/gate/{NOON_US}/other-run/0?start=0&end=1",
        f"/live/gate/{NOON_US}/{RUN}/x?start=0&end=1",
        f"/live/gate/{NOON_US}/{RUN}/0",
        f"/live/gate/{NOON_US}/{RUN}/0?start=5&end=4",
        f"/live/gate/{NOON_US}/{RUN}/0?start=-1&end=4",
        f"/live/gate/{NOON_US}/{RUN}/0?start=a&end=4",
    ],
)
async def test_bad_input_is_refused(http: httpx2.AsyncClient, path: str) -> None:
    """No path of the file system is ever made of what is no name; a range must be one."""
    answer = await http.get(path, headers={"Authorization": f"Bearer {KEY}"})

    assert answer.status_code in (400, 404)
    assert "Traceback" not in answer.text


async def test_the_client_sees_what_the_edge_shows(client: LiveClient, made: Sealed) -> None:
    """Rows, runs with their init segments, and bytes come over the wire as they are."""
    edge = await LiveEdge(made.path.parents[2]).segments("gate")

    assert await client.segments("gate") == [(one.row, one.run) for one in edge]
    position = RowPosition(NOON_US, RUN, 0)
    assert await client.read("gate", position, 0, len(made.data)) == made.data
    assert await client.read("gate", position, 10, 20) == made.data[10:20]
    assert await client.status() == {"alarms": ["a"]}


async def test_what_left_the_spool_is_not_found(client: LiveClient, made: Sealed) -> None:
    """Then it is in the index."""
    made.path.unlink()

    with pytest.raises(NotFound):
        await client.read("gate", RowPosition(NOON_US, RUN, 0), 0, 10)


async def test_another_key_is_a_refusal_and_silence_is_try_again(client: LiveClient) -> None:
    """Playback goes on with what is indexed in both cases, and says so."""
    client._http.headers["Authorization"] = "Bearer other"
    with pytest.raises(Refused):
        await client.segments("gate")

    away = LiveClient("http://127.0.0.1:1", KEY)
    with pytest.raises(TryAgain):
        await away.segments("gate")
    await away.close()


async def test_an_uploader_in_trouble_is_try_again(tmp_path: Path) -> None:
    """A fault inside comes as no traceback and no empty answer."""

    def broken() -> dict[str, object]:
        raise ZeroDivisionError

    transport = httpx2.ASGITransport(
        app=create_local_app(LiveEdge(tmp_path), key=KEY, status=broken, news=NewsRing(SteppedClock())), raise_app_exceptions=False
    )
    client = LiveClient("http://uploader", KEY)
    await client.close()
    client._http = httpx2.AsyncClient(transport=transport, base_url="http://uploader", headers={"Authorization": f"Bearer {KEY}"})
    with pytest.raises(TryAgain, match="500"):
        await client.status()
    await client.close()
