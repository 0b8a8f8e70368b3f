"""Playlists laid out from rows, read back by a reader of RFC 8216 and compared with the rows themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playback.playlist import Window, key_entries, media_entries, media_text, multivariant_text, stretches
from segments.clock import US_PER_S
from segments.media import TIMESCALE
from segments.model import Fragment, Row, Span
from tests.builders import CODECS, HEADER_BYTES, NOON_US, a_row, a_run, some_fragments, some_rows
from tests.m3u8 import Playlist, read_playlist

MINUTE_US = 60 * US_PER_S


def window(start_s: float = 0, end_s: float = 3600, *, growing: bool = False) -> Window:
    """A window that begins and ends so many seconds after noon."""
    return Window(Span(NOON_US + round(start_s * US_PER_S), NOON_US + round(end_s * US_PER_S)), growing)


def laid(rows: list[Row], shown: Window) -> Playlist:
    """The media playlist of rows, read back."""
    return read_playlist(media_text(media_entries(stretches(rows, shown)), {}, shown))


def keys_laid(rows: list[Row], shown: Window) -> Playlist:
    """The I-frame playlist of rows, read back."""
    return read_playlist(media_text(key_entries(stretches(rows, shown), shown), {}, shown, keys_only=True))


def wall_clock_error_us(playlist: Playlist, rows: list[Row]) -> int:
    """How far the clock of any entry lies from what its row says of its first fragment."""
    by_uri = {f"../segments/{row.start_us}/{row.run}/{row.counter}.mp4": row for row in rows}
    worst = 0
    for entry in playlist.entries:
        row = by_uri[entry.uri]
        (fragment,) = (one for one in row.fragments if one.offset == entry.offset)
        truth_us = row.start_us + (fragment.pts - row.fragments[0].pts) * US_PER_S // TIMESCALE
        worst = max(worst, abs(entry.clock_us - truth_us))
    return worst


def test_an_entry_is_a_fragment_of_the_window() -> None:
    """Ten seconds within a minute are the five fragments that lie there, by their bytes, in one piece."""
    row = a_row()
    playlist = laid([row], window(20, 30))
    assert [(e.offset, e.length) for e in playlist.entries] == [(f.offset, f.length) for f in row.fragments[10:15]]
    assert {(e.uri, e.init, e.discontinuity) for e in playlist.entries} == {
        (f"../segments/{NOON_US}/home-a-1-1/0.mp4", "../runs/home-a-1-1/init.mp4", False)
    }
    assert playlist.ended
    assert playlist.tags["EXT-X-PLAYLIST-TYPE"] == "VOD"
    assert playlist.tags["EXT-X-VERSION"] == "7"


def test_fragments_are_whole_where_the_window_cuts_them() -> None:
    """A window that begins and ends inside fragments plays both of them whole."""
    row = a_row()
    assert [e.offset for e in laid([row], window(3, 4.5)).entries] == [row.fragments[n].offset for n in (1, 2)]


def test_segments_of_a_run_follow_without_discontinuity() -> None:
    """From row to row of a run media time goes on: one MAP, one clock, no DISCONTINUITY."""
    rows = some_rows(3)
    text = media_text(media_entries(stretches(rows, window())), {}, window())
    assert [text.count(tag) for tag in ("#EXT-X-MAP", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-DISCONTINUITY")] == [1, 1, 0]
    assert len(read_playlist(text).entries) == 90


def test_a_gap_is_left_out_behind_a_discontinuity() -> None:
    """After a missing row the next entry carries DISCONTINUITY, MAP and the wall clock it really has."""
    rows = some_rows(3)
    playlist = laid([rows[0], rows[2]], window())
    assert [n for n, entry in enumerate(playlist.entries) if entry.discontinuity] == [30]
    assert playlist.entries[30].clock_us == rows[2].start_us


def test_a_new_run_brings_its_own_init() -> None:
    """The first entry of another run has DISCONTINUITY and that run's MAP."""
    second = a_row(start_us=NOON_US + MINUTE_US, run="home-a-1-2")
    playlist = laid([a_row(), second], window())
    assert (playlist.entries[30].discontinuity, playlist.entries[30].init) == (True, "../runs/home-a-1-2/init.mp4")


