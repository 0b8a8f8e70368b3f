"""Sees what a live service acknowledges, and judges afterwards whether all of it was kept: byte by byte, once, in pool and index."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import httpx2

from segments.keys import parse_key
from segments.model import Fragment
from segments.segment_file import scan
from tests.service import Service

EVERY_S = 0.3


class Piece(NamedTuple):
    """An acknowledged fragment by its place."""

    camera: str
    run: str
    counter: int
    offset: int
    length: int


@dataclass
class Witness:
    """Asks the uploader, again and again, what of each camera's spool is durable, and remembers the hash of every piece."""

    service: Service
    cameras: Sequence[str]
    pieces: dict[Piece, str] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Looks once at all cameras."""
        for camera in self.cameras:
            with contextlib.suppress(httpx2.HTTPError, OSError):
                await self._look(camera)

    async def _look(self, camera: str) -> None:
        for segment in await self.service.live(camera):
            row = segment["row"]
            fresh = [piece for piece in _pieces(row) if piece not in self.pieces]
            if row["pool"] or not fresh:  # a stub names its pool: its bytes were stored by then
                continue
            start = min(piece.offset for piece in fresh)
            end = max(piece.offset + piece.length for piece in fresh)
            data = await self.service.live_bytes(row, start, end)
            for piece in fresh:
                part = data[piece.offset - start :][: piece.length]
                if len(part) == piece.length:
                    self.pieces[piece] = _digest(part)

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)


@dataclass(frozen=True)
class Judgement:
    """What became of so many acknowledged pieces."""

    acknowledged: int
    lost: int
    """Not stored, or not as they were acknowledged."""
    doubled: int
    """Pieces that are stored more than once."""
    findings: int
    """What `verify hash` says against index and pool: orphans, ghosts, other bytes."""
    left: int
    """Files that are still in the spool."""

    @property
    def wrong(self) -> int:
        """All that is promised never to be."""
        return self.lost + self.doubled + self.findings + self.left


def judge(witness: Witness, objects: Mapping[str, bytes], *, verified: bool = True) -> Judgement:
    """Compares what was acknowledged with all objects of a stopped service's pool, read past our code; `verified`: and index with pool."""
    whole = {(key.camera, key.run, key.counter): data for name, data in objects.items() if not (key := parse_key(name)).is_end}
    lost = sum(_digest(_part(whole.get(piece[:3], b""), piece)) != said for piece, said in witness.pieces.items())
    stored = Counter((key[0], _digest(_part(data, part))) for key, data in whole.items() for part in scan(data).fragments)
    found = _findings(witness.service) if verified else 0
    return Judgement(len(witness.pieces), lost, stored.total() - len(stored), found, len(witness.service.waiting()))


def objects_of(pool: Path) -> dict[str, bytes]:
    """All objects of a folder pool by key."""
    paths = [path for path in pool.glob("*/*/*/*/*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(pool)): path.read_bytes() for path in paths}


def _pieces(row: Mapping[str, object]) -> list[Piece]:
    return [Piece(row["camera"], row["run"], row["counter"], offset, length) for offset, length, *_ in row["fragments"]]


def _findings(service: Service) -> int:
    done = service.keepsight("verify", "hash", "--json")
    return sum(len(pool["findings"]) for pool in json.loads(done.stdout))


def _part(data: bytes, place: Piece | Fragment) -> bytes:
    return data[place.offset : place.offset + place.length]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
