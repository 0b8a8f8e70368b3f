"""H.265 over RTP (RFC 7798): single NAL units, aggregation packets and fragmentation units, with or without DONL fields."""

from __future__ import annotations

from recorder.sources.limits import Limits
from recorder.sources.parameter_store import ParameterStore, exp_golomb
from recorder.sources.rtp import Losses
from recorder.sources.rtp_video import DROP, KEEP, KEY_SLICE, SET, SLICE, Deliver, VideoPackets

_AGGREGATE, _FRAGMENT, _FIRST_UNSPECIFIED = 48, 49, 48
_VPS, _SPS = 32, 33
_LEVEL_BYTES = 12


def _role_of(kind: int) -> int:
    if kind < 32:
        return KEY_SLICE if 16 <= kind <= 21 else SLICE
    return SET if kind <= 34 else DROP if kind in (35, 38) else KEEP


def set_id(unit: bytes) -> tuple[int, int]:
    """The kind and id of a VPS, SPS or PPS (ITU-T H.265, 7.3.2.1 to 7.3.2.3); an SPS has its id behind profile, tier and level."""
    kind = unit[0] >> 1 & 0x3F
    data = unit.replace(b"\0\0\3", b"\0\0")
    if kind == _VPS:
        return kind, data[2] >> 4
    if kind == _SPS:
        return kind, exp_golomb(data, 8 * (3 + _LEVEL_BYTES) + _sub_layer_bits(data, data[2] >> 1 & 7))
    return kind, exp_golomb(data, 16)


def _sub_layer_bits(data: bytes, sub_layers: int) -> int:
    """Bits of the sub-layers' flags, profiles (88) and levels (8) in profile_tier_level (7.3.3)."""
    if not sub_layers:
        return 0
    flags = int.from_bytes(data[3 + _LEVEL_BYTES : 5 + _LEVEL_BYTES])
    pairs = [flags >> (14 - 2 * layer) & 3 for layer in range(sub_layers)]
    return 16 + sum(88 * (pair >> 1) + 8 * (pair & 1) for pair in pairs)


class H265Packets(VideoPackets):
    """De-packetizer of an H.265 track. Parameter sets are taken out of the units: they stand in the track's description (hvc1)."""

    NAL_HEADER = 2
    FRAGMENT_HEADER = 3
    ROLES = tuple(_role_of(first >> 1 & 0x3F) for first in range(256))

    def __init__(self, sets: ParameterStore, deliver: Deliver, losses: Losses, limits: Limits, *, with_donl: bool = False) -> None:
        super().__init__(sets, deliver, losses, limits)
        self._donl = 2 if with_donl else 0

    def _finish(self, unit: bytearray, *, key: bool, with_sets: bool) -> None:
        pass

    def _take(self, view: memoryview, start: int, stop: int) -> bool:
        if start >= stop:
            return True  # padding alone
        if stop - start < 3:
            return False
        kind = view[start] >> 1 & 0x3F
        if kind == _FRAGMENT:
            return stop - start > 3 and self._take_fragment(view, start, stop)
        if self._fragment >= 0:
            return False
        if kind == _AGGREGATE:
            return self._take_aggregate(view, start + 2 + self._donl, stop)
        return kind < _FIRST_UNSPECIFIED and self._take_single(view, start, stop)

    def _take_single(self, view: memoryview, start: int, stop: int) -> bool:
        if not self._donl:
            return self._add_nal(view, start, stop)
        nal = memoryview(bytes(view[start : start + 2]) + bytes(view[start + 2 + self._donl : stop]))
        return self._add_nal(nal, 0, len(nal))

    def _take_fragment(self, view: memoryview, start: int, stop: int) -> bool:
        first, second, header = view[start], view[start + 1], view[start + 2]
        head = first << 16 | second << 8 | header & 0x3F
        if header & 0x80:
            nal = bytes((first & 0x81 | (header & 0x3F) << 1, second))
            begun = self._begin_fragments(nal, head, view, (start + 3 + self._donl, stop))
            return begun and (self._close_fragments() if header & 0x40 else True)
        return self._continue_fragments(head, view, (start + 3, stop), last=bool(header & 0x40))

    def _take_aggregate(self, view: memoryview, pos: int, stop: int) -> bool:
        while pos + 2 < stop:
            after = pos + 2 + (view[pos] << 8 | view[pos + 1])
            if after > stop or not self._add_nal(view, pos + 2, after):
                return False
            pos = after + (1 if self._donl and after < stop else 0)
        return pos == stop
