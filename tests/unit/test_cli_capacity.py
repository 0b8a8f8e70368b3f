"""`keepsight capacity plan|compare|report`: as a planner uses them."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from deploy.capacity_words import EN, FIGURES, WORDS, ZH
from deploy.cli import app


def run(*words: str, code: int = 0) -> str:
    """What a command prints; it ends with this code."""
    done = CliRunner().invoke(app, ["capacity", *words], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def test_the_shipped_province_is_planned_by_name() -> None:
    """Its cameras and bytes of a year, for people and for programs."""
    assert "381,000" in run("plan", "province", "--year", "2020")
    rows = {row["figure"]: row for row in json.loads(run("plan", "province", "--year", "2020", "--json"))}
    assert rows["cameras"]["likely"] == 381_000
    assert rows["kept_bytes"]["low"] < rows["kept_bytes"]["likely"] < rows["kept_bytes"]["high"]


def test_a_figure_is_explained_to_its_inputs() -> None:
    """The formula, what it is computed from, and who says so."""
    said = run("plan", "province", "--year", "2020", "--explain", "disks")
    assert "ceil(raw_bytes / disk_bytes)" in said
    assert "assumed: disks of 8 TB" in said
    assert {step["name"] for step in json.loads(run("plan", "province", "--explain", "disks", "--json"))} >= {"disks", "disk_bytes"}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_all_figures_go_into_a_file(tmp_path, suffix: str) -> None:
    """CSV and Parquet hold the same table, and a file that is there is not written over."""
    path = tmp_path / f"figures.{suffix}"
    run("plan", "province", "--out", str(path))
    frame = pl.read_csv(path).with_columns(pl.col("site").fill_null("")) if suffix == "csv" else pl.read_parquet(path)
    assert frame.filter((pl.col("figure") == "cameras") & (pl.col("year") == 2020) & (pl.col("site") == ""))["likely"].item() == 381_000
    assert "there already" in run("plan", "province", "--out", str(path), code=2)


def test_two_plans_stand_side_by_side() -> None:
    """With the change of each figure."""
    rows = json.loads(run("compare", "province", "province-h265", "--year", "2020", "--json"))
    assert {row["figure"]: row["change"] for row in rows}["stored_bytes"] == pytest.approx(-0.4)
    assert "-40.0%" in run("compare", "province", "province-h265", "--year", "2020")


@pytest.mark.parametrize(("lang", "says"), [("en", "What is assumed"), ("zh", "在存录像")])
def test_the_report_is_one_page_that_needs_nothing_else(tmp_path, lang: str, says: str) -> None:
    """Tables, plots, assumptions and formulas in either language; no script, nothing fetched, foreign text escaped."""
    run("report", "province", "--with", "province-h265", "--lang", lang, "--out", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert says in page
    assert page.count("data:image/svg+xml") == 4
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_title_is_no_markup(tmp_path) -> None:
    """What a plan says is text."""
    from capacity.plan_file import PLANS

    plan = tmp_path / "evil.toml"
    text = (PLANS / "province.toml").read_text(encoding="utf-8")
    plan.write_text(text.replace("A province: 381,000 cameras by 2020", "<script>x</script>"), encoding="utf-8")
    run("report", str(plan), "--out", str(tmp_path / "report.html"))
    assert "<script>" not in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("plan", "nowhere.toml"), "cannot be read"),
        (("plan", "province", "--year", "1999"), "has no year 1999"),
        (("plan", "province", "--site", "atlantis"), "there is no site"),
        (("plan", "province", "--explain", "happiness"), "no figure"),
        (("plan", "province", "--out", "x.xls"), ".csv or .parquet"),
    ],
)
def test_what_cannot_be_planned_is_said(words: tuple[str, ...], says: str, tmp_path, monkeypatch) -> None:
    """In a sentence that says what there is."""
    monkeypatch.chdir(tmp_path)
    assert says in run(*words, code=2)


def test_both_languages_have_all_words() -> None:
    """A word that is missing in one of them would be seen too late."""
    assert WORDS[EN].keys() == WORDS[ZH].keys()
    assert FIGURES[EN].keys() == FIGURES[ZH].keys()
