"""RTP packets in interleaved frames, built by the tests after the payload formats' own rules: RFC 6184, RFC 7798, RFC 3640, RFC 3550."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from recorder.sources import rtp_h264, rtp_h265
from recorder.sources.interleaved import Interleaved
from recorder.sources.limits import DEFAULT_LIMITS, Limits
from recorder.sources.parameter_store import ParameterStore
from recorder.sources.rtp import Losses

SPS = bytes.fromhex("6742c01eda0280bfe584000003000400000300ca3c58ba80")
SMALL_SPS = bytes.fromhex("6742c00dda0507e840000003004000000ca3c50aa8")
PPS = bytes.fromhex("68ce0fc8")
VPS5 = bytes.fromhex("40010c01ffff01600000030090000003000003003fba0240")
SPS5 = bytes.fromhex("42010101600000030090000003000003003fa005020171f2e5ba4a4c2e6808000003000800000300c840")
SMALL_SPS5 = bytes.fromhex("42010101600000030090000003000003003ca00a080f165ba4a4c2e68080000003008000000c84")
PPS5 = bytes.fromhex("4401c0718312")
PICTURE_TICKS = 3600


def idr(size: int = 100, fill: int = 1) -> bytes:
    """An H.264 slice of an IDR picture, the first of its picture."""
    return b"\x65\x88" + bytes([fill]) * (size - 2)


def inter(size: int = 100, fill: int = 2) -> bytes:
    """An H.264 slice of another picture, the first of its picture."""
    return b"\x41\x9a" + bytes([fill]) * (size - 2)


def idr5(size: int = 100, fill: int = 1) -> bytes:
    """An H.265 slice of an IDR picture (type 19), the first of its picture."""
    return b"\x26\x01\xaf" + bytes([fill]) * (size - 3)


def inter5(size: int = 100, fill: int = 2) -> bytes:
    """An H.265 slice of another picture (type 1), the first of its picture."""
    return b"\x02\x01\xd0" + bytes([fill]) * (size - 3)


def stored(*nals: bytes) -> bytes:
    """NAL units as MP4 stores them."""
    return b"".join(struct.pack(">I", len(nal)) + nal for nal in nals)


def frame(packet: bytes, channel: int = 0) -> bytes:
    """A packet in its interleaved frame."""
    return struct.pack(">cBH", b"$", channel, len(packet)) + packet


@dataclass
class Packets:
    """Makes the packets of one track, in order, each in its frame."""

    sequence: int = 100
    payload_type: int = 96
    ssrc: int = 0xDEADBEEF
    channel: int = 0
    frames: list[bytes] = field(default_factory=list)

    def add(self, payload: bytes, stamp: int, *, marker: bool = False, flags: int = 0x80, extra: bytes = b"") -> None:
        """One packet; `extra` stands between header and payload (CSRCs, extension)."""
        kind = self.payload_type | (0x80 if marker else 0)
        header = struct.pack(">BBHII", flags, kind, self.sequence & 0xFFFF, stamp & 0xFFFFFFFF, self.ssrc)
        self.frames.append(frame(header + extra + payload, self.channel))
        self.sequence += 1

    def unit(self, payloads: Sequence[bytes], stamp: int) -> None:
        """The packets of one access unit, the marker on the last."""
        for index, payload in enumerate(payloads):
            self.add(payload, stamp, marker=index == len(payloads) - 1)

    @property
    def stream(self) -> bytes:
        """All of them, one after another."""
        return b"".join(self.frames)


def fu_a(nal: bytes, size: int = 40) -> list[bytes]:
    """RFC 6184 part 5.8: a NAL unit in fragments."""
    pieces = [nal[1:][at : at + size] for at in range(0, len(nal) - 1, size)]
    marks = [(0x80 if n == 0 else 0) | (0x40 if n == len(pieces) - 1 else 0) for n in range(len(pieces))]
    return [bytes([nal[0] & 0xE0 | 28, mark | nal[0] & 31]) + piece for mark, piece in zip(marks, pieces, strict=True)]


def stap_a(*nals: bytes) -> bytes:
    """RFC 6184 part 5.7.1: several NAL units in one packet."""
    return b"\x78" + b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)


def fu_5(nal: bytes, size: int = 40, donl: bytes = b"") -> list[bytes]:
    """RFC 7798 part 4.4.3: a NAL unit in fragments, the first with a DONL if one is given."""
    kind = nal[0] >> 1 & 63
    pieces = [nal[2:][at : at + size] for at in range(0, len(nal) - 2, size)]
    marks = [(0x80 if n == 0 else 0) | (0x40 if n == len(pieces) - 1 else 0) for n in range(len(pieces))]
    head = bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
    return [head + bytes([mark | kind]) + (donl if mark & 0x80 else b"") + piece for mark, piece in zip(marks, pieces, strict=True)]


def ap_5(*nals: bytes, donl: bytes = b"") -> bytes:
    """RFC 7798 part 4.4.2: several NAL units in one packet; with a DONL, each but the first has a DOND."""
    parts = [(donl[:1] if donl and n else b"") + struct.pack(">H", len(nal)) + nal for n, nal in enumerate(nals)]
    return bytes([48 << 1, 1]) + donl + b"".join(parts)


def aac_payload(frames: Iterable[bytes]) -> bytes:
    """RFC 3640 part 3.2: AAC frames behind their AU headers (13 bits of size, 3 of index)."""
    whole = list(frames)
    headers = b"".join(struct.pack(">H", len(data) << 3) for data in whole)
    return struct.pack(">H", 16 * len(whole)) + headers + b"".join(whole)


def sender_report(seconds: int, fraction: int, stamp: int, ssrc: int = 0xDEADBEEF) -> bytes:
    """RFC 3550 part 6.4.1, with a source description behind it as the RFC demands."""
    report = struct.pack(">BBHIIIIII", 0x80, 200, 6, ssrc, seconds, fraction, stamp, 10, 1000)
    return report + struct.pack(">BBHI", 0x81, 202, 2, ssrc) + b"\x01\x01a\0"


@dataclass
class Received:
    """What a de-packetizer delivered: (RTP time, key, bytes), and its losses."""

    units: list[tuple[int, bool, bytes]]
    losses: Losses
    sets: ParameterStore

    @property
    def data(self) -> list[bytes]:
        """The bytes alone."""
        return [data for _, _, data in self.units]


def receive(codec: str, stream: bytes, *, pieces: Sequence[int] = (), limits: Limits = DEFAULT_LIMITS, donl: bool = False) -> Received:
    """Feeds a stream of channel 0 to a fresh de-packetizer, cut at the given places, and gives what came out."""
    module = rtp_h264 if codec == "h264" else rtp_h265
    got = Received([], Losses(), ParameterStore(module.set_id))

    def deliver(stamp, key, data, _arrival_us):
        got.units.append((stamp, key, bytes(data)))

    if codec == "h264":
        packets = rtp_h264.H264Packets(got.sets, deliver, got.losses, limits)
    else:
        packets = rtp_h265.H265Packets(got.sets, deliver, got.losses, limits, with_donl=donl)
    packets.configure(0, 96)
    splitter = Interleaved(lambda _: None, limits)
    splitter.channels[0] = packets.packet
    rest, places = b"", [0, *sorted(pieces), len(stream)]
    for start, stop in pairwise(places):
        buffer = rest + stream[start:stop]
        used = splitter.feed(memoryview(bytearray(buffer)), len(buffer))
        rest = buffer[used:]
    return got
