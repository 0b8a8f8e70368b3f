"""The token at the door, and that no route stands without a rule."""

from __future__ import annotations

import pytest

from playback.app import PREFIX
from segments.access import Verb
from tests.api import Api, asked

GUARDED = Api(token="secret-token")
"""Holds nothing, and nothing is changed in it."""
ROUTES = [
    "status",
    "openapi.json",
    "cameras",
    "cameras/gate",
    "cameras/gate/timeline",
    "cameras/gate/hls/multivariant.m3u8",
    "cameras/gate/hls/media.m3u8",
    "cameras/gate/hls/iframes.m3u8",
    "cameras/gate/runs/home-a-1-1/init.mp4",
    "cameras/gate/segments/1/home-a-1-1/0.mp4",
    "cameras/gate/snapshot.jpg",
]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "given", [None, "Bearer", "Bearer wrong", "Basic secret-token", "Bearer secret-token2", "Bearer schlüssel".encode()]
)
async def test_without_the_token_nothing_is_told(route: str, given: str | bytes | None) -> None:
    """Every route but health answers 401 with the same problem, even to bad input, to everything that is not the token."""
    answer = await GUARDED.get(route, headers={"Authorization": given} if given else {}, params=asked(0, 1))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="keepsight"')
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret-token" not in answer.text


@pytest.mark.parametrize("route", ROUTES)
async def test_with_the_token_every_route_answers(route: str) -> None:
    """The token opens the door, whatever lies behind it."""
    answer = await GUARDED.get(route, headers={"Authorization": "bearer secret-token"}, params={**asked(0, 1), "at": asked(0, 1)["from"]})
    assert answer.status_code in (200, 404)


async def test_health_needs_no_token() -> None:
    """Whoever watches the process need not hold its token."""
    answer = await Api(token="secret-token").get("health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_without_a_token_set_everybody_may_ask() -> None:
    """A service on its own machine works without."""
    assert (await Api().get("cameras")).status_code == 200


async def test_the_token_is_not_printed() -> None:
    """Printing the services does not show the token."""
    assert "secret-token" not in repr(Api(token="secret-token").services())


async def test_a_later_access_can_refuse_a_camera() -> None:
    """A rule knows which camera a request is about: an access of another kind sees it on every route of a camera."""
    seen = []

    class Noting:
        async def allow(self, request: object, verb: Verb, camera: str | None) -> None:
            seen.append((verb, camera))

    async with Api().client(access=Noting()) as client:
        await client.get("cameras/gate/timeline", params=asked(0, 1))
    assert seen == [(Verb.VIEW, "gate")]


async def test_the_page_is_served_beside_the_routes(tmp_path) -> None:
    """The folder of the page, if it is there, stands at `/`; without it `/` is unknown."""
    (tmp_path / "index.html").write_text("<title>Keepsight</title>")
    async with Api().client(console=tmp_path) as client:
        assert "Keepsight" in (await client.get("http://keepsight/")).text
        assert (await client.get(f"http://keepsight{PREFIX}/health")).status_code == 200
    async with Api().client(console=tmp_path / "missing") as client:
        assert (await client.get("http://keepsight/")).status_code == 404
