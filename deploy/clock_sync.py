"""Whether the machine's clock is synchronised, as the kernel knows it (adjtimex(2): STA_UNSYNC)."""

from __future__ import annotations

import ctypes
import time

_STA_UNSYNC = 0x0040
_STRUCT_BYTES = 256  # struct timex takes 208 on 64-bit Linux
_STATUS_OFFSET = 40  # modes (padded), offset, freq, maxerror, esterror, status
_ASK_EVERY_S = 10.0


class ClockSync:
    """Asks the kernel, at most every ten seconds."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._asked = float("-inf")
        self._synced = False

    def __call__(self) -> bool:
        """Whether the clock is synchronised."""
        now = time.monotonic()
        if now - self._asked > _ASK_EVERY_S:
            timex = ctypes.create_string_buffer(_STRUCT_BYTES)
            status = ctypes.c_int.from_buffer(timex, _STATUS_OFFSET)
            self._synced = self._libc.adjtimex(timex) >= 0 and not status.value & _STA_UNSYNC
            self._asked = now
        return self._synced
