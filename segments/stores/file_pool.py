"""A folder as a pool: the blocking half of the file store, and the order of its durable steps.

    <root>/<key>                        the bytes of an object
    <root>/<folder of key>/.<name>.json its hash and attributes: the card, beside the object and not listed
    <root>/.incoming/                   what is being put, and what a dead process left there
    <root>/.lock                        held by whoever adds or removes names, over all processes of the machine

Names that begin with a dot belong to the pool; keys cannot have such parts (object_rules).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from segments.errors import Conflict, DataDamaged, NotFound, StartRefused, TryAgain
from segments.ports import Body, ListedObject, ObjectInfo
from segments.stores.object_rules import check_size, folder_of, verify

COPY_BYTES = 1 << 20
LEFTOVER_AGE_S = 3600
"""A file in .incoming older than this belongs to a put that has died."""
LOCK_LIMIT_S = 10.0
"""How long a put or a delete waits for another before it is told to try again."""


class FilePool:
    """The steps on disk; every method blocks and raises OSError besides its own errors."""

    def __init__(self, root: Path, *, now_us: int) -> None:
        """Makes the folder (0700) where it is missing and removes what dead puts left; raises StartRefused if it cannot be written."""
        self._root = root
        self._incoming = root / ".incoming"
        try:
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            (root / ".lock").touch(mode=0o600)
            for folder in (self._incoming, root, root.absolute().parent):
                sync(folder)
            self._remove_leftovers(now_us)
        except OSError as error:
            raise StartRefused(
                f"the pool folder {root} cannot be used: {error.strerror}; give a folder this service may write to"
            ) from None

    def put(self, key: str, body: Body, sha256: str, attributes: Mapping[str, str]) -> None:
        """Adds an object in steps such that a power cut after any of them leaves nothing visible, or all of it.

        1. bytes and card are written beside the pool's names and synced;
        2. the card takes its place; its folder is synced: an object is never without its card;
        3. the bytes are linked to their name, which fails if it is taken; the folder is synced, with all folders above, as another process
           may have made them and died before it synced them.
        Who is told "taken" may rely on what is there: it is synced first.
        """
        target = self._root / key
        check_size(key, body)
        with self._lock():
            self._refuse_taken(target)
        incoming, card = self._incoming / uuid4().hex, self._incoming / f"{uuid4().hex}.json"
        try:
            verify(key, _write(incoming, body), sha256)
            _write(card, json.dumps({"sha256": sha256, "attributes": dict(attributes)}).encode())
            with self._lock():
                self._refuse_taken(target)
                self._make(target.parent)
                card.replace(_card(target))
                self._sync_up(target.parent)
                target.hardlink_to(incoming)
                self._sync_linked(target)
        finally:
            incoming.unlink(missing_ok=True)
            card.unlink(missing_ok=True)

    def head(self, key: str) -> ObjectInfo:
        """Its facts; an object laid there by others has no card: neither hash nor attributes."""
        target = self._root / key
        found = target.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise NotFound(f"there is no object {key!r}")
        try:
            card = json.loads(_card(target).read_bytes())
            return ObjectInfo(key, found.st_size, "", card["sha256"], dict(card["attributes"]))
        except FileNotFoundError:
            return ObjectInfo(key, found.st_size, "", "", {})
        except (ValueError, TypeError, KeyError):
            raise DataDamaged(f"{_card(target)} is damaged: the attributes of {key!r} cannot be read") from None

    def open(self, key: str) -> int:
        """A descriptor for reading; what is deleted meanwhile can still be read to its end."""
        return os.open(self._root / key, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def walk(self, prefix: str, after: str) -> Iterator[ListedObject]:
        """Objects in order of key, without entering folders that hold none that are asked for."""
        folder = folder_of(prefix)
        if folder is not None:
            yield from self._walk(f"{folder}/" if folder else "", prefix, after)

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        """Removes names first and cards after, so that no object is ever seen without its card; then the folders left empty."""
        refused = {}
        targets = {key: self._root / key for key in keys}
        with self._lock():
            for key, target in targets.items():
                if reason := _unlink(target):
                    refused[key] = reason
            removed = [target for key, target in targets.items() if key not in refused]
            for folder in _present({target.parent for target in removed}):
                sync(folder)
            for target in removed:
                _unlink(_card(target))
            folders = _present({target.parent for target in removed})
            for folder in folders:
                sync(folder)
            for folder in folders:
                self._remove_empty(folder)
        return refused

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[ListedObject]:
        """`folder` ends with '/'. A folder sorts by its name with the slash, as its keys do: 'a.b' comes before 'a/b'."""
        try:
            with os.scandir(self._root / folder) as found:
                entries = [(entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name, entry) for entry in found]
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, entry in sorted(entries, key=lambda named: named[0]):
            key = folder + name
            if name.startswith(".") or not (key.startswith(prefix) or (prefix.startswith(key) and name.endswith("/"))):
                continue
            if name.endswith("/"):
                if key > after or after.startswith(key):
                    yield from self._walk(key, prefix, after)
            elif key > after and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    yield ListedObject(key, entry.stat(follow_symlinks=False).st_size)

    def _refuse_taken(self, target: Path) -> None:
        if os.path.lexists(target):
            self._sync_up(target.parent)
            raise Conflict(f"{str(target.relative_to(self._root))!r} is taken")

    def _make(self, folder: Path) -> None:
        if folder != self._root and not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(mode=0o700)

    def _sync_linked(self, target: Path) -> None:
        """After a failed sync the name goes again: nobody may find and trust what might not survive."""
        try:
            sync(target.parent)
        except OSError:
            target.unlink()
            raise

    def _sync_up(self, folder: Path) -> None:
        while True:
            sync(folder)
            if folder == self._root:
                return
            folder = folder.parent

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _remove_leftovers(self, now_us: int) -> None:
        for left in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if left.stat().st_mtime < now_us / 1e6 - LEFTOVER_AGE_S:
                    left.unlink()

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Held by one put or delete of all processes; a process that dies gives it back. Raises TryAgain after `LOCK_LIMIT_S`."""
        descriptor = os.open(self._root / ".lock", os.O_RDWR | os.O_CLOEXEC)
        try:
            _acquire(descriptor, self._root)
            yield
        finally:
            os.close(descriptor)


def sync(folder: Path) -> None:
    """Makes the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, root: Path) -> None:
    end = time.monotonic() + LOCK_LIMIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise TryAgain(f"another process has held the lock of the pool {root} for {LOCK_LIMIT_S:g} s") from None
            time.sleep(0.002)


def _card(target: Path) -> Path:
    return target.with_name(f".{target.name}.json")


def _write(path: Path, body: Body) -> str:
    """Writes a new synced file (0600) and returns the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        for piece in _pieces(body):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _pieces(body: Body) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    with body.open("rb") as file:
        while piece := file.read(COPY_BYTES):
            yield piece


def _unlink(path: Path) -> str:
    """Removes a file if it is there; returns why it could not, else ''."""
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except OSError as error:
        return error.strerror or "refused"
    return ""


def _present(folders: set[Path]) -> list[Path]:
    return [folder for folder in folders if folder.is_dir()]
