"""Where segments are cut: at the first key frame past a boundary, with a phase a camera, so that a thousand never cut at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from segments.media import TIMESCALE


@dataclass(frozen=True, slots=True)
class CutSettings:
    """How footage is divided, in ticks: segments, fragments (whole groups of pictures up to so long together), and the longest segment."""

    segment: int = 60 * TIMESCALE
    fragment: int = 2 * TIMESCALE
    longest: int = 300 * TIMESCALE


def phase_of(camera: str, segment_ticks: int) -> int:
    """The camera's place within a segment length: fixed, and spread evenly over cameras."""
    digest = hashlib.blake2b(camera.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % segment_ticks


def next_boundary(start_us: int, phase: int, segment_ticks: int) -> int:
    """Ticks from a segment's start at wall time `start_us` to its boundary: at least half a segment, less than one and a half."""
    wall_ticks = start_us * 9 // 100
    half = segment_ticks // 2
    return half + (phase - wall_ticks - half) % segment_ticks
