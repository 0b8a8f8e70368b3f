"""RTP times on one timeline, and sender reports."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.sources.rtp import payload_span, read_packet, read_report
from recorder.sources.rtp_clock import RtpClock
from tests.rtp_builders import frame, sender_report


def started(rate, stamp, *, since_us=0, rtp_info=None):
    """A clock that has begun."""
    clock = RtpClock(rate)
    clock.start(stamp, since_us, rtp_info)
    return clock


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-(2**30), 2**30), max_size=40))
def test_times_unwrap_to_what_the_camera_counted(first, steps):
    """Whatever the start and the steps, the media time is the sum of the steps: wraps are none, jumps are passed on."""
    clock, true = started(90_000, first), first
    for step in steps:
        true += step
        assert clock.advance(true % 2**32) == true - first


def test_a_track_begins_where_rtp_info_says():
    """With RTP-Info, time 0 is the camera's; without, it is the arrival of the session's first unit."""
    assert started(90_000, 1000, since_us=7_000_000, rtp_info=100).advance(1000) == 900
    assert started(90_000, 50, rtp_info=2**32 - 50).advance(50) == 100
    assert started(48_000, 0, since_us=500_000).advance(48_000) == 135_000
    assert started(8_000, 0, since_us=0).advance(160) == 1800


@pytest.mark.parametrize("rtp_info", [0, 5_000_000, 2**31])
def test_an_rtp_info_that_means_nothing_is_not_believed(rtp_info):
    """Cameras that write 0 or an old time there: arrival counts."""
    assert started(90_000, 3_000_000_000, since_us=1_000_000, rtp_info=rtp_info).advance(3_000_000_000) == 90_000


def test_a_report_may_lie_before_the_last_unit():
    """A report's time is placed without moving the track's."""
    clock = started(90_000, 2**32 - 100)
    assert clock.advance(900) == 1000
    assert clock.at(2**32 - 100) == 0
    assert clock.advance(901) == 1001


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (datetime(2026, 11, 22, tzinfo=UTC), 4_004_294_400),
        (datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC), 0x1_0000_0000),
        (datetime(2040, 1, 1, tzinfo=UTC), 4_417_977_600),
    ],
)
def test_sender_reports_give_the_wall_clock_past_2036_too(moment, seconds):
    """NTP seconds are counted from 1900 and begin again in February 2036 (a report of exactly 0 seconds knows no time)."""
    packet = frame(sender_report(seconds + 1 & 0xFFFFFFFF, 0x80000000, 77), 1)
    report, bye = read_report(memoryview(packet), 0, len(packet))
    assert report == (int(moment.timestamp() + 1) * 1_000_000 + 500_000, 77)
    assert not bye


def test_reports_of_a_camera_without_a_clock_are_no_reports():
    """NTP time 0 means that the sender has no wall clock (RFC 3550 part 6.4.1)."""
    packet = frame(sender_report(0, 0, 77), 1)
    assert read_report(memoryview(packet), 0, len(packet)) == (None, False)


def test_bye_is_seen_behind_a_report():
    """A compound packet is read to its end."""
    packet = frame(sender_report(4_000_000_000, 0, 1) + b"\x81\xcb\0\1abcd", 1)
    report, bye = read_report(memoryview(packet), 0, len(packet))
    assert report
    assert bye


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data):
    """Neither reader raises or reads past the packet, whatever comes."""
    view = memoryview(frame(data))
    read_report(view, 0, len(view))
    packet = read_packet(view, 0, len(view))
    assert packet is None or 16 <= packet.start <= packet.stop <= len(view)
    if len(data) >= 12:
        span = payload_span(view, 4, len(view))
        assert span is None or 16 <= span[0] <= span[1] <= len(view)
