"""The parameter sets a camera has sent so far, by kind and id; a later one of the same id takes the earlier one's place."""

from __future__ import annotations

import struct
from collections.abc import Callable

from segments.parameter_sets import MAX_SET_BYTES, MAX_SETS

_LENGTH = struct.Struct(">I")


class ParameterStore:
    """Known parameter sets of one track. `version` rises whenever their content changes."""

    def __init__(self, id_of: Callable[[bytes], tuple[int, int]]) -> None:
        self.version = 0
        self._id_of = id_of
        self._sets: dict[tuple[int, int], bytes] = {}
        self._prefix: bytes | None = None

    @property
    def units(self) -> tuple[bytes, ...]:
        """All sets, in order of kind and id."""
        return tuple(self._sets[place] for place in sorted(self._sets))

    @property
    def prefix(self) -> bytes:
        """All sets as they stand in an MP4 sample, each behind its 4-byte length."""
        if self._prefix is None:
            self._prefix = b"".join(_LENGTH.pack(len(unit)) + unit for unit in self.units)
        return self._prefix

    def add(self, unit: bytes) -> bool:
        """Takes a set; False if it is too long, has no readable id, or there are too many of its kind."""
        if len(unit) > MAX_SET_BYTES:
            return False
        try:
            place = self._id_of(unit)
        except (IndexError, ValueError):
            return False
        if self._sets.get(place) == unit:
            return True
        if place not in self._sets and sum(kind == place[0] for kind, _ in self._sets) >= MAX_SETS:
            return False
        self._sets[place] = unit
        self._prefix = None
        self.version += 1
        return True


def exp_golomb(data: bytes, bit: int) -> int:
    """The unsigned Exp-Golomb number (ITU-T H.264, 9.1) at a bit position; raises ValueError if it does not end or is over 16 bits."""
    number = int.from_bytes(data[bit // 8 : bit // 8 + 6].ljust(6, b"\0")) << (bit % 8) & (1 << 48) - 1
    zeros = 48 - number.bit_length()
    if zeros > 16:
        raise ValueError("the number has no end")
    return (number >> (47 - 2 * zeros)) - 1
