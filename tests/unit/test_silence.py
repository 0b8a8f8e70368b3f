"""How long a camera that is recording has had nothing made durable."""

from __future__ import annotations

from pathlib import Path

from deploy.metrics.silence import WatchedEdge
from recorder.link import Durable
from recorder.session import RunAbout
from tests.builders import NOON_US, RUN
from tests.fakes import SteppedClock


def durable(camera: str) -> Durable:
    """A recorder's word on a segment that is gone by now, so that only the word itself counts."""
    return Durable(camera, RUN, 0, NOON_US, NOON_US, RunAbout(NOON_US, "avc1", 64, 48, ()), ())


async def test_silence_is_measured_from_the_last_word(tmp_path: Path) -> None:
    """The longest of all cameras; those that are not recording may be silent."""
    clock = SteppedClock()
    edge = WatchedEdge(tmp_path, clock)
    assert edge.silent_s([]) == 0
    edge.durable(durable("gate"))
    edge.durable(durable("barn"))
    await clock.pass_(20)
    edge.durable(durable("gate"))
    await clock.pass_(5)

    assert edge.silent_s(["gate"]) == 5
    edge.durable(durable("barn"))
    await clock.pass_(40)
    assert edge.silent_s(["gate", "barn"]) == 45


async def test_a_camera_that_never_became_durable_is_silent_since_it_was_seen(tmp_path: Path) -> None:
    """Else a spool's disk that hangs from the start would never be noticed; and one that stops and begins again begins anew."""
    clock = SteppedClock()
    edge = WatchedEdge(tmp_path, clock)
    assert edge.silent_s(["gate"]) == 0
    await clock.pass_(31)
    assert edge.silent_s(["gate"]) == 31

    assert edge.silent_s([]) == 0
    assert edge.silent_s(["gate"]) == 0
