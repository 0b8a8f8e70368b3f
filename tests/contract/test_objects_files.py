"""The object contract over a folder, with the bytes on disk as its back door, and what only files have: processes, rights, full disks."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segments.errors import Conflict, DataDamaged, NotFound, Refused, StartRefused, TryAgain
from segments.stores import file_pool
from segments.stores.file_objects import FileObjects
from tests.contract.object_contract import ObjectContract, put, sha256, some_bytes
from tests.contract.object_version_contract import NoLocksContract


class FixedClock:
    """Wall time that stands still; nothing here waits."""

    def __init__(self, now_us: int) -> None:
        self.us = now_us

    def now_us(self) -> int:
        """See `Clock`."""
        return self.us

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        return self.us * 1000

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        raise AssertionError("nobody waits in the file store")


class DiskBackDoor:
    """See `BackDoor`; hidden names are the pool's own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, key: str) -> bytes | None:
        """See `BackDoor`."""
        path = self.root / key
        return path.read_bytes() if path.is_file() else None

    def write(self, key: str, data: bytes) -> None:
        """See `BackDoor`."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def keys(self, prefix: str) -> set[str]:
        """See `BackDoor`."""
        paths = [Path(folder, name) for folder, _, names in os.walk(self.root) for name in names]
        return {key for key in (str(path.relative_to(self.root)) for path in paths) if key.startswith(prefix) and "/." not in "/" + key}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The pool's folder, not made yet."""
    return tmp_path / "pools" / "main"


@pytest.fixture
def store(root: Path) -> Iterator[FileObjects]:
    """A store over it."""
    store = FileObjects(root, clock=FixedClock(0))
    yield store
    store.close()


@pytest.fixture
def back(store: FileObjects, root: Path) -> DiskBackDoor:
    """Past the store."""
    return DiskBackDoor(root)


class TestFileObjects(ObjectContract, NoLocksContract):
    """The contract."""

    adapter = "FileObjects"


def everything(root: Path) -> set[str]:
    """All names in the pool, hidden ones too."""
    return {str(path.relative_to(root)) for path in root.rglob("*")}


async def test_nothing_is_left_behind(store: FileObjects, root: Path) -> None:
    """Refused, lost and successful puts leave no temporary file, and deletes neither cards nor empty folders."""
    await put(store, "a/b/c", b"x")
    with pytest.raises(Conflict):
        await put(store, "a/b/c", b"y")
    with pytest.raises(DataDamaged):
        await store.put("a/b/d", b"x", sha256=sha256(b"y"), attributes={})
    assert everything(root) == {".incoming", ".lock", "a", "a/b", "a/b/c", "a/b/.c.json"}
    await store.delete(["a/b/c"])
    assert everything(root) == {".incoming", ".lock"}


async def test_only_the_owner_may_read(store: FileObjects, root: Path) -> None:
    """Files are 0600 and folders 0700, whatever the mask of the process."""
    before = os.umask(0)
    try:
        await put(store, "a/b/c", b"x")
    finally:
        os.umask(before)
    for path in (root / name for name in everything(root)):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_a_key_cannot_be_an_object_and_a_folder(store: FileObjects, back: DiskBackDoor) -> None:
    """What S3 allows and a disk cannot hold, 'a' beside 'a/b', is a Conflict and harms neither."""
    await put(store, "a", b"object")
    await put(store, "b/c", b"under a folder")
    for key in ("a/b", "a/b/c", "b"):
        with pytest.raises(Conflict):
            await put(store, key, b"x")
    assert back.keys("") == {"a", "b/c"}
    assert await store.delete(["a/b", "b"]) == {}
    assert back.keys("") == {"a", "b/c"}


async def test_links_lead_nowhere(store: FileObjects, root: Path, tmp_path: Path) -> None:
    """A symbolic link in the pool is neither listed nor followed nor overwritten."""
    (tmp_path / "outside").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path / "outside")
    assert list((await store.list("")).items) == []
    for read in (store.head("link"), store.get("link")):
        with pytest.raises((NotFound, Refused)):
            await read
    with pytest.raises(Conflict):
        await put(store, "link", b"x")
    assert (tmp_path / "outside").read_bytes() == b"secret"


