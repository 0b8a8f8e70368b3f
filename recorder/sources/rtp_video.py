"""RTP packets of one H.264 or H.265 track in, access units out: all that the two payload formats (RFC 6184, RFC 7798) have in common.

This is where a recorder spends its time: the packets in the middle of a fragmented NAL unit, nine of ten, are taken in one loop (`_run`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import ClassVar

from recorder.sources.limits import Limits
from recorder.sources.parameter_store import ParameterStore
from recorder.sources.rtp import FRAMING, Losses, payload_span

Deliver = Callable[[int, bool, bytearray, int], None]
"""Takes (RTP time, key, data, arrival_us) of a whole access unit."""

MARKS_TO_TRUST = 8
"""Units of several packets whose marker stood on the last one only, after which the marker ends a unit; before, the next RTP time does."""
_NEVER = -1
_NONE = -1
_SEQUENCE_BACK = 64
"""A sequence number up to so far behind is a repeated packet, further it is a new start."""

_HEADER = struct.Struct(">BBHII")
_MIDDLE = struct.Struct(">IIQI")
_LENGTH = struct.Struct(">I")


KEEP, DROP, SET, SLICE, KEY_SLICE = range(5)
"""Roles: what becomes of a NAL unit. From SLICE on it belongs to the picture itself."""


class VideoPackets:
    """De-packetizer of one video track.

    A unit with a hole is dropped, and so are all after it up to the next key frame, for they would be shown wrong; `losses` counts them.
    Before the first whole unit nothing is waited for.
    """

    NAL_HEADER: ClassVar[int]
    """Bytes of a NAL unit's header."""
    FRAGMENT_HEADER: ClassVar[int]
    """Bytes in front of a fragment: NAL header and FU header."""
    ROLES: ClassVar[Sequence[int]]
    """The role of a NAL unit by its first byte."""

    # the unit in hand, begun by _clear
    _unit: bytearray
    _fragment: int
    _fragment_head: int
    _fragment_role: int
    _key: bool
    _has_slice: bool
    _with_sets: bool
    _damaged: bool
    _last_marked: bool
    _ended_by_marker: bool
    _unit_packets: int
    _marks: int
    _arrived_us: int

    def __init__(self, sets: ParameterStore, deliver: Deliver, losses: Losses, limits: Limits) -> None:
        self.sets = sets
        self.packets = 0
        """Packets seen, fewer than came: it rises whenever one comes."""
        self.arrival_us = 0
        """The wall clock of the batch being read; set by the reader."""
        self.awaits_key = False
        self._deliver = deliver
        self._losses = losses
        self._limits = limits
        self._channel = self._kind = 0
        self._sequence = self._stamp = self._ssrc = _NONE
        self._trust = 0
        self._begun = False
        self._clear()

    def configure(self, channel: int, payload_type: int) -> None:
        """Says which interleaved channel and RTP payload type the track has."""
        self._channel = 0x2400 | channel
        self._kind = payload_type

    def packet(self, view: memoryview, pos: int, after: int, end: int) -> int:
        """Takes the interleaved packet view[pos:after], and those that follow it up to `end` where they continue its NAL unit."""
        start = pos + FRAMING
        if after - start < _HEADER.size:
            return after
        flags, kind, sequence, stamp, ssrc = _HEADER.unpack_from(view, start)
        if kind & 0x7F != self._kind or flags & 0xC0 != 0x80:
            return after
        if sequence != self._sequence and not self._jump(sequence):
            return after
        self._sequence = sequence + 1 & 0xFFFF
        if stamp != self._stamp or ssrc != self._ssrc:
            self._next_time(stamp, ssrc)
        self.packets += 1
        self._unit_packets += 1
        self._arrived_us = self.arrival_us
        marker = kind > 0x7F
        self._last_marked = marker
        if not self._damaged:
            span = (start + 12, after) if flags == 0x80 else payload_span(view, start, after)
            if span is None or not self._take(view, *span):
                self._spoil()
        if marker:
            self._marked()
        elif self._fragment >= 0 and flags == 0x80:
            return self._run(view, after, end)
        return after

    def _run(self, view: memoryview, pos: int, end: int) -> int:
        """Takes packets that differ from a middle fragment of the open NAL unit in length, sequence number and content only."""
        unit, unpack, skip = self._unit, _MIDDLE.unpack_from, FRAMING + 12 + self.FRAGMENT_HEADER
        source, fragment, shift = self._stamp << 32 | self._ssrc, self._fragment_head, 8 * (4 - self.FRAGMENT_HEADER)
        number = (0x8000 | self._kind) << 16 | self._sequence
        framing = step = 0
        last = end - _MIDDLE.size
        while pos <= last:
            frame, numbered, origin, head = unpack(view, pos)
            if numbered != number or head >> shift != fragment or origin != source:
                break
            if frame != framing:
                if frame >> 16 != self._channel:
                    break
                framing, step = frame, 4 + (frame & 0xFFFF)
            after = pos + step
            if after > end:
                break
            unit += view[pos + skip : after]
            pos = after
            number += 1 if number & 0xFFFF != 0xFFFF else -0xFFFF
        self._sequence = number & 0xFFFF
        if len(unit) - self._fragment > self._limits.nal_bytes or len(unit) > self._limits.unit_bytes:
            self._spoil()
        return pos

    # --- what the payload formats add ---

    def _take(self, view: memoryview, start: int, stop: int) -> bool:
        """Takes one payload; False if it is damaged or of a kind that is not expected."""
        raise NotImplementedError

    def _finish(self, unit: bytearray, *, key: bool, with_sets: bool) -> None:
        """Puts in front of a whole unit what the format stores there."""
        raise NotImplementedError

    # --- NAL units ---

    def _add_nal(self, view: memoryview, start: int, stop: int) -> bool:
        """Adds a whole NAL unit; False if it cannot be one."""
        if not self.NAL_HEADER < stop - start <= self._limits.nal_bytes or len(self._unit) + stop - start > self._limits.unit_bytes:
            return False
        role = self.ROLES[view[start]]
        if role == DROP:
            return True
        if role == SET:
            self._with_sets = True
            return self.sets.add(bytes(view[start:stop]))
        if role >= SLICE and not self._slice(role, view[start + self.NAL_HEADER]):
            return False
        self._unit += _LENGTH.pack(stop - start)
        self._unit += view[start:stop]
        return True

    def _begin_fragments(self, header: bytes, head: int, view: memoryview, span: tuple[int, int]) -> bool:
        """Opens a fragmented NAL unit; `head` is what its middle packets begin with, as a number."""
        start, stop = span
        role = self.ROLES[header[0]]
        if self._fragment >= 0 or stop <= start or (role >= SLICE and not self._slice(role, view[start])):
            return False
        self._fragment, self._fragment_head, self._fragment_role = len(self._unit), head, role
        self._unit += b"\0\0\0\0" + header
        self._unit += view[start:stop]
        return True

    def _continue_fragments(self, head: int, view: memoryview, span: tuple[int, int], *, last: bool) -> bool:
        """Adds a fragment, and closes the NAL unit with its last one; False if it continues nothing."""
        unit, opened = self._unit, self._fragment
        if opened < 0 or head != self._fragment_head:
            return False
        unit += view[span[0] : span[1]]
        if len(unit) - opened > self._limits.nal_bytes or len(unit) > self._limits.unit_bytes:
            return False
        return self._close_fragments() if last else True

    def _close_fragments(self) -> bool:
        unit, opened = self._unit, self._fragment
        self._fragment = _NONE
        _LENGTH.pack_into(unit, opened, len(unit) - opened - 4)
        if self._fragment_role in (DROP, SET):
            nal = bytes(unit[opened + 4 :])
            del unit[opened:]
            if self._fragment_role == SET:
                self._with_sets = True
                return self.sets.add(nal)
        return True

    def _slice(self, role: int, first: int) -> bool:
        """Notes a slice; the first of a picture says so in its first bit (first_mb_in_slice = 0, first_slice_segment_in_pic_flag)."""
        if not self._has_slice and not first & 0x80:
            if self._ended_by_marker:
                self._trust = _NEVER
            return False
        self._has_slice = True
        self._key = self._key or role == KEY_SLICE
        return True

    # --- access units ---

    def _jump(self, sequence: int) -> bool:
        """A sequence number that was not expected: False if the packet is a repeated one."""
        if self._sequence == _NONE:
            return True
        missing = sequence - self._sequence & 0xFFFF
        if missing >= 0x10000 - _SEQUENCE_BACK:
            return False
        self._losses.packets += missing if missing < 0x8000 else 1
        self._spoil()
        return True

    def _next_time(self, stamp: int, ssrc: int) -> None:
        """A new RTP time ends the unit before it."""
        if self._has_slice and not self._damaged:
            if 0 <= self._trust < MARKS_TO_TRUST:
                self._learn()
            self._emit()
        if ssrc != self._ssrc:
            self.awaits_key = self._begun
        self._stamp, self._ssrc = stamp, ssrc
        self._clear()

    def _marked(self) -> None:
        """The marker bit: ends a unit if this camera was seen to set it as RFC 6184 part 5.1 wants it, and the unit can be whole."""
        if self._fragment >= 0 or not self._has_slice:
            return
        self._marks += 1
        if self._trust >= MARKS_TO_TRUST and not self._damaged:
            self._emit()
            self._clear()
            self._ended_by_marker = True

    def _learn(self) -> None:
        """Looks how the marker stood in a unit that its successor's time has ended."""
        if self._marks != 1 or not self._last_marked:
            self._trust = 0
        elif self._unit_packets > 1:
            self._trust += 1

    def _emit(self) -> None:
        if self._fragment >= 0:
            self._spoil()
        elif self.awaits_key and not self._key:
            self._losses.units += 1
        else:
            self.awaits_key, self._begun = False, True
            unit = self._unit
            self._finish(unit, key=self._key, with_sets=self._with_sets)
            self._deliver(self._stamp, self._key, unit, self._arrived_us)

    def _spoil(self) -> None:
        """Drops the unit in hand; what refers to it would be shown wrong, so nothing is passed on before the next key frame."""
        if not self._damaged:
            self._losses.units += 1
        self._clear()
        self._damaged, self.awaits_key = True, self._begun

    def _clear(self) -> None:
        """Begins a unit."""
        self._unit = bytearray()
        self._fragment = self._fragment_head = _NONE
        self._fragment_role = KEEP
        self._key = self._has_slice = self._with_sets = self._damaged = self._last_marked = self._ended_by_marker = False
        self._unit_packets = self._marks = self._arrived_us = 0
