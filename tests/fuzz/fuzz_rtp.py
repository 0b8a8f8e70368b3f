"""Coverage-guided fuzzing of everything that reads a camera's packets: `python -m tests.fuzz.fuzz_rtp [-max_total_time=60]`.

A stream may end in DataDamaged only, what it holds in memory has a limit, and every unit that comes out is made of whole NAL units.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import replace

import atheris

with atheris.instrument_imports(include=["recorder", "segments"]):
    from recorder.sources import rtp_h264, rtp_h265
    from recorder.sources.interleaved import Interleaved
    from recorder.sources.limits import DEFAULT_LIMITS
    from recorder.sources.parameter_store import ParameterStore
    from recorder.sources.rtp import Losses, read_report
    from recorder.sources.rtp_aac import AacPackets
    from segments.errors import DataDamaged

LIMITS = replace(DEFAULT_LIMITS, nal_bytes=2000, unit_bytes=3000, head_bytes=500, body_bytes=500, garbage_bytes=500)


def packets_of(data: bytes) -> bytes:
    """Frames with right headers around fuzzed payloads: each piece says its channel, length, step of number and time, and marker."""
    out, sequence, stamp, at = bytearray(), 65_530, 2**32 - 5, 0
    while at + 3 <= len(data):
        way, length, step = data[at : at + 3]
        payload = data[at + 3 : at + 3 + length]
        sequence, stamp = sequence + 1 + (step == 255), stamp + step % 3
        kind = 96 | way & 0x80
        channel = way & 3
        flags = 0x80 if way & 0x10 else 0x80 | step >> 2 & 0x3F
        header = struct.pack(">BBHII", flags, kind, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 7)
        out += struct.pack(">cBH", b"$", channel, len(header) + len(payload)) + header + payload
        at += 3 + length
    return bytes(out)


def check(_stamp: int, _key: bool, unit: bytearray, _arrival_us: int) -> None:
    """The lengths of a unit's NAL units add up to it, and no limit was passed."""
    at = 0
    while at < len(unit):
        (length,) = struct.unpack_from(">I", unit, at)
        if not length:
            raise AssertionError("an empty NAL unit")
        at += 4 + length
    if at != len(unit) or len(unit) > LIMITS.unit_bytes + 600_000:
        raise AssertionError("a unit that is not whole")


def read_stream(data: bytes) -> None:
    """One input, as packets and as it is, to all de-packetizers at once."""
    stream = packets_of(data[1:]) if data[:1] < b"\xc0" else data[1:]
    losses = Losses()
    h264 = rtp_h264.H264Packets(ParameterStore(rtp_h264.set_id), check, losses, LIMITS)
    h265 = rtp_h265.H265Packets(ParameterStore(rtp_h265.set_id), check, losses, LIMITS, with_donl=data[:1] < b"\x40")
    aac = AacPackets(96, 1024, lambda _stamp, _frame: None, losses)
    splitter = Interleaved(lambda _: None, LIMITS)
    for channel, track in enumerate((h264, h265)):
        track.configure(channel, 96)
        splitter.channels[channel] = track.packet
    splitter.channels[2] = aac.packet
    splitter.channels[3] = lambda view, pos, after, _end: read_report(view, pos, after) and after
    rest = b""
    for start in range(0, len(stream), 700):
        buffer = rest + stream[start : start + 700]
        try:
            used = splitter.feed(memoryview(bytearray(buffer)), len(buffer))
        except DataDamaged:
            return
        rest = buffer[used:]
        if len(rest) > 70_000:
            raise AssertionError("more is left over than a packet or an answer")


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_stream)
    atheris.Fuzz()
