"""Where in a TOML file a value stands, so that errors can name its line, and the sentence that does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")
_UNION = re.compile(r"[\[(]|^str$")
"""Parts of a place that name a branch of a union, not a field."""


def sentence_of(name: str, text: str, error: Any) -> str:
    """What pydantic found wrong in the text of the file `name`: its line, its field, and what would be right."""
    place = error.get("ctx", {}).get("place", "").split(".")
    if place == [""]:
        place = [str(part) for part in error["loc"] if not _UNION.search(str(part))]
    message = "is missing" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
    line = line_of(text, place)
    where = f"{name}, line {line}" if line else name
    return f"{where}: {'.'.join(place) + ': ' if place else ''}{message}"


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
