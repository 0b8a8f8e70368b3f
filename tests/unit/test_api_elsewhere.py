"""Footage of other sites over HTTP: timelines, playlists, pictures, files and bytes, and that a site without others asks nobody."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import httpx2
import pytest

from deploy.export import export_footage
from deploy.wiring import Stores
from playback.elsewhere import SITES_AWAY_HEADER
from playback.footage import rows_of
from playback.segment_bytes import PIECE_BYTES
from replication.elsewhere import PeerElsewhere
from segments.clock import US_PER_DAY, US_PER_S
from segments.damage import KnownDamage
from segments.errors import KeepsightError, TryAgain
from segments.model import Row, Span
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera, a_row, a_run, at, some_rows
from tests.clocks import HandClock
from tests.fakes import SwitchedIndex
from tests.footage import Recorded, Take, cut, recorded
from tests.m3u8 import read_playlist
from tests.media import Clips, frame_numbers, read_frame_number
from tests.other_site import OtherSite
from tests.retention_builders import a_gone, a_receipt

LARGE = hashlib.shake_128(b"large").digest(PIECE_BYTES + 1000)


@dataclass
class Two:
    """Our site, and site b beside it; it is 13:00."""

    api: Api = field(default_factory=Api)
    b: OtherSite = field(default_factory=OtherSite)

    def __post_init__(self) -> None:
        self.clock = HandClock()
        self.elsewhere = PeerElsewhere({"b": self.b}, self.clock)
        self.damage = KnownDamage(self.api.index, self.clock)

    async def get(self, path: str, **options: object) -> httpx2.Response:
        async with self.api.client(elsewhere=self.elsewhere, damage=self.damage) as client:
            return await client.get(path, **options)

    async def spans(self, start_s: float, end_s: float, **more: str) -> list[tuple[float, float, object]]:
        """The spans of a timeline, in seconds after noon, each with its sites or cause."""
        answer = await self.get("cameras/gate/timeline", params=asked(start_s, end_s) | more)
        assert answer.status_code == 200, answer.text
        seconds = [((at(one["from"]) - NOON_US) / US_PER_S, (at(one["to"]) - NOON_US) / US_PER_S) for one in answer.json()["spans"]]
        return [(*ends, one.get("sites") or one["cause"]) for ends, one in zip(seconds, answer.json()["spans"], strict=True)]


async def put(site: Api | OtherSite, rows: list[Row], run: str = "home-a-1-1") -> None:
    """Rows and their run, without bytes."""
    await site.index.put_run(a_run(id=run, start_us=rows[0].start_us, last_us=rows[-1].end_us))
    for row in rows:
        await site.index.publish(row)


@pytest.fixture
async def two() -> Two:
    made = Two()
    await made.api.index.add_camera(a_camera())
    return made


# --- the timeline ---


async def test_what_is_not_here_is_shown_with_its_site(two: Two) -> None:
    """Minutes 0 to 2 are here, 1 to 4 at b: others are asked only for what is not here."""
    await put(two.api, some_rows(2))
    await put(two.b, some_rows(3, start_us=NOON_US + 60 * US_PER_S, counter=1))

    assert await two.spans(0, 300) == [(0, 120, ["home"]), (120, 240, ["b"]), (240, 300, "unknown")]
    assert two.b.asked == {"footage": 1}


async def test_all_sites_are_named_if_it_is_asked_for(two: Two) -> None:
    """With `sites` also where there is footage here; spans are cut where the sites change."""
    await put(two.api, some_rows(2))
    await put(two.b, some_rows(3, start_us=NOON_US + 60 * US_PER_S, counter=1))

    assert await two.spans(0, 300, sites="true") == [
        (0, 60, ["home"]),
        (60, 120, ["b", "home"]),
        (120, 240, ["b"]),
        (240, 300, "unknown"),
    ]


async def test_the_higher_epoch_wins_at_whichever_site(two: Two) -> None:
    """b recorded in our place: overlaps settle as those of one site do."""
    await put(two.api, some_rows(2))
    await put(two.b, some_rows(2, start_us=NOON_US + 60 * US_PER_S, run="b-a-7-1"), "b-a-7-1")
    found = (await two.get("cameras/gate/timeline", params=asked(0, 180) | {"sites": "true"})).json()["spans"]

    assert [(one["run"], one["sites"]) for one in found] == [("home-a-1-1", ["home"]), ("b-a-7-1", ["b"])]
    assert at(found[0]["to"]) == NOON_US + 60 * US_PER_S


async def test_over_a_day_runs_are_asked_for(two: Two) -> None:
    """One question for 300 days."""
    await put(two.api, some_rows(2))
    await put(two.b, some_rows(2, start_us=NOON_US - 100 * US_PER_DAY))
    spans = await two.spans(-300 * 86_400, 120)

    assert [sites for _, _, sites in spans if isinstance(sites, list)] == [["b"], ["home"]]
    assert two.b.asked == {"footage": 1}


async def test_buckets_count_what_is_elsewhere(two: Two) -> None:
    """As footage."""
    await put(two.b, some_rows(1))
    answer = await two.get("cameras/gate/timeline", params=asked(0, 120) | {"resolution": "60"})
    assert [one["footage_s"] for one in answer.json()["buckets"]] == [60, 0]


async def test_what_a_receipt_explains_is_not_asked_for(two: Two) -> None:
    """Our rules have deleted it: that another site keeps it longer does not bring it back here, by no address."""
    (row,) = some_rows(1)
    await put(two.b, [row])
    await two.api.index.put_receipt(a_receipt(segments=(a_gone(start_us=row.start_us, end_us=row.end_us),)))

    assert await two.spans(0, 60) == [(0, 60, "deleted")]
    assert await two.spans(0, 60, sites="true") == [(0, 60, "deleted")]
    assert (await two.get("cameras/gate/hls/media.m3u8", params=asked(0, 60))).status_code == 404
    assert (await two.get(path(row))).status_code == 404
    assert not two.b.asked


async def test_control_without_the_receipt_it_is(two: Two) -> None:
    """So it is the receipt that the test above sees."""
    (row,) = some_rows(1)
    await put(two.b, [row])
    assert await two.spans(0, 60) == [(0, 60, ["b"])]


async def test_a_site_that_does_not_answer_is_named(two: Two) -> None:
    """In the header; what is here is shown all the same."""
    await put(two.api, some_rows(1))
    two.b.error = TryAgain("connection refused")
    for route in ("timeline", "hls/multivariant.m3u8"):
        answer = await two.get(f"cameras/gate/{route}", params=asked(0, 120))
        assert (answer.status_code, answer.headers[SITES_AWAY_HEADER]) == (200, "b")
    missing = await two.get("cameras/gate/hls/media.m3u8", params=asked(60, 120))
    assert missing.status_code == 404
    assert "may be some at b" in missing.json()["detail"]


@pytest.mark.slow
async def test_one_that_hangs_delays_a_second_once(two: Two) -> None:
    """By the clock on the wall; then it is marked without being waited for."""
    await put(two.api, some_rows(1))
    two.b.hangs = True
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(2):
        began = loop.time()
        answer = await two.get("cameras/gate/timeline", params=asked(0, 120))
        took.append(loop.time() - began)
        assert answer.headers[SITES_AWAY_HEADER] == "b"
    assert 0.9 < took[0] < 2
    assert took[1] < 0.9
    assert two.b.asked == {"footage": 1}


# --- who is asked ---


async def test_a_site_without_others_asks_nothing_more(two: Two) -> None:
    """Not one call of the index more than the footage of here takes, whatever is missing."""
    counts = []
    for elsewhere, rows in ((None, some_rows(2)), (two.elsewhere, some_rows(2))):
        api = Api(index=SwitchedIndex())
        await put(Api(index=api.index.inner), rows)
        services = api.services(**({"elsewhere": elsewhere} if elsewhere else {}))
        await rows_of(services, "gate", Span(NOON_US, NOON_US + 120 * US_PER_S))
        whole = len(api.index.life.calls)
        await rows_of(services, "gate", Span(NOON_US, NOON_US + 180 * US_PER_S))
        counts.append((whole, len(api.index.life.calls) - whole))
    assert counts[0] == (1, 1)
    assert counts[1][0] == 1
    assert counts[1][1] > 1


async def test_where_all_is_here_nobody_is_asked(two: Two) -> None:
    """Timeline, playlist and segment of a span without gaps, and of the live edge whose newest seconds are on their way."""
    rows = some_rows(3)
    await put(two.api, rows)
    two.api.clock.at_us = rows[-1].end_us + 5 * US_PER_S
    for end_s in (180, 600):
        assert (await two.get("cameras/gate/timeline", params=asked(0, end_s))).status_code == 200
        assert (await two.get("cameras/gate/hls/media.m3u8", params=asked(0, end_s))).status_code == 200
    assert not two.b.asked


# --- bytes ---


def path(row: Row) -> str:
    """Where a row's bytes are served."""
    return f"cameras/{row.camera}/segments/{row.start_us}/{row.run}/{row.counter}.mp4"


