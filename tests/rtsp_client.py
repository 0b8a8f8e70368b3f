"""What tests of the RTSP client share: a sink that keeps everything, and sources that may reach this machine."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from recorder.address import LOOPBACK_NETWORKS, resolve_and_pin, split_credentials
from recorder.source import SourceEnded
from recorder.sources.poller import Poller
from recorder.sources.rtsp import RtspSource
from segments.clock import SystemClock
from segments.media import AccessUnit, AudioTrack, Track

SOUND = AudioTrack(8000, 1, bytes.fromhex("1588"))


@dataclass
class KeepingSink:
    """Keeps what a source delivers, in order; `changed` is set at each delivery."""

    opens: list[tuple[tuple[Track, ...], tuple[str, ...]]] = field(default_factory=list)
    units: list[AccessUnit] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    clocks: list[tuple[int, int]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def opened(self, tracks, notes):
        self.opens.append((tuple(tracks), tuple(notes)))
        self.changed.set()

    def unit(self, unit, arrival_us):
        assert self.opens, "a unit before its track"
        self.units.append(unit._replace(data=bytes(unit.data)))
        self.arrivals.append(arrival_us)
        self.changed.set()

    def clock(self, pts, wall_us):
        self.clocks.append((pts, wall_us))
        self.changed.set()

    def of(self, track: int) -> list[AccessUnit]:
        """The units of one track."""
        return [unit for unit in self.units if unit.track == track]


class CopyingEncoder:
    """A sound encoder that passes its input on, so that a test sees what it was given."""

    track = SOUND

    def encode(self, data, pts):
        return [AccessUnit(0, pts, None, key=True, data=data)]


def a_source(url: str, **changes: Any) -> RtspSource:
    """A source that may reach this machine and is as it is in the product otherwise."""
    clean, credential = split_credentials(url)
    parts = {
        "clock": SystemClock(),
        "poller": Poller(),
        "address_check": partial(resolve_and_pin, networks=LOOPBACK_NETWORKS),
        "tls": ssl.create_default_context(),
        "sound_factory": lambda _name, _rate, _channels: CopyingEncoder(),
    }
    return RtspSource(clean, credential, **{**parts, **changes})


async def run_until(source: RtspSource, sink: KeepingSink, done: Callable[[], bool], *, timeout_s: float = 20) -> None:
    """Runs a source until a condition on what it delivered holds, then leaves it; raises SourceEnded if it ends before."""
    running = asyncio.ensure_future(source.run(sink))
    try:
        async with asyncio.timeout(timeout_s):
            while not done():
                sink.changed.clear()
                changed = asyncio.ensure_future(sink.changed.wait())
                await asyncio.wait({running, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if running.done():
                    running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def ending_of(source: RtspSource, sink: KeepingSink | None = None, *, timeout_s: float = 20) -> SourceEnded:
    """Runs a source and gives the reason it ended for."""
    async with asyncio.timeout(timeout_s):
        try:
            await source.run(sink or KeepingSink())
        except SourceEnded as ended:
            return ended
    raise AssertionError("the source came back without a reason")
