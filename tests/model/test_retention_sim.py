"""Nothing is deleted early and nothing kept late: years of virtual time under the product's deciders, judged by the rules read anew."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from tests.retention_sim.civil import HOUR, Told, begin_us, last_day, over_us, utc_us
from tests.retention_sim.trial import STRIPPED, try_story

pytestmark = pytest.mark.slow

SEEDS = (0, 2, 4, 5)
"""Between them: pressure with and without a breach, holds, notice, moves, missing copies, outages and wrong clocks."""
SMALL = 6
RED = {"hold ignored": 2, "notice ignored": 5, "former belonging ignored": 6, "pressure in silence": 5}
"""The stories in which a rule that is taken away is missed; any other rule in the first."""


def test_nothing_goes_early_and_nothing_stays_late() -> None:
    """Not one segment of several thousand camera-days; and everything that makes it hard was met."""
    met, wrong = Counter[str](), Counter[str]()
    for seed in SEEDS:
        found = try_story(seed, cameras=SMALL)
        met += found.met
        wrong += found.wrong
        assert not found.examples
    assert wrong == Counter()
    assert set(met) >= {"deleted when due", "deleted under pressure", "held at the end", "breaches", "rounds held by the clock"}


@pytest.mark.parametrize("name", STRIPPED)
def test_each_rule_that_is_taken_away_is_missed(name: str) -> None:
    """Negative controls: the same judge ends red, for the right reason."""
    kind, deciders = STRIPPED[name]
    assert try_story(RED.get(name, 0), deciders, cameras=SMALL).wrong[kind]


@pytest.mark.parametrize(
    ("day", "told", "last"),
    [
        (date(2026, 1, 31), Told(0, 1), date(2026, 2, 28)),
        (date(2028, 1, 31), Told(0, 1), date(2028, 2, 29)),
        (date(2026, 1, 31), Told(30, 1), date(2026, 3, 2)),
        (date(2026, 12, 31), Told(0, 2, 7), date(2027, 3, 7)),
        (date(2028, 2, 29), Told(0, 12), date(2029, 2, 28)),
    ],
)
def test_the_judge_counts_terms_as_the_law_does(day: date, told: Told, last: date) -> None:
    """Worked examples, found by hand."""
    assert last_day(day, told) == last


def test_the_judge_knows_civil_time() -> None:
    """A day begins when the calendar first shows it: where clocks leave out midnight, have it twice, or leave out a day."""
    assert begin_us(date(2026, 3, 14), "Asia/Shanghai") == utc_us(date(2026, 3, 13)) + 16 * HOUR
    assert begin_us(date(2023, 4, 28), "Africa/Cairo") == utc_us(date(2023, 4, 27)) + 22 * HOUR  # 00:00 is 01:00
    assert begin_us(date(2010, 10, 31), "America/Havana") == utc_us(date(2010, 10, 31)) + 4 * HOUR  # the first of two
    assert begin_us(date(2011, 12, 30), "Pacific/Apia") == begin_us(date(2011, 12, 31), "Pacific/Apia")
    assert over_us(utc_us(date(2026, 3, 14)), Told(1), "UTC") == utc_us(date(2026, 3, 15))
    assert over_us(utc_us(date(2026, 3, 14)) + 1, Told(1), "UTC") == utc_us(date(2026, 3, 16))
