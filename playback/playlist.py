"""HLS playlists laid out from rows and runs alone (RFC 8216; no object is opened). Pure.

Footage is played in whole fragments. Gaps are left out: after each one, and at each new run, stand a DISCONTINUITY, the MAP and the wall
clock. Where the runs of an overlap meet, up to one fragment is shown twice rather than lost.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from segments.clock import US_PER_S, iso
from segments.media import TIMESCALE
from segments.model import Fragment, Row, Run, Span
from segments.timeline import footage_of_rows, joined

MAX_SPAN_US = 24 * 3600 * US_PER_S
"""Longest span of one playlist."""

FINE_SPAN_US = 2 * 3600 * US_PER_S
"""Up to here each fragment is an entry and each key frame a stop of the I-frame playlist."""

GROUP_TICKS = 6 * TIMESCALE
"""Longest entry of several fragments, in playlists over `FINE_SPAN_US`."""

KEY_STEP_US = 10 * US_PER_S
"""Least distance of the key frames in I-frame playlists over `FINE_SPAN_US`."""

LIVE_TARGET_S = 3
"""Least TARGETDURATION while a playlist grows: it must not change then, and a fragment may last a little more than the 2 s it aims at."""

_CLOSE_US = 1000
"""Overlaps up to this come from rounding; it is also what PROGRAM-DATE-TIME can tell apart."""

_PARTED_US = 10_000
"""So far may the player's time leave the wall clock within a stretch before a page is told: less than a picture of 60 a second."""

_LEAP_TICKS = TIMESCALE // 10
"""Times of neighbouring fragments may differ so much from each other's ends without a picture missing."""


class Piece(NamedTuple):
    """One fragment where it lies on the wall clock; `group` numbers the entries of its row in a coarse playlist."""

    row: Row
    fragment: Fragment
    start_us: int
    end_us: int
    group: int


class Entry(NamedTuple):
    """One entry of a playlist: bytes of one row. `fresh` says that it does not continue the entry before it."""

    row: Row
    start_us: int
    ticks: int
    offset: int
    length: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Window:
    """What was asked for: a span, and whether it is still growing (its end lies in the future); `sliding`: it follows the live edge."""

    span: Span
    growing: bool
    sliding: bool = False

    @property
    def fine(self) -> bool:
        """Whether entries are single fragments."""
        return self.sliding or self.span.end_us - self.span.start_us <= FINE_SPAN_US


class Numbers(NamedTuple):
    """How many entries, and how many breaks between them, lie before the first entry of a sliding playlist."""

    sequence: int
    discontinuities: int


def stretches(rows: Iterable[Row], window: Window) -> list[list[Piece]]:
    """The fragments to play, a list for each stretch without a gap.

    A stretch starts with the fragment whose key frame lies at or before it, so that it can be decoded from there.
    """
    by_run: dict[str, list[Piece]] = {}
    ordered = sorted(rows, key=lambda row: row.position)
    for row in ordered:
        by_run.setdefault(row.run, []).extend(_pieces(row, window))
    found = []
    for footage in joined(footage_of_rows(ordered)):
        shown = Span(max(footage.start_us, window.span.start_us), min(footage.end_us, window.span.end_us))
        if shown.start_us < shown.end_us:
            found.append(_cut(by_run[footage.run], shown))
    return [stretch for stretch in found if stretch]


