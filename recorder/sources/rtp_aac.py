"""AAC over RTP (RFC 3640, mode AAC-hbr): several frames a packet, or one frame over several packets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recorder.sources.rtp import Losses, PacketReader
from segments.errors import DataDamaged

FRAME_BYTES = 8191
"""The longest frame: its size field has 13 bits."""
FRAMES_A_PACKET = 64

Deliver = Callable[[int, bytes], None]
"""Takes (RTP time, one raw AAC frame)."""


def read_config(parameters: Mapping[str, str]) -> bytes:
    """The AudioSpecificConfig in an fmtp line; raises DataDamaged if it is not of mode AAC-hbr or cannot be read."""
    fields = tuple(parameters.get(name) for name in ("sizelength", "indexlength", "indexdeltalength"))
    if parameters.get("mode", "").lower() != "aac-hbr" or fields != ("13", "3", "3"):
        raise DataDamaged("only mode AAC-hbr is read")
    try:
        config = bytes.fromhex(parameters.get("config", ""))
    except ValueError:
        config = b""
    if not 2 <= len(config) <= 64:
        raise DataDamaged("the AudioSpecificConfig is missing or cannot be read")
    return config


class AacPackets:
    """De-packetizer of an AAC track. A frame with a hole is dropped and counted, the next one is passed on."""

    def __init__(self, payload_type: int, samples_a_frame: int, deliver: Deliver, losses: Losses) -> None:
        self._reader = PacketReader(payload_type, losses)
        self._samples = samples_a_frame
        self._deliver = deliver
        self._losses = losses
        self._frame = b""
        self._wanted = 0
        self._stamp = 0

    def packet(self, view: memoryview, pos: int, after: int, end: int) -> int:  # noqa: ARG002 - a packet handler
        """Takes the interleaved packet view[pos:after]."""
        found = self._reader.read(view, pos, after)
        if found is None:
            return after
        packet, after_hole = found
        if self._wanted and (after_hole or packet.stamp != self._stamp):
            self._drop()
        if not self._take(bytes(view[packet.start : packet.stop]), packet.stamp):
            self._drop()
        return after

    def _take(self, payload: bytes, stamp: int) -> bool:
        """Takes a payload: AU-headers-length, AU headers of 16 bits (size 13, index 3), frames; False if it is damaged."""
        bits = int.from_bytes(payload[:2])
        count = bits // 16
        if bits % 16 or not 0 < count <= FRAMES_A_PACKET or len(payload) < 2 + 2 * count:
            return False
        sizes = [(payload[2 + 2 * index] << 8 | payload[3 + 2 * index]) >> 3 for index in range(count)]
        start = 2 + 2 * count
        if count == 1 and (self._wanted or sizes[0] > len(payload) - start):
            return self._take_fragment(payload[start:], sizes[0], stamp)
        if self._wanted or 0 in sizes or start + sum(sizes) > len(payload):
            return False
        for index, size in enumerate(sizes):
            self._deliver(stamp + index * self._samples & 0xFFFFFFFF, payload[start : start + size])
            start += size
        return True

    def _take_fragment(self, piece: bytes, size: int, stamp: int) -> bool:
        if not self._wanted:
            self._wanted, self._stamp = size, stamp
        if size != self._wanted or stamp != self._stamp or not piece:
            return False
        self._frame += piece
        if len(self._frame) > size:
            return False
        if len(self._frame) == size:
            frame, self._frame, self._wanted = self._frame, b"", 0
            self._deliver(stamp, frame)
        return True

    def _drop(self) -> None:
        self._losses.units += 1
        self._frame, self._wanted = b"", 0
