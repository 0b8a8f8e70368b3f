"""The file pool under a process that dies before each step, and under every power cut a disk may make of its steps."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from segments.errors import Conflict, NotFound
from segments.stores.file_pool import LEFTOVER_AGE_S, FilePool
from tests.contract.object_contract import sha256
from tests.faults.disk_model import Died, Step, cuts, recorded

KEY = "camera/2026-01-31/run/10/00-00.0Z.0.mp4"
BODY = b"bytes of a segment" * 1000
ATTRIBUTES = {"camera": "camera"}


def put(pool: FilePool) -> None:
    """The put under test."""
    pool.put(KEY, BODY, sha256(BODY), ATTRIBUTES)


def recorded_put(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """The steps of one put into an empty pool."""
    pool = FilePool(root, now_us=0)
    with recorded(monkeypatch, root) as steps:
        put(pool)
    return steps


def _opened(root: Path) -> list[Step]:
    return [Step("mkdir", str(root / ".incoming")), Step("create", str(root / ".lock"))]


def lost_or_torn(steps: Sequence[Step], root: Path, *, before: Sequence[Step] = ()) -> list[str]:
    """What is wrong after some power cut: an object without its bytes or card, or not there although the put had returned."""
    wrong = []
    name, card = str(root / KEY), str((root / KEY).with_name(f".{Path(KEY).name}.json"))
    returned = next(n for n, step in enumerate(steps) if step.verb == "unlink") if not before else len(steps) + 1
    for done, left in cuts(steps, [*_opened(root), *before]):
        bytes_there, card_there = left.whole(name, str(root)), left.whole(card, str(root))
        if bytes_there is False or (bytes_there and not card_there):
            wrong.append(f"torn after step {done}")
        if done >= returned and not bytes_there:
            wrong.append(f"lost after step {done}")
    return wrong


def test_no_power_cut_leaves_half_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every step of a put, whatever the disk kept of it: no object, or all of it; and all of it once the put is done."""
    steps = recorded_put(tmp_path / "pool", monkeypatch)
    assert len(steps) > 15
    assert lost_or_torn(steps, tmp_path / "pool") == []


def test_control_every_sync_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sync of the bytes, of the card, of the card's place, of a folder above or of the name, some power cut tears or loses."""
    root = tmp_path / "pool"
    steps = recorded_put(root, monkeypatch)
    syncs = [n for n, step in enumerate(steps) if step.verb == "sync"]
    needed = [n for n in syncs if lost_or_torn([*steps[:n], *steps[n + 1 :]], root)]
    last = max(syncs)
    files = [n for n in syncs if ".incoming" in steps[n].path]
    assert len(files) == 2
    assert set(needed) == set(syncs), [steps[n] for n in syncs if n not in needed]
    assert any("lost" in wrong for wrong in lost_or_torn([*steps[:last], *steps[last + 1 :]], root))


def test_a_delete_never_leaves_half_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut during a delete leaves the object whole or gone, and gone once the delete is done; without its first sync it may tear."""
    root = tmp_path / "pool"
    before = recorded_put(root, monkeypatch)
    with recorded(monkeypatch, root) as steps:
        FilePool(root, now_us=0).delete([KEY])
    assert lost_or_torn(steps, root, before=before) == []
    final = [left.whole(str(root / KEY), str(root)) for done, left in cuts(steps, [*_opened(root), *before]) if done == len(steps)]
    assert final
    assert not any(final)
    first = next(n for n, step in enumerate(steps) if step.verb == "sync" and step.path == str((root / KEY).parent))
    assert lost_or_torn([*steps[:first], *steps[first + 1 :]], root, before=before)


def test_a_process_may_die_before_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a put dies: the object is absent or whole with its attributes, putting again settles it, and leftovers go by age."""
    total = len(recorded_put(tmp_path / "count", monkeypatch))
    seen = set()
    for die_at in range(total):
        root = tmp_path / str(die_at)
        pool = FilePool(root, now_us=0)
        with recorded(monkeypatch, root, die_at=die_at), pytest.raises(Died):
            put(pool)
        pool = FilePool(root, now_us=0)
        seen.add(_state(pool))
        with_retry = {"absent": lambda pool: put(pool), "whole": _put_conflicts}[_state(pool)]
        with_retry(pool)
        assert _state(pool) == "whole"
        later_us = (int((root / ".incoming").stat().st_mtime) + LEFTOVER_AGE_S + 60) * 1_000_000
        FilePool(root, now_us=later_us)
        assert os.listdir(root / ".incoming") == []
        assert _state(pool) == "whole"
    assert seen == {"absent", "whole"}


def _state(pool: FilePool) -> str:
    listed = [(item.key, item.size) for item in pool.walk("", "")]
    try:
        info = pool.head(KEY)
    except (NotFound, FileNotFoundError, NotADirectoryError):
        assert listed == []
        return "absent"
    assert listed == [(KEY, len(BODY))]
    assert (info.size, info.sha256, info.attributes) == (len(BODY), sha256(BODY), ATTRIBUTES)
    with os.fdopen(pool.open(KEY), "rb") as file:
        assert file.read() == BODY
    return "whole"


def _put_conflicts(pool: FilePool) -> None:
    with pytest.raises(Conflict):
        put(pool)


def test_who_is_told_taken_may_rely_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a put died between the name and its sync, the next one says Conflict only when the name and all folders above are synced."""
    root = tmp_path / "pool"
    steps = recorded_put(tmp_path / "count", monkeypatch)
    die_at = next(n for n, step in enumerate(steps) if step.verb == "link") + 1
    pool = FilePool(root, now_us=0)
    with recorded(monkeypatch, root, die_at=die_at) as first, pytest.raises(Died):
        put(pool)
    with recorded(monkeypatch, root) as second:
        _put_conflicts(pool)
    left = [
        left.whole(str(root / KEY), str(root)) for done, left in cuts([*first, *second], _opened(root)) if done == len(first) + len(second)
    ]
    assert left
    assert all(left)


def test_a_failed_sync_is_not_a_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever sync of a put fails, the put fails, nothing can be found of it afterwards, and no file is synced a second time."""
    total = sum(step.verb == "sync" for step in recorded_put(tmp_path / "count", monkeypatch))
    assert total >= 8
    for failing in range(total):
        root = tmp_path / str(failing)
        pool = FilePool(root, now_us=0)
        files = _fail_sync(pool, failing, monkeypatch)
        assert len(files) == len(set(files))
        assert _state(pool) == "absent"
        assert os.listdir(root / ".incoming") == []
        put(pool)
        assert _state(pool) == "whole"


def _fail_sync(pool: FilePool, number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A put whose sync of this number fails; returns the regular files that were synced or should have been."""
    real, calls, files = os.fsync, 0, []

    def sync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        path = f"/proc/self/fd/{descriptor}"
        if not os.path.isdir(path):
            files.append(os.readlink(path))
        if calls == number + 1:
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        with pytest.raises(OSError, match="Input/output"):
            put(pool)
    return files
