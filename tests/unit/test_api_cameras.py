"""Cameras, health and status."""

from __future__ import annotations

import pytest

from segments.clock import US_PER_S
from tests.api import Api
from tests.builders import NOON_US, a_camera, a_loss


async def archive(*ids: str, **fields: object) -> Api:
    """An archive of these cameras."""
    api = Api()
    for one in ids:
        await api.index.add_camera(a_camera(one, **fields))
    return api


async def test_a_camera_is_shown_as_the_archive_has_it() -> None:
    """All that is known of a camera and of what it is doing, and nothing else."""
    api = await archive("gate")
    await api.index.put_state(a_loss(at_us=NOON_US))
    assert (await api.get("cameras/gate")).json() == {
        "id": "gate",
        "name": "Camera gate",
        "class": 3,
        "area": "fujian/xiamen/siming",
        "owner": "harbour office",
        "latitude": 24.4453,
        "longitude": 118.0811,
        "tier": "general",
        "tags": ["gate", "outdoor"],
        "enabled": True,
        "home": "",
        "twice": False,
        "state": {"state": "waiting", "cause": "camera-away", "since": "2026-03-14T12:00:00.000Z", "detail": "connection refused"},
    }


async def test_the_address_of_a_camera_is_never_shown() -> None:
    """Neither the list nor the camera tells where it is reached."""
    api = await archive("gate", url="rtsp://10.11.12.13/secret-path")
    texts = [(await api.get(path)).text for path in ("cameras", "cameras/gate")]
    assert not any("10.11.12.13" in text or "secret-path" in text for text in texts)


@pytest.mark.parametrize(("enabled", "cause"), [(True, "unknown"), (False, "disabled")])
async def test_a_camera_of_which_nothing_was_written_is_stopped(enabled: bool, cause: str) -> None:
    """Before its first state a camera is stopped, since never, and says why as far as that is known."""
    api = await archive("gate", enabled=enabled)
    assert (await api.get("cameras/gate")).json()["state"] == {"state": "stopped", "cause": cause, "since": None, "detail": ""}


async def test_the_state_shown_is_the_one_of_now() -> None:
    """A change that lies in the future of the service's clock is not shown yet."""
    api = await archive("gate")
    await api.index.put_state(a_loss(at_us=api.clock.at_us + US_PER_S))
    assert (await api.get("cameras/gate")).json()["state"]["since"] is None


async def test_cameras_come_in_pages() -> None:
    """The `next` of each page leads to the next, and together they are the archive."""
    api = await archive(*(f"cam-{n}" for n in range(7)))
    seen, after, sizes = [], "", []
    while after is not None:
        page = (await api.get("cameras", params={"limit": 3, "after": after})).json()
        seen += [camera["id"] for camera in page["cameras"]]
        sizes.append(len(page["cameras"]))
        after = page["next"]
    assert (seen, sizes[:2]) == ([f"cam-{n}" for n in range(7)], [3, 3])


async def test_cameras_are_found_by_class_and_area() -> None:
    """A class and an area narrow the list, the area with all below it."""
    api = await archive("gate", camera_class=1, area="fujian/xiamen")
    await api.index.add_camera(a_camera("quay", camera_class=2, area="fujian/xiamen/siming"))
    await api.index.add_camera(a_camera("hall", camera_class=1, area="fujian/fuzhou"))

    async def ids(**query: object) -> list[str]:
        return [camera["id"] for camera in (await api.get("cameras", params=query)).json()["cameras"]]

    assert await ids(**{"class": 1}) == ["gate", "hall"]
    assert await ids(area="fujian/xiamen") == ["gate", "quay"]
    assert await ids(**{"class": 1, "area": "fujian/xiamen"}) == ["gate"]


async def test_an_unknown_camera_is_a_problem() -> None:
    """404, with its name."""
    answer = await Api().get("cameras/nowhere")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
    assert "nowhere" in answer.json()["detail"]


async def test_status_is_what_the_recording_side_says() -> None:
    """Counts and alarms come through, with the site and the time of the service."""
    api = Api()
    api.live.said = {
        "cameras": {"recording": 3},
        "fragments": {"buffered": 1, "durable": 2, "stored": 3, "indexed": 4},
        "spool": {"bytes": 5, "limit": 6, "segments": 7},
        "alarms": ["the spool is nearly full"],
    }
    assert (await api.get("status")).json() == {"site": "home", "now": "2026-03-14T13:00:00.000Z", **api.live.said}


async def test_status_says_when_the_recording_side_is_away() -> None:
    """Nothing is counted then, and an alarm says so: never an error of the whole page."""
    api = Api()
    api.live.away = True
    status = (await api.get("status")).json()
    assert status["cameras"] == {}
    assert status["alarms"] == ["the recording side does not answer: the uploader does not answer"]
