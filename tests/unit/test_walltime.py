"""Media time on the wall clock."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from recorder.walltime import MAX_SLEW_PPM, WallTime, ticks_to_us
from segments.clock import US_PER_S
from segments.media import TIMESCALE

NOW = 1_800_000_000 * US_PER_S


def test_the_least_delayed_packet_places_the_start() -> None:
    """Of many packets the one that came soonest after it was taken places the run: later ones were only delayed."""
    wall = WallTime(trust_clock=False)
    for i, delay_us in enumerate((80_000, 20_000, 5_000, 60_000)):
        wall.arrived(i * 3600, NOW + ticks_to_us(i * 3600) + delay_us)

    assert wall.segment_start(0) == NOW + 5_000


def test_a_trusted_clock_places_it_where_the_camera_says() -> None:
    """Sender reports of a trusted camera win over arrival, and the offset of the two clocks is kept."""
    wall = WallTime(trust_clock=True)
    wall.arrived(0, NOW + 7_000)
    wall.reported(TIMESCALE, NOW + US_PER_S - 300_000)

    assert wall.segment_start(0) == NOW - 300_000
    assert wall.camera_offset_us == -307_000


def test_an_untrusted_clock_is_only_noted() -> None:
    """Without trust a sender report moves nothing, but its offset is kept for whoever asks."""
    wall = WallTime(trust_clock=False)
    wall.arrived(0, NOW)
    wall.reported(0, NOW + 3600 * US_PER_S)

    assert wall.segment_start(0) == NOW
    assert wall.camera_offset_us == 3600 * US_PER_S


def test_a_trusted_clock_that_is_absurd_is_not_believed() -> None:
    """A camera that thinks it is 1970 does not file its footage there."""
    wall = WallTime(trust_clock=True)
    wall.arrived(0, NOW)
    wall.reported(0, 0)

    assert wall.refused_report
    assert wall.segment_start(0) == NOW


@given(st.integers(-2_000, 2_000), st.integers(2, 30))
def test_later_segments_follow_slowly(ppm: int, minutes: int) -> None:
    """However fast the camera's clock runs, neighbouring segments never jump by more than 500 ppm of the time between them."""
    wall = WallTime(trust_clock=False)
    starts = []
    for minute in range(minutes):
        for second in range(60):
            pts = (minute * 60 + second) * TIMESCALE
            wall.arrived(pts, NOW + ticks_to_us(pts) * (1_000_000 + ppm) // 1_000_000)
        starts.append(wall.segment_start(minute * 60 * TIMESCALE))

    for before, after in itertools.pairwise(starts):
        assert abs(after - before - 60 * US_PER_S) <= 60 * MAX_SLEW_PPM + 1


def test_a_drifting_camera_stays_near_the_wall() -> None:
    """A camera 100 ppm fast, recorded for a day, is never further than 50 ms from where it belongs."""
    wall = WallTime(trust_clock=False)
    for minute in range(24 * 60):
        pts = minute * 60 * TIMESCALE
        for second in range(0, 60, 5):
            at = pts + second * TIMESCALE
            wall.arrived(at, NOW + ticks_to_us(at) * 999_900 // 1_000_000)
        true_us = NOW + ticks_to_us(pts) * 999_900 // 1_000_000
        assert abs(wall.segment_start(pts) - true_us) < 50_000
