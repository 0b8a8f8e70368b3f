"""Fills the index of a Cassandra with so many rows as no test could write: SSTables made beside it by its own writer, then imported."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from datetime import date
from pathlib import Path

from segments.clock import day_start_us
from segments.model import Fragment
from segments.row_codec import encode_fragments
from segments.stores.cassandra_footage import PUT_ROW
from segments.stores.cassandra_schema import schema_steps, statements
from tests.servers.cassandra import JVM, LIB, CassandraServer

PROGRAM = Path(__file__).parent / "LoadRows.java"
DAY_ROWS = 1440
TABLES = 1000
"""So many fragment tables are dealt out over the rows, or they would compress better than real ones."""
FIRST_DAY = date(2026, 1, 1)


def camera_name(number: int) -> str:
    """The camera of this number."""
    return f"cam{number:06d}"


def load_rows(server: CassandraServer, keyspace: str, *, cameras: range, days: int) -> int:
    """Adds whole days from `FIRST_DAY` on of these cameras; returns the number of rows. The table stays open to readers."""
    with tempfile.TemporaryDirectory(dir=server.folder) as folder:
        target = Path(folder) / keyspace / "segment_row"
        target.mkdir(parents=True)
        tables = Path(folder) / "fragments"
        tables.write_text("\n".join(_fragment_tables()))
        create = next(text for text in statements(schema_steps()[0][1]) if " segment_row (" in text)
        words = [
            target,
            keyspace,
            create.replace(" segment_row (", f" {keyspace}.segment_row ("),
            PUT_ROW.replace("INTO ", f"INTO {keyspace}."),
        ]
        numbers = [cameras.start, cameras.stop, FIRST_DAY.toordinal() - date(1970, 1, 1).toordinal(), days, DAY_ROWS]
        command = ["java", *JVM, "-Xmx1g", "-cp", f"{LIB}/*", PROGRAM, *words, *numbers, tables]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"no tables were written:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        server.nodetool("import", keyspace, "segment_row", str(target))
        left = [file.name for file in target.glob("*-Data.db")]
        if left:
            raise RuntimeError(f"{left} were not imported")
        shutil.rmtree(target)
    return len(cameras) * days * DAY_ROWS


def _fragment_tables() -> list[str]:
    """Tables of a minute in 2 s fragments of a stream of about 4 Mbit/s, in hex."""
    dice = random.Random(1)
    tables = []
    for _ in range(TABLES):
        offset, table = 1_200, []
        for n in range(30):
            length = dice.randint(800_000, 1_200_000)
            table.append(Fragment(offset, length, dice.randint(100_000, 300_000), 900_000 + n * 180_000, 180_000))
            offset += length
        tables.append(encode_fragments(table).hex())
    return tables


def midnight_us(day: int) -> int:
    """The start of the n-th day."""
    return day_start_us(date.fromordinal(FIRST_DAY.toordinal() + day))
