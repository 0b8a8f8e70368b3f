"""RTP and RTCP packets (RFC 3550) of coded pictures and sound, each in its interleaved frame (RFC 2326 part 10.12)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from segments.media import Codec

MAX_PAYLOAD_BYTES = 1400

_NTP_OFFSET_S = 2_208_988_800  # from 1900 to 1970
_H264_FU_A, _H264_STAP_A = 28, 24
_H265_FU, _H265_AP = 49, 48


def h264_payloads(units: Sequence[bytes]) -> list[bytes]:
    """The payloads of one access unit (RFC 6184): small units in front together (STAP-A, 5.7.1), long ones cut (FU-A, 5.8)."""
    return _joined(units, lambda joined: bytes([max(unit[0] & 0x60 for unit in joined) | _H264_STAP_A]), _h264_pieces)


def h265_payloads(units: Sequence[bytes]) -> list[bytes]:
    """The payloads of one access unit (RFC 7798): small units in front together (AP, 4.4.2), long ones cut (FU, 4.4.3)."""
    return _joined(units, lambda _: bytes([_H265_AP << 1, 1]), _h265_pieces)


def aac_payload(frame: bytes) -> bytes:
    """One AAC frame in mode AAC-hbr (RFC 3640, 3.3.6): the length of the headers in bits, then 13 bits of size and 3 of index."""
    return struct.pack(">HH", 16, len(frame) << 3) + frame


PAYLOADS = {Codec.H264: h264_payloads, Codec.H265: h265_payloads}


def _joined(units: Sequence[bytes], head_of: Callable[[Sequence[bytes]], bytes], pieces_of: Callable[[bytes], list[bytes]]) -> list[bytes]:
    """The units that fit into the first packet together (parameter sets and what else is small), then each of the rest."""
    together, size = 0, 2
    for unit in units:
        size += 2 + len(unit)
        if size > MAX_PAYLOAD_BYTES:
            break
        together += 1
    if together < 2:
        together = 0
    front = [head_of(units[:together]) + b"".join(struct.pack(">H", len(unit)) + unit for unit in units[:together])] if together else []
    return front + [piece for unit in units[together:] for piece in pieces_of(unit)]


def _h264_pieces(unit: bytes) -> list[bytes]:
    if len(unit) <= MAX_PAYLOAD_BYTES:
        return [unit]
    indicator, kind = unit[0] & 0xE0 | _H264_FU_A, unit[0] & 0x1F
    return [bytes([indicator, ends | kind]) + piece for ends, piece in _cut(unit[1:], MAX_PAYLOAD_BYTES - 2)]


def _h265_pieces(unit: bytes) -> list[bytes]:
    if len(unit) <= MAX_PAYLOAD_BYTES:
        return [unit]
    header, kind = bytes([unit[0] & 0x81 | _H265_FU << 1, unit[1]]), unit[0] >> 1 & 0x3F
    return [header + bytes([ends | kind]) + piece for ends, piece in _cut(unit[2:], MAX_PAYLOAD_BYTES - 3)]


def _cut(body: bytes, most: int) -> list[tuple[int, bytes]]:
    """Pieces of a unit with their start (0x80) and end (0x40) bits; there are always two or more."""
    pieces = [body[at : at + most] for at in range(0, len(body), most)]
    return [((0x80 if n == 0 else 0) | (0x40 if n == len(pieces) - 1 else 0), piece) for n, piece in enumerate(pieces)]


class RtpSender:
    """The packets of one track for one reader, numbered; RTP on an even interleaved channel, RTCP on the next."""

    def __init__(self, *, channel: int, payload_type: int, rate_hz: int, ssrc: int) -> None:
        self._channel = channel
        self._payload_type = payload_type
        self._rate_hz = rate_hz
        self._ssrc = ssrc
        self._sequence = ssrc & 0xFFFF
        self._packets = 0
        self._bytes = 0

    @property
    def sequence(self) -> int:
        """The number of the next packet."""
        return self._sequence

    def packets(self, payloads: Sequence[bytes], stamp: int) -> bytes:
        """The packets of one access unit, the marker on the last."""
        sent = bytearray()
        for n, payload in enumerate(payloads):
            kind = self._payload_type | (0x80 if n == len(payloads) - 1 else 0)
            head = struct.pack(">BBHII", 0x80, kind, self._sequence, stamp & 0xFFFFFFFF, self._ssrc)
            sent += _frame(self._channel, head + payload)
            self._sequence = self._sequence + 1 & 0xFFFF
            self._packets += 1
            self._bytes += len(payload)
        return bytes(sent)

    def report(self, at_us: int) -> bytes:
        """A sender report (RFC 3550, 6.4.1) with a source description: this wall time is that RTP time."""
        seconds, us = divmod(at_us, 1_000_000)
        stamp = at_us * self._rate_hz // 1_000_000 & 0xFFFFFFFF
        counts = self._packets & 0xFFFFFFFF, self._bytes & 0xFFFFFFFF
        ntp = seconds + _NTP_OFFSET_S & 0xFFFFFFFF, (us << 32) // 1_000_000
        report = struct.pack(">BBHIIIIII", 0x80, 200, 6, self._ssrc, *ntp, stamp, *counts)
        description = struct.pack(">BBHI", 0x81, 202, 3, self._ssrc) + b"\x01\x04demo\0\0"
        return _frame(self._channel + 1, report + description)


def _frame(channel: int, packet: bytes) -> bytes:
    return struct.pack(">cBH", b"$", channel, len(packet)) + packet
