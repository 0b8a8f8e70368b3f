"""The archive of an export: a ZIP written as a stream, films stored as they are, and last its `manifest.json`."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from typing import Any

from playback.exports.job import Job
from playback.exports.results import ResultWriter
from segments.clock import iso, to_datetime

MANIFEST = "manifest.json"
FORMAT = "keepsight-export-1"


class ArchiveWriter:
    """Writes one archive. Nothing of it is held but the piece under way: sizes follow their files (zip64 data descriptors)."""

    def __init__(self, out: ResultWriter) -> None:
        self._out = out
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED, allowZip64=True)  # type: ignore[call-overload]

    async def add(self, name: str, at_us: int, pieces: AsyncIterator[bytes]) -> dict[str, Any]:
        """Adds a file; its name, size and SHA-256 for the manifest."""
        digest, size = hashlib.sha256(), 0
        with self._zip.open(_entry(name, at_us), "w", force_zip64=True) as file:
            async for piece in pieces:
                digest.update(piece)
                size += len(piece)
                file.write(piece)
                await self._out.write(self._sink.taken())
        return {"name": name, "bytes": size, "sha256": digest.hexdigest()}

    async def finish(self, manifest: dict[str, Any]) -> None:
        """Writes the manifest and the directory."""
        text = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
        self._zip.writestr(_entry(MANIFEST, 0), text)
        self._zip.close()
        await self._out.write(self._sink.taken())


def manifest_of(job: Job, items: Sequence[dict[str, Any]], about: dict[str, Any]) -> dict[str, Any]:
    """What an archive says of itself: who has it, why, what was asked for, what was given, what is missing and for which cause.

    The files of an item have their SHA-256; each names the stored objects it is made of (`runs`), with theirs.
    """
    return {
        "format": FORMAT,
        "export": job.id,
        "by": {"subject": job.subject, "name": job.name, "unit": job.unit},
        "reason": job.reason,
        "asked_at": iso(job.asked_us),
        **about,
        "items": list(items),
    }


class _Sink:
    """What the ZIP is written to: cannot be sought in, and is emptied piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """See `io.RawIOBase`."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> bytes:
        """All that was written since it was last taken."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _entry(name: str, at_us: int) -> zipfile.ZipInfo:
    moment = to_datetime(at_us) if at_us else None
    entry = zipfile.ZipInfo(name, moment.timetuple()[:6] if moment and moment.year >= 1980 else (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_STORED
    entry.external_attr = 0o644 << 16
    return entry
