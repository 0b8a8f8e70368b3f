"""The wall clock inside an mp4: a list of chapters, each named by the moment its first picture was shown. Pure.

Players and tools read `chpl` (the list Nero made; libav, VLC and mpv know it) without a byte of media, unlike a text track, whose samples
would lie far from the pictures beside them and cost a player on a network two requests each.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from segments.boxes import box, full_box
from segments.clock import iso
from segments.media import TIMESCALE

MAX_CHAPTERS = 255
"""As many as the one byte of their number can tell."""

_UNITS_PER_S = 10_000_000


class Anchor(NamedTuple):
    """A moment of the file (ticks from its beginning) and the wall time it shows; `leaps` where the clock does not simply go on."""

    ticks: int
    at_us: int
    leaps: bool


def chapters(anchors: Sequence[Anchor]) -> bytes:
    """udta with chpl. Where there are too many, leaps are kept first, and of the others every n-th."""
    entries = []
    for anchor in _thinned(anchors):
        name = iso(anchor.at_us).encode()
        entries.append(struct.pack(">QB", max(0, anchor.ticks) * _UNITS_PER_S // TIMESCALE, len(name)) + name)
    return box(b"udta", full_box(b"chpl", 1, 0, struct.pack(">IB", 0, len(entries)), *entries))


def _thinned(anchors: Sequence[Anchor]) -> list[Anchor]:
    kept = [anchor for anchor in anchors if anchor.leaps][:MAX_CHAPTERS]
    room = MAX_CHAPTERS - len(kept)
    others = [anchor for anchor in anchors if not anchor.leaps]
    if room:
        kept += others[:: -(-len(others) // room) or 1]
    return sorted(kept)
