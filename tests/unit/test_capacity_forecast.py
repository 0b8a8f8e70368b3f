"""Forecasts: against truths made here, whose answer is known without any model."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.backtest import BASELINE, backtest, forecast, split
from capacity.flow import for_days, kept_bytes
from capacity.history import CAMERAS, History, weekdays
from capacity.inflow import Addition
from capacity.levels import levels, naive, seasonal_naive, up_share
from capacity.pools import forecast_pools, keep
from capacity.twin import TwinOrder, live
from segments.errors import BadInput

FIRST = date(2025, 1, 1)
GB = 1e9
SMALL = TwinOrder(cameras=400, days=820, pools=3, seed=5)


def a_history(recorded: np.ndarray, pool: str = "main", tier: str = "general") -> History:
    """Cameras of one kind in one pool."""
    count = len(recorded)
    columns = {name: [""] * count for name, kind in CAMERAS.items() if kind == pl.String}
    columns |= {"camera": [f"c{n}" for n in range(count)], "pool": [pool] * count, "tier": [tier] * count, "kind": ["avc1"] * count}
    return History(pl.DataFrame(columns | {"class": [1] * count}, schema=CAMERAS), FIRST, recorded.astype(np.float32))


def test_a_steady_camera_goes_on_as_it_did() -> None:
    """Forty gigabytes a day stay forty gigabytes a day."""
    assert levels(a_history(np.full((3, 90), 40 * GB)), 30) == pytest.approx(40 * GB, rel=1e-3)


def test_weekends_are_seen() -> None:
    """A kind that records a fifth less at weekends is forecast so, on the right days."""
    rng = np.random.default_rng(1)
    weekend = np.where(weekdays(FIRST, 98) >= 5, 0.8, 1.0)
    found = levels(a_history(40 * GB * weekend * rng.lognormal(0, 0.01, (50, 98))), 14)
    wanted = 40 * GB * np.where(weekdays(FIRST + timedelta(days=98), 14) >= 5, 0.8, 1.0)
    assert np.median(found, axis=0) == pytest.approx(wanted, rel=0.02)


def test_an_outage_of_late_is_no_new_level() -> None:
    """A camera that was away for four of the last nine days is forecast as it is when it is there; the share it is there says the rest."""
    days = np.full((1, 60), 40 * GB)
    days[0, -6:-2] = 0
    history = a_history(days)
    assert levels(history, 7)[0] == pytest.approx(40 * GB, rel=0.01)
    assert up_share(history) == pytest.approx(56 / 60)


def test_an_encoder_that_was_set_anew_is_forecast_as_it_is_now() -> None:
    """Twice the bitrate for three weeks: that is its level."""
    days = np.full((1, 120), 20 * GB)
    days[0, -21:] = 40 * GB
    assert levels(a_history(days), 7)[0] == pytest.approx(40 * GB, rel=0.05)


def test_the_naive_ones_say_what_was() -> None:
    """The last day again, and the last week again by weekday."""
    days = np.arange(1.0, 22.0)[None] * GB
    assert naive(a_history(days), 3)[0] == pytest.approx([21 * GB] * 3)
    assert seasonal_naive(a_history(days), 9)[0] == pytest.approx([n * GB for n in (15, 16, 17, 18, 19, 20, 21, 15, 16)])


def test_the_model_in_use_is_the_one_that_was_least_wrong() -> None:
    """On a twin that is ours; where all days are alike but the last one, the naive forecast is not chosen."""
    tried = backtest(live(SMALL).history, 60)
    assert tried.best == min(tried.tried, key=lambda name: tried.tried[name].error_bytes) == "levels"
    assert tried.of_baseline[BASELINE] == 1
    assert tried.of_baseline["levels"] < 0.85


def test_intervals_hold_what_they_say_on_days_nobody_has_seen() -> None:
    """About nine of ten camera-days lie in the intervals of 90 %, about half in those of 50 %; a truth of half the size does not."""
    lived = live(SMALL)
    known, truth = split(lived.history, 730, 90)
    _, at = forecast(known, 90, backtest(known, 90))
    there = ~np.isnan(truth)
    share = lambda low, high, of: float(((of >= low) & (of <= high))[there].mean())  # noqa: E731
    assert 0.84 < share(at[0], at[3], truth) < 0.96
    assert 0.4 < share(at[1], at[2], truth) < 0.6
    assert share(at[0], at[3], truth * 0.5) < 0.4


def test_too_little_history_is_said() -> None:
    """With how much it takes."""
    with pytest.raises(BadInput, match="118"):
        backtest(a_history(np.ones((1, 100))), 90)


def test_usage_stops_growing_when_deletion_meets_ingest() -> None:
    """A gigabyte a day kept for ten days: it grows to eleven, the day that is going included, and stays there."""
    kept = kept_bytes(FIRST, ["general"], np.ones((1, 40)), for_days(10, 90))[0]
    assert list(kept[:12]) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11]
    assert set(kept[11:]) == {11}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 30))
def test_what_is_kept_is_the_sum_of_the_days_not_yet_gone(days: list[float], term: int, longer: int) -> None:
    """Against the sum written out; and a longer term never keeps less."""
    kept = kept_bytes(FIRST, ["general"], np.array([days]), for_days(term, 90))[0]
    for day in range(len(days)):
        assert kept[day] == pytest.approx(sum(days[max(0, day - term) : day + 1]), rel=1e-9, abs=1)
    assert (kept_bytes(FIRST, ["general"], np.array([days]), for_days(term + longer, 90))[0] >= kept - 1).all()


def test_a_pool_in_balance_stays_as_full_as_it_is() -> None:
    """Ten cameras of forty gigabytes, thirty days: nobody comes or goes, so nothing grows, and the intervals lie around it."""
    found = forecast_pools(a_history(np.full((10, 200), 40 * GB)), 60, for_days(30, 90))[0]
    assert found.likely == pytest.approx(10 * 40 * GB * 31, rel=1e-3)
    assert (found.at[0] <= found.likely).all()
    assert (found.at[4] >= found.likely).all()


def test_planned_cameras_fill_a_pool_and_the_day_is_said() -> None:
    """Ten more cameras from the tenth day on: the pool keeps twice as much a term later, and passes three quarters of that in between."""
    history = a_history(np.full((10, 200), 40 * GB))
    start = history.end + timedelta(days=10)
    more = [Addition("main", start, start, 10)]
    likely = keep(history, 60, for_days(30, 90), additions=more)["main"]
    assert likely[9] == pytest.approx(10 * 40 * GB * 31, rel=1e-3)
    assert likely[-1] == pytest.approx(20 * 40 * GB * 31, rel=1e-3)
    found = forecast_pools(history, 60, for_days(30, 90), additions=more)[0]
    early, middle, late = found.full_on(15 * 40 * GB * 31)
    assert early is not None
    assert middle is not None
    assert late is not None
    assert start < early <= middle <= late <= start + timedelta(days=31)
    assert found.full_on(1e18) == (None, None, None)


def test_additions_to_a_pool_that_is_not_there_are_refused() -> None:
    """With the pool and the tier."""
    history = a_history(np.full((2, 60), GB))
    with pytest.raises(BadInput, match="pool cellar"):
        keep(history, 10, for_days(30, 90), additions=[Addition("cellar", history.end, history.end, 1)])


def test_a_history_has_a_line_for_each_camera() -> None:
    """Or is refused."""
    with pytest.raises(BadInput, match="a line a camera"):
        History(pl.DataFrame(schema=CAMERAS), FIRST, np.ones((1, 3), np.float32))


def test_the_same_seed_is_the_same_province() -> None:
    """And another seed is another one; cameras that are not there yet have no number."""
    order = TwinOrder(cameras=50, days=60, seed=3)
    first, again, other = live(order).history, live(order).history, live(TwinOrder(cameras=50, days=60, seed=4)).history
    assert np.array_equal(first.recorded_bytes, again.recorded_bytes, equal_nan=True)
    assert not np.array_equal(first.recorded_bytes, other.recorded_bytes, equal_nan=True)
    assert np.isnan(live(TwinOrder(cameras=200, days=300)).history.recorded_bytes).any()
