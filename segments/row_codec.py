"""The fragment table of a row as bytes: about eight a fragment, and thirty-two.

Layout, version 2: `_HEAD` (the byte 2, the number of fragments, the first offset, time and duration, the widths of five columns), then
the columns: lengths, key frames' lengths, and of all fragments but the first how far its offset is from the end of the one before, how far
its time is, and how its duration differs. A column has a number a fragment, as wide as the greatest asks for (1, 2, 4 or 8 bytes), and no
bytes where all are zero. All are signed, lowest byte first.

Version 1, no longer written: the byte 1, the number of fragments, then the same five numbers of each fragment, beginning with the offset,
as of a fragment behind an empty one; in base 128 (LEB128, DWARF 5 section 7.6), those that may be negative folded (0, -1, 1, -2 become 0,
1, 2, 3).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate
from operator import add, mul, sub

from segments.errors import BadInput, DataDamaged
from segments.model import Fragment

VERSION = 2
MAX_FRAGMENTS = 10_000
"""A segment lasts 5 min at most; this is far more than it can hold and bounds what a damaged table makes us read."""
_HEAD = struct.Struct("<BH3q5B")
_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}
_NUMBERS_A_FRAGMENT = 5
_Column = tuple[int, ...]
_fragment: Callable[[Iterable[int]], Fragment] = partial(tuple.__new__, Fragment)
"""What `Fragment._make` does, in half its time: a day of a camera has a hundred thousand."""


def encode_fragments(fragments: Iterable[Fragment]) -> bytes:
    """The table as bytes; raises BadInput for more than 10,000 fragments, a negative length, or numbers that differ by over 63 bits."""
    table = tuple(fragments)
    if len(table) > MAX_FRAGMENTS:
        raise BadInput(f"a segment of {len(table)} fragments; at most {MAX_FRAGMENTS} can be indexed")
    offsets, lengths, key_lengths, times, durations = zip(*table, strict=True) if table else ((),) * _NUMBERS_A_FRAGMENT
    gaps = tuple(map(sub, offsets[1:], map(add, offsets, lengths)))
    jumps = tuple(map(sub, times[1:], map(add, times, durations)))
    changes = tuple(map(sub, durations[1:], durations))
    if min(lengths, default=0) < 0 or min(key_lengths, default=0) < 0:
        raise BadInput("a fragment of a negative length cannot be indexed")
    first = (offsets[0], times[0], durations[0]) if table else (0, 0, 0)
    columns = (lengths, key_lengths, gaps, jumps, changes)
    widths = tuple(map(_width, columns))
    try:
        head = _HEAD.pack(VERSION, len(table), *first, *widths)
        return head + b"".join(map(_pack, columns, widths))
    except struct.error as error:
        raise BadInput(f"a fragment table cannot hold these numbers: {error}") from None


def decode_fragments(data: bytes) -> tuple[Fragment, ...]:
    """The table back, of either version; raises DataDamaged where the bytes are none, cut, or followed by others."""
    version = data[0] if data else None
    if version == 1:
        return _decode_numbers(data)
    if version != VERSION:
        raise DataDamaged(f"a fragment table of version {version}; this program reads versions 1 and {VERSION}")
    (offset, time, duration), (lengths, key_lengths, gaps, jumps, changes) = _unpack_columns(data)
    durations = tuple(accumulate(changes, initial=duration))
    offsets = accumulate(map(add, lengths, gaps), initial=offset)
    times = accumulate(map(add, durations, jumps), initial=time)
    return tuple(map(_fragment, zip(offsets, lengths, key_lengths, times, durations, strict=False)))


def fragments_told(data: bytes) -> int:
    """How many fragments a table says it has, whether it has them or not; of version 1, no fewer than it can have. Reads its head alone."""
    version, count = data[:1], data[1:3]
    return int.from_bytes(count, "little") if version == bytes([VERSION]) else len(data) // _NUMBERS_A_FRAGMENT


def _unpack_columns(data: bytes) -> tuple[Sequence[int], Sequence[_Column]]:
    """The first offset, time and duration, and the five columns."""
    head = _HEAD.unpack_from(data) if len(data) >= _HEAD.size else (0, MAX_FRAGMENTS + 1)
    count, first, widths = head[1], head[2:5], head[5:]
    behind = max(count - 1, 0)
    counts = (count, count, behind, behind, behind)
    if count > MAX_FRAGMENTS or not {0, *_CODES}.issuperset(widths) or len(data) != _HEAD.size + sum(map(mul, counts, widths)):
        raise _not_whole(data)
    at = _HEAD.size
    columns = []
    for number, width in zip(counts, widths, strict=True):
        columns.append(struct.unpack_from(_format(number, width), data, at) if width else (0,) * number)
        at += number * width
    return first, columns


def _width(column: _Column) -> int:
    """How many bytes each of its numbers takes."""
    low, high = min(column, default=0), max(column, default=0)
    bits = max(high, ~low).bit_length() + 1
    return 0 if low == high == 0 else next((width for width in _CODES if bits <= 8 * width), 8)


def _pack(column: _Column, width: int) -> bytes:
    return struct.pack(_format(len(column), width), *column) if width else b""


def _format(count: int, width: int) -> str:
    return f"<{count}{_CODES[width]}"


def _not_whole(data: bytes) -> DataDamaged:
    return DataDamaged(f"a fragment table of {len(data)} bytes does not hold what its head says; rebuild the index from the pool")


# --- version 1 -----------------------------------------------------------------------------------------------------------


def _decode_numbers(data: bytes) -> tuple[Fragment, ...]:
    numbers = _unpack_numbers(data)
    if not numbers or numbers[0] > MAX_FRAGMENTS or len(numbers) != 1 + numbers[0] * _NUMBERS_A_FRAGMENT:
        raise _not_whole(data)
    fragments = []
    end = pts = duration = 0
    take = iter(numbers[1:])
    for gap, length, key_length, jump, change in zip(take, take, take, take, take, strict=True):
        offset = end + (gap >> 1 ^ -(gap & 1))
        end = offset + length
        pts += duration + (jump >> 1 ^ -(jump & 1))
        duration += change >> 1 ^ -(change & 1)
        fragments.append(Fragment(offset, length, key_length, pts, duration))
    return tuple(fragments)


def _unpack_numbers(data: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in memoryview(data)[1:]:
        if byte < 0x80:
            numbers.append(number | byte << shift)
            number = shift = 0
            continue
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > 63:
            raise DataDamaged("a fragment table with a number of more than 63 bits; rebuild the index from the pool")
    if shift:
        raise DataDamaged("a fragment table is cut off in a number; rebuild the index from the pool")
    return numbers
