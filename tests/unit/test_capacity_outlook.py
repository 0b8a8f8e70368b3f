"""When pools fill and floors break: against arithmetic written out, and a deletion played day by day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.backtest import coverage
from capacity.days import DAYS
from capacity.flow import kept_bytes
from capacity.forecast_tables import FORECAST, filling_values, forecast_table
from capacity.history import CAMERAS, History, history_of
from capacity.inflow import Addition, held_share, inflow
from capacity.levels import expected_levels
from capacity.outlook import Room, outlook
from capacity.past import UNCHANGED, Past, best_of, days_needed, tried, try_the_past, widths
from capacity.planned_file import planned_of
from capacity.pools import PoolForecast, by_pool, look_ahead
from capacity.tier_changes import TierChange, changed, with_changes
from segments.errors import BadInput

FIRST = date(2025, 1, 1)
GB = 1e9
PLANNED = """
[pools.main]
size = "24 TB"
high_mark = 0.75

[tiers.general]
floor_days = 20
keep_days = 30

[cameras.gate]
pool = "main"
tier = "general"
count = 10
from = 2025-07-29
to = 2025-07-29
"""


def a_history(recorded: np.ndarray, **columns: list[str]) -> History:
    """Cameras of tier general in pool main of the site here, unless columns say otherwise."""
    count = len(recorded)
    usual = {name: [""] * count for name, kind in CAMERAS.items() if kind == pl.String}
    usual |= {"camera": [f"c{n}" for n in range(count)], "pool": ["main"] * count, "site": ["here"] * count, "tier": ["general"] * count}
    return History(pl.DataFrame({**usual, "class": [2] * count, **columns}, schema=CAMERAS), FIRST, recorded.astype(np.float32))


def terms(**days: int):
    """Footage of a tier is gone after so many days."""
    return lambda tier, day: day + timedelta(days=days[tier] + 1)


def test_the_day_a_pool_is_pressed_and_the_day_a_floor_breaks() -> None:
    """Ten cameras of 40 GB, ten more on 29 July. Kept: 31 days of 0.4 TB, and 0.4 more each day; above 18 TB on the 14th day from then.

    Under the floor: 21 days, 8.4 TB; even with 21 more days it is 16.8 TB, so no floor breaks until the mark is lower.
    """
    planned = planned_of(PLANNED, "x.toml")
    history = a_history(np.full((10, 200), 40 * GB))
    ahead = look_ahead(history, 60, planned.keeps(), additions=planned.additions)
    (pool, site) = outlook(ahead, planned.keeps(), planned.floors(), {"main": Room(24e12, 18e12)})
    assert pool.now_bytes == pytest.approx(31 * 0.4e12)
    assert pool.pressed == (date(2025, 8, 11), date(2025, 8, 11), date(2025, 8, 11))
    assert pool.full[1] == date(2025, 8, 26)
    assert pool.breaks == (None, None, None)
    assert (site.name, site.pools, site.pressed) == ("here", ["main"], pool.pressed)
    (lower, _) = outlook(ahead, planned.keeps(), planned.floors(), {"main": Room(24e12, 15e12)})
    assert lower.breaks[1] == date(2025, 8, 14)
    assert [(hit.tier, hit.day, hit.bytes) for hit in lower.hits] == [("general", date(2025, 7, 25), pytest.approx(0.4e12))]
    assert [(each.tier, each.cameras, each.share) for each in lower.whose] == [("general", 10, 1.0)]


def test_a_site_keeps_what_its_pools_keep() -> None:
    """Two pools of one site, one of another; a site of which a pool's size is not known has none."""
    history = a_history(np.full((3, 100), GB), pool=["a", "b", "c"], site=["x", "x", "y"])
    keeps = terms(general=30)
    found = outlook(look_ahead(history, 10, keeps), keeps, keeps, {"a": Room(1e12, 9e11), "b": Room(2e12, 18e11)})
    sites = {each.name: each for each in found if each.is_site}
    assert sites["x"].room == Room(3e12, 27e11)
    assert sites["y"].room is None
    assert sites["x"].kept.likely == pytest.approx(sum(each.kept.likely for each in found if each.name in {"a", "b"}))


def test_the_pool_whose_floor_breaks_first_stands_first() -> None:
    """Before those that are pressed only, and those that are neither."""
    history = a_history(np.full((3, 100), GB), pool=["a", "b", "c"])
    keeps, floors = terms(general=30), terms(general=20)
    rooms = {"a": Room(1e12, 1e12), "b": Room(25e9, 25e9), "c": Room(15e9, 15e9)}
    assert [each.name for each in outlook(look_ahead(history, 10, keeps), keeps, floors, rooms)] == ["c", "b", "a", "here"]


