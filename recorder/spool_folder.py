"""The spool as it lies on the disk: names, listings, stubs, its lock and its checks. Any process of the node may read it so.

`<spool>/<camera>/<run>/<start_us>.<counter>` with one of four endings:
`.part` is being written; `.<durable_bytes>.torn` was given up by its writer after so many durable bytes and waits for repair;
`.mp4` is sealed; `.stub` is the small JSON left of a segment whose bytes are in the pool and whose row is not yet published.
Names that begin with a dot are nobody's footage: the lock, and files not yet renamed.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from segments.errors import StartRefused

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system's own
_NAME = re.compile(r"(?P<start_us>-?\d{1,19})\.(?P<counter>\d{1,9})(?:\.(?P<durable>\d{1,15}))?\.(?P<kind>part|torn|mp4|stub)")


class SpoolKind(StrEnum):
    """What a spool file is, by its ending."""

    PART = "part"
    TORN = "torn"
    SEALED = "mp4"
    STUB = "stub"


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """One file of the spool. `durable_bytes` is set for a torn file only: what lies behind was never acknowledged and may be wrong."""

    path: Path
    camera: str
    run: str
    start_us: int
    counter: int
    kind: SpoolKind
    durable_bytes: int | None = None

    def as_kind(self, kind: SpoolKind) -> SpoolFile:
        """The file of the same segment with another ending (never `torn`, which needs its durable bytes)."""
        path = self.path.with_name(f"{self.start_us}.{self.counter}.{kind}")
        return SpoolFile(path, self.camera, self.run, self.start_us, self.counter, kind)


def spool_file(path: Path) -> SpoolFile | None:
    """Takes a path apart by its last three names; None if it is not a file of the layout."""
    return _spool_file(path, path.parent.parent.name, path.parent.name, path.name)


def _spool_file(path: Path | str, camera: str, run: str, name: str) -> SpoolFile | None:
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    start_us, counter, durable, kind = found.groups()
    if (kind == SpoolKind.TORN) != (durable is not None):
        return None
    return SpoolFile(Path(path), camera, run, int(start_us), int(counter), SpoolKind(kind), None if durable is None else int(durable))


def sealed_files(folder: Path) -> list[SpoolFile]:
    """Sealed segments, oldest first. One that has a stub too was caught between the steps of shrinking: stored again, it is the same."""
    return _listed(folder, SpoolKind.SEALED)


def stubs(folder: Path) -> list[SpoolFile]:
    """Stubs, oldest first."""
    return _listed(folder, SpoolKind.STUB)


def open_parts(folder: Path) -> list[SpoolFile]:
    """Unsealed segments, oldest first. A `torn` one may be repaired at once, a `part` when the epoch of its run is no longer alive."""
    return _listed(folder, SpoolKind.PART, SpoolKind.TORN)


def files_of(folder: Path, camera: str) -> list[SpoolFile]:
    """All files of one camera, in no order."""
    found = (_spool_file(entry.path, camera, run.name, entry.name) for run in _entries(folder / camera) for entry in _entries(run.path))
    return [file for file in found if file is not None]


def is_written_to(path: Path) -> bool:
    """Whether the process that writes this open segment still lives: it holds a lock that dies with it. False if the file is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def spool_usage(folder: Path) -> int:
    """Bytes the spool's files take on the disk, allocated blocks, whatever their names; files that go meanwhile count as gone."""
    total_bytes = 0
    for _, _, entry in _walk(folder):
        with suppress(FileNotFoundError):
            total_bytes += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
    return total_bytes


def free_bytes(folder: Path) -> int:
    """Bytes that the folder's disk still has for us."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def shrink_to_stub(file: SpoolFile, stub_json: bytes) -> SpoolFile:
    """Puts a stub in place of a sealed segment whose bytes are safe in the pool; may be run again after a crash at any point.

    The one order: the stub is written, synced, named and its folder synced, and only then the bytes go, so that a power cut leaves the
    bytes or the stub or both, never neither.
    """
    stub = file.as_kind(SpoolKind.STUB)
    write_durably(stub.path, stub_json)
    file.path.unlink(missing_ok=True)
    return stub


def remove(file: SpoolFile) -> None:
    """Removes a file that is stored and indexed, and the folders it leaves empty.

    Not synced: a file that a power cut brings back is stored and indexed again to the same result.
    """
    remove_path(file.path)


def remove_unnamed(folder: Path) -> None:
    """Removes what dead processes left before it had its name; it is never the only copy of footage.

    A file that is just being made is locked, or its maker finds it gone and makes it again.
    """
    for _, _, entry in _walk(folder):
        if entry.name.startswith("."):
            with suppress(OSError):  # it stays until a later look
                if not is_written_to(Path(entry.path)):
                    remove_path(Path(entry.path))


def remove_path(path: Path) -> None:
    """Removes a file of a run's folder, and the folders it leaves empty."""
    path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty, or gone
        path.parent.rmdir()
        path.parent.parent.rmdir()


def write_durably(path: Path, *pieces: bytes | memoryview) -> None:
    """Makes a file of these pieces that is there whole after a power cut, or not at all under this name; raises OSError.

    A file whose sync failed is thrown away, so that another try begins with a new one and never syncs the same again.
    """
    unnamed = path.with_name(f".{path.name}")
    unnamed.unlink(missing_ok=True)
    try:
        with open(unnamed, "xb", opener=_private) as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        unnamed.rename(path)
    except OSError:
        unnamed.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_spool(folder: Path, *, min_free_bytes: int) -> None:
    """Makes the folder if it is missing and raises StartRefused if nothing can be recorded to it safely: others may read it, it is not
    writable, or its disk has less than `min_free_bytes` left."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        mode = folder.stat().st_mode & 0o777
        if mode & 0o077:
            raise StartRefused(f"spool {folder} is open to other users (mode {mode:03o}): run `chmod 700 {folder}`")
        trial = folder / f".writable-{os.getpid()}"  # several programs of a node may look at once
        write_durably(trial, b"")
        trial.unlink()
        free = free_bytes(folder)
    except OSError as error:
        raise StartRefused(f"spool {folder} cannot be written to: {error.strerror}; name another folder or make it ours") from None
    if free < min_free_bytes:
        raise StartRefused(f"spool {folder} has {free} bytes free and needs {min_free_bytes}: free space or lower the setting")


@contextmanager
def spool_lock(folder: Path) -> Iterator[None]:
    """Holds the spool for one service; raises StartRefused while another holds it. The lock dies with its process."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartRefused(f"spool {folder} is in use by another service: stop that one, or name another folder") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)


def _listed(folder: Path, *kinds: SpoolKind) -> list[SpoolFile]:
    endings = tuple(f".{kind}" for kind in kinds)
    found = (_spool_file(entry.path, camera, run, entry.name) for camera, run, entry in _walk(folder) if entry.name.endswith(endings))
    return sorted((file for file in found if file is not None), key=lambda file: (file.start_us, file.camera, file.run, file.counter))


def _walk(folder: Path) -> Iterator[tuple[str, str, os.DirEntry[str]]]:
    """Camera, run and file of all files of the runs' folders; folders and files that go meanwhile are no error."""
    for camera in _entries(folder):
        if camera.is_dir(follow_symlinks=False):
            for run in _entries(camera.path):
                if run.is_dir(follow_symlinks=False):
                    for file in _entries(run.path):
                        yield camera.name, run.name, file


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
