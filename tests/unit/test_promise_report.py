"""The programs of the promises: what they print, keep and list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import promise, promises


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for results instead of the checkout's."""
    for module in (promise, promises):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(promises, "TABLE", tmp_path / "promises.md")
    return tmp_path


GOOD = {"promise": "R7", "form": "full", "n": 10_000, "value": 0, "unit": "lost", "gate": "0 of 10,000", "met": True}


def test_the_last_line_is_one_json_object(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report prints every field of the promise's line, with the machine and the commit filled in."""
    promise.report(**GOOD, bound95=promise.bound95(10_000), control="red")
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {**line, **GOOD} == line
    expected = "promise form n value unit peer ratio gate bound95 control met machine commit"
    assert list(line) == expected.split()
    assert line["bound95"] == 0.0003
    assert "cores" in line["machine"]
    assert line["commit"]


def test_only_full_results_are_kept(kept: Path) -> None:
    """The short form leaves nothing behind; the full form's result is kept under the promise's name."""
    promise.report(**{**GOOD, "form": "short"})
    assert not (kept / "results").exists()
    promise.report(**GOOD)
    assert json.loads((kept / "results" / "R7.json").read_text())["n"] == 10_000


def test_a_green_control_is_not_a_promise(kept: Path) -> None:
    """Where the broken rule goes unnoticed, the promise is not met, whatever was measured."""
    assert promise.report(**GOOD, control="red")["met"] is True
    assert promise.report(**GOOD, control="green")["met"] is False


def test_the_table_lists_speed_first_and_says_what_is_not_met(kept: Path) -> None:
    """The table has a row a kept result, in order of number, and marks the gates that are not met."""
    promise.report(**GOOD, control="red")
    promise.report(**{**GOOD, "promise": "R20", "met": False})
    promise.report(**{**GOOD, "promise": "S2", "value": 2.5, "unit": "MiB"}, peer=15.0, ratio=0.1667)
    promises.write_table()
    rows = [line for line in promises.TABLE.read_text().splitlines() if line.startswith(("| S", "| R"))]
    assert [row.split("|")[1].strip() for row in rows] == ["S2", "R7", "R20"]
    assert "| 2.5 MiB | 10,000 | 15 | 0.167 |" in rows[0]
    assert "| red | yes |" in rows[1]
    assert "| **no** |" in rows[2]


def test_an_unknown_promise_is_named_with_those_there_are() -> None:
    """Asking for a promise that is not there ends with a sentence, not with a traceback."""
    with pytest.raises(SystemExit, match=r"no promise R99; there are: .*R7"):
        promises.run("R99", [])
