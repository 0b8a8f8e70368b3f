"""G.711 and other sound whose RTP payload is the coded sound itself (RFC 3551 part 4.5.14)."""

from __future__ import annotations

from collections.abc import Callable

from recorder.sources.rtp import Losses, PacketReader

Deliver = Callable[[int, bytes], None]
"""Takes (RTP time, coded sound that begins there)."""


class SoundPackets:
    """De-packetizer of a G.711 track. A hole is counted; the next sound says by its time how long it was."""

    def __init__(self, payload_type: int, deliver: Deliver, losses: Losses) -> None:
        self._reader = PacketReader(payload_type, losses)
        self._deliver = deliver

    def packet(self, view: memoryview, pos: int, after: int, end: int) -> int:  # noqa: ARG002 - a packet handler
        """Takes the interleaved packet view[pos:after]."""
        found = self._reader.read(view, pos, after)
        if found and found[0].start < found[0].stop:
            packet, _ = found
            self._deliver(packet.stamp, bytes(view[packet.start : packet.stop]))
        return after
