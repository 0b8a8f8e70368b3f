"""The fragment table of a row as bytes: about nine bytes a fragment of 1 MB.

Layout, version 1: the byte 1, the number of fragments, then five numbers a fragment: how far its offset is from the end of the last,
its length, its key frame's length, how far its time is from the end of the last, and how its duration differs from the last.
Numbers are base-128, lowest group first (LEB128, DWARF 5 section 7.6); those that may be negative are folded (0, -1, 1, -2 become
0, 1, 2, 3).
"""

from __future__ import annotations

from collections.abc import Iterable

from segments.errors import BadInput, DataDamaged
from segments.model import Fragment

VERSION = 1
MAX_FRAGMENTS = 10_000
"""A segment lasts 5 min at most; this is far more than it can hold and bounds what a damaged table makes us read."""
MAX_NUMBER = 1 << 62
_NUMBERS_A_FRAGMENT = 5


def encode_fragments(fragments: Iterable[Fragment]) -> bytes:
    """The table as bytes; raises BadInput for more than 10,000 fragments or a number outside -2^62 .. 2^62."""
    table = tuple(fragments)
    if len(table) > MAX_FRAGMENTS:
        raise BadInput(f"a segment of {len(table)} fragments; at most {MAX_FRAGMENTS} can be indexed")
    numbers = [len(table)]
    end = next_pts = last_duration = 0
    for offset, length, key_length, pts, duration in table:
        numbers += (_fold(offset - end), length, key_length, _fold(pts - next_pts), _fold(duration - last_duration))
        end, next_pts, last_duration = offset + length, pts + duration, duration
    return _pack(numbers)


def decode_fragments(data: bytes) -> tuple[Fragment, ...]:
    """The table back; raises DataDamaged where the bytes are none, cut, or followed by others."""
    numbers = _unpack(data)
    if not numbers or numbers[0] > MAX_FRAGMENTS or len(numbers) != 1 + numbers[0] * _NUMBERS_A_FRAGMENT:
        raise DataDamaged(f"a fragment table of {len(data)} bytes does not hold what its head says; rebuild the index from the pool")
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


def _fold(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _pack(numbers: Iterable[int]) -> bytes:
    out = bytearray((VERSION,))
    for number in numbers:
        if not 0 <= number < MAX_NUMBER << 1:
            raise BadInput(f"a fragment table cannot hold the number {number}")
        rest = number
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def _unpack(data: bytes) -> list[int]:
    if not data or data[0] != VERSION:
        raise DataDamaged(f"a fragment table of version {data[0] if data else 'none'}; this program reads version {VERSION}")
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