@settings(max_examples=40, deadline=None)
@given(before=st.integers(1, 40), after=st.integers(1, 40), on=st.integers(0, 90))
def test_a_tier_that_changes_keeps_what_a_deletion_every_evening_leaves(before: int, after: int, on: int) -> None:
    """Each evening what is older than the tier of that day says is deleted, and does not come back."""
    days = 100
    leaves = changed(terms(old=before, new=after))
    kept = kept_bytes(FIRST, [f"old then new on {FIRST + timedelta(days=on)}"], np.ones((1, days)), leaves)[0]
    there: set[int] = set()
    for day in range(days):
        there.add(day)
        there = {each for each in there if day < each + (before if day < on else after) + 1}
        assert kept[day] == len(there)


def test_only_cameras_of_the_area_change() -> None:
    """Those in it and below, of that tier; a second change follows the first."""
    areas, tiers = ["city/north", "city/north/gate", "city/northern", ""], ["general", "general", "general", "key"]
    history, change = a_history(np.ones((4, 3)), area=areas, tier=tiers), TierChange("general", "key", date(2026, 1, 1), "city/north")
    once = with_changes(history, [change]).cameras["tier"].to_list()
    assert once == ["general then key on 2026-01-01"] * 2 + ["general", "key"]
    twice = with_changes(history, [TierChange("key", "long", date(2026, 2, 1)), change]).cameras["tier"].to_list()
    assert twice == ["general then key on 2026-01-01 then long on 2026-02-01"] * 2 + ["general", "key then long on 2026-02-01"]


def test_what_holds_keep_piles_up() -> None:
    """One of two cameras held from the tenth day on: it never leaves, while the other's term runs; holds to come keep a tenth of that."""
    history = a_history(np.full((2, 60), 10 * GB))

    def held(cameras: pl.DataFrame, first: date, days: int) -> np.ndarray:
        shares = np.zeros((cameras.height, days), np.float32)
        shares[0, 9:] = 1
        return shares

    ahead = look_ahead(history, 50, terms(general=20), held=held, new_hold_share=0.1)
    kept = ahead.kept(terms(general=20))[0]
    assert kept[59] == pytest.approx((51 + 21) * 10 * GB, rel=1e-6)
    assert kept[109] == pytest.approx((101 + 21 + 0.1 * 29) * 10 * GB, rel=1e-3)


def test_holds_to_come_are_as_many_as_there_were() -> None:
    """A fifth of what came is held by holds that are over; one that still grows is in the forecast already, and not counted again."""
    history = a_history(np.full((2, 100), GB))

    def held(cameras: pl.DataFrame, first: date, days: int) -> np.ndarray:
        shares = np.zeros((2, days), np.float32)
        shares[0, 10:50] = 1
        return shares

    def growing(cameras: pl.DataFrame, first: date, days: int) -> np.ndarray:
        return np.ones((2, days), np.float32)

    assert held_share(history, held) == pytest.approx(0.2)
    assert held_share(history, growing) == 0


def test_the_model_in_use_is_the_one_that_was_least_wrong_about_pools() -> None:
    """A kind that grows by half a year, every year: the one that sees trends; all days alike: none is wrong."""
    rng = np.random.default_rng(3)
    growing = 40 * GB * 1.5 ** (np.arange(300) / 365) * rng.lognormal(0, 0.02, (20, 300))
    keeps = terms(general=30)
    found = look_ahead(a_history(growing), 90, keeps)
    assert found.model == "levels-trend"
    assert found.tried["levels-trend"].error < 0.6 * found.tried["levels"].error < 0.6 * found.tried[UNCHANGED].error
    assert look_ahead(a_history(np.full((5, 100), GB)), 30, keeps).tried["naive"].error == pytest.approx(0, abs=1e-6)


def test_what_pools_do_without_a_forecast_is_never_in_use() -> None:
    """Though it may be least wrong: it knows no plan. And where nothing could be tried the levels are."""
    history = a_history(np.full((5, 100), GB))
    found = tried(try_the_past(history, 30, terms(general=30)))
    assert best_of(dict(sorted(found.items(), key=lambda item: item[0] != UNCHANGED))) != UNCHANGED
    assert best_of(tried(try_the_past(a_history(np.full((5, 20), GB)), 30, terms(general=30)))) == "levels"


