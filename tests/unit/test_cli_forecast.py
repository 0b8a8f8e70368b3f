"""`keepsight capacity forecast` and `backtest`, run as their user runs them, on a twin's history in files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from capacity.days import DAYS
from capacity.history import History
from capacity.twin import TwinOrder, live
from deploy.cli import app

PLANNED = """
[tiers.general]
floor_days = 20
keep_days = 30
[tiers.key-area]
floor_days = 60
keep_days = 90
[pools.pool-0]
size = "{size} TB"
"""


def write_days(history: History, path: Path) -> None:
    """The history as a day frame."""
    camera, day = np.nonzero(~np.isnan(history.recorded_bytes))
    days = pl.Series(day).cast(pl.Int64) * 86_400_000_000
    columns = {
        "camera": history.cameras["camera"].gather(camera),
        "day": (pl.Series([history.first]).cast(pl.Datetime("us")).cast(pl.Int64)[0] + days).cast(pl.Datetime("us")).cast(pl.Date),
        "pool": history.cameras["pool"].gather(camera),
        "kind": history.cameras["kind"].gather(camera),
        "segments": np.full(len(camera), 1440),
        "recorded_bytes": history.recorded_bytes[camera, day].astype(np.uint64),
        "recorded_s": np.full(len(camera), 86_400.0),
    }
    pl.DataFrame(columns).select(pl.col(name).cast(kind) for name, kind in DAYS.items()).write_parquet(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    """A twin's history of 200 days as files, with what is planned."""
    folder = tmp_path_factory.mktemp("history")
    history = live(TwinOrder(cameras=60, days=200, pools=2, seed=2)).history
    write_days(history, folder / "days.parquet")
    history.cameras.write_parquet(folder / "cameras.parquet")
    (folder / "planned.toml").write_text(PLANNED.format(size=30))
    return [f"--{name}={folder / file}" for name, file in FILES.items()]


FILES = {"history": "days.parquet", "cameras": "cameras.parquet", "planned": "planned.toml"}


def run(*words: str, code: int = 0) -> str:
    """What the command prints."""
    done = CliRunner().invoke(app, ["capacity", *words])
    assert done.exit_code == code, done.output
    return done.output


def test_a_pool_that_fills_is_said_with_its_dates_and_whose_footage_it_is(files) -> None:
    """The pool whose size is known and too small; the other one's size is said to be missing."""
    said = run("forecast", *files, "--days", "60")
    assert "60 cameras" in said
    assert "model in use" in said
    assert "pressed" in said
    assert "a day of" in said
    assert "how large is pool-1?" in said


def test_the_forecast_is_there_for_programs(files) -> None:
    """With model, errors, dates, and what is kept in the end."""
    found = json.loads(run("forecast", *files, "--days", "60", "--json"))
    assert found["model"] in found["error"]
    assert found["history"]["days"] == 200
    by_name = {each["name"]: each for each in found["fillings"]}
    assert by_name["pool-0"]["size_bytes"] == 30e12
    end = by_name["pool-0"]["at_the_end"]
    assert end["low_90"] < end["low_50"] < end["likely"] < end["high_50"] < end["high_90"]


def test_every_day_goes_into_a_file(files, tmp_path) -> None:
    """CSV and Parquet hold the same days; --only takes one pool."""
    run("forecast", *files, "--days", "20", "--out", str(tmp_path / "f.csv"), "--only", "pool-0")
    run("forecast", *files, "--days", "20", "--out", str(tmp_path / "f.parquet"))
    every = pl.read_parquet(tmp_path / "f.parquet")
    assert pl.read_csv(tmp_path / "f.csv").height == 20
    assert set(every["name"]) == {"pool-0", "pool-1"}
    assert "there already" in run("forecast", *files, "--out", str(tmp_path / "f.csv"), code=2)


@pytest.mark.parametrize(("form", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_forecast_is_drawn(files, tmp_path, form: str, begins: bytes) -> None:
    """A panel a pool."""
    run("forecast", *files, "--days", "20", "--out", str(tmp_path / f"f.{form}"))
    assert (tmp_path / f"f.{form}").read_bytes().startswith(begins)


def test_models_are_tried_and_the_winner_is_named(files) -> None:
    """For pools and for cameras, each with its error and coverage; and the one in use has the smallest error of those that may be."""
    said = run("backtest", *files, "--days", "60")
    assert "in use" in said
    found = json.loads(run("backtest", *files, "--days", "60", "--json"))
    models = found["pools"]["models"]
    candidates = {name: each["error"] for name, each in models.items() if name != found["pools"]["baseline"]}
    assert found["pools"]["in_use"] == min(candidates, key=lambda name: candidates[name])
    assert all(0 <= each["covers_50"] <= each["covers_90"] <= 1 for each in models.values())
    assert found["cameras"]["models"]["seasonal-naive"]["of_baseline"] == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--days", "0"], "a day ahead at least"),
        (["--days", "9999"], "1095 days ahead at most"),
        (["--only", "cellar"], "there is pool-0"),
        (["--out", "x.xls"], ".csv, .parquet, .svg or .png"),
        (["--cameras", "nowhere.parquet"], "nowhere.parquet: cannot be read"),
    ],
)
def test_what_cannot_be_forecast_is_said(files, words: list[str], says: str, tmp_path, monkeypatch) -> None:
    """In a sentence that says what there is."""
    monkeypatch.chdir(tmp_path)
    assert says in run("forecast", *files, *words, code=2)


def test_too_little_history_says_how_much_it_takes(tmp_path) -> None:
    """With the day on which there will be enough; a week is enough for a forecast whose intervals are said to be a guess."""
    (tmp_path / "planned.toml").write_text(PLANNED.format(size=1))
    words = [f"--{name}={tmp_path / file}" for name, file in FILES.items()]
    for days in (3, 8):
        history = live(TwinOrder(cameras=5, days=days, pools=1, campaigns=0)).history
        write_days(history, tmp_path / "days.parquet")
        history.cameras.write_parquet(tmp_path / "cameras.parquet")
        if days == 3:
            said = run("forecast", *words, code=2)
            assert "3 days of history" in said
            assert "ask again on 2023-01-08" in said
        else:
            assert "the intervals are a guess" in run("forecast", *words, "--days", "30")
    assert "35 days" in run("backtest", *words, code=2)


def test_a_frame_without_a_column_is_refused(files, tmp_path) -> None:
    """With the column that is missing."""
    pl.read_parquet(files[1].partition("=")[2]).drop("tier").write_parquet(tmp_path / "c.parquet")
    assert "no column tier" in run("forecast", *files, "--cameras", str(tmp_path / "c.parquet"), code=2)
