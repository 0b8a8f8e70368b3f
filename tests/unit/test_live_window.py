"""The sliding playlist: its numbers are the same whoever counts, from wherever, and go up by one an entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from playback.live_window import SWITCH_US, WINDOW_US, Mark, counted_from, head_us, window_of
from playback.playlist import Entry, Numbers, Window, media_text, stretches
from segments.clock import US_PER_DAY, US_PER_S
from segments.model import Row, Span
from tests.builders import NOON_US, some_rows

MIDNIGHT_US = NOON_US - NOON_US % US_PER_DAY
DAY = MIDNIGHT_US // US_PER_DAY - 20_454


def shown(rows: Sequence[Row], now_us: int, kept: Mark | None) -> tuple[list[Entry], Numbers, Mark]:
    """What a process answers that kept this mark, from the rows as they are at a moment: of a later fragment nothing is there yet."""
    head = head_us(now_us)
    mark = counted_from(kept, head)
    window = Window(Span(mark.at_us, now_us + 1), growing=True, sliding=True)
    present = [row for row in (until(row, now_us) for row in rows) if row.fragments and row.end_us > mark.at_us]
    return window_of(stretches(present, window), mark, head)


def until(row: Row, now_us: int) -> Row:
    """A row as it grows."""
    zero = row.fragments[0].pts
    there = tuple(f for f in row.fragments if row.start_us + (f.pts - zero + f.duration) * 100 // 9 <= now_us)
    end_us = row.start_us + (there[-1].pts + there[-1].duration - zero) * 100 // 9 if there else row.start_us
    return replace(row, fragments=there, end_us=end_us)


def names(entries: Sequence[Entry]) -> list[tuple[str, int, int]]:
    """What tells entries from one another."""
    return [(entry.row.run, entry.row.start_us, entry.offset) for entry in entries]


@settings(max_examples=40, deadline=None)
@given(
    lost=st.sets(st.integers(0, 29), max_size=6),
    looks=st.lists(st.integers(60, 30 * 60), min_size=1, max_size=8).map(sorted),
)
def test_an_entry_keeps_its_number(lost: set[int], looks: list[int]) -> None:
    """Whenever somebody looks, whatever is missing, and whoever counts: an entry has one number, and neighbours follow."""
    rows = [row for n, row in enumerate(some_rows(30)) if n not in lost]
    numbers: dict[tuple[str, int, int], int] = {}
    breaks: dict[tuple[str, int, int], int] = {}
    kept: Mark | None = None
    for look_s in looks:
        now_us = NOON_US + look_s * US_PER_S
        fresh_eyes = shown(rows, now_us, None)
        entries, found, kept = shown(rows, now_us, kept)
        assert names(entries) == names(fresh_eyes[0])
        assert found == fresh_eyes[1] or not entries
        cuts = found.discontinuities
        for n, entry in enumerate(entries):
            cuts += bool(n and entry.fresh)
            assert numbers.setdefault(names([entry])[0], found.sequence + n) == found.sequence + n
            assert breaks.setdefault(names([entry])[0], cuts) == cuts
    assert len(set(numbers.values())) == len(numbers)


def test_what_was_counted_is_not_read_again() -> None:
    """After half an hour the next count begins minutes before now, and not at midnight."""
    rows = some_rows(30)
    now_us = NOON_US + 1800 * US_PER_S
    *_, mark = shown(rows, now_us, None)
    assert now_us - 460 * US_PER_S < mark.at_us < now_us - 360 * US_PER_S
    assert mark.entries == (mark.at_us - NOON_US) // (2 * US_PER_S)


def test_the_window_is_a_minute_and_does_not_reach_over_midnight() -> None:
    """From ten seconds after midnight on the new day stands alone; its numbers lie above all of the day before."""
    rows = some_rows(10, start_us=MIDNIGHT_US - 300 * US_PER_S)
    before, old, _ = shown(rows, MIDNIGHT_US + SWITCH_US - US_PER_S, None)
    after, new, _ = shown(rows, MIDNIGHT_US + SWITCH_US, None)
    assert before[0].start_us == MIDNIGHT_US + SWITCH_US - US_PER_S - WINDOW_US - US_PER_S
    assert after[0].start_us == MIDNIGHT_US
    assert new.sequence == DAY * 100_000
    assert new.sequence > old.sequence + len(before)
    assert new.discontinuities > old.discontinuities


def test_the_text_of_a_sliding_playlist() -> None:
    """It has its numbers, the MAP and clock of its first entry, and neither a type nor an end."""
    rows = some_rows(3)
    entries, numbers, _ = shown(rows, NOON_US + 180 * US_PER_S, None)
    text = media_text(entries, {}, Window(Span(NOON_US, NOON_US + 1), growing=True, sliding=True), query="link=x", numbers=numbers)
    lines = text.split("\n")
    assert lines[2:5] == [
        "#EXT-X-TARGETDURATION:3",
        f"#EXT-X-MEDIA-SEQUENCE:{DAY * 100_000 + 60}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{DAY * 10_000}",
    ]
    assert lines[5].startswith("#EXT-X-MAP:")
    assert lines[6].startswith("#EXT-X-PROGRAM-DATE-TIME:")
    assert "ENDLIST" not in text
    assert "PLAYLIST-TYPE" not in text
    assert text.count("#EXTINF") == 30
