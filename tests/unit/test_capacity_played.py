"""The twin's truth: what the real rules of retention leave of it, against sums by hand, and forecasts against that truth."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from capacity.backtest import split
from capacity.flow import Goes, kept_bytes
from capacity.history import CAMERAS, History
from capacity.placement import MOVABLE, PoolAhead, advise
from capacity.played import LivedHold, SiteAway, known_holds, live_holds, play
from capacity.pools import forecast_pools
from capacity.twin import TwinOrder, live
from deploy.capacity_rules import RulesInForce
from retention.rules import Rules
from segments.clock import day_start_us
from tests.retention_builders import a_policy

RULES = RulesInForce(Rules([a_policy(binds_us=day_start_us(date(2020, 1, 1)), zone="Asia/Shanghai")], {}, ()))
FIRST = date(2025, 1, 1)


def steady(days: int, cameras: int = 2, tier: str = "general") -> History:
    """Cameras of one pool that record a byte a day."""
    columns = {name: [""] * cameras for name, kind in CAMERAS.items() if kind == pl.String}
    columns |= {"camera": [f"c{n}" for n in range(cameras)], "pool": ["main"] * cameras, "tier": [tier] * cameras, "class": [1] * cameras}
    return History(pl.DataFrame(columns, schema=CAMERAS), FIRST, np.ones((cameras, days), np.float32))


def a_lived_hold(**fields) -> LivedHold:
    """On 10 January of the first camera, placed on 20 January, lifted on 1 April."""
    usual = {"first": date(2025, 1, 10), "end": date(2025, 1, 11), "placed": date(2025, 1, 20), "lifted": date(2025, 4, 1)}
    return LivedHold(np.array([0]), **usual | fields)


def kept_on(found, day: date) -> float:
    """By the one pool."""
    return float(found.kept_bytes[0, (day - FIRST).days])


def test_usage_saturates_when_deletion_meets_ingest() -> None:
    """Two cameras: in the evening of 31 March there are March and 28 February, whose last hours are 1 March in Shanghai; it stays so."""
    found = play(steady(120), RULES.goes)
    assert kept_on(found, date(2025, 1, 30)) == 2 * 30
    assert kept_on(found, date(2025, 3, 31)) == 2 * 32
    assert kept_on(found, date(2025, 4, 29)) == 2 * 32
    assert not found.held_bytes.any()


def test_a_hold_keeps_its_day_until_it_is_lifted() -> None:
    """One camera-day more from the day it would have gone to the day the hold is gone; one that is never lifted keeps it to the end."""
    plain, found = play(steady(120), RULES.goes), play(steady(120), RULES.goes, [a_lived_hold()])
    more = found.kept_bytes[0] - plain.kept_bytes[0]
    due, lifted = (date(2025, 2, 11) - FIRST).days, (date(2025, 4, 1) - FIRST).days
    assert not more[:due].any()
    assert (more[due:lifted] == 1).all()
    assert not more[lifted:].any()
    assert (found.held_bytes[0] == more).all()
    for_good = play(steady(120), RULES.goes, [a_lived_hold(lifted=date.max)])
    assert (for_good.kept_bytes[0] - plain.kept_bytes[0])[due:].all()


def test_a_hold_that_comes_too_late_keeps_nothing() -> None:
    """Placed in March on a day of January that has gone."""
    late = play(steady(120), RULES.goes, [a_lived_hold(placed=date(2025, 3, 1))])
    assert (late.kept_bytes == play(steady(120), RULES.goes).kept_bytes).all()


def test_a_lost_site_makes_footage_wait_to_its_ceiling() -> None:
    """Away for January to March: what is due a week ago and less is still there, until the site is back."""
    found, plain = play(steady(120), RULES.goes, away=[SiteAway(FIRST, date(2025, 3, 31))]), play(steady(120), RULES.goes)
    assert kept_on(found, date(2025, 2, 8)) == 2 * 39
    assert kept_on(found, date(2025, 3, 20)) - kept_on(plain, date(2025, 3, 20)) == 2 * 7
    back = (date(2025, 3, 31) - FIRST).days
    assert (found.kept_bytes[0, back:] == plain.kept_bytes[0, back:]).all()


def test_a_decider_that_forgets_holds_is_found() -> None:
    """The control of the tests above: the same rules, but blind to holds, keep nothing more."""
    blind: Goes = lambda tier, day, on, /, *, held, short: RULES.goes(tier, day, on, held=False, short=short)  # noqa: E731
    found = play(steady(120), blind, [a_lived_hold()])
    assert (found.kept_bytes == play(steady(120), RULES.goes).kept_bytes).all()


def test_what_is_reckoned_ahead_is_what_is_played() -> None:
    """Two ways to the same: the day each day's footage leaves, reckoned once; and the rules asked every evening."""
    history = live(TwinOrder(cameras=60, days=300, pools=3, seed=7)).history
    found = play(history, RULES.goes)
    kept = kept_bytes(history.first, history.cameras["tier"].to_list(), history.recorded_bytes.astype(np.float64), RULES.leaves)
    for line, pool in zip(found.kept_bytes, found.pools, strict=True):
        assert line == pytest.approx(kept[(history.cameras["pool"] == pool).to_numpy()].sum(axis=0), rel=1e-6, abs=1e6)