async def stored(two: Two, body: bytes) -> Row:
    """A segment whose row is here and at b, and whose bytes are at both."""
    row = a_row(size=len(body), sha256=hashlib.sha256(body).hexdigest())
    for site in (two.api, two.b):
        await put(site, [row])
        await site.objects.put(row.key, body, sha256=row.sha256, attributes={})
    return row


class Broken:
    """A pool that gives one short piece, and then fails or ends."""

    def __init__(self, body: bytes, error: KeepsightError | None) -> None:
        self.body, self.error = body, error

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        if self.error:
            raise self.error
        return self.body[start:end][:7]

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        yield self.body[start:end][:70_000]
        if self.error:
            raise self.error


@pytest.mark.parametrize("body", [LARGE[:5000], LARGE])
@pytest.mark.parametrize("error", [None, TryAgain("busy")])
@pytest.mark.parametrize("asked_range", [None, "bytes=10-"])
async def test_a_pool_that_fails_is_replaced(two: Two, body: bytes, error: KeepsightError | None, asked_range: str | None) -> None:
    """Shorter than promised, or away, at once or in the middle: the rest comes from b, and the client sees one object."""
    row = await stored(two, body)
    two.api.objects = Broken(body, error)
    answer = await two.get(path(row), headers={"Range": asked_range} if asked_range else {})
    assert answer.content == (body[10:] if asked_range else body)
    assert two.b.asked["read"] == 1


