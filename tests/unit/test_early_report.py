"""Sender reports that come before the first key frame, as cameras send them right after PLAY."""

from __future__ import annotations

import pytest

from segments.clock import US_PER_S
from segments.media import TIMESCALE
from segments.model import Cause
from tests.builders import NOON_US
from tests.media import Clips, access_units
from tests.recording import Written, a_session


@pytest.mark.parametrize(("trusted", "placed_us"), [(True, NOON_US - US_PER_S), (False, NOON_US)])
def test_a_report_before_the_first_picture_places_the_run(clips: Clips, trusted: bool, placed_us: int) -> None:
    """Footage of a trusted camera whose pictures are a second late begins where the report says; otherwise where it arrived."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25))
    session, written = a_session(trust_clock=trusted), Written()
    written.take(session.opened(tracks, ()))
    session.clock(units[0].pts, NOON_US - US_PER_S)
    for unit in units:
        written.take(session.unit(unit, NOON_US + (unit.pts - units[0].pts) * US_PER_S // TIMESCALE))
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))
    assert written.starts_us["home-a-1-1", 0] == placed_us


def test_a_report_of_an_ended_connection_is_forgotten(clips: Clips) -> None:
    """A report of another connection, whose times have nothing to do with the next one's, places nothing."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25))
    session, written = a_session(trust_clock=True), Written()
    session.clock(units[0].pts, NOON_US - US_PER_S)
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))
    written.take(session.opened(tracks, ()))
    for unit in units:
        written.take(session.unit(unit, NOON_US + (unit.pts - units[0].pts) * US_PER_S // TIMESCALE))
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))
    assert written.starts_us["home-a-1-1", 0] == NOON_US