def _pieces(row: Row, window: Window) -> list[Piece]:
    """The fragments of a row with their wall time; of a growing row's last coarse entry, which may still become longer, none."""
    fragments = row.fragments
    groups: Sequence[int] = range(len(fragments)) if window.fine else list(_groups(fragments))
    unfinished = groups[-1] if groups and not row.sha256 and not window.fine else -1
    zero_pts, row_us = fragments[0].pts if fragments else 0, row.start_us
    return [
        Piece(row, fragment, start_us := row_us + (fragment[3] - zero_pts) * 100 // 9, start_us + fragment[4] * 100 // 9, group)
        for fragment, group in zip(fragments, groups, strict=True)
        if group != unfinished
    ]


def _groups(fragments: Sequence[Fragment]) -> Iterator[int]:
    """The number of the group of each fragment, counted from the first so that a cut elsewhere does not move the borders."""
    group = ticks = end = 0
    for fragment in fragments:
        if ticks and (ticks + fragment.duration > GROUP_TICKS or fragment.offset != end):
            group, ticks = group + 1, 0
        ticks += fragment.duration
        end = fragment.offset + fragment.length
        yield group


def _cut(pieces: Sequence[Piece], shown: Span) -> list[Piece]:
    first = bisect_right(pieces, shown.start_us + _CLOSE_US, key=lambda piece: piece.end_us)
    last = bisect_left(pieces, shown.end_us - _CLOSE_US, key=lambda piece: piece.start_us)
    while first and first < last and not pieces[first].fragment.key_length and _follows(pieces[first - 1], pieces[first]):
        first -= 1
    return list(pieces[first:last])


def _follows(before: Piece, piece: Piece) -> bool:
    """Whether a fragment continues another of its run without a gap in media time."""
    return abs(piece.fragment.pts - before.fragment.pts - before.fragment.duration) <= _LEAP_TICKS


def media_entries(found: Iterable[Sequence[Piece]]) -> list[Entry]:
    """One entry for each group of fragments."""
    entries: list[Entry] = []
    for stretch in found:
        last_row, last_group, due_pts = None, -1, -TIMESCALE  # where the piece before this one ends; at first none does
        for row, (offset, length, _, pts, duration), start_us, _, group in stretch:
            continues = -_LEAP_TICKS <= pts - due_pts <= _LEAP_TICKS
            if continues and group == last_group and row is last_row:
                of, begin_us, ticks, first, bytes_, fresh = entries[-1]
                entries[-1] = Entry(of, begin_us, ticks + duration, first, bytes_ + length, fresh)
            else:
                entries.append(Entry(row, start_us, duration, offset, length, not continues))
            last_row, last_group, due_pts = row, group, pts + duration
    return entries


def key_entries(found: Iterable[Sequence[Piece]], window: Window) -> list[Entry]:
    """One entry for each key frame that begins a fragment, thinned in long windows; each lasts until the next one (RFC 8216, 4.3.3.6)."""
    step_us = 0 if window.fine else KEY_STEP_US
    entries: list[Entry] = []
    for stretch in found:
        stops: list[Piece] = []
        for piece in stretch:
            if piece.fragment.key_length and (not stops or piece.start_us >= stops[-1].start_us + step_us):
                stops.append(piece)
        ends_us = [stop.start_us for stop in stops[1:]] + [stretch[-1].end_us]
        for place, (stop, end_us) in enumerate(zip(stops, ends_us, strict=True)):
            ticks = (end_us - stop.start_us) * 9 // 100
            entries.append(Entry(stop.row, stop.start_us, ticks, stop.fragment.offset, stop.fragment.key_length, place == 0))
    return entries


def media_text(
    entries: Sequence[Entry],
    runs: Mapping[str, Run],
    window: Window,
    *,
    keys_only: bool = False,
    query: str = "",
    numbers: Numbers | None = None,
) -> str:
    """A media playlist, or an I-frame playlist, of entries; addresses are relative to `/cameras/{camera}/hls/` and carry `query`."""
    query = f"?{query}" if query else ""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{_target_s(entries, window)}", *_kind(window, numbers)]
    lines += ["#EXT-X-I-FRAMES-ONLY"] if keys_only else []
    clock_us, shown, address = 0, None, ""
    said: dict[int, str] = {}  # most entries last equally long
    for place, (row, start_us, ticks, offset, length, fresh) in enumerate(entries):
        if fresh:
            lines += ["#EXT-X-DISCONTINUITY"] if place else []
            lines.append(_map(row.run, runs, query))
        if fresh or not -_CLOSE_US < start_us - clock_us < _CLOSE_US:
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso(start_us)}")
            clock_us = start_us
        if row is not shown:
            shown, address = row, f"../segments/{row.start_us}/{row.run}/{row.counter}.mp4{query}"
        clock_us += ticks * 100 // 9
        lasts = said.get(ticks) or said.setdefault(ticks, f"#EXTINF:{ticks / TIMESCALE:.5f},\n#EXT-X-BYTERANGE:")
        lines.append(f"{lasts}{length}@{offset}\n{address}")
    lines += [] if window.growing else ["#EXT-X-ENDLIST"]
    return "\n".join(lines) + "\n"


