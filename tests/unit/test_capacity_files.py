"""Plan files: what is wrong is said with its line, its field and what would be right; a scenario says only what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from capacity.plan_file import read_plan
from capacity.plan_lines import line_of
from capacity.ranges import exactly
from segments.errors import BadInput

GOOD = """\
plan = 1
title = "one town"
years = [2026, 2027]

[tiers.general]
keep_days = 30

[sites.town]
name = "Town"

[cameras.streets]
site = "town"
class = 2
stock = { 2026 = 100, 2027 = 200 }
bitrate_mbit_per_s = { low = 2, likely = 3, high = 4 }
tier = "general"
"""


def written(folder: Path, text: str, name: str = "plan.toml") -> Path:
    """A plan file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_plan_lies_over_the_measured_costs(tmp_path) -> None:
    """It needs to say nothing of what a camera or a row costs."""
    plan = read_plan(written(tmp_path, GOOD))
    assert plan.cameras["streets"].stock == {2026: 100, 2027: 200}
    assert plan.inputs["segment_s"].value == exactly(60)


@pytest.mark.parametrize(
    ("right", "wrong", "line", "says"),
    [
        ('tier = "general"', 'tier = "genral"', 16, "there is general"),
        ('site = "town"', 'site = "twon"', 12, "there is town"),
        ("class = 2\n", "", 11, "streets.class: is missing"),
        ("class = 2", "class = 4", 13, "less than or equal to 3"),
        ("keep_days = 30", "keep_days = 0", 6, "greater than 0"),
        ("keep_days = 30", "keepdays = 30", 6, "not permitted"),
        ("low = 2, likely = 3", "low = 3.5, likely = 3", 15, "in this order"),
        ("high = 4", "hi = 4", 15, "`low`, `likely` and `high`"),
        ("{ 2026 = 100, 2027 = 200 }", "{ 2026 = -100 }", 11, "below 0"),
        ("years = [2026, 2027]", "years = [2027, 2026]", 3, "rise"),
        ("plan = 1", "plan = 2", 1, "1"),
        ('title = "one town"', "title = ", 2, "no TOML"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_field(tmp_path, right: str, wrong: str, line: int, says: str) -> None:
    """Each fault of its own, put into a good plan."""
    assert right in GOOD
    with pytest.raises(BadInput) as caught:
        read_plan(written(tmp_path, GOOD.replace(right, wrong)))
    assert says in str(caught.value)
    assert f"line {line}" in str(caught.value)


def test_a_scenario_says_only_what_differs(tmp_path) -> None:
    """Tables are laid over one another; ranges are replaced whole."""
    written(tmp_path, GOOD)
    text = 'extends = "plan.toml"\ntitle = "more"\n[cameras.streets]\nbitrate_mbit_per_s = { low = 1, likely = 1, high = 2 }\n'
    plan = read_plan(written(tmp_path, text, "more.toml"))
    assert (plan.title, plan.cameras["streets"].stock[2027]) == ("more", 200)
    assert plan.cameras["streets"].bitrate_mbit_per_s == (1, 1, 2)


def test_plans_that_extend_each_other_in_a_circle_are_refused(tmp_path) -> None:
    """Instead of reading for ever."""
    path = written(tmp_path, 'extends = "plan.toml"\n')
    with pytest.raises(BadInput, match="circle"):
        read_plan(path)


def test_a_file_that_is_not_there_is_said(tmp_path) -> None:
    """With its path and why."""
    with pytest.raises(BadInput, match="cannot be read"):
        read_plan(tmp_path / "none.toml")


def test_the_line_of_a_place_is_that_of_its_deepest_part() -> None:
    """A header, a key under it, a dotted key, and nothing."""
    text = "a = 1\n[b.c]\nd = 2\n\n[b]\nc2.e = 3\n"
    assert [line_of(text, place.split(".")) for place in ("a", "b.c", "b.c.d", "b.c.x", "b.c2.e", "z")] == [1, 2, 3, 2, 6, None]
