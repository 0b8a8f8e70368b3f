"""RTP packets and RTCP sender reports (RFC 3550), as they lie in interleaved frames."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

FRAMING = 4
"""Bytes of interleaved framing before each packet."""

_HEADER = struct.Struct(">BBHII")
_REPORT = struct.Struct(">III")
_NTP_TO_UNIX_S = 2_208_988_800
_SENDER_REPORT, _BYE = 200, 203


@dataclass(slots=True)
class Losses:
    """What a connection has lost so far: RTP packets that never came, and access units that were dropped for it."""

    packets: int = 0
    units: int = 0


class RtpPacket(NamedTuple):
    """One RTP packet; its payload is view[start:stop]."""

    payload_type: int
    marker: bool
    sequence: int
    stamp: int
    start: int
    stop: int


def read_packet(view: memoryview, pos: int, after: int) -> RtpPacket | None:
    """The packet in the interleaved frame view[pos:after]; None if it is not RTP version 2 or is cut short."""
    start = pos + FRAMING
    if after - start < _HEADER.size:
        return None
    flags, kind, sequence, stamp, _ = _HEADER.unpack_from(view, start)
    span = payload_span(view, start, after) if flags & 0xC0 == 0x80 else None
    return RtpPacket(kind & 0x7F, kind > 0x7F, sequence, stamp, *span) if span else None


class PacketReader:
    """Reads the packets of one track in order: others' and repeated ones are passed over, missing ones counted."""

    def __init__(self, payload_type: int, losses: Losses) -> None:
        self._payload_type = payload_type
        self._losses = losses
        self._sequence = -1

    def read(self, view: memoryview, pos: int, after: int) -> tuple[RtpPacket, bool] | None:
        """The packet in the interleaved frame view[pos:after], and whether some before it are missing; None if it is not to be used."""
        packet = read_packet(view, pos, after)
        if packet is None or packet.payload_type != self._payload_type:
            return None
        expected, self._sequence = self._sequence, packet.sequence
        missing = packet.sequence - expected - 1 & 0xFFFF if expected >= 0 else 0
        if missing == 0xFFFF:
            return None
        self._losses.packets += missing if missing < 0x8000 else 1
        return packet, missing > 0


def payload_span(view: memoryview, start: int, after: int) -> tuple[int, int] | None:
    """Where the payload of the RTP packet view[start:after] lies, behind CSRCs and extension and before padding (RFC 3550 part 5.1)."""
    flags = view[start]
    payload = start + 12 + 4 * (flags & 0x0F)
    if flags & 0x10:
        if payload + 4 > after:
            return None
        payload += 4 + 4 * (view[payload + 2] << 8 | view[payload + 3])
    if flags & 0x20:
        after -= view[after - 1]
    return (payload, after) if start + 12 <= payload <= after else None


class SenderReport(NamedTuple):
    """The camera's wall clock (microseconds since 1970) at an RTP time."""

    wall_us: int
    stamp: int


def read_report(view: memoryview, pos: int, after: int) -> tuple[SenderReport | None, bool]:
    """The sender report in a compound RTCP packet (None if it holds none, or the camera knows no time), and whether the camera says BYE."""
    report, bye = None, False
    pos += FRAMING
    while after - pos >= 4 and view[pos] & 0xC0 == 0x80:
        kind, length = view[pos + 1], 4 + 4 * (view[pos + 2] << 8 | view[pos + 3])
        if kind == _SENDER_REPORT and length >= 28 and after - pos >= 20:
            seconds, fraction, stamp = _REPORT.unpack_from(view, pos + 8)
            report = SenderReport(_wall_us(seconds, fraction), stamp) if seconds else None
        bye = bye or kind == _BYE
        pos += length
    return report, bye


def _wall_us(seconds: int, fraction: int) -> int:
    """NTP time to microseconds since 1970; the era that began in 2036 is told by the top bit (RFC 5905 part 6, RFC 4330 part 3)."""
    era = 0 if seconds & 0x8000_0000 else 1 << 32
    return (seconds + era - _NTP_TO_UNIX_S) * 1_000_000 + (fraction * 1_000_000 >> 32)
