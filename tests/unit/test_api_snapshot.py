"""Snapshots: the number in the picture says whether it is the right one."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from dataclasses import replace

import av
import numpy as np
import pytest

from playback.snapshot import Decoding
from segments.clock import US_PER_S, day_of, iso
from segments.errors import TryAgain
from tests.api import Api
from tests.builders import NOON_US, a_camera, a_loss, at
from tests.footage import Take, cut, recorded
from tests.media import Clips, read_frame_number

FPS = 25
DAY = day_of(NOON_US)


async def an_api(clips: Clips, **clip: object) -> Api:
    """Twelve seconds of footage from noon: 300 numbered pictures, in segments of 6 s."""
    api = Api()
    await api.index.add_camera(a_camera())
    path = clips.get(**{"seconds": 12, "gop_frames": 50, "audio": "aac", **clip})
    await recorded(api.index, api.objects, path, Take(start_us=NOON_US, segment_s=6))
    return api


async def picture(api: Api, seconds: float, **query: object) -> tuple[int, float, np.ndarray]:
    """Number and time (s after noon) of the picture answered for a moment, and the picture."""
    moment = iso(NOON_US + round(seconds * US_PER_S))
    answer = await api.get("cameras/gate/snapshot.jpg", params={"at": moment, **query})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    with av.open(io.BytesIO(answer.content)) as jpeg:
        shown = next(jpeg.decode(video=0)).to_ndarray(format="rgb24")
    seconds_shown = (at(answer.headers["keepsight-time"]) - NOON_US) / US_PER_S
    return (read_frame_number(shown) if shown.shape[1] == 640 else -1), seconds_shown, shown


@pytest.mark.parametrize("clip", [{}, {"b_frames": 2}, {"codec": "h265"}, {"gop_frames": 150, "b_frames": 2}])
@pytest.mark.parametrize("moment", [0.0, 0.04, 1.96, 2.5, 5.98, 6.0, 7.32, 11.96])
async def test_the_very_picture(clips: Clips, clip: dict[str, object], moment: float) -> None:
    """`exact` shows the picture of that moment, and its time, in H.264 and H.265, with B-frames and long GOPs."""
    api = await an_api(clips, **clip)
    number, shown, _ = await picture(api, moment, exact=True)
    assert number == int(moment * FPS + 1e-6)
    assert shown == pytest.approx(number / FPS, abs=0.001)


@pytest.mark.parametrize("clip", [{}, {"b_frames": 2}, {"codec": "h265"}])
@pytest.mark.parametrize(("moment", "number"), [(0.0, 0), (1.99, 0), (2.0, 50), (7.32, 150), (11.96, 250)])
async def test_the_key_frame_before_a_moment(clips: Clips, clip: dict[str, object], moment: float, number: int) -> None:
    """Without `exact` it is the key frame at or before, whose time the header says."""
    api = await an_api(clips, **clip)
    assert (await picture(api, moment))[:2] == (number, number / FPS)


async def test_a_key_frame_in_the_middle_of_a_long_gop_is_looked_for(clips: Clips) -> None:
    """Fragments without a key frame are passed over, back to the one that has it."""
    api = await an_api(clips, gop_frames=150)
    assert (await picture(api, 5.5))[:2] == (0, 0.0)


async def test_a_clock_that_is_off_is_seen(clips: Clips) -> None:
    """The negative control: with rows two seconds late the picture and its time do not fit any more."""
    api = await an_api(clips)
    shifted = Api()
    for row in (await api.index.rows("gate", DAY)).items:
        moved = replace(row, start_us=row.start_us + 2 * US_PER_S, end_us=row.end_us + 2 * US_PER_S)
        await shifted.objects.put(moved.key, await api.objects.get(row.key), sha256=row.sha256, attributes={})
        await shifted.index.publish(moved)
    await shifted.index.put_run(await api.index.run("gate", "home-a-1-1"))
    number, shown, _ = await picture(shifted, 4.0, exact=True)
    assert number != shown * FPS


@pytest.mark.parametrize(("width", "size"), [(320, (180, 320)), (16, (9, 16)), (640, (360, 640)), (4000, (360, 640))])
async def test_the_width_is_a_limit(clips: Clips, width: int, size: tuple[int, int]) -> None:
    """A picture is made smaller in its own shape, and never larger."""
    api = await an_api(clips)
    assert (await picture(api, 3, width=width))[2].shape[:2] == size


async def test_right_now_is_answered_with_the_newest(clips: Clips) -> None:
    """A moment a little behind the end of footage shows its last key frame; later there is none, and why."""
    api = await an_api(clips)
    await api.index.put_state(a_loss(at_us=NOON_US + 12 * US_PER_S))
    assert (await picture(api, 20))[0] == 250
    answer = await api.get("cameras/gate/snapshot.jpg", params={"at": iso(NOON_US + 23 * US_PER_S)})
    assert (answer.status_code, answer.json()["cause"]) == (404, "camera-away")


async def test_the_live_edge_has_pictures(clips: Clips) -> None:
    """A segment that is still recorded, of a run that is not indexed, gives its newest key frame and any exact picture."""
    api = Api()
    api.live.show(cut(clips.get(seconds=12, gop_frames=50, audio="aac"), Take(start_us=NOON_US)), fragments=3)
    assert (await picture(api, 7))[0] == 100
    assert (await picture(api, 5.2, exact=True))[0] == 130


async def test_damage_is_said_and_not_shown(clips: Clips) -> None:
    """A fragment that is no fragment is 502, and the service lives on."""
    api = await an_api(clips)
    (first, *_) = (await api.index.rows("gate", DAY)).items
    data = bytearray(await api.objects.get(first.key))
    data[first.fragments[0].offset + 8 :] = b"\xff" * len(data[first.fragments[0].offset + 8 :])
    await api.objects.delete([first.key])
    await api.objects.put(first.key, bytes(data), sha256=hashlib.sha256(data).hexdigest(), attributes={})
    answer = await api.get("cameras/gate/snapshot.jpg", params={"at": iso(NOON_US)})
    assert (answer.status_code, answer.json()["title"]) == (502, "Stored data is damaged")
    assert (await picture(api, 7))[0] == 150


async def test_too_much_for_one_exact_picture_is_refused(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the key frame lies too many bytes before, `exact` says so instead of reading them."""
    api = await an_api(clips)
    monkeypatch.setattr("playback.snapshot_routes.MAX_EXACT_BYTES", 100)
    answer = await api.get("cameras/gate/snapshot.jpg", params={"at": iso(NOON_US), "exact": True})
    assert answer.status_code == 422
    assert (await picture(api, 0))[0] == 0


async def test_what_waits_for_a_thread_has_a_limit() -> None:
    """One more than may run and wait is turned away at once, and a place that falls free is used again."""
    decoding, go = Decoding(threads=1, waiting=1), threading.Event()
    running = [asyncio.create_task(decoding.run(go.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TryAgain):
        await decoding.run(go.wait)
    go.set()
    assert await asyncio.gather(*running) == [True, True]
    assert await decoding.run(lambda: 5) == 5
    decoding.close()
