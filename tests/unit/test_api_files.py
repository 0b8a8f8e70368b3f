"""Footage as files over HTTP: the same file whole and in ranges, its ETag, what it is made of, and what is refused."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import av
import pytest

from playback.segment_bytes import PIECE_BYTES
from segments.access import Subject
from segments.audit import Act, Action
from segments.clock import US_PER_DAY, US_PER_S, iso
from segments.errors import TryAgain
from segments.model import Span
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera
from tests.footage import Recorded, Take, recorded
from tests.media import Clips, frame_numbers

FILE = "cameras/gate/footage.mp4"
FPS = 25


@dataclass
class Acts:
    """A register that keeps what is written, or cannot write."""

    acts: list[Act] = field(default_factory=list)
    away: bool = False

    async def write(self, act: Act) -> None:
        if self.away:
            raise TryAgain("the register does not answer")
        self.acts.append(act)


async def archive(clips: Clips, **options: object) -> tuple[Api, Recorded]:
    """Eight seconds from noon on in three segments."""
    api = Api()
    await api.index.add_camera(a_camera())
    return api, await recorded(api.index, api.objects, clips.get(seconds=8, **options), Take(start_us=NOON_US, segment_s=3))


async def second_codec(api: Api, clips: Clips) -> None:
    """Four seconds of H.265 from 12:00:10 on."""
    await recorded(api.index, api.objects, clips.get(codec="h265", seconds=4), Take(start_us=NOON_US + 10 * US_PER_S, run="home-a-1-2"))


async def test_a_span_is_one_playable_file(clips: Clips, tmp_path: Path) -> None:
    """The whole file has the length it says, shows all pictures asked for, and is a download with a name that says what it is."""
    api, _ = await archive(clips)
    answer = await api.get(FILE, params=asked(2, 7))
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="gate_20260314T120002Z_20260314T120007Z.mp4"'
    assert answer.headers["keepsight-time"] == "2026-03-14T12:00:02.000Z"
    path = tmp_path / "gate.mp4"
    path.write_bytes(answer.content)
    assert frame_numbers(path) == list(range(2 * FPS, 7 * FPS))


@pytest.mark.parametrize("header", ["bytes=0-99", "bytes=50000-", "bytes=-700", "bytes=1000-1000", "bytes=3-99999999"])
async def test_a_range_is_a_slice_of_the_whole(clips: Clips, header: str) -> None:
    """206 with exactly these bytes, where they lie and of how many."""
    api, _ = await archive(clips)
    whole = await api.get(FILE, params=asked(0, 8))
    answer = await api.get(FILE, params=asked(0, 8), headers={"Range": header})
    first, last, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers["content-range"]).groups())
    assert (answer.status_code, size) == (206, len(whole.content))
    assert answer.content == whole.content[first : last + 1]
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["etag"] == whole.headers["etag"]


async def test_head_says_what_get_does(clips: Clips) -> None:
    """The same headers, and no byte; a range means nothing to it."""
    api, _ = await archive(clips)
    async with api.client() as client:
        whole = await client.get(FILE, params=asked(0, 8))
        head = await client.head(FILE, params=asked(0, 8), headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "{}"}, 304),
        ({"If-None-Match": '"other", W/{}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"Range": "bytes=5-9", "If-Range": "{}"}, 206),
        ({"Range": "bytes=5-9", "If-Range": '"other"'}, 200),
        ({"Range": "bytes=5-9", "If-Range": "W/{}"}, 200),
        ({"Range": "bytes=0-1,5-6"}, 200),
        ({"Range": "lines=0-1"}, 200),
        ({"Range": "bytes=99999999-"}, 416),
    ],
)
async def test_conditions(clips: Clips, headers: dict[str, str], status: int) -> None:
    """RFC 9110, 13 and 14: ETags are compared, several ranges are answered with everything, none beyond the end."""
    api, _ = await archive(clips)
    whole = await api.get(FILE, params=asked(0, 8))
    answer = await api.get(FILE, params=asked(0, 8), headers={name: text.format(whole.headers["etag"]) for name, text in headers.items()})
    assert answer.status_code == status
    if status == 304:
        assert (answer.content, answer.headers["etag"]) == (b"", whole.headers["etag"])
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole.content)}"


async def test_the_etag_is_of_the_bytes(clips: Clips) -> None:
    """Spans that make the same file have one; another cut, and held gaps, have another."""
    api, _ = await archive(clips)
    spans = [asked(2, 7), asked(2.1, 6.9), asked(1.9, 7), asked(2, 7) | {"gaps": "hold"}]
    tags = [(await api.get(FILE, params=span)).headers["etag"] for span in spans]
    assert tags[0] == tags[1]
    assert len(set(tags)) == 3


async def test_tails_are_read_once(clips: Clips) -> None:
    """A player's second range reads nothing but its own bytes."""
    api, made = await archive(clips)
    reads: list[tuple[str, int, int | None]] = []
    get = api.objects.get

    async def counted(key: str, start: int = 0, end: int | None = None) -> bytes:
        reads.append((key, start, end))
        return await get(key, start, end)

    api.objects.get = counted
    async with api.client() as client:
        await client.get(FILE, params=asked(0, 8), headers={"Range": "bytes=0-9"})
        assert len(reads) == len(made.rows)
        answer = await client.get(FILE, params=asked(0, 8), headers={"Range": "bytes=-10"})
    assert answer.status_code == 206
    assert len(reads) == len(made.rows) + 1
    assert sum(len(body) for body in made.objects.values()) < PIECE_BYTES * len(made.rows)


