"""Interleaved framing (RFC 2326 part 10.12): one byte stream taken apart into RTP packets by channel and RTSP messages."""

from __future__ import annotations

from collections.abc import Callable

from recorder.sources.limits import Limits
from recorder.sources.message import Message, read_message, starts_message
from segments.errors import DataDamaged

PacketHandler = Callable[[memoryview, int, int, int], int]
"""Takes (view, start, after, end): a packet lies in view[start:after], its 4 bytes of framing included, and read bytes reach up to `end`.

Returns where reading goes on: `after`, or further if it has taken following packets of its channel with it.
"""

_DOLLAR = 0x24


class Interleaved:
    """Splits one connection's bytes. Frames of unknown channels are passed over; garbage is passed over up to a limit."""

    def __init__(self, on_message: Callable[[Message], None], limits: Limits) -> None:
        self.channels: dict[int, PacketHandler] = {}
        self._on_message = on_message
        self._limits = limits
        self._garbage = 0

    def feed(self, view: memoryview, end: int) -> int:
        """Takes view[:end] as far as it is whole and returns how many bytes that was; the rest must be in front of the next view.

        Raises DataDamaged where a limit is broken or the other side does not speak RTSP.
        """
        pos = 0
        before = self._garbage
        handlers = self.channels
        while end - pos >= 4:
            if view[pos] == _DOLLAR:
                after = pos + 4 + (view[pos + 2] << 8 | view[pos + 3])
                if after > end:
                    break
                handler = handlers.get(view[pos + 1])
                pos = handler(view, pos, after, end) if handler else after
            else:
                step = self._other(view, pos, end)
                if not step:
                    break
                pos += step
        clean = pos - (self._garbage - before)
        self._garbage = max(0, self._garbage - clean)
        return pos

    def _other(self, view: memoryview, pos: int, end: int) -> int:
        """Takes a message or garbage; 0 if more bytes must come."""
        data = bytes(view[pos : min(end, pos + self._limits.head_bytes + self._limits.body_bytes)])
        begins = starts_message(data)
        if begins is None:
            return 0
        if not begins:
            return self._skip_garbage(data)
        found = read_message(data, self._limits)
        if found is None:
            return 0
        message, length = found
        self._on_message(message)
        return length

    def _skip_garbage(self, data: bytes) -> int:
        """Passes over what is neither a frame nor a message, up to the next frame of a known channel or the next message."""
        if not self.channels:
            raise DataDamaged("the other side does not speak RTSP")
        marks = (data.find(bytes((_DOLLAR, channel)), 1) for channel in self.channels)
        step = min((mark for mark in (*marks, data.find(b"RTSP/1.", 1)) if mark > 0), default=len(data) - 1 or 1)
        self._garbage += step
        if self._garbage > self._limits.garbage_bytes:
            raise DataDamaged(f"more than {self._limits.garbage_bytes} bytes were neither RTP nor RTSP")
        return step
