"""What a node's metrics show of the facts they are given."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry

from deploy.metrics.node import NodeFacts, NodeMetrics, PlaceFacts, SpoolFacts
from recorder.uploader import Backlog
from segments.model import CameraState, Cause, FragmentState
from tests.builders import NOON_US


def some_facts() -> NodeFacts:
    return NodeFacts(
        now_us=NOON_US,
        cameras={(CameraState.RECORDING, None): 9, (CameraState.WAITING, Cause.CAMERA_AWAY): 1},
        fragments={FragmentState.BUFFERED: 3, FragmentState.DURABLE: 100, FragmentState.STORED: 80, FragmentState.INDEXED: 70},
        silent_s=1.5,
        sync_s=0.02,
        spool=SpoolFacts(
            1000, 5000, 9000, backlog={FragmentState.DURABLE: Backlog(4, NOON_US - 90_000_000), FragmentState.STORED: Backlog()}
        ),
        place=PlaceFacts(1, 2, 256, 10, {"record-a": 1}, {"record-a": 2}),
        alarms=0,
    )


class Shown:
    """The figures of a node."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = NodeMetrics(self.registry)

    def figure(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"keepsight_{name}", labels)


def test_facts_are_shown() -> None:
    """Each under its name, in its unit, with labels of few values."""
    shown = Shown()
    shown.metrics.show(some_facts())

    assert shown.figure("cameras", state="recording", cause="") == 9
    assert shown.figure("cameras", state="waiting", cause="camera-away") == 1
    assert shown.figure("fragments_buffered") == 3
    assert shown.figure("fragments_total", state="indexed") == 70
    assert shown.figure("spool_segments", state="durable") == 4
    assert shown.figure("spool_oldest_seconds", state="durable") == 90
    assert shown.figure("spool_oldest_seconds", state="stored") == 0
    assert shown.figure("spool_refusing") == 0
    assert shown.figure("duties_held", kind="record-a") == 1
    assert shown.figure("duties_wanted", kind="record-a") == 2
    assert shown.figure("recorders_connected") == 1


def test_what_is_no_more_is_told_no_more() -> None:
    """A camera that records again must not go on counting as away."""
    shown = Shown()
    shown.metrics.show(some_facts())
    shown.metrics.show(replace(some_facts(), cameras={(CameraState.RECORDING, None): 10}))

    assert shown.figure("cameras", state="waiting", cause="camera-away") is None
    assert shown.figure("cameras", state="recording", cause="") == 10


def test_counters_never_fall() -> None:
    """A recorder that starts anew counts from nothing; Prometheus would take a fall for a restart of ours and count everything again."""
    shown = Shown()
    for durable in (100, 120, 30, 50):
        shown.metrics.show(replace(some_facts(), fragments={FragmentState.DURABLE: durable}))

    assert shown.figure("fragments_total", state="durable") == 140
