"""No split brain: over seeded schedules of stops, cuts, losses, kills and clock steps no two places hold a duty, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.fleet_model.schedule import STRIPPED, run_schedule

SEEDS = range(25)
CONTROL_SEEDS = 60
"""A control is red long before; see the figures of the promise."""


@pytest.mark.slow
def test_no_schedule_splits_the_site() -> None:
    """No duty has two holders, no run two writers, no key two contents; all that was written is shown; after the last fault all is done."""
    met: Counter[str] = Counter()
    for seed in SEEDS:
        outcome = run_schedule(seed)
        assert not outcome.violations, outcome.told()
        assert outcome.segments > 0
        met += outcome.met
    for fault in ("stop", "cut", "kill_node", "step", "requests lost", "answers lost", "races lost", "leases taken over", "resumed"):
        assert met[fault], f"the schedules never met: {fault}"


@pytest.mark.parametrize("name", STRIPPED)
def test_every_rule_is_needed(name: str) -> None:
    """The negative control: without the epoch in keys, without comparing, or with wall clocks, some schedule goes wrong."""
    assert any(run_schedule(seed, STRIPPED[name]).violations for seed in range(CONTROL_SEEDS))


def test_a_schedule_can_be_replayed() -> None:
    """The same seed gives the same run, to the last lost packet."""
    first, again = run_schedule(7), run_schedule(7)
    assert first == again
    assert first != replace(run_schedule(8), seed=7)
