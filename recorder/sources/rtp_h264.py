"""H.264 over RTP (RFC 6184, packetization modes 0 and 1): single NAL units, STAP-A and FU-A."""

from __future__ import annotations

from recorder.sources.parameter_store import exp_golomb
from recorder.sources.rtp_video import DROP, KEEP, KEY_SLICE, SET, SLICE, VideoPackets

_STAP_A, _FU_A = 24, 28
_SPS = 7
_ROLES = {1: SLICE, 2: SLICE, 5: KEY_SLICE, 7: SET, 8: SET, 9: DROP, 12: DROP}


def set_id(unit: bytes) -> tuple[int, int]:
    """The kind and id of an SPS (behind profile, constraints and level) or PPS (ITU-T H.264, 7.3.2.1.1, 7.3.2.2)."""
    kind = unit[0] & 0x1F
    return kind, exp_golomb(unit, 32 if kind == _SPS else 8)


class H264Packets(VideoPackets):
    """De-packetizer of an H.264 track. Parameter sets stand in front of every IDR picture, and of every unit they came with."""

    NAL_HEADER = 1
    FRAGMENT_HEADER = 2
    ROLES = tuple(_ROLES.get(first & 0x1F, KEEP) for first in range(256))

    def _finish(self, unit: bytearray, *, key: bool, with_sets: bool) -> None:
        if key or with_sets:
            unit[:0] = self.sets.prefix

    def _take(self, view: memoryview, start: int, stop: int) -> bool:
        if start >= stop:
            return True  # padding alone
        indicator = view[start]
        kind = indicator & 0x1F
        if kind == _FU_A:
            return stop - start > 2 and self._take_fragment(view, start, stop)
        if self._fragment >= 0:
            return False
        if kind == _STAP_A:
            return self._take_aggregate(view, start + 1, stop)
        return 0 < kind < _STAP_A and self._add_nal(view, start, stop)

    def _take_fragment(self, view: memoryview, start: int, stop: int) -> bool:
        indicator, header = view[start], view[start + 1]
        head = indicator << 8 | header & 0x1F
        if header & 0x80:
            nal = bytes((indicator & 0xE0 | header & 0x1F,))
            begun = self._begin_fragments(nal, head, view, (start + 2, stop))
            return begun and (self._close_fragments() if header & 0x40 else True)
        return self._continue_fragments(head, view, (start + 2, stop), last=bool(header & 0x40))

    def _take_aggregate(self, view: memoryview, pos: int, stop: int) -> bool:
        while pos + 2 < stop:
            after = pos + 2 + (view[pos] << 8 | view[pos + 1])
            if after > stop or not self._add_nal(view, pos + 2, after):
                return False
            pos = after
        return pos == stop