async def test_the_wall_clock_is_in_the_file(clips: Clips) -> None:
    """Created when its first picture was, with a chapter for each segment that is named by its moment."""
    api, _ = await archive(clips)
    answer = await api.get(FILE, params=asked(2, 8))
    with av.open(io.BytesIO(answer.content)) as container:
        found = [(chapter["start"] * chapter["time_base"], chapter["metadata"]["title"]) for chapter in container.chapters()]
        assert container.metadata["creation_time"] == "2026-03-14T12:00:02.000000Z"
        assert container.streams.video[0].metadata["creation_time"] == "2026-03-14T12:00:02.000000Z"
    assert found == [(0, "2026-03-14T12:00:02.000Z"), (1, "2026-03-14T12:00:03.000Z"), (4, "2026-03-14T12:00:06.000Z")]


async def test_the_list_tells_all_files_and_gaps(clips: Clips) -> None:
    """Each file with its addresses, times, size and pictures, as GET then gives it; the time in none of them with its cause."""
    api, made = await archive(clips)
    await second_codec(api, clips)
    listed = (await api.get("cameras/gate/footage", params=asked(0, 14))).json()
    assert [(each["from"], each["to"], each["frames"]) for each in listed["files"]] == [
        (iso(NOON_US), iso(NOON_US + 8 * US_PER_S), 8 * FPS),
        (iso(NOON_US + 10 * US_PER_S), iso(NOON_US + 14 * US_PER_S), 4 * FPS),
    ]
    assert [(gap["from"], gap["to"]) for gap in listed["gaps"]] == [(iso(NOON_US + 8 * US_PER_S), iso(NOON_US + 10 * US_PER_S))]
    for each in listed["files"]:
        answer = await api.get(urljoin("cameras/gate/footage", each["file"]))
        assert (len(answer.content), answer.headers["etag"]) == (each["size"], f'"{each["etag"]}"')
        manifest = (await api.get(urljoin("cameras/gate/footage", each["manifest"]))).json()
        assert (manifest["size"], manifest["etag"], manifest["codecs"]) == (each["size"], each["etag"], each["codecs"])
    first = (await api.get(urljoin("cameras/gate/footage", listed["files"][0]["manifest"]))).json()
    assert [segment["sha256"] for segment in first["runs"][0]["segments"]] == [row.sha256 for row in made.rows]


