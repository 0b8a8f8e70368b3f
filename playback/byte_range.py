"""The one range of a request (RFC 9110, section 14). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from segments.errors import KeepsightError

_ONE_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})", re.IGNORECASE)


class RangeNotSatisfiable(KeepsightError):
    """The range begins behind the end; `size` is where that is."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the range begins behind the end: there are {size} bytes")
        self.size = size


class ByteRange(NamedTuple):
    """Bytes from `start` to `end` (excluded)."""

    start: int
    end: int


def asked_range(header: str | None, size: int) -> ByteRange | None:
    """The range a `Range` header asks for, cut to `size`; None: answer with everything.

    Several ranges, other units and headers that are no range at all are passed over, as RFC 9110 (14.2) allows, so that no answer is larger
    than the whole. Raises RangeNotSatisfiable for one good range of which there is nothing.
    """
    found = _ONE_RANGE.fullmatch("".join((header or "").split()))
    if found is None or not (found["first"] or found["last"]):
        return None
    if not found["first"]:
        start, end = max(0, size - int(found["last"])), size
    else:
        start, end = int(found["first"]), min(size, int(found["last"]) + 1 if found["last"] else size)
        if found["last"] and int(found["last"]) < start:
            return None
    if start >= size or start >= end:
        raise RangeNotSatisfiable(size)
    return ByteRange(start, end)