@pytest.mark.parametrize("body", [LARGE[:5000], LARGE])
async def test_an_object_that_is_lost_comes_from_elsewhere(two: Two, body: bytes) -> None:
    """Instead of 404 `footage-gone`; if b has it no more either, it is gone."""
    row = await stored(two, body)
    await two.api.objects.delete([row.key])
    assert (await two.get(path(row))).content == body
    await two.b.objects.delete([row.key])
    assert (await two.get(path(row))).json()["type"] == "urn:keepsight:problem:footage-gone"


async def test_a_pool_the_settings_lack_is_replaced(two: Two) -> None:
    """What was in a pool that was taken away is served from where it is still."""
    row = await stored(two, LARGE[:5000])
    await two.api.index.publish(replace(row, pool="attic"))
    assert (await two.get(path(row))).content == LARGE[:5000]


async def test_two_halves_of_different_objects_are_not_joined(two: Two) -> None:
    """The pool gave the beginning of something else before it failed: the answer breaks off before its end."""
    row = await stored(two, LARGE)
    two.api.objects = Broken(b"x" * len(LARGE), TryAgain("busy"))
    answer = await two.get(path(row))
    assert len(answer.content) < int(answer.headers["content-length"])


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data[1:]])
async def test_damaged_bytes_of_another_site_are_not_served(two: Two, spoil: object) -> None:
    """502 where it can still be said."""
    row = await stored(two, LARGE[:5000])
    await two.api.objects.delete([row.key])
    two.b.spoil = spoil
    assert (await two.get(path(row))).status_code == 502


async def test_with_both_sites_ill_our_own_error_counts(two: Two) -> None:
    """A pool that is busy is asked again later, whatever b says."""
    row = await stored(two, LARGE[:5000])
    two.api.objects = Broken(LARGE, TryAgain("busy"))
    two.b.error = TryAgain("connection refused")
    assert (await two.get(path(row))).status_code == 503


# --- real footage ---


@dataclass
class Filmed:
    """Seconds 0 to 4 of a clip are at home, 4 to 8 at b."""

    two: Two
    made: Recorded


@pytest.fixture
async def filmed(two: Two, clips: Clips) -> Filmed:
    made = await recorded(two.b.index, two.b.objects, clips.get(seconds=8), Take(start_us=NOON_US, segment_s=4))
    here, there = made.rows
    await put(two.api, [here])
    await two.api.index.put_run(replace(made.run, last_us=here.end_us))
    await two.api.objects.put(here.key, made.objects[here.key], sha256=here.sha256, attributes={})
    await two.b.index.put_run(made.run)
    for index, rows in ((two.b.index, [there]), (two.api.index, [here])):
        assert rows[0] in (await index.rows("gate", rows[0].day)).items
    await two.b.objects.delete([here.key])
    return Filmed(two, made)


