"""The live edge: footage of this node that is not yet in the index, open segments included; acknowledged fragments only."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from recorder.link import Durable
from recorder.sealed import read_sealed, read_stub
from recorder.spool_folder import SpoolFile, SpoolKind, sealed_files, stubs
from segments.errors import DataDamaged, NotFound
from segments.keys import SegmentKey
from segments.model import Fragment, Row, RowPosition, Run

MAX_READ_BYTES = 64 << 20
IN_SPOOL = ""
"""The pool of a row whose bytes are still in the spool."""


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A segment of the spool as playback sees it. Its row names no pool while the bytes are here."""

    row: Row
    run: Run


class LiveEdge:
    """What recorders report about open segments, joined with what lies sealed or stubbed in the spool."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[tuple[str, str, int], LiveSegment] = {}
        self._sealed: dict[Path, LiveSegment] = {}

    def durable(self, message: Durable) -> None:
        """A recorder's word on an open segment."""
        identity = (message.camera, message.run, message.counter)
        known = self._open.get(identity)
        have = known.row.fragments if known is not None else ()
        first = message.fragments[0].offset if message.fragments else None
        fragments = (*(f for f in have if first is None or f.offset < first), *message.fragments)
        if not fragments:
            return
        if known is None:
            try:
                init = self._part(identity, message.start_us).open("rb").read(fragments[0].offset)
            except FileNotFoundError:
                return  # sealed or torn by now
        else:
            init = known.run.init
        self._open[identity] = _open_segment(message, fragments, init)

    def closed(self, camera: str, run: str, counter: int) -> None:
        """An open segment is sealed, or will not be."""
        self._open.pop((camera, run, counter), None)

    async def segments(self, camera: str) -> list[LiveSegment]:
        """All segments of a camera that are not indexed, in order of time."""
        files = await asyncio.to_thread(self._files, camera)
        sealed = [segment for file in files if (segment := await asyncio.to_thread(self._read, file)) is not None]
        found = {(s.row.run, s.row.counter): s for s in self._open.values() if s.row.camera == camera and self._exists(s.row)}
        found |= {(s.row.run, s.row.counter): s for s in sealed}
        return sorted(found.values(), key=lambda segment: segment.row.position)

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        """Bytes of a segment of the spool, none behind the last acknowledged fragment; raises NotFound once it is gone."""
        opened = self._open.get((camera, position.run, position.counter))
        stem = self._folder / camera / position.run / f"{position.start_us}.{position.counter}"
        for path in (stem.with_name(f"{stem.name}.{SpoolKind.SEALED}"), stem.with_name(f"{stem.name}.{SpoolKind.PART}")):
            limit = opened.row.size if opened is not None and path.suffix == f".{SpoolKind.PART}" else None
            if path.suffix == f".{SpoolKind.PART}" and limit is None:
                continue
            try:
                return await asyncio.to_thread(_read_range, path, start, end if limit is None else min(end, limit))
            except FileNotFoundError:
                continue
        raise NotFound(f"segment {position.counter} of {camera} {position.run} is not in the spool")

    def forget_gone(self) -> None:
        """Drops what is remembered of files that went."""
        self._sealed = {path: segment for path, segment in self._sealed.items() if path.exists()}
        self._open = {identity: segment for identity, segment in self._open.items() if self._exists(segment.row)}

    def _files(self, camera: str) -> list[SpoolFile]:
        folder = self._folder / camera
        if not folder.is_dir():
            return []
        return [file for file in [*sealed_files(self._folder), *stubs(self._folder)] if file.camera == camera]

    def _read(self, file: SpoolFile) -> LiveSegment | None:
        known = self._sealed.get(file.path)
        if known is not None:
            return known
        try:
            if file.kind is SpoolKind.STUB:
                stub = read_stub(file.path.read_bytes())
                segment = LiveSegment(stub.row, stub.run)
            else:
                sealed = read_sealed(file.path, pool=IN_SPOOL, hashed=False)
                segment = LiveSegment(sealed.row, sealed.run)
        except (FileNotFoundError, DataDamaged):
            return None
        self._sealed[file.path] = segment
        return segment

    def _part(self, identity: tuple[str, str, int], start_us: int) -> Path:
        camera, run, counter = identity
        return self._folder / camera / run / f"{start_us}.{counter}.{SpoolKind.PART}"

    def _exists(self, row: Row) -> bool:
        part = self._part((row.camera, row.run, row.counter), row.start_us)
        return part.exists() or part.with_suffix(f".{SpoolKind.SEALED}").exists()


def _open_segment(message: Durable, fragments: tuple[Fragment, ...], init: bytes) -> LiveSegment:
    about, last = message.about, fragments[-1]
    row = Row(
        camera=message.camera,
        start_us=message.start_us,
        run=message.run,
        counter=message.counter,
        end_us=message.end_us,
        size=last.offset + last.length,
        pool=IN_SPOOL,
        key=str(SegmentKey(message.camera, message.run, message.start_us, message.counter)),
        version="",
        sha256="",
        codecs=about.codecs,
        fragments=fragments,
    )
    run = Run(
        camera=message.camera,
        id=message.run,
        start_us=about.start_us,
        last_us=message.end_us,
        init=init,
        codecs=about.codecs,
        width=about.width,
        height=about.height,
        notes=about.notes,
    )
    return LiveSegment(row, run)


def _read_range(path: Path, start: int, end: int) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.pread(handle, max(0, min(end - start, MAX_READ_BYTES)), start)
    finally:
        os.close(handle)
