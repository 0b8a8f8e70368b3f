"""What the demo checks of its own recording, through the API alone: it is there, it plays, and it shows the time it says it shows.

The pictures carry their own time and number (deploy/demo_cameras/pictures.py), so what is checked was said by the camera.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

import av
import httpx2

from deploy.demo_cameras.cameras import DemoCamera
from deploy.demo_cameras.pictures import NUMBERS, Mark, day_offset_us, read_mark
from deploy.hls_reader import Entry, read_media_playlist
from segments.clock import US_PER_S, from_datetime, iso
from segments.errors import DataDamaged, KeepsightError, NotFound, TryAgain
from segments.media import Codec
from segments.model import Span

START_LIMIT_S = 15
"""Footage must begin so soon after the service was up."""
LIVE_LIMIT_S = 8
"""Footage must reach up to so long ago."""
CLOCK_LIMIT_US = US_PER_S // 2
"""The clock in a picture and the time it is played at may differ so much."""
EDGE_US = 20_000
"""Timeline and playlist may differ so much at their ends: both round to milliseconds."""

_CODECS = {Codec.H264: "avc1.", Codec.H265: "hvc1."}


class Check(NamedTuple):
    """One thing that was checked of a camera (or of the whole service), and what came out, in a sentence."""

    camera: str
    what: str
    fine: bool
    said: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A fragment as a decoder sees it: its pictures with their place in it, how many were stored, and its pieces of sound."""

    pictures: Sequence[tuple[int, Mark]]
    stored: int
    sounds: int


class CameraCheck:
    """Checks one camera over a span that has passed. `client` has the API's address as its base."""

    def __init__(self, client: httpx2.AsyncClient, camera: DemoCamera, span: Span) -> None:
        self._client = client
        self._camera = camera
        self._span = span
        self._path = f"cameras/{quote(camera.id)}"
        self._footage = Span(0, 0)
        self._shown: list[tuple[int, Mark]] = []

    async def all(self) -> list[Check]:
        """All checks, one after another."""
        return [
            await self._checked("timeline", self._timeline()),
            await self._checked("plays", self._plays()),
            await self._checked("clock", self._clock()),
            await self._checked("snapshot", self._snapshot()),
        ]

    async def _checked(self, what: str, work: Awaitable[str]) -> Check:
        try:
            return Check(self._camera.id, what, fine=True, said=await work)
        except KeepsightError as error:
            return Check(self._camera.id, what, fine=False, said=str(error))

    async def _timeline(self) -> str:
        """Footage all the way, without a gap inside."""
        answer = (await self._get(f"{self._path}/timeline", _query(self._span))).json()
        self._footage = whole_footage(answer["spans"], self._span)
        return f"{(self._footage.end_us - self._footage.start_us) / US_PER_S:.0f} s of footage"

    async def _plays(self) -> str:
        """Every entry of the playlist loads and decodes, and no picture is missing."""
        multivariant = await self._get(f"{self._path}/hls/multivariant.m3u8", _query(self._span))
        for wanted in (_CODECS[self._camera.codec], *(["mp4a."] if self._camera.sound else [])):
            if wanted not in multivariant.text:
                raise DataDamaged(f"the playlist names no codec {wanted}*")
        media = await self._get(f"{self._path}/hls/media.m3u8", _query(self._span))
        entries = read_media_playlist(media.text)
        inits: dict[str, bytes] = {}
        sounds = 0
        for entry in entries:
            if entry.init_uri not in inits:
                inits[entry.init_uri] = (await self._get(urljoin(str(media.url), entry.init_uri))).content
            data = inits[entry.init_uri] + await self._fragment(urljoin(str(media.url), entry.uri), entry)
            decoded = await asyncio.to_thread(decode, data)
            self._shown += shown_pictures(entry, decoded, self._shown)
            sounds += decoded.sounds
        if not entries or entries[0].start_us > self._footage.start_us + EDGE_US or entries[-1].end_us < self._footage.end_us - EDGE_US:
            raise DataDamaged("the playlist leaves out some of the footage that the timeline shows")
        if self._camera.sound and not sounds:
            raise DataDamaged("no sound was recorded")
        return f"{len(entries)} fragments, {len(self._shown)} pictures" + (f", {sounds} pieces of sound" if sounds else "")

    async def _fragment(self, uri: str, entry: Entry) -> bytes:
        end = entry.offset + entry.length - 1
        answer = await self._get(uri, headers={"Range": f"bytes={entry.offset}-{end}"}, status=206)
        if len(answer.content) != entry.length:
            raise DataDamaged(f"a fragment of {entry.length} bytes came with {len(answer.content)}")
        return answer.content

    async def _clock(self) -> str:
        if not self._shown:
            raise DataDamaged("no picture to read a clock from")
        worst_us = max((day_offset_us(mark, at_us) for at_us, mark in self._shown), key=abs)
        if abs(worst_us) > CLOCK_LIMIT_US:
            raise DataDamaged(f"pictures are {worst_us / US_PER_S:+.2f} s from the time they are played at")
        return f"within {abs(worst_us) / 1000:.0f} ms"

    async def _snapshot(self) -> str:
        """A JPEG of the middle of the footage, of the time it says."""
        if not self._shown:
            raise NotFound("no moment to take a snapshot of")
        at_us = self._shown[len(self._shown) // 2][0]
        answer = await self._get(f"{self._path}/snapshot.jpg", {"at": iso(at_us)})
        mark = await asyncio.to_thread(read_jpeg, answer.content)
        said_us = from_datetime(_moment(answer.headers.get("Keepsight-Time", "")))
        off_us = day_offset_us(mark, said_us)
        if abs(off_us) > CLOCK_LIMIT_US or abs(said_us - at_us) > LIVE_LIMIT_S * US_PER_S:
            raise DataDamaged(f"the snapshot of {iso(at_us)} says {iso(said_us)} and is {off_us / US_PER_S:+.2f} s from it")
        return f"{len(answer.content) / 1000:.0f} kB"

    async def _get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None, status: int = 200
    ) -> httpx2.Response:
        try:
            answer = await self._client.get(path, params=query, headers=headers)
        except httpx2.HTTPError as error:
            raise TryAgain(f"no answer ({type(error).__name__})") from None
        if answer.status_code != status:
            problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            raise DataDamaged(f"the service answers {answer.status_code}: {problem.get('detail') or problem.get('title') or 'no reason'}")
        return answer


