"""The sliding window at the live edge: which entries it names, and the numbers they have, the same in every process of the API. Pure.

An entry's number is how many come before it since midnight UTC, so that whoever counts finds the same. What was counted once is kept as
a `Mark`. No window reaches over midnight: from `SWITCH_US` after it the entries of the new day stand alone, and the numbers leap forward,
once a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from playback.playlist import Entry, Numbers, Piece, media_entries
from segments.clock import US_PER_DAY, US_PER_S

WINDOW_US = 60 * US_PER_S
"""How much of what was there last is named."""
SWITCH_US = 10 * US_PER_S

_FIRST_DAY = 20_454
"""2026-01-01: numbers of older days are not needed, and small ones are read by every player."""
_ENTRIES_A_DAY = 100_000
_BREAKS_A_DAY = 10_000
_SETTLED_US = 300 * US_PER_S
"""What is older is counted for good; younger footage may still be told from another's, where a camera is recorded twice."""


class Mark(NamedTuple):
    """So many entries, and breaks between them, lie between midnight and this moment, at which one begins that continues the one before."""

    at_us: int
    entries: int = 0
    breaks: int = 0


def head_us(now_us: int) -> int:
    """Where the window begins."""
    midnight_us = now_us - now_us % US_PER_DAY
    return max(now_us - WINDOW_US, midnight_us) if now_us >= midnight_us + SWITCH_US else now_us - WINDOW_US


def counted_from(mark: Mark | None, head_us: int) -> Mark:
    """From where to count: the mark, if it is of the day and lies before the window; else midnight."""
    midnight_us = head_us - head_us % US_PER_DAY
    return mark if mark is not None and midnight_us < mark.at_us <= head_us else Mark(midnight_us)


def window_of(found: Sequence[Sequence[Piece]], mark: Mark, head_us: int) -> tuple[list[Entry], Numbers, Mark]:
    """The entries from `head_us` on, their numbers, and from where to count next time. `found` begins at the mark, an entry a fragment."""
    pieces = list(chain.from_iterable(found))
    entries = media_entries(found)
    breaks = [mark.breaks + count - 1 for count in accumulate(int(entry.fresh) for entry in entries)]
    first = next((n for n, piece in enumerate(pieces) if piece.end_us > head_us), len(pieces))
    shown = [entries[first]._replace(fresh=True), *entries[first + 1 :]] if first < len(entries) else []
    day = head_us // US_PER_DAY - _FIRST_DAY
    numbers = Numbers(day * _ENTRIES_A_DAY + mark.entries + first, day * _BREAKS_A_DAY + (breaks[first] if shown else mark.breaks))
    for n in range(first, 0, -1):
        if n < len(pieces) and pieces[n].start_us < head_us - _SETTLED_US and _continues(pieces[n - 1], pieces[n], entries[n]):
            return shown, numbers, Mark(pieces[n].start_us, mark.entries + n, breaks[n])
    return shown, numbers, mark


def _continues(before: Piece, piece: Piece, entry: Entry) -> bool:
    """Whether an entry begins with a key frame right where the one before it in its segment ends: counting on from it finds the same."""
    return before.row is piece.row and bool(piece.fragment.key_length) and not entry.fresh