def test_the_map_says_how_long_the_init_is() -> None:
    """A MAP has the range of its init where the run is known."""
    text = media_text(media_entries(stretches([a_row()], window())), {"home-a-1-1": a_run(init=b"x" * 1163)}, window())
    assert '#EXT-X-MAP:URI="../runs/home-a-1-1/init.mp4",BYTERANGE="1163@0"' in text.split("\n")


def test_fragments_missing_inside_a_row_are_a_discontinuity() -> None:
    """Where media time leaps within a segment the player is told, and the clock is right behind it."""
    row = a_row()
    holed = replace(row, fragments=row.fragments[:5] + row.fragments[10:])
    playlist = laid([holed], window())
    assert [n for n, entry in enumerate(playlist.entries) if entry.discontinuity] == [5]
    assert wall_clock_error_us(playlist, [holed]) == 0


@given(slews_us=st.lists(st.integers(-30_000, 30_000), min_size=1, max_size=20), start_s=st.integers(0, 600))
def test_the_wall_clock_of_every_entry_is_its_rows(slews_us: list[int], start_s: int) -> None:
    """However each segment slewed its clock, a player's clock is within a millisecond (and its rounding) of the row's."""
    rows, start_us = [], NOON_US
    for n, slew_us in enumerate(slews_us):
        rows.append(a_row(start_us=start_us, counter=n))
        start_us = rows[-1].end_us + slew_us
    playlist = laid(rows, window(start_s % (60 * len(slews_us))))
    assert playlist.entries
    assert wall_clock_error_us(playlist, rows) < 2000


def test_a_clock_that_is_off_is_seen() -> None:
    """The negative control: compared with rows two seconds off, the same check finds two seconds."""
    row = a_row()
    playlist = laid([row], window())
    off = replace(row, fragments=tuple(f._replace(pts=f.pts + (n > 0) * 2 * TIMESCALE) for n, f in enumerate(row.fragments)))
    assert wall_clock_error_us(playlist, [off]) == 2 * US_PER_S


def test_over_two_hours_entries_are_groups_of_six_seconds() -> None:
    """A day is laid out in entries of 6 s that join whole fragments and lose no byte of them."""
    rows = some_rows(10)
    playlist = laid(rows, window(0, 3 * 3600))
    assert {entry.seconds for entry in playlist.entries} == {6.0}
    assert sum(entry.length for entry in playlist.entries) == sum(f.length for row in rows for f in row.fragments)
    assert playlist.tags["EXT-X-TARGETDURATION"] == "6"


def test_borders_of_groups_do_not_move_with_the_window() -> None:
    """Entries that lie whole in two windows are the same bytes in both."""
    rows = some_rows(4)
    early, late = laid(rows, window(0, 3 * 3600)), laid(rows, window(33, 3 * 3600 + 33))
    assert late.entries[1:] == early.entries[-len(late.entries) + 1 :]


def test_bytes_that_do_not_touch_are_never_one_entry() -> None:
    """A group ends where the next fragment lies elsewhere in the object."""
    row = a_row()
    moved = tuple(f._replace(offset=f.offset + (10_000 if n >= 4 else 0)) for n, f in enumerate(row.fragments))
    entries = laid([replace(row, fragments=moved)], window(0, 3 * 3600)).entries
    assert [round(entry.seconds) for entry in entries[:3]] == [6, 2, 6]


@pytest.mark.parametrize(("seconds", "target"), [(1.4, 1), (2.0, 2), (2.4, 2), (2.5, 3), (9.6, 10)])
def test_target_duration_is_the_longest_entry_rounded(seconds: float, target: int) -> None:
    """No EXTINF, rounded to a whole second, is over TARGETDURATION (RFC 8216, 4.3.3.1)."""
    row = a_row(fragments=(Fragment(HEADER_BYTES, 1000, 500, 900_000, round(seconds * TIMESCALE)),))
    assert laid([row], window()).tags["EXT-X-TARGETDURATION"] == str(target)


def growing_row(fragments: int, counter: int = 0, start_us: int = NOON_US) -> Row:
    """A segment of which so many fragments are durable."""
    some = some_fragments(fragments, first_pts=(10 + counter * 60) * TIMESCALE)
    return a_row(start_us=start_us, counter=counter, fragments=some, sha256="")


