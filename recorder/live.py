"""The live edge: footage of this node that is not yet in the index, open segments included; acknowledged fragments only."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recorder.link import Durable
from recorder.sealed import read_sealed, read_stub
from recorder.spool_folder import SpoolFile, SpoolKind, files_of
from segments.errors import DataDamaged, NotFound
from segments.facts import Facts
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
        """A recorder's word on an open segment: more fragments, or all of them again."""
        if not message.fragments:
            return
        identity = (message.camera, message.run, message.counter)
        known = self._open.get(identity)
        try:
            init = self._init(message) if known is None else known.run.init
        except FileNotFoundError:
            return  # sealed or torn by now
        before = known.row.fragments if known is not None else ()
        fragments = (*(one for one in before if one.offset < message.fragments[0].offset), *message.fragments)
        self._open[identity] = _open_segment(message, fragments, init)

    def closed(self, camera: str, run: str, counter: int) -> None:
        """An open segment is sealed, or will not be."""
        self._open.pop((camera, run, counter), None)

    async def segments(self, camera: str) -> list[LiveSegment]:
        """All segments of a camera that are not indexed, in order of time; one that moves on meanwhile is there once.

        Open ones are looked at before the files: what is sealed in between is found as a file, and takes the place of the open one. What
        is indexed in between may be missing here, so the index must be read after this.
        """
        found = {identity: segment for identity, segment in self._open.items() if identity[0] == camera and self._exists(segment.row)}
        for segment in await asyncio.to_thread(self._on_disk, camera):
            found[camera, segment.row.run, segment.row.counter] = segment
        return sorted(found.values(), key=lambda segment: segment.row.position)

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        """Bytes of a segment of the spool, at most 64 MiB, none behind the last acknowledged fragment; raises NotFound once it is gone."""
        place = (camera, position.run, position.start_us, position.counter)
        opened = self._open.get((camera, position.run, position.counter))
        with suppress(FileNotFoundError):  # sealed by now
            if opened is not None:
                return await asyncio.to_thread(_read_range, self._path(*place, SpoolKind.PART), start, min(end, opened.row.size))
        try:
            return await asyncio.to_thread(_read_range, self._path(*place, SpoolKind.SEALED), start, end)
        except FileNotFoundError:
            raise NotFound(f"segment {position.counter} of {camera} {position.run} is not in the spool") from None

    def cameras(self) -> list[str]:
        """The cameras that have a folder in the spool: footage of others is not here."""
        return [entry.name for entry in os.scandir(self._folder) if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")]

    def forget_gone(self) -> None:
        """Drops what is remembered of files that went."""
        self._sealed = {path: segment for path, segment in list(self._sealed.items()) if path.exists()}
        self._open = {identity: segment for identity, segment in self._open.items() if self._exists(segment.row)}

    def _on_disk(self, camera: str) -> list[LiveSegment]:
        """Sealed ones, then stubs, which say more."""
        files = sorted(files_of(self._folder, camera), key=lambda file: file.kind)
        wanted = (file for file in files if file.kind in (SpoolKind.SEALED, SpoolKind.STUB))
        return [segment for file in wanted if (segment := self._known(file)) is not None]

    def _known(self, file: SpoolFile) -> LiveSegment | None:
        """A file that went since it was listed may have become a stub; if that is gone too, it is indexed."""
        known = self._sealed.get(file.path)
        if known is not None:
            return known
        try:
            self._sealed[file.path] = _read_file(file)
        except FileNotFoundError:
            return self._known(file.as_kind(SpoolKind.STUB)) if file.kind is SpoolKind.SEALED else None
        except DataDamaged:
            return None  # the uploader says so
        return self._sealed[file.path]

    def _init(self, message: Durable) -> bytes:
        with self._path(message.camera, message.run, message.start_us, message.counter, SpoolKind.PART).open("rb") as file:
            return file.read(message.fragments[0].offset)

    def _path(self, camera: str, run: str, start_us: int, counter: int, kind: SpoolKind) -> Path:
        return self._folder / camera / run / f"{start_us}.{counter}.{kind}"

    def _exists(self, row: Row) -> bool:
        place = (row.camera, row.run, row.start_us, row.counter)
        return self._path(*place, SpoolKind.PART).exists() or self._path(*place, SpoolKind.SEALED).exists()


def _read_file(file: SpoolFile) -> LiveSegment:
    if file.kind is SpoolKind.STUB:
        stub = read_stub(file.path.read_bytes())
        return LiveSegment(stub.row, stub.run)
    sealed = read_sealed(file.path, pool=IN_SPOOL, hashed=False)
    return LiveSegment(sealed.row, sealed.run)


def _open_segment(message: Durable, fragments: tuple[Fragment, ...], init: bytes) -> LiveSegment:
    about, last = message.about, fragments[-1]
    facts = Facts(
        camera=message.camera,
        run=message.run,
        counter=message.counter,
        start_us=message.start_us,
        end_us=message.end_us,
        run_start_us=about.start_us,
        codecs=about.codecs,
        width=about.width,
        height=about.height,
        notes=about.notes,
        clock_synced=True,
    )
    row = facts.row(fragments, size=last.offset + last.length, sha256="", pool=IN_SPOOL)
    return LiveSegment(row, facts.run_as_of_here(init))


def _read_range(path: Path, start: int, end: int) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.pread(handle, max(0, min(end - start, MAX_READ_BYTES)), start)
    finally:
        os.close(handle)