def test_intervals_are_as_wide_as_forecasts_were_wrong() -> None:
    """Twice the errors, twice the width; with errors known their quantiles lie inside; of nothing tried little is claimed."""
    rng = np.random.default_rng(1)
    wrong = rng.normal(0, 0.1, (16, 10, 30))
    wide = widths(wrong)
    assert widths(2 * wrong) == pytest.approx(2 * wide)
    assert np.mean(np.abs(wrong) <= wide[1]) > 0.9
    assert (wide[0] < wide[1]).all()
    assert (widths(np.full((0, 3, 5), np.nan)) == [[0.2] * 5, [0.5] * 5]).all()


def test_coverage_is_counted_with_the_intervals_of_the_other_tries() -> None:
    """Of two tries one was ten times as wrong: the small errors all lie in the intervals of the large ones, few of the large in the small.

    Intervals that had seen their own errors would cover nine of ten of both.
    """
    rng = np.random.default_rng(2)
    wrong = np.stack([rng.normal(0, 0.01, (50, 28)), rng.normal(0, 0.1, (50, 28))])
    past = Past([("main", "general")], 1e12 * np.exp(wrong), {"levels": np.full(wrong.shape, 1e12)})
    assert 0.5 < tried(past)["levels"].covers[1] < 0.75
    cameras = [rng.normal(0, 1, (50, 28)), rng.normal(0, 10, (50, 28))]
    assert 0.5 < coverage(cameras, 28)[1] < 0.75


def test_days_nobody_tried_are_reckoned_from_the_last_that_was() -> None:
    """By the root of how far they are."""
    wrong = np.full((4, 1, 40), np.nan)
    wrong[:, :, :10] = 0.1
    wide = widths(wrong)[1]
    assert wide[:10] == pytest.approx([0.1 * 1.5] * 10)
    assert wide[39] == pytest.approx(0.15 * np.sqrt(40 / 10))


def test_how_much_history_a_forecast_takes_to_be_tried() -> None:
    """With so many days it is tried to its end twice, with one less it is not."""
    needed = days_needed(60)
    history = a_history(np.full((1, needed), GB))
    assert try_the_past(history, 60, terms(general=30)).tried_days == 60
    assert try_the_past(history.before(history.end - timedelta(days=1)), 60, terms(general=30)).tried_days < 60


def test_footage_of_a_camera_that_was_moved_stays_where_it_is() -> None:
    """Two cameras in the pool old; one is moved to new on the 40th of 60 days: old keeps half of it until its term is over, new the rest.

    Seen from a day before, it is where it was.
    """
    lines = [(f"c{n}", FIRST + timedelta(days=day), "new" if n == 0 and day >= 40 else "old") for n in range(2) for day in range(60)]
    days = pl.DataFrame(lines, schema={"camera": pl.String, "day": pl.Date, "pool": pl.String}, orient="row")
    rest = {"kind": "avc1", "segments": 1440, "recorded_bytes": 10 * 10**9, "recorded_s": 86_400.0}
    days = days.with_columns(**{name: pl.lit(value) for name, value in rest.items()}).select(
        pl.col(name).cast(kind) for name, kind in DAYS.items()
    )
    history = history_of(days, a_history(np.ones((2, 1)), pool=["new", "old"]).cameras)
    keeps = terms(general=29)
    found = {each.name: each for each in outlook(look_ahead(history, 20, keeps), keeps, keeps, {})}
    assert found["old"].now_bytes == pytest.approx((30 + 10) * 10 * GB)
    assert found["new"].now_bytes == pytest.approx(20 * 10 * GB)
    assert found["old"].kept.likely[-1] == pytest.approx(30 * 10 * GB, rel=1e-3)
    assert found["new"].kept.likely[-1] == pytest.approx(30 * 10 * GB, rel=1e-3)
    assert sorted(found["here"].pools) == ["new", "old"]
    before = history.before(FIRST + timedelta(days=40))
    assert before.cameras["pool"].to_list() == ["old", "old"]
    assert before.elsewhere.is_empty()


def test_cameras_of_a_new_pool_say_what_they_record() -> None:
    """Then a pool that is not there yet is forecast, too."""
    history = a_history(np.full((2, 60), GB))
    more = Addition("cellar", history.end, history.end, 3, "general", 2 * GB)
    come = inflow(history, 10, expected_levels, additions=[more])
    assert come.recorded[come.places.index(("cellar", "general"))][60:] == pytest.approx([6 * GB] * 10)
    keeps = terms(general=30)
    found = {each.name: each for each in outlook(look_ahead(history, 10, keeps, additions=[more]), keeps, keeps, {})}
    assert found["cellar"].kept.likely[-1] == pytest.approx(60 * GB)