async def test_a_damaged_card_is_named(store: FileObjects, root: Path) -> None:
    """Attributes that cannot be read are DataDamaged with the file's name; the bytes are still there."""
    await put(store, "a/b", b"x", camera="one")
    for text in ("", "{", "[]", '{"sha256": 1}', json.dumps({"attributes": []})):
        (root / "a" / ".b.json").write_text(text)
        with pytest.raises(DataDamaged, match=r"\.b\.json"):
            await store.head("a/b")
    assert await store.get("a/b") == b"x"


async def test_dead_puts_are_cleaned_up_by_age(root: Path) -> None:
    """What a dead put left is removed at a start an hour later; what may still be under way is not."""
    FileObjects(root, clock=FixedClock(0)).close()
    hour_us = file_pool.LEFTOVER_AGE_S * 1_000_000
    for name, at_s in (("old", 1_000_000), ("young", 1_000_001)):
        (root / ".incoming" / name).write_bytes(b"half")
        os.utime(root / ".incoming" / name, (at_s, at_s))
    FileObjects(root, clock=FixedClock(1_000_000_500_000 + hour_us)).close()
    assert everything(root) == {".incoming", ".lock", ".incoming/young"}


async def test_a_pool_that_cannot_be_written_refuses_the_start(tmp_path: Path) -> None:
    """A root that is a file, or lies under one, is refused with a sentence that names it."""
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "file", tmp_path / "file" / "pool"):
        with pytest.raises(StartRefused, match=f"{root} cannot be used"):
            FileObjects(root, clock=FixedClock(0))


async def test_a_hung_process_does_not_hang_the_pool(store: FileObjects, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another holder keeps the pool's lock, a put is told to try again; reads go on; afterwards it succeeds."""
    monkeypatch.setattr(file_pool, "LOCK_LIMIT_S", 0.05)
    await put(store, "a", b"x")
    with (root / ".lock").open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TryAgain, match="lock"):
            await put(store, "b", b"x")
        assert await store.get("a") == b"x"
    await put(store, "b", b"x")


async def test_a_stream_outlives_a_delete(store: FileObjects) -> None:
    """A download that has begun reads to its end although the object is deleted meanwhile."""
    data = some_bytes(9 << 20)
    await put(store, "a", data)
    stream = store.stream("a")
    first = await anext(stream)
    await store.delete(["a"])
    assert first + b"".join([piece async for piece in stream]) == data


async def test_listing_enters_only_what_it_needs(store: FileObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page reads the folders that hold its keys, not the whole pool."""
    for camera in range(20):
        for day in range(5):
            await put(store, f"camera-{camera:02d}/2026-01-0{day}/run/10/a.mp4", b"x")
    entered: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: entered.append(str(path)) or scandir(path))
    assert len((await store.list("camera-07/2026-01-03/")).items) == 1
    assert len(entered) == 3
    entered.clear()
    page = await store.list("", after="camera-18/2026-01-03/zzz", limit=2)
    assert [item.key[:20] for item in page.items] == ["camera-18/2026-01-04", "camera-19/2026-01-00"]
    assert len(entered) == 1 + (1 + 1 + 3) + (1 + 3)  # of 321 folders


_RACER = """
import asyncio, hashlib, sys
from pathlib import Path
from segments.clock import SystemClock
from segments.errors import Conflict
from segments.stores.file_objects import FileObjects

async def main(root, name):
    store = FileObjects(Path(root), clock=SystemClock())
    print("ready", flush=True)
    sys.stdin.readline()
    won = []
    for n in range(60):
        body = f"{name}-{n}".encode() * 1000
        try:
            await store.put(f"a/{n % 3}/{n}", body, sha256=hashlib.sha256(body).hexdigest(), attributes={"by": name})
            won.append(str(n))
        except Conflict:
            pass
    print(" ".join(won))

asyncio.run(main(*sys.argv[1:]))
"""


def _start_racer(root: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _RACER, root, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_processes_race_for_keys(store: FileObjects, root: Path) -> None:
    """Three processes put the same 60 keys at once: each key has one winner, with its bytes and its attributes."""
    racers = {name: _start_racer(root, name) for name in ("one", "two", "three")}
    for racer in racers.values():
        assert racer.stdout.readline() == "ready\n"
    for racer in racers.values():
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = {name: racer.communicate(timeout=60)[0].split() for name, racer in racers.items()}
    assert sorted(int(n) for keys in won.values() for n in keys) == list(range(60))
    for name, keys in won.items():
        for n in keys:
            key = f"a/{int(n) % 3}/{n}"
            assert (root / key).read_bytes() == f"{name}-{n}".encode() * 1000
            assert (await store.head(key)).attributes == {"by": name}