def _kind(window: Window, numbers: Numbers | None) -> list[str]:
    """How a playlist changes: not at all, by gaining entries, or by losing old ones, too."""
    if numbers is not None:
        return [f"#EXT-X-MEDIA-SEQUENCE:{numbers.sequence}", f"#EXT-X-DISCONTINUITY-SEQUENCE:{numbers.discontinuities}"]
    return [f"#EXT-X-PLAYLIST-TYPE:{'EVENT' if window.growing else 'VOD'}"]


def multivariant_text(found: Sequence[Sequence[Piece]], runs: Mapping[str, Run], window: Window, query: str) -> str:
    """The playlist that names the media and the I-frame playlist, with what a player must know before it opens them.

    BANDWIDTH is that of the entry with most bits a second, measured from the rows. `query` is the query of both addresses.
    """
    entries, keys = media_entries(found), key_entries(found, window)
    codecs = list(dict.fromkeys(codec for entry in entries for codec in entry.row.codecs.split(",") if codec))
    pictures = [(run.width, run.height) for run in runs.values() if run.width and run.height]
    size = f",RESOLUTION={'x'.join(map(str, max(pictures)))}" if pictures else ""
    average = sum(e.length for e in entries) * 8 * TIMESCALE // max(1, sum(e.ticks for e in entries))
    head = f'#EXT-X-STREAM-INF:BANDWIDTH={_peak(entries)},AVERAGE-BANDWIDTH={average},CODECS="{",".join(codecs)}"{size}'
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", head, f"media.m3u8?{query}"]
    if keys:
        pictured = ",".join(codec for codec in codecs if not codec.startswith("mp4a"))
        lines.append(f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={_peak(keys)},CODECS="{pictured}"{size},URI="iframes.m3u8?{query}"')
    return "\n".join(lines) + "\n"


class Shown(NamedTuple):
    """A stretch that is played in one piece; `media_us` is where it begins in the player's time, which knows no gaps."""

    start_us: int
    end_us: int
    media_us: int


def shown_spans(found: Iterable[Sequence[Piece]]) -> list[Shown]:
    """Where the wall clock and the player's time meet: at the begin of each stretch, and wherever the two have parted within one."""
    shown: list[Shown] = []
    ticks = 0
    for stretch in found:
        for n, piece in enumerate(stretch):
            media_us = ticks * 100 // 9
            if n and abs(piece.start_us - shown[-1].start_us - media_us + shown[-1].media_us) < _PARTED_US:
                shown[-1] = shown[-1]._replace(end_us=piece.end_us)
            else:
                shown.append(Shown(piece.start_us, piece.end_us, media_us))
            ticks += piece.fragment.duration
    return shown


def _peak(entries: Iterable[Entry]) -> int:
    """The most bits a second of any entry; entries under half a second are too short to be a rate."""
    return max(1, *(entry.length * 8 * TIMESCALE // max(entry.ticks, TIMESCALE // 2) for entry in entries))


def _target_s(entries: Iterable[Entry], window: Window) -> int:
    """The longest entry, rounded to whole seconds as its EXTINF is compared with it (RFC 8216, 4.3.3.1)."""
    longest = max((entry.ticks for entry in entries), default=0)
    least = 1
    if window.growing:
        least = LIVE_TARGET_S if window.fine else GROUP_TICKS // TIMESCALE
    return max(least, (longest + TIMESCALE // 2) // TIMESCALE)


def _map(run_id: str, runs: Mapping[str, Run], query: str) -> str:
    """The MAP of a run, with its length if that is known: ffmpeg 5 to 8 takes it for as long as the range before it if there is none."""
    length = f',BYTERANGE="{len(runs[run_id].init)}@0"' if run_id in runs else ""
    return f'#EXT-X-MAP:URI="../runs/{run_id}/init.mp4{query}"{length}'