def test_the_table_has_a_line_a_day_and_the_values_its_end() -> None:
    """Of every pool and site; low, likely and high in order."""
    history = a_history(np.full((2, 60), GB) * np.random.default_rng(1).lognormal(0, 0.1, (2, 60)))
    keeps = terms(general=30)
    found = outlook(look_ahead(history, 10, keeps), keeps, keeps, {"main": Room(1e12, 9e11)})
    table = forecast_table(found)
    assert dict(table.schema) == FORECAST
    assert table.height == 2 * 10
    assert table.filter(pl.col("kept_low_90_bytes") > pl.col("kept_likely_bytes")).is_empty()
    values = filling_values(found[0])
    assert values["size_bytes"] == 1e12
    assert values["at_the_end"]["likely"] == pytest.approx(table.filter(pl.col("what") == "pool")["kept_likely_bytes"][-1], abs=1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[pools.main]\nsize = "24 Tb"', "p.toml, line 2: pools.main.size: '24 Tb' is no size"),
        ("[tiers.a]\nfloor_days = 9\nkeep_days = 8", "p.toml, line 1: tiers.a: `floor_days` (9) cannot be more than `keep_days` (8)"),
        ('[cameras.x]\npool = "a"\ntier = "b"\ncount = 0\nfrom = 2027-01-01\nto = 2027-01-01', "line 4: cameras.x.count"),
        ('[cameras.x]\npool = "a"\ntier = "b"\ncount = 1\nfrom = 2027-01-02\nto = 2027-01-01', "cannot be after"),
        ("[holds]\nnew_share = 2", "line 2: holds.new_share"),
        ("planned = 2", "line 1: planned"),
        ("colour = 3", "line 1: colour"),
        ("pools = [", "no TOML"),
    ],
)
def test_what_is_wrong_in_a_planned_file_is_said(text: str, says: str) -> None:
    """With its line, its field and what would be right."""
    with pytest.raises(BadInput, match=r".") as caught:
        planned_of(text, "p.toml")
    assert says in str(caught.value)


def test_sizes_are_numbers_or_texts() -> None:
    """In decimal steps."""
    assert planned_of('[pools.a]\nsize = "1.5 PB"\n[pools.b]\nsize = 7', "x").pools["a"].size == 1_500_000_000_000_000
    assert planned_of("[pools.b]\nsize = 7", "x").pools["b"].size == 7


def test_a_tier_without_terms_is_said() -> None:
    """With what to write."""
    with pytest.raises(BadInput, match=r"write \[tiers.key\]"):
        planned_of("", "x").keeps()("key", FIRST)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), times=st.integers(2, 5), general=st.integers(5, 40), longer=st.integers(0, 30))
def test_laws_that_hold_for_any_history(seed: int, times: int, general: int, longer: int) -> None:
    """So many times the cameras, so many times the bytes; a longer term keeps no less; what may not go is no more than all that is kept."""
    recorded = 40 * GB * np.random.default_rng(seed).lognormal(0, 0.3, (4, 80))
    floors, keeps = terms(general=general), terms(general=general + longer)
    once = look_ahead(a_history(recorded), 30, keeps)
    often = look_ahead(a_history(np.tile(recorded, (times, 1))), 30, keeps)
    room = {"main": Room(1e13, 9e12)}
    (pool, _), (larger, _) = outlook(once, keeps, floors, room), outlook(often, keeps, floors, room)
    assert larger.kept.at == pytest.approx(times * pool.kept.at, rel=1e-6)
    assert (pool.bound.likely <= pool.kept.likely * (1 + 1e-9)).all()
    assert (pool.kept.at[:-1] <= pool.kept.at[1:]).all()


@settings(max_examples=20, deadline=None)
@given(mark=st.floats(1e12, 4e12), more=st.floats(0, 2e12))
def test_a_larger_pool_is_never_full_sooner(mark: float, more: float) -> None:
    """And the earliest day is never after the likely one, nor that after the latest."""
    found = GROWING.full_on(mark), GROWING.full_on(mark + more)
    for smaller, larger in zip(*found, strict=True):
        assert (smaller or date.max) <= (larger or date.max)
    early, middle, late = (each or date.max for each in found[0])
    assert early <= middle <= late


def _growing() -> PoolForecast:
    history = a_history(40 * GB * np.random.default_rng(4).lognormal(0, 0.3, (2, 80)))
    ahead = look_ahead(history, 200, terms(general=90))
    return ahead.forecasts(terms(general=90), by_pool(ahead.come.places))[0]


GROWING = _growing()
