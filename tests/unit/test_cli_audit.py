"""`keepsight audit`: found, exported, and checked where nothing else is."""

from __future__ import annotations

import asyncio
import csv
import sqlite3
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deploy.cli import app
from segments.audit_line import Tie, tie_behind
from segments.stores.sqlite_index import open_sqlite_index
from tests.audit_builders import some_lines
from tests.builders import NOON_US

FROM_TO = ("--from", "2026-03-14T11:00:00Z", "--to", "2026-03-14T13:00:00Z")


def keepsight(*words: str) -> Result:
    """A command in this process."""
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration whose index has two chains, tied."""

    async def write() -> None:
        index = await open_sqlite_index(tmp_path / "index.db")
        ours, theirs = some_lines(5), some_lines(3, chain="cli.a")
        await index.put_audit(ours)
        await index.put_audit([*theirs, tie_behind("cli.a", theirs[-1], NOON_US, [Tie("api.a", 5, ours[-1].digest)])])
        await index.close()

    asyncio.run(write())
    config = tmp_path / "keepsight.toml"
    config.write_text(f'[site]\nfolder = "{tmp_path}"\n[index]\nkind = "sqlite"\npath = "{tmp_path / "index.db"}"\n')
    return config


def test_who_saw_footage_is_one_command(site: Path) -> None:
    """With name, unit and reason."""
    done = keepsight("audit", "who-saw", "gate", *FROM_TO, "--json", "--config", str(site))
    assert done.exit_code == 0, done.output
    assert done.output.count("厦门市公安局") == 8
    done = keepsight("audit", "search", "--who", "李", "--camera", "yard", *FROM_TO, "--json", "--config", str(site))
    assert done.output.strip() == "[]"


def test_an_export_is_checked_without_an_index(site: Path, tmp_path: Path) -> None:
    """As it is, and with a line left out of it; nothing is written over."""
    file = tmp_path / "register.jsonl"
    assert keepsight("audit", "export", str(file), "--config", str(site)).exit_code == 0
    assert keepsight("audit", "export", str(file), "--config", str(site)).exit_code == 2
    done = keepsight("audit", "verify", str(file))
    assert done.exit_code == 0
    assert "9 lines; 0 faults" in done.output
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:1], *lines[2:]]))
    done = keepsight("audit", "verify", str(file))
    assert done.exit_code == 1
    assert "chain api.a line 2: left out" in done.output


def test_a_table_is_for_people(site: Path, tmp_path: Path) -> None:
    """All acts, without the ties."""
    file = tmp_path / "register.csv"
    assert keepsight("audit", "export", str(file), "--config", str(site)).exit_code == 0
    with file.open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 8
    assert rows[0]["name"] == "李梅"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE audit_line SET text = replace(text, 'played', 'plaxed') WHERE chain = 'api.a' AND number = 2", "line 3: changed"),
        ("DELETE FROM audit_line WHERE chain = 'api.a' AND number = 2", "line 2: left out"),
        ("DELETE FROM audit_line WHERE chain = 'api.a' AND number > 3", "line 4: cut off"),
        ("DELETE FROM audit_line WHERE chain = 'api.a'", "line 1: cut off"),
        ("INSERT INTO audit_line SELECT chain, 6, at_us, act, text FROM audit_line WHERE chain = 'api.a' AND number = 2", "line 6: put in"),
        ("UPDATE audit_line SET text = 'x' WHERE chain = 'api.a' AND number = 2", "line 2: changed"),
    ],
)
def test_whoever_changes_the_index_is_found(site: Path, harm: str, said: str) -> None:
    """By chain and number."""
    assert keepsight("audit", "verify", "--config", str(site)).exit_code == 0
    with sqlite3.connect(site.parent / "index.db") as database:
        database.execute(harm)
    done = keepsight("audit", "verify", "--config", str(site))
    assert done.exit_code == 1
    assert f"chain api.a {said}" in done.output
