"""`keepsight receipts`: listed, exported, and checked by somebody who has the lines alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deploy.cli import app
from deploy.settings import load_settings
from deploy.wiring import open_index
from segments.clock import SystemClock, day_of
from segments.receipt import Receipt
from tests.builders import a_row
from tests.command_line import Keepsight
from tests.retention_builders import a_gone, a_receipt

DAY = a_row().day
CHAINS = ("sweep.0-of-2", "sweep.1-of-2")


def chained(chain: str, count: int) -> list[Receipt]:
    """Receipts of a chain, a day each, two segments each."""
    found: list[Receipt] = []
    for number in range(1, count + 1):
        rows = [a_row(counter=number * 2 + n) for n in range(2)]
        previous = hashlib.sha256(found[-1].text.encode()).hexdigest() if found else ""
        day = DAY + timedelta(days=number)
        found.append(a_receipt(chain=chain, number=number, previous=previous, day=day, segments=tuple(map(a_gone, rows))))
    return found


def written(keepsight: Keepsight, receipts: Sequence[Receipt]) -> None:
    """Puts receipts into the index of a configuration."""

    async def put() -> None:
        async with open_index(load_settings(keepsight.config, {})) as index:
            for receipt in receipts:
                await index.put_receipt(receipt)

    asyncio.run(put())


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    return Keepsight(tmp_path)


@pytest.fixture
def exported(keepsight: Keepsight) -> Path:
    """An export of two chains: three receipts, and two."""
    written(keepsight, [*chained(CHAINS[0], 3), *chained(CHAINS[1], 2)])
    path = keepsight.folder / "receipts.jsonl"
    assert "5 receipts" in keepsight("receipts", "export", str(path)).stdout
    return path


def verify(*words: str, code: int) -> Result:
    """The check as somebody runs it who has no configuration."""
    result = CliRunner().invoke(app, ["receipts", "verify", *words, "--json"], env={"KEEPSIGHT_CONFIG": "/nowhere/at/all.toml"})
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_an_export_is_the_receipts_and_can_be_checked_without_us(keepsight: Keepsight, exported: Path) -> None:
    """Line by line their texts; counts and heads agree with a count of our own; nothing but the file is needed."""
    lines = exported.read_text().splitlines()
    said = json.loads(verify(str(exported), code=0).stdout)

    assert (said["receipts"], said["segments"], said["faults"]) == (5, 10, [])
    assert said["bytes"] == sum(segment[3] for line in lines for segment in json.loads(line)["segments"])
    assert said["chains"] == {
        CHAINS[0]: {"number": 3, "digest": hashlib.sha256(lines[2].encode()).hexdigest()},
        CHAINS[1]: {"number": 2, "digest": hashlib.sha256(lines[4].encode()).hexdigest()},
    }
    assert keepsight("receipts", "export", "-", "--chain", CHAINS[1]).stdout.splitlines() == lines[3:]


def test_an_export_in_parts_is_one(exported: Path) -> None:
    """Files in order are one export; in the wrong order the fault is named with its file and line."""
    lines = exported.read_text().splitlines(keepends=True)
    parts = [exported.with_name("a"), exported.with_name("b")]
    for part, some in zip(parts, (lines[:2], lines[2:]), strict=True):
        part.write_text("".join(some))

    verify(*map(str, parts), code=0)
    assert f"{parts[1]}:1: chain {CHAINS[0]} goes from 0 to 3" in json.loads(verify(*map(str, parts[::-1]), code=1).stdout)["faults"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: [lines[0].replace('"older":0', '"older":1'), *lines[1:]], ":2: chain sweep.0-of-2: receipt 1 before this one"),
        (lambda lines: [lines[0], *lines[2:]], ":2: chain sweep.0-of-2 goes from 1 to 3"),
        (lambda lines: [*lines, lines[4]], ":6: chain sweep.1-of-2 goes from 2 to 2"),
        (lambda lines: [*lines, "{}\n"], ":6: not a receipt"),
    ],
    ids=["changed", "left out", "doubled", "put in"],
)
def test_what_was_done_to_an_export_is_found(exported: Path, spoil, said: str) -> None:
    """Exit code 1, and where."""
    exported.write_text("".join(spoil(exported.read_text().splitlines(keepends=True))))

    assert any(said in fault for fault in json.loads(verify(str(exported), code=1).stdout)["faults"])


def test_an_end_that_was_cut_off_is_found_against_the_index(keepsight: Keepsight, exported: Path) -> None:
    """The lines alone cannot show it; the index does, and so a chain that was left out, and one that nobody wrote."""
    assert keepsight("receipts", "verify", str(exported), "--against-index").stdout.endswith("; 0 faults\n")
    lines = exported.read_text().splitlines(keepends=True)
    exported.write_text("".join([*lines[:2], *(f"{each.text}\n" for each in chained("sweep.0-of-9", 1))]))

    verify(str(exported), code=0)
    faults = keepsight.json("receipts", "verify", str(exported), "--against-index", code=1)["faults"]
    assert faults == [
        f"chain {CHAINS[0]} ends at 2 in these files, and at 3 in the index: cut off, or exported before",
        "chain sweep.0-of-9 is not in the index",
        f"chain {CHAINS[1]} is not in these files; the index has 2 receipts of it",
    ]


def test_another_history_is_found_against_the_index(keepsight: Keepsight, exported: Path) -> None:
    """Lines that agree with each other and not with the index."""
    first = a_receipt(chain=CHAINS[0], older=7)
    exported.write_text(f"{first.text}\n" + "".join(exported.read_text().splitlines(keepends=True)[3:]))

    faults = keepsight.json("receipts", "verify", str(exported), "--against-index", code=1)["faults"]
    assert f"chain {CHAINS[0]}: receipt 1 is another one in the index" in faults


def test_receipts_are_listed_by_camera(keepsight: Keepsight) -> None:
    """Of one month, or of the last thirteen; as they are for programs, in a line each for people."""
    today = day_of(SystemClock().now_us())
    old, new = a_receipt(day=date(2020, 2, 3)), a_receipt(number=2, day=today)
    written(keepsight, [old, new])

    assert keepsight.json("receipts", "list", "gate") == [json.loads(new.text)]
    assert keepsight.json("receipts", "list", "gate", "--month", "2020-02") == [json.loads(old.text)]
    assert keepsight.json("receipts", "list", "yard") == []
    assert "sweep.0-of-1" in keepsight("receipts", "list", "gate").stdout


def test_wrong_input_is_refused_in_a_sentence(keepsight: Keepsight, exported: Path) -> None:
    """A file that is there, a folder that is not, a chain and a month nobody knows, and what is no export."""
    before = exported.read_bytes()
    assert "is there already" in keepsight.refused("receipts", "export", str(exported), code=2)
    assert exported.read_bytes() == before
    assert "cannot be written" in keepsight("receipts", "export", str(keepsight.folder / "none" / "a"), code=2).stderr
    assert "there is no chain" in keepsight("receipts", "export", str(keepsight.folder / "b"), "--chain", "x", code=2).stderr
    assert [path.name for path in keepsight.folder.glob("*.part")] == []
    assert "no month" in keepsight.refused("receipts", "list", "gate", "--month", "May", code=2)
    assert "cannot be read" in keepsight.refused("receipts", "verify", str(keepsight.folder / "none"), code=2)
    exported.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in keepsight.refused("receipts", "verify", str(exported), code=2)
