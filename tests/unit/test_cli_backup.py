"""`keepsight backup` and `keepsight restore` with real footage: what is lost comes back, no secret leaves, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.settings import load_settings
from deploy.wiring import open_index, open_stores
from segments.clock import SystemClock
from segments.compare import Level
from segments.index_compare import compare_indexes
from segments.keys import SegmentKey
from tests import whole_index
from tests.backup_site import OF_A_RESTORE
from tests.builders import a_camera
from tests.command_line import PASSWORD, URL, Keepsight
from tests.media import Clips

START = datetime(2026, 3, 14, 12, tzinfo=UTC)
RECORDS = {*(f"record {where}" for where in OF_A_RESTORE), "batches yard 2026-03-14"}


@pytest.fixture
def keepsight(tmp_path: Path, clips: Clips) -> Keepsight:
    """An installation with footage, a camera with a password, a policy, holds, a batch and receipts; backups go to its pool."""
    made = Keepsight(tmp_path)
    made.configure('[replication]\nbackup_pool = "main"\n')
    made("camera", "add", "gate", URL)
    made.fill(clips, START)

    async def write() -> None:
        async with open_stores(load_settings(made.config, {})) as stores:
            await stores.index.add_camera(a_camera("yard"))
            await whole_index.fill_retention(stores.index, "yard")
            last = (await stores.index.rows("gate", START.date())).items[-1]
            end = SegmentKey("gate", last.run, last.end_us, last.counter + 1, is_end=True)
            await stores.pools["main"].put(str(end), b"", sha256=hashlib.sha256(b"").hexdigest(), attributes={})

    asyncio.run(write())
    return made


def lose(keepsight: Keepsight) -> Path:
    """The index is gone; gives where it is kept for comparison."""
    data = keepsight.folder / "keepsight-data"
    kept = data.parent / "lost.sqlite"
    (data / "index.sqlite").rename(kept)
    return kept


def compared(keepsight: Keepsight, kept: Path) -> set[str]:
    """What differs between the index of now and the one that was lost."""

    async def look() -> set[str]:
        settings = load_settings(keepsight.config, {})
        was = settings.model_copy(update={"index": settings.index.model_copy(update={"path": kept})})
        async with open_index(was) as before, open_index(settings) as now:
            return {f"{one.kind} {one.where}" for one in (await compare_indexes(before, now, SystemClock())).examples}

    return asyncio.run(look())


def test_a_lost_index_comes_back(keepsight: Keepsight) -> None:
    """Backup, loss, restore, rebuild: the same rows, runs, cameras, password, policy, holds and receipts; pool and index agree."""
    made = keepsight.json("backup", "make")
    assert [card["name"] for card in keepsight.json("backup", "list")] == [made["name"]]
    kept = lose(keepsight)
    said = keepsight("restore", "--from", "latest", "--yes")
    assert "index rebuild" in said.stdout
    assert "Receipts of what was deleted after" in said.stderr
    assert "DO NOT OPEN" not in said.stderr
    assert "0 objects left out" in keepsight("index", "rebuild").stdout
    assert compared(keepsight, kept) == RECORDS
    assert keepsight.credential("gate") == PASSWORD
    assert keepsight.json("verify", Level.HASH, "--from", "2026-03-14", "--to", "2026-03-14")[0]["findings"] == []
    assert "not empty" in keepsight.refused("restore", "--from", made["name"], "--yes", code=2)


def test_footage_without_the_rebuild_is_missed(keepsight: Keepsight) -> None:
    """The control of the comparison: a restore alone does not bring rows back."""
    keepsight("backup", "make")
    kept = lose(keepsight)
    keepsight("restore", "--from", "latest", "--yes")
    assert {"rows gate 2026-03-14", "runs gate 2026-03-01"} <= compared(keepsight, kept)


def test_receipts_beside_a_backup_come_back(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a pool of files, where all but the last of each chain are in files of their own; verification of the pool leaves them alone."""
    monkeypatch.setattr("deploy.backup_receipts.FILE_BYTES", 1)
    card = keepsight.json("backup", "make")
    assert [file["last"] for file in card["receipts"]] == [1, 2]
    kept = lose(keepsight)
    keepsight("restore", "--from", "latest", "--yes")
    assert "0 objects left out" in keepsight("index", "rebuild").stdout
    assert compared(keepsight, kept) == RECORDS
    assert keepsight.json("verify", Level.SIZE, "--from", "2026-03-14", "--to", "2026-03-14")[0]["findings"] == []


def test_a_file_does_as_well(keepsight: Keepsight, tmp_path: Path) -> None:
    """Written to a file for its owner only, which is not overwritten, and restored from it."""
    file = tmp_path / "away.sqlite"
    keepsight("backup", "make", "--to", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert "is there already" in keepsight.refused("backup", "make", "--to", str(file), code=2)
    kept = lose(keepsight)
    keepsight("restore", "--from", str(file), "--yes")
    keepsight("index", "rebuild")
    assert compared(keepsight, kept) == RECORDS - {"record backup last"}


def test_no_secret_is_in_a_backup(keepsight: Keepsight, tmp_path: Path) -> None:
    """Neither a password nor the key; and whoever restores without the key, or with another, is told loudly."""
    file, key = tmp_path / "away.sqlite", tmp_path / "keepsight-data" / "keys" / "cameras.key"
    said = keepsight("backup", "make", "--to", str(file))
    assert f"{key}, is in no backup" in said.stderr
    data = file.read_bytes()
    assert PASSWORD.encode() not in data
    assert bytes.fromhex(key.read_text()) not in data
    assert key.read_bytes().strip() not in data
    with closing(sqlite3.connect(file)) as opened:
        assert opened.execute("SELECT count(*) FROM segment_row").fetchone() == (0,)
    lose(keepsight)
    key.write_text("00" * 32)
    assert "DO NOT OPEN" in keepsight("restore", "--from", str(file), "--yes").stderr


def test_what_restore_refuses(keepsight: Keepsight, tmp_path: Path) -> None:
    """No such backup, no name, no backup at all, no pool, and an answer that is not yes: nothing is written."""
    kept = lose(keepsight)
    assert "no backup of site home" in keepsight.refused("restore", "--from", "latest", "--yes", code=2)
    assert "names no backup" in keepsight.refused("restore", "--from", "yesterday", "--yes", code=2)
    keepsight.refused("restore", "--from", "20260101T000000Z", "--yes", code=2)
    (tmp_path / "notes.txt").write_text("cameras of the north gate\n" * 100)
    assert "notes.txt is damaged, or no index" in keepsight.refused("restore", "--from", str(tmp_path / "notes.txt"), "--yes", code=1)
    kept.rename(tmp_path / "keepsight-data" / "index.sqlite")
    keepsight("backup", "make")
    lose(keepsight)
    keepsight("restore", "--from", "latest", code=2, text="n\n")
    assert keepsight.cameras() == []
    keepsight.configure()
    for words in (("backup", "make"), ("backup", "list"), ("restore", "--from", "latest", "--yes")):
        assert "replication.backup_pool" in keepsight.refused(*words, code=2)
