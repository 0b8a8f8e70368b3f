"""Whether a SQLite file is whole: every page of it looked at."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from segments.errors import DataDamaged


def check_file(path: Path) -> None:
    """Raises DataDamaged for a file that is no database or is damaged somewhere. Blocks; reads all of it."""
    try:
        with closing(sqlite3.connect(path)) as database:
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise DataDamaged(f"{path.name} is damaged, or no index ({found})")
