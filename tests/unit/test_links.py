"""Links over the API: they open what they are for, and nothing else, as long as whoever asked for them may see it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from fastapi import Request
from starlette.exceptions import HTTPException

from playback.link_token import LinkKeys, LinkRefused, Use, new_link
from playback.links import check_bytes, touched
from segments.access import EVERYTHING, Role, Scope, Subject, Verb
from segments.clock import US_PER_S, iso
from segments.model import Row, Span
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera, a_row
from tests.footage import Take, recorded
from tests.m3u8 import read_playlist
from tests.media import Clips

BASE = "http://keepsight/api/v1/cameras/gate/"


PLATFORM = Subject("key:7", "platform", roles=frozenset({Role.PLATFORM}), scope=EVERYTHING)


@dataclass
class Guard:
    """Lets one subject in, by a header, and knows it as long as it is there."""

    subject: Subject | None = PLATFORM

    async def allow(self, request: Request, verb: Verb, camera: str | None) -> Subject:
        """See `Access`."""
        if self.subject is None or request.headers.get("authorization") != "Bearer good":
            raise HTTPException(401)
        if not self.subject.may(verb):
            raise HTTPException(403)
        return self.subject

    async def known(self, subject_id: str) -> Subject | None:
        """See `Access`."""
        return self.subject if self.subject is not None and subject_id == self.subject.id else None


class Gate:
    """A camera with 24 s of footage behind a guard; `http` sends nothing that says who asks."""

    def __init__(self, api: Api, guard: Guard, http: httpx2.AsyncClient) -> None:
        self.api, self.guard, self.http = api, guard, http

    async def link(self, start_s: float, end_s: float, use: str = "hls", **more: Any) -> str:
        """An address, as a platform asks for it."""
        wanted = {**asked(start_s, end_s), "use": use, **more}
        answer = await self.http.post(BASE + "links", json=wanted, headers={"Authorization": "Bearer good"})
        assert answer.status_code == 201, answer.text
        return urljoin(BASE, answer.json()["address"])

    async def status(self, address: str, **options: Any) -> int:
        """What is answered without a login."""
        return (await self.http.get(address, **options)).status_code

    async def entries(self, address: str) -> list[tuple[str, str]]:
        """Address and Range header of every entry of a link."""
        lines = (await self.http.get(address)).text.split("\n")
        media = urljoin(address, lines[3])
        playlist = read_playlist((await self.http.get(media)).text)
        return [(urljoin(media, one.uri), f"bytes={one.offset}-{one.offset + one.length - 1}") for one in playlist.entries]


@pytest.fixture
async def gate(clips: Clips):
    """See `Gate`."""
    api, guard = Api(), Guard()
    await api.index.add_camera(a_camera())
    await api.index.add_camera(a_camera("door"))
    clip = clips.get(seconds=24, gop_frames=50, audio="aac")
    for camera in ("gate", "door"):
        await recorded(api.index, api.objects, clip, Take(camera=camera, start_us=NOON_US))
    async with api.client(access=guard, link_keys=LinkKeys("home", ["k" * 40])) as http:
        yield Gate(api, guard, http)


async def test_a_link_plays_its_span_without_a_login(gate: Gate) -> None:
    """From the multivariant playlist to the last entry, init and key frames included."""
    address = await gate.link(6, 12)
    texts = (await gate.http.get(address)).text
    for place in re.findall(r"(?:^|URI=\")((?:media|iframes)[^\s\"]+)", texts, re.MULTILINE):
        playlist = read_playlist((await gate.http.get(urljoin(address, place))).text)
        assert len(playlist.entries) == 3
        for entry in playlist.entries:
            bytes_ = f"bytes={entry.offset}-{entry.offset + entry.length - 1}"
            assert await gate.status(urljoin(address, entry.uri), headers={"Range": bytes_}) == 206
            assert await gate.status(urljoin(address, entry.init)) == 200
    assert await gate.status(BASE + "hls/media.m3u8", params=asked(6, 12)) == 401


async def test_a_link_outlives_its_start_in_its_entries_only(gate: Gate) -> None:
    """After its seconds the address is dead, and what it opened goes on: for as long as the span takes to watch and an hour, not longer."""
    address = await gate.link(6, 12, seconds=30)
    entries = await gate.entries(address)
    gate.api.clock.at_us += 30 * US_PER_S
    assert await gate.status(address) == 403
    assert await gate.status(entries[0][0], headers={"Range": entries[0][1]}) == 206
    gate.api.clock.at_us += 3600 * US_PER_S
    assert await gate.status(entries[0][0], headers={"Range": entries[0][1]}) == 403


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a: a.replace("cameras/gate", "cameras/door"), "another camera"),
        (lambda a: a.replace(iso_q(6), iso_q(4)), "an earlier begin"),
        (lambda a: a.replace(iso_q(12), iso_q(14)), "a later end"),
        (lambda a: a.replace("hls/multivariant.m3u8", "snapshot.jpg") + f"&at={iso_q(7)}", "another use"),
        (lambda a: a.replace(link_in(a), link_in(a)[:-2] + "AA"), "another signature"),
        (lambda a: a + "&link=x", "a second one"),
    ],
)
async def test_a_link_opens_nothing_else(gate: Gate, change: Any, why: str) -> None:
    """Whatever is changed in its address, the answer is 403 and no footage."""
    address = await gate.link(6, 12)
    answer = await gate.http.get(change(address))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:keepsight:problem:link-refused"), why


def iso_q(second: float) -> str:
    """A moment so many seconds after noon, as it stands in an address."""
    return iso(NOON_US + round(second * US_PER_S)).replace(":", "%3A")


def link_in(address: str) -> str:
    """The token of an address."""
    return parse_qs(urlsplit(address).query)["link"][0]


async def test_an_entry_opens_whole_fragments_of_its_span_only(gate: Gate) -> None:
    """Bytes of a fragment beside the span, the whole segment, and another segment are refused with the same token."""
    inside = await gate.entries(await gate.link(12, 16))
    everything = await gate.entries(await gate.link(0, 24))
    token = link_in(inside[0][0])
    opened = []
    for address, wanted in everything:
        own = address.replace(link_in(address), token)
        opened.append(await gate.status(own, headers={"Range": wanted}))
    assert [n for n, status in enumerate(opened) if status == 206] == [6, 7]
    assert set(opened) == {206, 403}
    first, last = (int(part) for part in inside[0][1].removeprefix("bytes=").split("-"))
    for wanted in (f"bytes={first - 1}-{last}", f"bytes={first}-", f"bytes={first}-{last},0-5", "bytes=-100", "x"):
        assert await gate.status(inside[0][0], headers={"Range": wanted}) == 403, wanted
    assert await gate.status(inside[0][0]) == 403


async def test_links_are_for_get_and_head_only(gate: Gate) -> None:
    """A link makes no further link, and opens no route that does not name it."""
    address = await gate.link(6, 12)
    token = link_in(address)
    assert (await gate.http.post(BASE + f"links?link={token}", json={**asked(6, 12), "use": "hls"})).status_code == 401
    assert await gate.status(BASE + f"timeline?link={token}", params=asked(6, 12)) == 401
    assert (await gate.http.post(address)).status_code == 405


async def test_a_subject_that_lost_its_right_has_lost_its_links(gate: Gate) -> None:
    """Gone, without the role, or without the camera in scope: playlist, entry and init are refused with the next request."""
    address = await gate.link(6, 12)
    entry, wanted = (await gate.entries(address))[0]
    was = gate.guard.subject
    assert was is not None
    lost = [None, replace(was, roles=frozenset({Role.PLANNER})), replace(was, scope=Scope(areas=("elsewhere",))), replace(was, id="key:8")]
    for subject in lost:
        gate.guard.subject = subject
        assert await gate.status(address) == 403
        assert await gate.status(entry, headers={"Range": wanted}) == 403
    gate.guard.subject = replace(was, scope=Scope(cameras=("gate",)))
    assert await gate.status(entry, headers={"Range": wanted}) == 206


async def test_a_snapshot_link_shows_its_span(gate: Gate) -> None:
    """Any moment of it, and none outside."""
    address = await gate.link(6, 12, "snapshot")
    assert (await gate.http.get(address)).headers["content-type"] == "image/jpeg"
    assert await gate.status(address.replace(iso_q(6), iso_q(11.9))) == 200
    assert await gate.status(address.replace(iso_q(6), iso_q(12))) == 403


async def test_a_file_link_goes_on_after_its_start(gate: Gate) -> None:
    """It leads on to the same file by a token that outlives it, of the same span, and is dead itself after its seconds."""
    address = await gate.link(6, 12, "mp4", seconds=30)
    led = await gate.http.get(address)
    assert led.status_code == 307
    file = urljoin(address, led.headers["location"])
    gate.api.clock.at_us += 60 * US_PER_S
    assert await gate.status(address) == 403
    assert (await gate.http.get(file, headers={"Range": "bytes=4-7"})).content == b"ftyp"
    assert (await gate.http.head(file)).status_code == 200
    assert await gate.status(file.replace(iso_q(6), iso_q(4))) == 403
    assert await gate.status(file.replace("footage.mp4", "hls/media.m3u8")) == 403


async def test_links_want_the_right_to_what_they_open(gate: Gate) -> None:
    """Whoever may only view gets no link to a file, and nobody gets one of days, of nothing, or for longer than five minutes."""
    gate.guard.subject = Subject("key:7", "", roles=frozenset({Role.VIEWER}), scope=EVERYTHING)
    good, auth = {**asked(6, 12), "use": "hls"}, {"Authorization": "Bearer good"}
    assert (await gate.http.post(BASE + "links", json=good, headers=auth)).status_code == 201
    assert (await gate.http.post(BASE + "links", json=good)).status_code == 401
    assert (await gate.http.post(BASE + "links", json=good | {"use": "mp4"}, headers=auth)).status_code == 403
    for bad in (good | asked(12, 6), good | asked(0, 90_000), good | {"seconds": 301}, good | {"use": "all"}, good | {"more": 1}):
        assert (await gate.http.post(BASE + "links", json=bad, headers=auth)).status_code == 422


def test_the_fragments_of_a_span_go_back_to_a_key_frame() -> None:
    """What cannot be decoded alone is opened with what it needs, and a span beside the row opens nothing."""
    row = a_row()
    keyless = tuple(f._replace(key_length=0) if n == 5 else f for n, f in enumerate(row.fragments))
    row = replace(row, fragments=keyless)
    f = row.fragments
    assert touched(row, Span(NOON_US + 10_500_000, NOON_US + 11_000_000)) == (f[4].offset, f[5].offset + f[5].length)
    assert touched(row, Span(NOON_US + 90_000_000, NOON_US + 91_000_000)) == (0, 0)


@pytest.mark.parametrize("bounded", [True, False])
def test_without_the_check_of_bytes_the_whole_segment_is_open(bounded: bool) -> None:
    """The negative control: what a link's span does not touch is refused by the check alone."""
    link = new_link("key:7", "gate", Span(NOON_US, NOON_US + 2 * US_PER_S), Use.HLS, NOON_US)
    row: Row = a_row()
    if bounded:
        with pytest.raises(LinkRefused):
            check_bytes(row, 0, row.size, link)
    else:
        check_bytes(row, 0, row.size, None)
