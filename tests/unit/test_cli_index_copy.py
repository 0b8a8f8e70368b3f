"""`keepsight index copy`: exit codes, what it says, which configurations it refuses, and that it may be killed."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from deploy.settings import load_settings
from deploy.wiring import open_index
from tests.command_line import Keepsight
from tests.service import KEEPSIGHT
from tests.whole_index import CAMERAS, ITEMS, fill


class Pair:
    """A filled index, and the configuration of an empty one of the same site."""

    def __init__(self, folder: Path) -> None:
        self.keepsight = Keepsight(folder)
        self.other = folder / "other.toml"
        self.target = folder / "keepsight-data" / "other.sqlite"
        self.progress = folder / "keepsight-data" / "index-copy.json"
        self.other.write_text('[index]\npath = "keepsight-data/other.sqlite"\n')

    def fill(self, **size: int | tuple[str, ...]) -> None:
        """Something of everything in the source."""

        async def write() -> None:
            async with open_index(load_settings(self.keepsight.config, {})) as index:
                await fill(index, **size)

        asyncio.run(write())

    def rows(self, path: Path) -> list[tuple[object, ...]]:
        """All rows of an index, read past our code."""
        with closing(sqlite3.connect(path)) as file:
            return file.execute("SELECT * FROM segment_row").fetchall()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_the_copy_is_equal_and_says_so(pair: Pair) -> None:
    """Exit code 0, the same rows in the other file, and no progress file left; done again, nothing is written."""
    pair.fill()
    said = pair.keepsight.json("index", "copy", "--to", str(pair.other))
    assert (said["compared"]["items"], said["compared"]["differing"], said["compared"]["examples"]) == (ITEMS, 0, [])
    assert pair.rows(pair.target) == pair.rows(pair.keepsight.folder / "keepsight-data" / "index.sqlite")
    assert not pair.progress.exists()
    again = pair.keepsight("index", "copy", "--to", str(pair.other)).stdout
    assert " 0 items written" in again
    assert "the indexes are equal" in again


def test_a_difference_is_named_with_exit_code_1(pair: Pair) -> None:
    """The control: a row that only the target has is named by its camera-day with what either side holds."""
    pair.fill()
    pair.keepsight("index", "copy", "--to", str(pair.other))
    with closing(sqlite3.connect(pair.target)) as file:
        file.execute("UPDATE segment_row SET counter = 99 WHERE camera = 'yard' AND counter = 6 AND day = '2026-03-14'")
        file.execute("DELETE FROM state_change WHERE camera = 'gate'")
        file.execute("INSERT INTO state_change VALUES ('roof', '2026-03-01', 1773489600000000, 'recording', NULL, '')")
        file.commit()
    said = pair.keepsight.json("index", "copy", "--to", str(pair.other), code=1)
    named = {(one["kind"], one["where"], one["source"]["items"], one["target"]["items"]) for one in said["compared"]["examples"]}
    assert named == {("rows", "yard 2026-03-14", 7, 8), ("states", "roof 2026-03-01", 0, 1)}
    assert said["written"] == 7 + 2
    text = pair.keepsight("index", "copy", "--to", str(pair.other), code=1).stdout
    assert "2 partitions, cameras, records or the like differ" in text
    assert "rows yard 2026-03-14: 7 (" in text


def test_only_a_pair_that_fits_is_copied(pair: Pair) -> None:
    """Another site, the same index, another key of the passwords, no such file: refused before anything is opened."""
    to = ("index", "copy", "--to", str(pair.other))
    right = pair.other.read_text()
    pair.other.write_text('[site]\nname = "away"\n' + right)
    assert "of site 'away', this one of 'home'" in pair.keepsight.refused(*to, code=2)
    pair.other.write_text('[index]\npath = "keepsight-data/index.sqlite"\n')
    assert "the same index" in pair.keepsight.refused(*to, code=2)
    pair.keepsight("camera", "add", "gate", "rtsp://admin:hunter2@192.0.2.10/1")
    pair.other.write_text('[cameras]\nkey_file = "other.key"\n' + right)
    assert "not that key" in pair.keepsight.refused(*to, code=2)
    pair.other.unlink()
    pair.keepsight.refused(*to, code=3)
    assert not pair.target.exists()


def test_a_copy_that_is_killed_goes_on(pair: Pair) -> None:
    """kill -9 in the middle of the rows: started again it does the rest, the two files hold the same rows, and the comparison agrees."""
    pair.fill(cameras=(*CAMERAS, *(f"cam{n}" for n in range(16))), days=8, rows_a_day=10)
    copy = subprocess.Popen([*KEEPSIGHT, "index", "copy", "--to", str(pair.other), "--config", str(pair.keepsight.config)])
    try:
        deadline_s = time.monotonic() + 60
        while _kind(pair.progress) != "rows":
            assert copy.poll() is None and time.monotonic() < deadline_s, "the copy ended before it could be killed"  # noqa: PT018
            time.sleep(0.002)
    finally:
        copy.kill()
        copy.wait()
    source = pair.rows(pair.keepsight.folder / "keepsight-data" / "index.sqlite")
    assert len(source) == 20 * 8 * 10
    done = len(pair.rows(pair.target))
    assert done < len(source)
    said = pair.keepsight.json("index", "copy", "--to", str(pair.other))
    assert said["compared"]["differing"] == 0
    assert 0 < said["partitions"] < said["compared"]["partitions"]
    assert pair.rows(pair.target) == source


def test_progress_of_another_target_counts_for_nothing(pair: Pair) -> None:
    """A progress file that names another index, or that is damaged, is not followed: all is copied."""
    pair.fill()
    for text in ('{"to": "cassandra x:9042 k", "kind": "batches", "after": "z/2027-01-01"}', "{", '{"to": 1}'):
        pair.progress.write_text(text)
        assert pair.keepsight.json("index", "copy", "--to", str(pair.other))["compared"]["differing"] == 0


def _kind(progress: Path) -> str | None:
    try:
        return json.loads(progress.read_text())["kind"]
    except FileNotFoundError:
        return None
