"""Files that commands write for people: new, and under their name only once they are whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from segments.errors import BadInput


def new_path(file: str) -> Path:
    """Where a file comes; raises BadInput if there is one of that name."""
    if Path(file).exists():
        raise BadInput(f"{file} is there already; choose another name")
    return Path(file)


@contextmanager
def opened_new(file: str) -> Iterator[TextIO]:
    """A text file (UTF-8), or standard output for `-`. Raises BadInput if it is there already, or cannot be made."""
    if file == "-":
        yield sys.stdout
        return
    part = Path(f"{file}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as opened:
            yield opened
        part.rename(new_path(file))
    except OSError as error:
        raise BadInput(f"{file} cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)
