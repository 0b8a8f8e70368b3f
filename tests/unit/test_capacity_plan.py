"""Plans: what they come to, against arithmetic done here by hand, and laws that hold for any plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.explain import explain
from capacity.formula import compute, inputs_of
from capacity.formulas import FORMULAS, Level
from capacity.plan import WHOLE, Figures, stock_of, work_out
from capacity.plan_file import COSTS, PLANS, Plan, plan_of, read_plan
from capacity.ranges import Range, between, exactly, summed_up
from capacity.tables import beside, table
from segments.errors import BadInput

CITIES = {  # class 1 cameras: added in 2016, and to be there in 2020, as the plan of 2016 has them by city
    "fuzhou": (10_000, 22_000),
    "xiamen": (2_550, 18_000),
    "zhangzhou": (1_514, 18_000),
    "quanzhou": (10_000, 40_000),
    "putian": (10_700, 20_000),
    "sanming": (917, 14_000),
    "nanping": (830, 10_000),
    "longyan": (1_180, 10_000),
    "ningde": (2_934, 25_000),
    "pingtan": (600, 4_000),
}


@cache
def shipped() -> Plan:
    """The province."""
    return read_plan(PLANS / "province.toml")


def a_plan(**changes: Any) -> Plan:
    """Two sites of 1,000 and 3,000 cameras of 4 Mbit/s, kept for 30 days and a bit, all known exactly."""
    costs = shipped().inputs
    good: dict[str, Any] = {
        "plan": 1,
        "title": "two towns",
        "years": [2026],
        "inputs": {name: {"value": each.value.likely, "source": "test"} for name, each in costs.items()},
        "tiers": {"general": {"keep_days": 30}, "key": {"keep_days": 90, "copies": 2}},
        "sites": {"east": {"name": "East"}, "west": {"name": "West"}},
        "cameras": {
            "east": {"site": "east", "class": 1, "stock": {2026: 1000}, "bitrate_mbit_per_s": 4, "tier": "general"},
            "west": {"site": "west", "class": 2, "stock": {2026: 3000}, "bitrate_mbit_per_s": 4, "tier": "general"},
        },
    }
    return plan_of({**good, **changes}, COSTS)


def changed(plan: Plan, **inputs: float) -> Plan:
    """The same plan with other inputs."""
    return plan.model_copy(
        update={"inputs": plan.inputs | {name: plan.inputs[name].model_copy(update={"value": exactly(v)}) for name, v in inputs.items()}}
    )


def stocked(plan: Plan, factor: float) -> Plan:
    """The same plan with so many times the cameras."""
    more = {
        name: group.model_copy(update={"stock": {year: count * factor for year, count in group.stock.items()}})
        for name, group in plan.cameras.items()
    }
    return plan.model_copy(update={"cameras": more})


def the(plan: Plan, name: str, site: str = WHOLE, year: int = 2026) -> float:
    """The likely value of a figure."""
    return figures_of(plan)[year].of(name, site).likely


_MADE: list[tuple[Plan, Mapping[int, Figures]]] = []


def figures_of(plan: Plan) -> Mapping[int, Figures]:
    """All figures of a plan; worked out once for each of the plans that a test compares."""
    for known, figures in _MADE:
        if known is plan:
            return figures
    _MADE.append((plan, work_out(plan)))
    del _MADE[:-4]
    return _MADE[-1][1]


def test_a_small_plan_comes_to_what_is_reckoned_by_hand() -> None:
    """4,000 cameras of 4 Mbit/s, 31.25 days, coding of 1.5, filled to nine tenths, disks of 8 TB, 36 a node, one node to spare a site."""
    plan = a_plan()
    kept = 4000 * 4e6 / 8 * 86_400 * (30 + 1.25)
    assert the(plan, "kept_bytes") == pytest.approx(kept)
    assert the(plan, "raw_bytes") == pytest.approx(kept * 1.5 / 0.9)
    disks = {site: math.ceil(kept * share * 1.5 / 0.9 / 8e12) for site, share in (("east", 0.25), ("west", 0.75))}
    assert the(plan, "disks", "east") == disks["east"]
    assert the(plan, "disks") == sum(disks.values())
    assert the(plan, "storage_nodes") == sum(math.ceil(count / 36) + 1 for count in disks.values())
    assert the(plan, "all_puts_per_s") == pytest.approx(4000 / 60)
    assert the(plan, "objects") == pytest.approx(4000 * 1440 * 31.25)


def test_the_explanation_is_what_is_computed() -> None:
    """Each formula as printed, given to Python with the values as printed, gives the value as printed."""
    plan = a_plan()
    figures = work_out(plan)[2026]
    for site in ("east", "west"):
        steps = {step.name: step for name in ("disks", "index_nodes", "recorder_nodes") for step in explain(plan, figures, name, site)}
        assert len(steps) > 20
        for step in steps.values():
            if step.formula:
                values = {name: steps[name].value.likely for name in inputs_of(step.formula)}
                again = eval(step.formula, {"ceil": math.ceil, "max": max, "min": min}, values)
                assert again == pytest.approx(step.value.likely), step


def test_every_formula_has_what_it_needs_and_every_input_is_used() -> None:
    """In order: a formula comes after those it stands on; the shipped costs are no dead numbers."""
    given_by_plan = {"cameras", "bitrate_mbit_per_s", "recorded_share", "part_share", "keep_days", "part_keep_days", "tier_copies"}
    known = given_by_plan | {"part_copies", "years_on", "nodes_there"} | set(shipped().inputs)
    used = set()
    for formula in FORMULAS:
        for name in inputs_of(formula.text):
            used.add(name)
            assert name in known or name.endswith("_price"), (formula.name, name)
        known.add(formula.name)
    own = {name for name in shipped().inputs if not name.endswith(("class_1", "class_2"))}
    assert own - used == {"spread", "growth_after_2020"}


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0, 1000))
def test_twice_the_cameras_make_twice_the_bytes(factor: float) -> None:
    """So many times the cameras need so many times the bytes, and never fewer disks or nodes."""
    plan = a_plan()
    more = stocked(plan, factor)
    for name in ("kept_bytes", "raw_bytes", "objects", "all_puts_per_s", "recorder_cores"):
        assert the(more, name) == pytest.approx(the(plan, name) * factor)
    if factor >= 1:
        assert the(more, "storage_nodes") >= the(plan, "storage_nodes")


@settings(max_examples=15, deadline=None)
@given(days=st.floats(1, 400), longer=st.floats(0, 400))
def test_a_longer_term_never_needs_less(days: float, longer: float) -> None:
    """Floors are monotone: each figure of a plan with a longer term is at least that of the shorter."""
    short, long = (a_plan(tiers={"general": {"keep_days": each}, "key": {"keep_days": 90}}) for each in (days, days + longer))
    for name in ("kept_bytes", "disks", "storage_nodes", "index_nodes", "objects"):
        assert the(long, name) >= the(short, name)


def test_cameras_of_a_lost_site_are_recorded_by_the_others() -> None:
    """None is lost, the lost site has nothing, and the others have as much more."""
    whole, lost = a_plan(), a_plan(sites={"east": {"name": "East", "lost": True}, "west": {"name": "West"}})
    assert the(lost, "cameras") == the(whole, "cameras")
    assert the(lost, "kept_bytes", "west") == pytest.approx(the(whole, "kept_bytes"))
    assert "east" not in work_out(lost)[2026].places


def test_a_node_less_fills_what_is_there() -> None:
    """Of ten nodes one is down: what is kept takes ten ninths of the share."""
    sites = {"east": {"name": "East", "nodes": 10}, "west": {"name": "West", "nodes": 30}}
    plan = a_plan(sites=sites)
    assert the(changed(plan, nodes_lost=1), "full_share", "east") == pytest.approx(the(plan, "full_share", "east") * 10 / 9)


def test_more_copies_cost_bytes_and_network() -> None:
    """A tier of two copies stores all of it twice and sends it once."""
    plan = a_plan()
    groups = {name: group.model_copy(update={"tier": "key"}) for name, group in plan.cameras.items()}
    twice = plan.model_copy(update={"cameras": groups})
    assert the(twice, "stored_bytes") == pytest.approx(the(twice, "kept_bytes") * 2)
    assert the(twice, "copied_bit_per_s") == pytest.approx(the(twice, "ingest_bit_per_s"))


def test_h265_for_h264_takes_half_where_all_change() -> None:
    """All cameras at half the rate make half the bytes, and as many objects."""
    plan = a_plan()
    other = changed(plan, h265_share=1)
    assert the(other, "kept_bytes") == pytest.approx(the(plan, "kept_bytes") / 2)
    assert the(other, "objects") == the(plan, "objects")


def test_money_is_said_only_where_prices_are_given() -> None:
    """Without prices there is no price; with all of them it is their sum."""
    plan = a_plan()
    assert "price" not in work_out(plan)[2026].places[WHOLE]
    prices = {"disk_price": 1000, "storage_node_price": 50_000, "index_node_price": 60_000, "recorder_node_price": 40_000}
    given_prices = {name: {"value": value, "source": "an offer"} for name, value in prices.items()}
    inputs = {name: {"value": each.value.likely} for name, each in plan.inputs.items()}
    priced = a_plan(inputs=inputs | given_prices)
    nodes = {name: the(priced, name) for name in ("storage_nodes", "index_nodes", "recorder_nodes")}
    wanted = nodes["storage_nodes"] * (36 * 1000 + 50_000) + nodes["index_nodes"] * 60_000 + nodes["recorder_nodes"] * 40_000
    assert the(priced, "price") == pytest.approx(wanted)


@given(low=st.floats(-1e6, 1e6), rest=st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)))
def test_worlds_lie_in_their_range(low: float, rest: tuple[float, float]) -> None:
    """No world is outside of low and high, and the same name has the same worlds."""
    value = between(low, low + rest[0], low + rest[0] + rest[1])
    samples = value.samples("bitrate", 500)
    assert samples.min() >= value.low - 1e-6
    assert samples.max() <= value.high + 1e-6
    assert np.array_equal(samples, value.samples("bitrate", 500))


def test_uncertainty_goes_through_to_the_result() -> None:
    """A bitrate of 2 to 4 makes a range of bytes that lies within twice and four times those of 1 Mbit/s, and is no point."""
    plan = a_plan()
    group = plan.cameras["east"].model_copy(update={"bitrate_mbit_per_s": between(2, 3, 4)})
    found = work_out(plan.model_copy(update={"cameras": {"east": group}}))[2026].of("kept_bytes")
    one = the(plan, "kept_bytes", "east") / 4
    assert 2 * one < found.low < 2.7 * one < found.likely < 3.3 * one < found.high < 4 * one


def test_what_comes_in_together_is_uncertain_together() -> None:
    """Two groups that name the same input are at their worst in the same worlds: their sum is as wide as one of their size."""
    plan = a_plan()
    inputs = plan.inputs | {"rate": plan.inputs["h265_rate"].model_copy(update={"value": between(2, 3, 4)})}
    named = {name: group.model_copy(update={"bitrate_mbit_per_s": "rate"}) for name, group in plan.cameras.items()}
    both = work_out(plan.model_copy(update={"inputs": inputs, "cameras": named}))[2026]
    assert both.of("kept_bytes").low == pytest.approx(both.of("kept_bytes", "west").low * 4 / 3)


def test_two_plans_are_compared_in_the_same_worlds() -> None:
    """H.265 in four of five cameras takes exactly two fifths off the bytes, whatever the bitrate is."""
    left, right = (table(work_out(read_plan(PLANS / f"{name}.toml"))) for name in ("province", "province-h265"))
    row = beside(left, right).filter((left["figure"] == "kept_bytes") & (left["site"] == "") & (left["year"] == 2020)).to_dicts()[0]
    assert row["change"] == pytest.approx(-0.4)
    assert row["low_other"] == pytest.approx(row["low"] * 0.6)


def test_the_province_has_the_cameras_of_its_plan() -> None:
    """181,000 class 1 by city as planned, 200,000 class 2 spread in proportion, and the report says what is assumed."""
    plan = shipped()
    for city, (added, target) in CITIES.items():
        assert stock_of(plan.cameras[f"{city}-1"], 2020) == target
        start = 75_900 * target / 181_000 + added / 2
        assert stock_of(plan.cameras[f"{city}-1"], 2016) == pytest.approx(min(start, target), abs=1)
        assert stock_of(plan.cameras[f"{city}-2"], 2020) == pytest.approx(200_000 * target / 181_000, abs=1)
    found = work_out(plan)[2020]
    assert found.of("cameras") == exactly(381_000)
    assert 0.9e12 < found.of("ingest_bit_per_s").low < 1.0e12  # 95 to 190 GB/s between 2 and 4 Mbit/s (research)
    assert "proportion" in plan.inputs["spread"].assumption
    assert all(each.assumption or each.source for each in plan.inputs.values())
    assert all(each.assumption_zh for each in plan.inputs.values() if each.assumption)


@pytest.mark.parametrize("text", ["__import__('os')", "a.b", "a if b else c", "[1]", "f(1)", "lambda: 1", "'x'", "a +", "ceil(a, x=1)"])
def test_a_formula_is_arithmetic_and_nothing_else(text: str) -> None:
    """Whatever else Python could say is refused with a sentence."""
    with pytest.raises(BadInput):
        compute(text, {"a": np.ones(1), "b": np.ones(1)})


def test_summing_up_says_where_nine_of_ten_worlds_lie() -> None:
    """Of the numbers 0 to 100 that is 5, 50 and 95."""
    assert summed_up(np.arange(101.0)) == Range(5, 50, 95)


def test_figures_are_of_one_level() -> None:
    """A name is computed at one level only, so that a sum is never mistaken for a figure of its own."""
    assert len({formula.name for formula in FORMULAS}) == len(FORMULAS)
    assert {formula.level for formula in FORMULAS} == set(Level)
