"""How long cameras that are being recorded have had nothing made durable."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from recorder.link import Durable
from recorder.live import LiveEdge
from segments.clock import Clock


class WatchedEdge(LiveEdge):
    """A live edge that remembers when it last heard of each camera."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        super().__init__(folder)
        self._clock = clock
        self._heard_ns: dict[str, int] = {}

    def durable(self, message: Durable) -> None:
        """See `LiveEdge`."""
        self._heard_ns[message.camera] = self._clock.monotonic_ns()
        super().durable(message)

    def silent_s(self, recording: Collection[str]) -> float:
        """The longest silence among the cameras that are recording now; one that has only begun is silent since it was first asked for."""
        now_ns = self._clock.monotonic_ns()
        self._heard_ns = {camera: self._heard_ns.get(camera, now_ns) for camera in recording}
        return max((now_ns - heard_ns for heard_ns in self._heard_ns.values()), default=0) / 1e9