def test_what_is_known_of_holds_is_what_stands_and_was_still_there() -> None:
    """A hold that stands, with its days; not one that is lifted, nor the part of one that came too late for it."""
    history = steady(120)
    holds = [a_lived_hold(first=date(2025, 1, 1), end=date(2025, 3, 12), placed=date(2025, 3, 10)), a_lived_hold(lifted=date(2025, 3, 1))]
    share = known_holds(holds, history, date(2025, 3, 31), RULES.leaves)(history.cameras, FIRST, 120)
    assert share.sum(axis=1).tolist() == [(date(2025, 3, 12) - date(2025, 2, 7)).days, 0]
    assert share[0, (date(2025, 3, 11) - FIRST).days] == 1


def test_a_forecast_meets_the_twin_s_third_year() -> None:
    """Nobody fitted it: with holds, outages and a lost site, pools are forecast 90 days ahead to a few per cent, within the intervals."""
    lived = live(TwinOrder(cameras=300, days=820, pools=2, seed=11))
    truth = play(lived.history, RULES.goes, live_holds(lived.history, a_year=10), [SiteAway(date(2024, 3, 1), date(2024, 3, 20))])
    known, _ = split(lived.history, 730, 90)
    for line, one in zip(truth.kept_bytes, forecast_pools(known, 90, RULES.leaves, additions=lived.additions), strict=True):
        came = line[730:]
        assert np.abs(one.likely / came - 1).mean() < 0.05
        assert ((came >= one.at[0]) & (came <= one.at[4])).mean() > 0.8
        assert one.first == lived.history.first + timedelta(days=730)


def test_moved_cameras_relieve_the_pool_in_the_twin_too() -> None:
    """A pool that would pass its limit keeps it with the cameras moved as advised, and hardly more are moved than that."""
    lived = live(TwinOrder(cameras=300, days=560, pools=2, seed=4, first=date(2023, 6, 1), growth_per_year=0.6, campaigns=0))
    history, known = lived.history, split(lived.history, 400, 160)[0]
    plain = play(history, RULES.goes).kept_bytes
    limit = (plain[0, 399] + plain[0, 400:].max()) / 2
    pools = {f"pool-{row}": PoolAhead("here", size, plain[row, 400:]) for row, size in enumerate((limit, 1e18))}
    brings = pl.Series("day_bytes", np.nan_to_num(known.recorded_bytes[:, -28:]).mean(axis=1, dtype=np.float64))
    advice = advise(known.cameras.with_columns(brings).select(list(MOVABLE)), pools, known.end, RULES.leaves)
    moved = play(moved_on(history, [move.camera for move in advice.moves], 400), RULES.goes).kept_bytes
    assert plain[0, 400:].max() > 1.05 * limit
    assert 0.95 * limit < moved[0, 400:].max() < 1.01 * limit
    assert moved.sum(axis=0) == pytest.approx(plain.sum(axis=0), rel=1e-6)


def moved_on(history: History, cameras: list[str], day: int) -> History:
    """Of these cameras what they record from a day on goes to the other pool."""
    mine = history.cameras["camera"].is_in(cameras)
    there = history.cameras.filter(mine).with_columns(pl.lit("pool-1").alias("pool"))
    before, after = history.recorded_bytes.copy(), history.recorded_bytes[mine.to_numpy()].copy()
    before[mine.to_numpy(), day:] = np.nan
    after[:, :day] = np.nan
    return History(pl.concat([history.cameras, there]), history.first, np.concatenate([before, after]))
