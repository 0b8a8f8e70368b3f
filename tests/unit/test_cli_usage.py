"""`keepsight capacity usage`: as a planner uses it, on a history in files and on an installation."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import polars as pl
import pytest
from typer.testing import CliRunner

from capacity.days import DAYS
from capacity.history import CAMERAS
from deploy.capacity_usage import kept_of
from deploy.cli import app
from deploy.settings import load_settings
from deploy.wiring import open_stores
from retention.rules import Rules
from segments.clock import day_start_us
from segments.hold import Hold
from segments.model import Camera
from segments.usage import DayUsage, UsageSum
from tests.command_line import Keepsight

FIRST = date(2026, 3, 1)
GB = 10**9


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    """Ten cameras in two cities over forty days, and one of them at ten times the rate; the words that name the files."""
    ids = [f"c{n}" for n in range(10)]
    days = [
        (each, FIRST + timedelta(days=day), "main", "avc1 1920x1080", 1_440, (400 if each == "c9" else 40) * GB, 86_400.0)
        for each in ids
        for day in range(40)
    ]
    known = [(each, "main", "here", f"{'厦门' if n % 2 else 'fuzhou'}/x", "police", 1, "general", "") for n, each in enumerate(ids)]
    pl.DataFrame(days, schema=DAYS, orient="row").write_parquet(tmp_path / "days.parquet")
    pl.DataFrame(known, schema=CAMERAS, orient="row").write_parquet(tmp_path / "cameras.parquet")
    return "--history", str(tmp_path / "days.parquet"), "--cameras", str(tmp_path / "cameras.parquet")


def run(*words: str, code: int = 0) -> str:
    """What the command prints; it ends with this code."""
    done = CliRunner().invoke(app, ["capacity", "usage", *words], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def test_the_last_thirty_days_are_told_by_area(files: tuple[str, ...]) -> None:
    """For people with the whole below, for programs with every figure."""
    said = run(*files, "--by", "area", "--depth", "1")
    assert "10 cameras, 2026-03-11 to 2026-04-09, 30 days" in said
    assert "厦门" in said
    assert "all" in said
    found = json.loads(run(*files, "--by", "area", "--depth", "1", "--json"))
    assert {row["area"]: row["cameras"] for row in found["groups"]} == {"fuzhou": 5, "厦门": 5}
    assert found["whole"]["recorded_bytes"] == 30 * (9 * 40 + 400) * GB
    assert "held_share" not in found["whole"], "what is kept is not known of a history"


def test_other_days_may_be_asked_for(files: tuple[str, ...]) -> None:
    """Two days up to one that is named."""
    found = json.loads(run(*files, "--show", "days", "--days", "2", "--until", "2026-03-05", "--by", "class", "--json"))
    assert [row["day"] for row in found["days"]] == ["2026-03-04", "2026-03-05"]


def test_the_misconfigured_encoder_is_named(files: tuple[str, ...]) -> None:
    """With what it wastes, and the bitrates of its kind beside."""
    (found,) = json.loads(run(*files, "--show", "hot", "--json"))["hot"]
    assert (found["camera"], found["factor"]) == ("c9", 10.0)
    assert found["wasted_bytes_per_day"] == 360 * GB
    assert "c9" in run(*files, "--show", "hot")
    (kind,) = json.loads(run(*files, "--show", "bitrates", "--json"))["bitrates"]
    assert kind["most_bit_per_s"] == pytest.approx(400 * GB * 8 / 86_400)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_all_lines_go_into_a_file(files: tuple[str, ...], tmp_path: Path, suffix: str) -> None:
    """CSV and Parquet hold the same; a file that is there is not written over."""
    path = tmp_path / f"usage.{suffix}"
    run(*files, "--by", "camera", "--top", "1", "--out", str(path))
    frame = pl.read_csv(path) if suffix == "csv" else pl.read_parquet(path)
    assert frame.select("camera", "bytes_per_camera_day").row(0) == ("c9", 400 * GB)
    assert frame.height == 10
    assert "there already" in run(*files, "--out", str(path), code=2)


@pytest.mark.parametrize("show", ["groups", "days", "hot", "bitrates"])
def test_everything_is_drawn(files: tuple[str, ...], tmp_path: Path, show: str) -> None:
    """SVG with the names as text, in whatever language; PNG as well."""
    run(*files, "--show", show, "--by", "area", "--out", str(tmp_path / "usage.svg"))
    run(*files, "--show", show, "--by", "area", "--out", str(tmp_path / "usage.png"))
    drawn = (tmp_path / "usage.svg").read_text(encoding="utf-8")
    assert {"groups": "厦门/x", "days": "厦门/x", "hot": "c9", "bitrates": "avc1 1920x1080"}[show] in drawn
    assert (tmp_path / "usage.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("owner", [r"$\frac{$", "_hidden", "<b>&", "很" * 60, "o" * 300])
@pytest.mark.parametrize("show", ["groups", "days"])
def test_any_name_can_be_drawn(files: tuple[str, ...], tmp_path: Path, owner: str, show: str) -> None:
    """No formula, no markup, and not so long that nothing is left for the bars."""
    pl.read_parquet(files[3]).with_columns(owner=pl.lit(owner)).write_parquet(files[3])
    run(*files, "--show", show, "--by", "owner", "--by", "area", "--out", str(tmp_path / "usage.svg"))
    ET.parse(tmp_path / "usage.svg")
    drawn = (tmp_path / "usage.svg").read_text(encoding="utf-8")
    assert escape(owner[:30]) in drawn


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--history", "x.parquet"), "go together"),
        (("--history", "x.parquet", "--cameras", "y.parquet"), "cannot be read as Parquet"),
        (("--until", "tomorrow"), "is no day"),
    ],
)
def test_what_is_asked_wrongly_is_said(words: tuple[str, ...], says: str) -> None:
    """In a sentence."""
    assert says in run(*words, code=2)


def test_each_day_by_camera_is_refused_and_the_future_is_empty(files: tuple[str, ...]) -> None:
    """As many lines as camera-days would be; and no day comes after the last."""
    assert "choose another --by" in run(*files, "--show", "days", "--by", "camera", code=2)
    assert json.loads(run(*files, "--until", "9999-12-31", "--json"))["last"] == "2026-04-09"
    assert json.loads(run(*files, "--until", "0001-01-01", "--json"))["groups"] == []


def test_a_file_without_a_column_is_refused_by_its_name(files: tuple[str, ...]) -> None:
    """And what it has is told."""
    pl.read_parquet(files[1]).drop("recorded_s").write_parquet(files[1])
    assert "recorded_s" in run(*files, code=2)


def test_a_day_told_twice_counts_once_and_a_camera_told_twice_is_refused(files: tuple[str, ...]) -> None:
    """Of two lines of the same the larger counts; which of two cameras is meant nobody knows."""
    days, known = pl.read_parquet(files[1]), pl.read_parquet(files[3])
    pl.concat([days, days.with_columns(recorded_bytes=pl.lit(1, pl.UInt64))]).write_parquet(files[1])
    assert json.loads(run(*files, "--json"))["whole"]["recorded_bytes"] == 30 * (9 * 40 + 400) * GB
    pl.concat([known, known.head(1)]).write_parquet(files[3])
    assert "camera c0 has more than one line" in run(*files, code=2)


def test_an_installation_is_counted_and_written_down(tmp_path: Path) -> None:
    """Through its own index: nothing yet; then what a day had, and the same out of the files."""
    keepsight = Keepsight(tmp_path)
    assert "nothing was recorded" in keepsight("capacity", "usage").stdout

    async def recorded() -> None:
        async with open_stores(load_settings(keepsight.config, {})) as stores:
            await stores.index.put_usage("gate", FIRST, {"main": UsageSum(2, 900)})

    asyncio.run(recorded())
    asked = ("capacity", "usage", "--until", str(FIRST), "--by", "camera")
    counted = keepsight.json(*asked)
    assert [(line["camera"], line["recorded_bytes"], line["kept_bytes"]) for line in counted["groups"]] == [("gate", 900, 900)]
    assert "1 camera-days" in keepsight("capacity", "history", "--out", str(tmp_path / "files")).stdout
    files = ("--history", str(tmp_path / "files" / "days"), "--cameras", str(tmp_path / "files" / "cameras.parquet"))
    assert keepsight.json(*asked, *files)["whole"]["recorded_bytes"] == 900
    assert "there already" in keepsight.refused("capacity", "history", "--out", str(tmp_path / "files"), code=2)


def test_the_share_held_is_what_holds_cover() -> None:
    """Two of four days of one camera, by a hold of its area; footage of the other camera is not held."""
    usages = [DayUsage(each, FIRST + timedelta(days=day), "main", UsageSum(1, 100)) for each in "ab" for day in range(4)]
    archive = {each: Camera(id=each, name=each, url="", area=f"town/{each}") for each in "ab"}
    third_us = day_start_us(FIRST + timedelta(days=2))
    hold = Hold("h", "case", "why", "me", 0, third_us + 600_000_000, third_us + 100_000_000_000, areas=("town/a",))
    rows = kept_of(usages, archive, Rules([], {}, [hold])).sort("camera").rows()
    assert rows == [("a", "main", 400, 200), ("b", "main", 400, 0)]
