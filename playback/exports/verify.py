"""Checks an archive of an export against its own manifest: nothing missing, nothing added, nothing changed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from playback.exports.archive import FORMAT, MANIFEST
from segments.errors import BadInput

_READ_BYTES = 1 << 20
_MOST_MANIFEST_BYTES = 256 << 20


class Verified(NamedTuple):
    """What was looked at, and what is wrong with it, in sentences. `sha256` is the archive's own, to compare with what the service says."""

    export: str
    files: int
    sha256: str
    wrong: tuple[str, ...]


def verify_archive(path: Path) -> Verified:
    """Reads all of it; raises BadInput if it is no archive of an export. Blocks."""
    try:
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest()
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive)
            wrong = list(_differences(archive, manifest))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise BadInput(f"{path} is no archive, or a broken one: {error}") from None
    return Verified(str(manifest.get("export", "")), len(_files(manifest)), whole, tuple(wrong))


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        if archive.getinfo(MANIFEST).file_size > _MOST_MANIFEST_BYTES:
            raise BadInput(f"its {MANIFEST} is larger than any of ours")
        found = json.loads(archive.read(MANIFEST))
    except KeyError:
        raise BadInput(f"it has no {MANIFEST}: it is no archive of an export") from None
    except ValueError:
        raise BadInput(f"its {MANIFEST} is no JSON") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BadInput(f"its {MANIFEST} is not of the format {FORMAT}")
    return found


def _files(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return [{"name": str(file["name"]), **file} for item in manifest["items"] for file in item["files"]]
    except (KeyError, TypeError):
        raise BadInput(f"its {MANIFEST} does not list files as ours do") from None


def _differences(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> Iterator[str]:
    listed = {file["name"]: file for file in _files(manifest)}
    present = archive.namelist()
    yield from (f"{name}: it is not in the manifest" for name in present if name not in listed and name != MANIFEST)
    yield from (f"{name}: it is there more than once" for name in dict.fromkeys(present) if present.count(name) > 1)
    for name, file in listed.items():
        if name not in present:
            yield f"{name}: it is missing"
        elif said := _changed(archive, name, file):
            yield f"{name}: {said}"


def _changed(archive: zipfile.ZipFile, name: str, file: dict[str, Any]) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(name) as stored:
            while piece := stored.read(_READ_BYTES):
                digest.update(piece)
                size += len(piece)
    except zipfile.BadZipFile as error:
        return f"it is damaged ({error})"
    if (digest.hexdigest(), size) != (file.get("sha256"), file.get("bytes")):
        return f"it has the SHA-256 {digest.hexdigest()} and {size} bytes, not those of the manifest"
    return ""