async def check_status(client: httpx2.AsyncClient) -> Check:
    """The service answers and has nothing that a person must look at."""
    try:
        alarms = (await client.get("status")).json()["alarms"]
    except (httpx2.HTTPError, ValueError, KeyError) as error:
        alarms = [f"the service does not say how it is ({type(error).__name__})"]
    return Check("all", "status", fine=not alarms, said="; ".join(alarms) or "no alarms")


def whole_footage(spans: Sequence[Mapping[str, Any]], asked: Span) -> Span:
    """The footage of a timeline; raises DataDamaged if there is none, if it begins late, ends early or has a gap inside."""
    places = [place for place, span in enumerate(spans) if span["kind"] == "footage"]
    if not places:
        why = ", ".join(dict.fromkeys(f"{span['cause']} {span['detail']}".strip() for span in spans))
        raise DataDamaged(f"there is no footage ({why})")
    for span in spans[places[0] : places[-1]]:
        if span["kind"] == "gap":
            raise DataDamaged(f"there is a gap from {span['from']} to {span['to']} ({span['cause']} {span['detail']})")
    start_us, end_us = (from_datetime(_moment(text)) for text in (spans[places[0]]["from"], spans[places[-1]]["to"]))
    if start_us > asked.start_us + START_LIMIT_S * US_PER_S:
        raise DataDamaged(f"footage begins {(start_us - asked.start_us) / US_PER_S:.0f} s late")
    if end_us < asked.end_us - LIVE_LIMIT_S * US_PER_S:
        raise DataDamaged(f"footage ends {(asked.end_us - end_us) / US_PER_S:.0f} s early")
    return Span(start_us, end_us)


def shown_pictures(entry: Entry, decoded: Decoded, before: Sequence[tuple[int, Mark]]) -> list[tuple[int, Mark]]:
    """The pictures of a fragment with the wall time each is played at.

    Raises DataDamaged unless all that are stored were decoded and their numbers follow those before: one missing is noticed.
    """
    if not decoded.stored or len(decoded.pictures) != decoded.stored:
        raise DataDamaged(f"the fragment at {iso(entry.start_us)} holds {decoded.stored} pictures, {len(decoded.pictures)} decode")
    number = before[-1][1].number if before else None
    for _, mark in decoded.pictures:
        if number is not None and mark.number != (number + 1) % NUMBERS:
            raise DataDamaged(f"at {iso(entry.start_us)} picture {mark.number} follows picture {number}")
        number = mark.number
    return [(entry.start_us + offset_us, mark) for offset_us, mark in decoded.pictures]


def decode(data: bytes) -> Decoded:
    """Decodes the bytes of an init and one fragment with libav; raises DataDamaged."""
    pictures: list[tuple[int, Mark]] = []
    stored = sounds = 0
    first_s: float | None = None
    try:
        with av.open(io.BytesIO(data), "r") as container:
            for packet in container.demux():
                stored += bool(packet.size) and packet.stream.type == "video"
                for frame in packet.decode():
                    if not isinstance(frame, av.VideoFrame):
                        sounds += 1
                        continue
                    time_s = frame.time or 0.0
                    first_s = time_s if first_s is None else first_s
                    pictures.append((round((time_s - first_s) * US_PER_S), read_mark(frame.to_ndarray(format="gray"))))
    except (av.FFmpegError, ValueError) as error:
        raise DataDamaged(f"a fragment does not decode ({type(error).__name__})") from None
    return Decoded(pictures, stored, sounds)


def read_jpeg(data: bytes) -> Mark:
    """What the squares of a JPEG say; raises DataDamaged if it is none."""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            return read_mark(next(container.decode(video=0)).to_ndarray(format="gray"))
    except (av.FFmpegError, ValueError, StopIteration) as error:
        raise DataDamaged(f"the snapshot is no JPEG that decodes ({type(error).__name__})") from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise DataDamaged(f"{text!r} is no time") from None


def _query(span: Span) -> dict[str, str]:
    return {"from": iso(span.start_us), "to": iso(span.end_us)}