async def test_a_playlist_goes_on_at_another_site(filmed: Filmed) -> None:
    """One run, no break: every entry is fetched from here and the whole plays, frame by frame."""
    answer = await filmed.two.get("cameras/gate/hls/media.m3u8", params=asked(0, 8))
    playlist = read_playlist(answer.text)
    assert "#EXT-X-DISCONTINUITY" not in answer.text
    played = filmed.made.run.init
    for entry in playlist.entries:
        part = await filmed.two.get(
            f"cameras/gate/hls/{entry.uri}", headers={"Range": f"bytes={entry.offset}-{entry.offset + entry.length - 1}"}
        )
        assert part.status_code == 206
        played += part.content
    with av.open(io.BytesIO(played)) as film:
        assert [read_frame_number(frame.to_ndarray(format="gray")) for frame in film.decode(video=0)] == list(range(200))


async def test_a_camera_that_is_not_here_at_all_plays(two: Two, clips: Clips) -> None:
    """Its playlist, its codecs and its init come from b, though neither index nor archive of here knows of it."""
    made = await recorded(two.b.index, two.b.objects, clips.get(seconds=2), Take(camera="barn", start_us=NOON_US))
    answer = await two.get("cameras/barn/hls/multivariant.m3u8", params=asked(0, 2))
    assert made.run.codecs in answer.text
    assert (await two.get(f"cameras/barn/runs/{made.run.id}/init.mp4")).content == made.run.init
    assert (await two.get(path(made.rows[0]))).content == made.objects[made.rows[0].key]


async def test_what_another_site_records_now_plays(two: Two, clips: Clips) -> None:
    """A growing segment in a spool of b is in the playlist, which grows with it, and its bytes come."""
    made = cut(clips.get(seconds=8), Take(start_us=NOON_US))
    row = two.b.live.show(made, 2)
    two.api.clock.at_us = row.end_us + US_PER_S
    assert (await two.spans(0, 8))[0] == (0, 2, ["b"])
    playlist = read_playlist((await two.get("cameras/gate/hls/media.m3u8", params=asked(0, 60))).text)
    last = row.fragments[-1]
    assert (playlist.entries[-1].offset, playlist.ended) == (last.offset, False)
    answer = await two.get(path(row), headers={"Range": f"bytes={last.offset}-"})
    assert answer.content == made.objects[row.key][last.offset : row.size]
    assert "etag" not in answer.headers

    two.b.live.show(made, 3)
    playlist = read_playlist((await two.get("cameras/gate/hls/media.m3u8", params=asked(0, 60))).text)
    assert playlist.entries[-1].offset > last.offset


@pytest.mark.parametrize("exact", ["false", "true"])
async def test_a_picture_of_another_site(filmed: Filmed, exact: str) -> None:
    """As if it were here."""
    moment = asked(6.5, 7)["from"]
    answer = await filmed.two.get("cameras/gate/snapshot.jpg", params={"at": moment, "exact": exact})
    assert answer.status_code == 200, answer.text
    with av.open(io.BytesIO(answer.content)) as picture:
        number = read_frame_number(next(picture.decode(video=0)).to_ndarray(format="gray"))
    assert number == (162 if exact == "true" else 150)


async def test_a_file_of_both_sites(filmed: Filmed, tmp_path: Path) -> None:
    """An export holds every frame once, and its manifest says where each segment came from."""
    two = filmed.two
    stores = Stores(two.api.index, {"main": two.api.objects})
    span = Span(NOON_US, NOON_US + 8 * US_PER_S)
    (written,) = await export_footage(stores, "gate", span, tmp_path / "gate.mp4", elsewhere=two.elsewhere)
    assert frame_numbers(written.path) == list(range(200))
    assert filmed.made.rows[1].sha256 in json.dumps(json.loads(written.manifest.read_text()))


async def test_control_a_file_without_the_other_site_lacks_its_half(filmed: Filmed, tmp_path: Path) -> None:
    """So it is b that the test above sees."""
    two = filmed.two
    stores = Stores(two.api.index, {"main": two.api.objects})
    (written,) = await export_footage(stores, "gate", Span(NOON_US, NOON_US + 8 * US_PER_S), tmp_path / "gate.mp4")
    assert frame_numbers(written.path) == list(range(100))