async def test_a_span_of_two_files_wants_a_part(clips: Clips) -> None:
    """Without `part` nothing is left out silently; a part that is none is not there."""
    api, _ = await archive(clips)
    await second_codec(api, clips)
    assert "part=1" in (refused := await api.get(FILE, params=asked(0, 14))).json()["detail"]
    assert refused.status_code == 422
    second = await api.get(FILE, params=asked(0, 14) | {"part": "2"})
    assert second.headers["content-disposition"].endswith('_part2.mp4"')
    assert (await api.get(FILE, params=asked(0, 14) | {"part": "3"})).status_code == 404


async def test_days_are_files_of_their_own(clips: Clips) -> None:
    """A list of three days has a file for each that has footage; one file of over 24 h is refused."""
    api, _ = await archive(clips)
    later = Take(start_us=NOON_US + 2 * US_PER_DAY + 60 * US_PER_S, run="home-a-1-3", segment_s=3)
    await recorded(api.index, api.objects, clips.get(seconds=8), later)
    days = {"from": iso(NOON_US), "to": iso(NOON_US + 3 * US_PER_DAY)}
    listed = (await api.get("cameras/gate/footage", params=days)).json()
    assert [(each["from"], each["size"]) for each in listed["files"]] == [(iso(NOON_US), None), (iso(later.start_us), None)]
    assert [len((await api.get(f"cameras/gate/{each['file']}")).content) > 10_000 for each in listed["files"]] == [True, True]
    assert (await api.get(FILE, params=days)).status_code == 422
    assert (await api.get("cameras/gate/footage", params=days | {"to": iso(NOON_US + 8 * US_PER_DAY)})).status_code == 422


async def test_a_held_gap_lasts_as_long_as_it_did(clips: Clips, tmp_path: Path) -> None:
    """With `gaps=hold` the time of the file runs as the wall clock does: the second run is shown when it was."""
    api, _ = await archive(clips)
    await recorded(api.index, api.objects, clips.get(seconds=8), Take(start_us=NOON_US + 60 * US_PER_S, run="home-a-1-2", segment_s=3))
    answer = await api.get(FILE, params=asked(0, 68) | {"gaps": "hold"})
    with av.open(io.BytesIO(answer.content)) as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.size]
    assert times[8 * FPS] == pytest.approx(60)
    assert len(times) == 16 * FPS


async def test_a_span_without_footage_says_why(clips: Clips) -> None:
    """404 with the cause, as everywhere."""
    api, _ = await archive(clips)
    for path in (FILE, "cameras/gate/footage", "cameras/gate/footage.json"):
        answer = await api.get(path, params=asked(100, 200))
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:keepsight:problem:no-footage")
    assert (await api.get("cameras/nowhere/footage.mp4", params=asked(0, 8))).status_code == 404


async def test_what_is_handed_out_is_written_down_first(clips: Clips) -> None:
    """The act is an export of the camera from the key frame on; without a register nothing is given."""
    api, _ = await archive(clips)
    acts = Acts()
    async with api.client(register=acts) as client:
        assert (await client.get(FILE, params=asked(2.5, 7))).status_code == 200
        assert [(act.action, act.cameras, act.span) for act in acts.acts] == [
            (Action.EXPORT, ("gate",), Span(NOON_US + 2 * US_PER_S, NOON_US + 7 * US_PER_S))
        ]
        assert isinstance(acts.acts[0].who, Subject)
        acts.away = True
        for method in ("GET", "HEAD"):
            assert (await client.request(method, FILE, params=asked(2.5, 7))).status_code == 200, "it stands there already"
            assert (await client.request(method, FILE, params=asked(2.5, 8))).status_code == 503


async def test_what_still_grows_is_not_in_a_file(clips: Clips) -> None:
    """Of the live edge nothing is exported: it has no tail and no hash yet."""
    api, made = await archive(clips)
    other = Api()
    api.live = other.live
    api.live.show(made, 1)
    listed = (await api.get("cameras/gate/footage", params=asked(0, 14))).json()
    assert listed["files"][0]["to"] == iso(NOON_US + 8 * US_PER_S)
