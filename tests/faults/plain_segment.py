"""A segment format of the tests' own: every fragment says which one it is and carries the hash of its bytes.

So what comes back after a fault is judged without any of the code that makes or reads real segments.
"""

from __future__ import annotations

import hashlib
import random
import struct
from dataclasses import dataclass

from recorder.repair import SegmentFormat
from segments.media import TIMESCALE
from segments.model import Fragment

HEADER = b"plain segment\n"
_FRAME = struct.Struct(">4sII32s")  # mark, number, bytes that follow, their SHA-256
_TAIL = b"TAIL"
FRAGMENT_TICKS = TIMESCALE


def fragment(name: str, number: int, size_bytes: int) -> bytes:
    """The one fragment of this name, number and size."""
    body = random.Random(f"{name}/{number}").randbytes(size_bytes)
    return _FRAME.pack(b"FRAG", number, size_bytes, hashlib.sha256(body).digest()) + body


@dataclass(frozen=True)
class PlainScan:
    """See `recorder.repair.Scan`. Looks at the frames only, as one does who trusts that whole frames have whole content."""

    good_bytes: int
    complete: bool
    fragments: tuple[Fragment, ...]


def scan(data: bytes) -> PlainScan:
    """Walks the frames up to the first that is not whole."""
    if not data.startswith(HEADER):
        return PlainScan(0, complete=False, fragments=())
    at, found = len(HEADER), []
    while len(data) - at >= _FRAME.size:
        mark, number, size_bytes, _ = _FRAME.unpack_from(data, at)
        end = at + _FRAME.size + size_bytes
        if mark != b"FRAG" or number != len(found) or end > len(data):
            break
        found.append(Fragment(at, end - at, 0, number * FRAGMENT_TICKS, FRAGMENT_TICKS))
        at = end
    return PlainScan(at, data[at:].startswith(_TAIL) and data.endswith(b"."), tuple(found))


def tail(counter: int) -> bytes:
    """What closes a segment."""
    return b"%s%d." % (_TAIL, counter)


def is_true(data: bytes, part: Fragment) -> bool:
    """Whether a fragment holds the bytes it was made of; a piece that is not even framed holds none."""
    if part.length < _FRAME.size:
        return False
    mark, _, size_bytes, digest = _FRAME.unpack_from(data, part.offset)
    body = data[part.offset + _FRAME.size : part.offset + part.length]
    return mark == b"FRAG" and len(body) == size_bytes and hashlib.sha256(body).digest() == digest


def untrimmed_scan(data: bytes) -> PlainScan:
    """The rule broken on purpose: a torn fragment at the end counts as one."""
    whole = scan(data)
    if whole.complete or whole.good_bytes in (0, len(data)):
        return whole
    torn = Fragment(whole.good_bytes, len(data) - whole.good_bytes, 0, 0, FRAGMENT_TICKS)
    return PlainScan(len(data), complete=False, fragments=(*whole.fragments, torn))


PLAIN: SegmentFormat[PlainScan] = SegmentFormat(scan, lambda file, _: tail(file.counter))
UNTRIMMED: SegmentFormat[PlainScan] = SegmentFormat(untrimmed_scan, lambda file, _: tail(file.counter))
