"""Several cameras on one clock, and the live edge's own playlist, over HTTP."""

from __future__ import annotations

from urllib.parse import urljoin

from segments.clock import US_PER_S
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera, at
from tests.footage import Take, cut, recorded
from tests.m3u8 import read_playlist
from tests.media import Clips

BASE = "http://keepsight/api/v1/"


async def an_api(clips: Clips) -> Api:
    """Two cameras of which one begins 3 s later and has a gap of 6 s; a third without footage."""
    api = Api()
    for camera in ("gate", "door", "yard"):
        await api.index.add_camera(a_camera(camera))
    clip = clips.get(seconds=12, gop_frames=50)
    await recorded(api.index, api.objects, clip, Take("gate", NOON_US))
    await recorded(api.index, api.objects, clip, Take("door", NOON_US + 3 * US_PER_S))
    await recorded(api.index, api.objects, clip, Take("door", NOON_US + 21 * US_PER_S, "home-a-1-2"))
    return api


async def test_a_group_says_where_each_moment_lies(clips: Clips) -> None:
    """For each camera the stretches of footage on the wall, and the player's time at each, as its playlist has them."""
    api = await an_api(clips)
    answer = await api.get("groups", params={"camera": ["gate", "door", "yard"], **asked(1, 40)})
    group = answer.json()
    assert answer.status_code == 200
    assert (at(group["from"]), group["growing"]) == (NOON_US + US_PER_S, False)
    gate, door, yard = group["cameras"]
    assert [(at(one["from"]) - NOON_US, one["media_s"]) for one in gate["footage"]] == [(0, 0)]
    assert [(at(one["from"]) - NOON_US, at(one["to"]) - NOON_US, one["media_s"]) for one in door["footage"]] == [
        (3 * US_PER_S, 15 * US_PER_S, 0),
        (21 * US_PER_S, 33 * US_PER_S, 12),
    ]
    assert (yard["playlist"], yard["footage"]) == (None, [])
    assert yard["cause"] is not None
    async with api.client() as client:
        media = urljoin(urljoin(BASE, door["playlist"]), (await client.get(BASE + door["playlist"])).text.split("\n")[3])
        playlist = read_playlist((await client.get(media)).text)
    played_s = 0.0
    for entry in playlist.entries:
        stretch = next(one for one in reversed(door["footage"]) if one["media_s"] <= played_s + 0.001)
        assert abs(at(stretch["from"]) + (played_s - stretch["media_s"]) * US_PER_S - entry.clock_us) < 1000
        played_s += entry.seconds


async def test_a_group_has_its_limits(clips: Clips) -> None:
    """No camera, one twice, seventeen, or one of no such name are refused."""
    api = await an_api(clips)
    for cameras in ([], ["gate", "gate"], [f"c{n}" for n in range(17)], ["../x"]):
        assert (await api.get("groups", params={"camera": cameras, **asked(0, 10)})).status_code == 422
    assert (await api.get("groups", params={"camera": ["gate", "nobody"], **asked(0, 10)})).status_code == 404


async def test_the_live_playlist_names_what_is_durable_now(clips: Clips) -> None:
    """Out of the spool as it grows, every entry with the number it keeps, also in another process of the API."""
    api = await an_api(clips)
    made = cut(clips.get(seconds=12, gop_frames=50), Take("yard", NOON_US + 100 * US_PER_S, "home-a-1-9", segment_s=60))
    numbers: dict[int, int] = {}
    for fragments in (1, 3, 6):
        api.live.show(made, fragments)
        api.clock.at_us = NOON_US + (100 + 2 * fragments) * US_PER_S
        async with api.client() as client, api.client(index=api.index) as other:
            answers = [await one.get("cameras/yard/hls/live.m3u8") for one in (client, other)]
            playlist = read_playlist(answers[0].text)
            assert answers[0].text == answers[1].text
            assert len(playlist.entries) == fragments
            first = int(playlist.tags["EXT-X-MEDIA-SEQUENCE"])
            for n, entry in enumerate(playlist.entries):
                assert numbers.setdefault(entry.offset, first + n) == first + n
            last = playlist.entries[-1]
            wanted = {"Range": f"bytes={last.offset}-{last.offset + last.length - 1}"}
            piece = await client.get(urljoin(BASE + "cameras/yard/hls/", last.uri), headers=wanted)
            assert (piece.status_code, len(piece.content)) == (206, last.length)
    api.clock.at_us += 120 * US_PER_S
    assert (await api.get("cameras/yard/hls/live.m3u8")).status_code == 404
