"""`keepsight exports verify`: an archive is as it was made, or what differs is named."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from playback.exports.archive import ArchiveWriter, manifest_of
from playback.exports.results import ResultWriter
from playback.exports.verify import verify_archive
from segments.errors import BadInput
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US
from tests.clocks import HandClock
from tests.unit.test_export_job import JOB


async def pieces(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield text


@pytest.fixture
async def archive(tmp_path: Path) -> Path:
    """An archive of two files."""
    store = MemoryObjects()
    out = ResultWriter(store, JOB, HandClock(), most_bytes=1 << 20, part_bytes=64)
    writer = ArchiveWriter(out)
    files = [await writer.add(name, NOON_US, pieces(b"one", b"two" * 50)) for name in ("gate/a.mp4", "gate/b.mp4")]
    await writer.finish(manifest_of(JOB, [{"camera": "gate", "files": files, "gaps": []}], {"software": "keepsight"}))
    result = await out.finished()
    path = tmp_path / "export.zip"
    path.write_bytes(b"".join([await store.get(f"{JOB.id}/0000/{number:06d}") for number in range(result.parts)]))
    return path


def changed(path: Path, files: dict[str, bytes | None], more: dict[str, bytes] | None = None) -> Path:
    """The same archive with other contents (None: left out), and more."""
    data = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(data, "w") as new:
        for name in old.namelist():
            text = files.get(name, old.read(name))
            if text is not None:
                new.writestr(name, text)
        for name, text in (more or {}).items():
            new.writestr(name, text)
    path.write_bytes(data.getvalue())
    return path


async def test_what_was_made_is_found_right(archive: Path) -> None:
    """Nothing is wrong, and others read it, too."""
    found = verify_archive(archive)
    assert (found.export, found.files, found.wrong) == (JOB.id, 2, ())
    assert zipfile.ZipFile(archive).testzip() is None


@pytest.mark.parametrize(
    ("files", "more", "said"),
    [
        ({"gate/a.mp4": b"other"}, {}, "gate/a.mp4: it has the SHA-256"),
        ({"gate/b.mp4": None}, {}, "gate/b.mp4: it is missing"),
        ({}, {"extra.txt": b""}, "extra.txt: it is not in the manifest"),
    ],
)
async def test_what_differs_is_named(archive: Path, files: dict, more: dict, said: str) -> None:
    """A file that was changed, taken out or put in."""
    (wrong,) = verify_archive(changed(archive, files, more)).wrong
    assert wrong.startswith(said)


async def test_every_changed_byte_of_a_film_is_found(archive: Path) -> None:
    """Also where the ZIP's own check would be mended with it."""
    data = archive.read_bytes()
    at = data.index(b"twotwo")
    archive.write_bytes(data[:at] + b"T" + data[at + 1 :])
    assert "damaged" in verify_archive(archive).wrong[0]


@pytest.mark.parametrize("manifest", [None, b"no json", b"[]", json.dumps({"format": "other"}).encode()])
async def test_other_archives_are_refused(archive: Path, manifest: bytes | None) -> None:
    """With a sentence, not a finding."""
    with pytest.raises(BadInput, match="manifest"):
        verify_archive(changed(archive, {"manifest.json": manifest}))


async def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    """A film, and a file that is not there."""
    (tmp_path / "film.mp4").write_bytes(b"film")
    for name in ("film.mp4", "nothing.zip"):
        with pytest.raises(BadInput, match=name):
            verify_archive(tmp_path / name)
