"""Playlists over HTTP: their addresses lead to bytes, packing, and the live edge."""

from __future__ import annotations

import gzip
from itertools import pairwise
from urllib.parse import urljoin

import pytest

from playback.app import PREFIX
from segments.clock import US_PER_S
from segments.errors import Refused
from tests.api import Api, FakeLive, asked
from tests.builders import NOON_US, a_camera, a_loss
from tests.footage import Take, cut, recorded
from tests.m3u8 import read_playlist
from tests.media import Clips

HLS = f"http://keepsight{PREFIX}/cameras/gate/hls/"


async def an_api(clips: Clips) -> Api:
    """Twenty-four seconds of footage from noon."""
    api = Api()
    await api.index.add_camera(a_camera())
    await recorded(api.index, api.objects, clips.get(seconds=24, gop_frames=50, audio="aac"), Take(start_us=NOON_US))
    return api


async def test_every_address_leads_to_its_bytes(clips: Clips) -> None:
    """From the multivariant playlist on, each relative address can be fetched, and each range holds one moof and its mdat."""
    api = await an_api(clips)
    async with api.client() as client:
        lines = (await client.get(HLS + "multivariant.m3u8", params=asked(0, 24))).text.split("\n")
        address = urljoin(HLS, lines[3])
        playlist = read_playlist((await client.get(address)).text)
        assert len(playlist.entries) == 12
        init = await client.get(urljoin(address, playlist.entries[0].init))
        assert init.content[4:8] == b"ftyp"
        for entry in playlist.entries:
            last = entry.offset + entry.length - 1
            piece = await client.get(urljoin(address, entry.uri), headers={"Range": f"bytes={entry.offset}-{last}"})
            assert (piece.status_code, piece.content[4:8]) == (206, b"moof")
            moof_bytes = int.from_bytes(piece.content[:4], "big")
            assert piece.content[moof_bytes + 4 : moof_bytes + 8] == b"mdat"
            assert moof_bytes + int.from_bytes(piece.content[moof_bytes : moof_bytes + 4], "big") == entry.length


@pytest.mark.parametrize("name", ["multivariant", "media", "iframes"])
async def test_playlists_are_packed_for_those_who_can_unpack(clips: Clips, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With gzip accepted the same text comes packed, else plain, and caches are told."""
    monkeypatch.setattr("playback.laid._PACKED_FROM_BYTES", 0)  # short ones are not worth it
    api = await an_api(clips)
    plain = await api.get(HLS + f"{name}.m3u8", params=asked(0, 24), headers={"Accept-Encoding": "identity"})
    async with api.client() as client, client.stream("GET", HLS + f"{name}.m3u8", params=asked(0, 24)) as packed:
        raw = b"".join([piece async for piece in packed.aiter_raw()])
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(raw) == plain.content
    assert plain.headers["content-type"] == "application/vnd.apple.mpegurl"


async def test_no_object_is_opened_for_a_playlist(clips: Clips) -> None:
    """With the pool gone all three playlists come as before; the bytes are what fails then."""
    api = await an_api(clips)
    async with api.client(pools={}) as client:
        for name in ("multivariant", "media", "iframes"):
            assert (await client.get(HLS + f"{name}.m3u8", params=asked(0, 24))).status_code == 200
        entry = read_playlist((await client.get(HLS + "media.m3u8", params=asked(0, 24))).text).entries[0]
        assert (await client.get(urljoin(HLS, entry.uri))).status_code == 502


async def test_no_footage_is_a_problem_with_its_cause(clips: Clips) -> None:
    """404 names why there is none: what took most of the span."""
    api = await an_api(clips)
    await api.index.put_state(a_loss(at_us=NOON_US + 24 * US_PER_S))
    answer = await api.get(HLS + "media.m3u8", params=asked(30, 60))
    assert (answer.status_code, answer.json()["cause"]) == (404, "camera-away")
    assert "connection refused" in answer.json()["detail"]


async def test_while_the_end_lies_in_the_future_the_playlist_grows(clips: Clips) -> None:
    """Fragment by fragment out of the spool, then indexed: the same addresses, each text beginning with the one before, an end at last."""
    api = Api()
    made = cut(clips.get(seconds=24, gop_frames=50, audio="aac"), Take(start_us=NOON_US))
    texts = []
    for fragments in (1, 3, 5):
        api.clock.at_us = NOON_US + fragments * 2 * US_PER_S
        api.live.show(made, fragments)
        texts.append((await api.get(HLS + "media.m3u8", params=asked(0, 30))).text)
    await api.index.put_run(made.run)
    for row in made.rows:
        await api.index.publish(row)
    texts.append((await api.get(HLS + "media.m3u8", params=asked(0, 30))).text)
    assert all(after.startswith(before) for before, after in pairwise(texts))
    assert [len(read_playlist(text).entries) for text in texts] == [1, 3, 5, 12]
    assert not read_playlist(texts[-1]).ended
    api.clock.at_us = NOON_US + 31 * US_PER_S
    assert read_playlist((await api.get(HLS + "media.m3u8", params=asked(0, 30))).text).ended


class RefusingLive(FakeLive):
    """A recording side that does not take the service's key."""

    def _answer(self) -> None:
        raise Refused("wrong key")


@pytest.mark.parametrize("live", [FakeLive(away=True), RefusingLive()])
async def test_without_the_recording_side_what_is_indexed_plays(clips: Clips, live: FakeLive) -> None:
    """The playlist comes, and a header says that the live edge is missing."""
    api = await an_api(clips)
    api.live = live
    for name in ("multivariant", "media", "iframes"):
        answer = await api.get(HLS + f"{name}.m3u8", params=asked(0, 24))
        assert (answer.status_code, answer.headers["keepsight-live"]) == (200, "away")