@pytest.mark.parametrize("hours", [1, 5])
def test_a_growing_playlist_only_gains_entries(hours: int) -> None:
    """While a segment grows, is closed and followed by the next, each playlist begins with the whole one before (RFC 8216, 6.2.1)."""
    shown = window(0, hours * 3600, growing=True)
    steps = [[growing_row(n)] for n in range(1, 31)]
    steps += [[a_row(), growing_row(n, 1, NOON_US + MINUTE_US)] for n in range(1, 31)]
    texts = [media_text(media_entries(found), {}, shown) for step in steps if (found := stretches(step, shown))]
    assert len(texts) > 50
    assert all(after.startswith(before) for before, after in pairwise(texts))
    assert "EXT-X-PLAYLIST-TYPE:EVENT" in texts[0]
    assert not read_playlist(texts[-1]).ended


def test_a_growing_day_without_holding_back_would_change_entries() -> None:
    """The negative control: if the last group of a growing segment is shown at once, the next playlist changes it."""
    shown = window(0, 5 * 3600, growing=True)
    texts = [media_text(media_entries(stretches([replace(growing_row(n), sha256="x")], shown)), {}, shown) for n in (1, 2)]
    assert not texts[1].startswith(texts[0])


def long_gop_row() -> Row:
    """A segment with a key frame each 10 s: four of five fragments begin without one."""
    return a_row(fragments=tuple(f._replace(key_length=f.key_length if n % 5 == 0 else 0) for n, f in enumerate(some_fragments())))


def test_a_window_begins_with_a_key_frame() -> None:
    """Where the window begins in a long GOP, playing begins at its key frame."""
    assert laid([long_gop_row()], window(17, 19)).entries[0].clock_us == NOON_US + 10 * US_PER_S


def test_overlapping_runs_are_shown_once() -> None:
    """Where a successor overlaps a zombie, the zombie's entries end where the successor's begin."""
    zombie = a_row()
    successor = a_row(start_us=NOON_US + 30 * US_PER_S, run="home-a-2-1")
    playlist = laid([zombie, successor], window())
    assert [entry.clock_us for entry in playlist.entries] == [NOON_US + n * 2 * US_PER_S for n in range(45)]
    assert [entry.init for entry in playlist.entries].count("../runs/home-a-2-1/init.mp4") == 30


def test_nothing_to_play_is_no_stretch() -> None:
    """Rows beside the window give nothing."""
    assert stretches([a_row()], window(60, 70)) == []


def test_key_frames_are_cut_after_their_picture() -> None:
    """The I-frame playlist has the bytes up to the end of each key frame, and each lasts until the next."""
    row = long_gop_row()
    playlist = keys_laid([row], window())
    keys = [f for f in row.fragments if f.key_length]
    assert [(e.offset, e.length, e.seconds) for e in playlist.entries] == [(f.offset, f.key_length, 10.0) for f in keys]
    assert "EXT-X-I-FRAMES-ONLY" in playlist.tags


def test_key_frames_of_long_windows_are_ten_seconds_apart() -> None:
    """Over two hours one key frame each 10 s is listed, over all segments, and time still adds up."""
    rows = some_rows(10)
    entries = keys_laid(rows, window(0, 3 * 3600)).entries
    assert [entry.clock_us - NOON_US for entry in entries] == [n * 10 * US_PER_S for n in range(60)]
    assert sum(entry.seconds for entry in entries) == 600


def test_the_multivariant_playlist_tells_what_is_played() -> None:
    """Codecs of all runs, the measured peak and average, the greatest picture, and both addresses with the query."""
    light = some_fragments()
    heavy = tuple(f._replace(offset=HEADER_BYTES + n * 2_000_000, length=2_000_000) for n, f in enumerate(light))
    rows = [a_row(fragments=light), a_row(start_us=NOON_US + MINUTE_US, run="home-a-1-2", fragments=heavy, codecs="hvc1.1.6.L120.90")]
    runs = {run.id: run for run in (a_run(), a_run(id="home-a-1-2", width=3840, height=2160))}
    text = multivariant_text(stretches(rows, window()), runs, window(), "from=a&to=b")
    assert text.split("\n")[2:4] == [
        f'#EXT-X-STREAM-INF:BANDWIDTH=8000000,AVERAGE-BANDWIDTH=6000000,CODECS="{CODECS},hvc1.1.6.L120.90",RESOLUTION=3840x2160',
        "media.m3u8?from=a&to=b",
    ]
    assert 'CODECS="avc1.64001f,hvc1.1.6.L120.90",RESOLUTION=3840x2160,URI="iframes.m3u8?from=a&to=b"' in text.split("\n")[4]
    assert "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1000000," in text
