"""A scripted camera: sends access units of a clip by RTSP at the times, and with the time stamps and clock reports, that a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from segments.clock import US_PER_S
from segments.media import TIMESCALE, AccessUnit
from tests.media import access_units
from tests.quirk_camera import QuirkCamera
from tests.rtp_builders import Packets, frame, fu_a, sender_report

_NTP_EPOCH_S = 2_208_988_800  # from 1900 to 1970 (RFC 5905)
_MTU = 1300


class Sent(NamedTuple):
    """One picture of a script: when it is sent after PLAY, with which RTP time (ticks), and what; `report_us`: the camera's clock then."""

    at_s: float
    stamp: int
    unit: AccessUnit
    report_us: int | None = None


Script = Callable[[], Iterable[Sent]]


def looped(clip: Path, *, seconds: float = 1e9, first_s: float = 0.0, first_stamp: int = 1_000_000) -> Iterator[Sent]:
    """The clip over and over, at its own pace."""
    _, units = _clip(clip)
    length = max(unit.pts for unit in units) + TIMESCALE // 25
    for loop in itertools.count():
        for unit in units:
            ticks = unit.pts + loop * length
            if ticks >= seconds * TIMESCALE:
                return
            yield Sent(first_s + ticks / TIMESCALE, first_stamp + ticks, unit)


def reporting(script: Iterable[Sent], clock_us: Callable[[float], int], *, every_s: float = 1.0) -> Iterator[Sent]:
    """Adds sender reports; `clock_us` is the camera's own clock, given the seconds since PLAY."""
    due_s = 0.0
    for sent in script:
        if sent.at_s >= due_s:
            due_s = sent.at_s + every_s
            yield sent._replace(report_us=clock_us(sent.at_s))
        else:
            yield sent


@dataclass
class ScriptedCamera(QuirkCamera):
    """Plays `script` from its beginning to each reader; its description names the parameter sets of `clip`. H.264 only."""

    clip: Path = Path()
    script: Script = lambda: ()

    def __post_init__(self) -> None:
        tracks, _ = _clip(self.clip)
        sets = ",".join(b64encode(unit).decode() for unit in tracks[0].parameter_sets)
        form = f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n"  # RFC 6184 part 8.1
        self.sdp = f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{form}"

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        packets, began_s = Packets(), time.monotonic()
        with contextlib.suppress(ConnectionError):
            for sent in self.script():
                await asyncio.sleep(max(0.0, began_s + sent.at_s - time.monotonic()))
                if sent.report_us is not None:
                    writer.write(frame(sender_report(*_ntp(sent.report_us), sent.stamp & 0xFFFFFFFF), channel=1))
                packets.unit(_payloads(sent.unit.data), sent.stamp)
                writer.write(packets.stream)
                packets.frames.clear()
                await writer.drain()


_clip = cache(access_units)


def _payloads(data: bytes) -> Sequence[bytes]:
    payloads: list[bytes] = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        nal = data[at + 4 : at + 4 + size]
        payloads += [nal] if size <= _MTU else fu_a(nal, _MTU)
        at += 4 + size
    return payloads


def _ntp(wall_us: int) -> tuple[int, int]:
    return wall_us // US_PER_S + _NTP_EPOCH_S, (wall_us % US_PER_S << 32) // US_PER_S
