"""Where segments are cut."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from recorder.cutter import next_boundary, phase_of
from segments.clock import US_PER_S
from segments.media import TIMESCALE

MINUTE = 60 * TIMESCALE


@given(st.integers(0, 2_000_000_000 * US_PER_S), st.integers(0, MINUTE - 1))
def test_a_boundary_is_half_to_one_and_a_half_segments_away(start_us: int, phase: int) -> None:
    """No segment is cut short by more than half, and boundaries of a camera lie on one phase of the wall clock."""
    ticks = next_boundary(start_us, phase, MINUTE)

    assert MINUTE // 2 <= ticks < MINUTE + MINUTE // 2
    assert (start_us * 9 // 100 + ticks) % MINUTE == phase


def test_a_thousand_cameras_are_not_cut_in_one_moment() -> None:
    """The phases of a thousand cameras spread over the minute: no second has more than 40 of them."""
    seconds = Counter(phase_of(f"camera-{n}", MINUTE) // TIMESCALE for n in range(1000))

    assert max(seconds.values()) <= 40
    assert len(seconds) == 60
