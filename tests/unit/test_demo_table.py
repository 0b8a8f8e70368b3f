"""The demo's table: what it shows is what the API has, counted once."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from deploy.hls_reader import read_media_playlist
from deploy.live_table import CameraLine, Moment, Watcher, plain_lines, shown
from segments.clock import US_PER_S, day_of
from segments.errors import DataDamaged, TryAgain
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera, a_change, a_loss
from tests.footage import Take, recorded
from tests.m3u8 import read_playlist
from tests.media import Clips

FRAGMENTS = {"buffered": 1, "durable": 20, "stored": 12, "indexed": 12}


async def an_api(clips: Clips) -> Api:
    """Gate with 20 s of footage from noon on, yard with none."""
    api = Api()
    for name in ("gate", "yard"):
        await api.index.add_camera(a_camera(name, name=f"The {name}"))
    await api.index.put_state(a_change(at_us=NOON_US))
    await api.index.put_state(a_loss(camera="yard", at_us=NOON_US, detail="connection refused"))
    api.live.said = {"fragments": FRAGMENTS, "spool": {"bytes": 1_500_000}, "alarms": ["the spool is full"]}
    await recorded(api.index, api.objects, clips.get(seconds=20, gop_frames=50), Take("gate", NOON_US))
    return api


def a_moment(**changes) -> Moment:
    camera = CameraLine("gate", "North gate", "recording", "", 1_234_567, NOON_US)
    return Moment(
        **{"now_us": NOON_US + 2 * US_PER_S, "cameras": [camera], "fragments": FRAGMENTS, "spool": {"bytes": 5000}, "alarms": []} | changes
    )


async def test_bytes_and_last_fragment_are_those_of_the_footage(clips):
    """Looked at three times as it goes on, each fragment is counted once."""
    api = await an_api(clips)
    rows = (await api.index.rows("gate", day_of(NOON_US))).items
    length = sum(fragment.length for row in rows for fragment in row.fragments)
    async with api.client() as client:
        watcher = Watcher(client, NOON_US - US_PER_S)
        for now_s in (7, 15, 30, 31):
            moment = await watcher.look(NOON_US + now_s * US_PER_S)
    gate, yard = moment.cameras
    assert (gate.footage_bytes, gate.state, gate.why) == (length, "recording", "")
    assert abs(gate.last_us - rows[-1].end_us) < 5000
    assert (yard.footage_bytes, yard.last_us, yard.state, yard.why) == (0, 0, "waiting", "connection refused")
    assert (moment.fragments, moment.alarms) == (FRAGMENTS, ["the spool is full"])


async def test_a_service_that_is_away_is_told(clips):
    """No answer is a fault that passes or not: the caller decides."""
    api = await an_api(clips)
    async with api.client(token="secret") as client:
        with pytest.raises(TryAgain, match="401"):
            await Watcher(client, NOON_US).look(NOON_US)


async def test_plain_lines_hold_everything():
    """State, bytes, age of the last fragment, counts and alarms, a line each."""
    lines = plain_lines(a_moment(alarms=["the spool is full"]))
    assert len(lines) == 3
    assert all(text in lines[0] for text in ("gate", "recording", "1.2 MB", "(2 s ago)"))
    assert "1 buffered, 20 durable, 12 stored, 12 indexed · spool 5 kB" in lines[1]
    assert lines[2].endswith("! the spool is full")


def test_a_terminal_sees_one_table_and_a_file_sees_lines():
    """On a terminal the table is drawn anew in its place; elsewhere lines come every five seconds."""
    terminal, file = (Console(file=io.StringIO(), force_terminal=force, width=120) for force in (True, False))
    for console in (terminal, file):
        with shown(console, "http://127.0.0.1:1/") as show:
            for second in range(7):
                show(a_moment(now_us=NOON_US + second * US_PER_S))
    drawn, written = terminal.file.getvalue(), file.file.getvalue()
    assert all(text in drawn for text in ("http://127.0.0.1:1/", "North gate", "1.2 MB", "\x1b["))
    assert written.count("recording") == 2
    assert "\x1b[" not in written


async def test_the_playlist_reader_reads_as_the_tests_do(clips):
    """Another reader of the same text finds the same entries, over a gap."""
    api = await an_api(clips)
    await recorded(api.index, api.objects, clips.get(seconds=4), Take("gate", NOON_US + 60 * US_PER_S, "home-a-1-2"))
    text = (await api.get("cameras/gate/hls/media.m3u8", params=asked(3, 80))).text
    expected = read_playlist(text).entries
    found = read_media_playlist(text)
    assert [(e.uri, e.init_uri, e.offset, e.length, e.seconds) for e in found] == [
        (e.uri, e.init, e.offset, e.length, e.seconds) for e in expected
    ]
    assert all(abs(a.start_us - b.clock_us) <= 1 for a, b in zip(found, expected, strict=True))
    assert len(found) > 10


@pytest.mark.parametrize(
    "lacking", ["#EXTM3U", "#EXTINF:2.0,", "#EXT-X-BYTERANGE:10@20", '#EXT-X-MAP:URI="i"', "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T08:00:00Z"]
)
def test_a_playlist_that_lacks_something_is_refused(lacking):
    """Each line is needed; with all of them it is read."""
    lines = [
        "#EXTM3U",
        '#EXT-X-MAP:URI="i"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T08:00:00Z",
        "#EXTINF:2.0,",
        "#EXT-X-BYTERANGE:10@20",
        "a",
    ]
    assert len(read_media_playlist("\n".join(lines))) == 1
    with pytest.raises(DataDamaged):
        read_media_playlist("\n".join(line for line in lines if line != lacking))
