"""Reads a sealed spool file: what it says of itself, and its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from segments.errors import DataDamaged
from segments.facts import read_facts
from segments.model import Fragment, Row, Run, SealedSegment
from segments.segment_tail import TAIL_GUESS_BYTES, SegmentTail, TailIsLonger, read_tail


def read_sealed(path: Path, *, pool: str, hashed: bool = True) -> SealedSegment:
    """The segment of a sealed file. Without `hashed` its row has no SHA-256 yet (for playing it from the spool).

    Raises DataDamaged, or FileNotFoundError if it is gone.
    """
    size = path.stat().st_size
    tail = _tail(path, size)
    facts, fragments = read_facts(tail.facts), tail.fragments
    if not fragments:
        raise DataDamaged(f"{path.name} of camera {facts.camera} holds no fragment")
    with path.open("rb") as file:
        init = file.read(fragments[0].offset)
        if hashed:
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            sha256 = ""
    row = facts.row(fragments, size=size, sha256=sha256, pool=pool)
    return SealedSegment(row, facts.run_as_of_here(init), tuple(facts.attributes(size).items()))


def write_stub(segment: SealedSegment, row: Row) -> bytes:
    """What is left of a stored segment: enough to run its whole commit again without its bytes."""
    run = {**asdict(segment.run), "init": segment.run.init.hex()}
    return json.dumps({"row": asdict(row), "run": run, "attributes": segment.attributes}).encode()


def read_stub(data: bytes) -> SealedSegment:
    """The segment of a stub; raises DataDamaged."""
    try:
        values = json.loads(data)
        row, run = values["row"], values["run"]
        row["fragments"] = tuple(Fragment(*item) for item in row["fragments"])
        run["init"], run["notes"] = bytes.fromhex(run["init"]), tuple(run["notes"])
        return SealedSegment(Row(**row), Run(**run), tuple((name, value) for name, value in values["attributes"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataDamaged("a stub in the spool cannot be read") from None


def _tail(path: Path, size: int) -> SegmentTail:
    with path.open("rb") as file:
        wanted = TAIL_GUESS_BYTES
        while True:
            file.seek(max(0, size - wanted))
            try:
                return read_tail(file.read(), size)
            except TailIsLonger as longer:
                wanted = longer.tail_bytes
