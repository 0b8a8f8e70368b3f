"""Where in a TOML file a value stands, so that errors can name its line."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")


def line_of(text: str, place: Sequence[str]) -> int | None:
    """The line (from 1) of the deepest part of a place like `cameras`, `gate`, `tier` that stands in the text; None if nothing of it does.

    Read line by line: a header `[a.b]` and a key `c.d =` make the place `a.b.c.d`. What stands inside of a value counts as its key's line.
    """
    found, depth, header = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if (match := _HEADER.match(line)) is not None:
            header = _parts(match[1])
            here = header
        elif (match := _KEY.match(line)) is not None:
            here = header + _parts(match[1])
        else:
            continue
        shared = min(len(here), len(place))
        if shared > depth and here[:shared] == list(place[:shared]):
            found, depth = number, shared
    return found


def _parts(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in name.split(".")]
