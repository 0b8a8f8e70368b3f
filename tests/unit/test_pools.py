"""Which pool a camera goes to: its wish, rules in order, shares by weight, few moves, and a refusal where nothing is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.errors import Refused
from segments.pools import PoolRule, PoolRules, PoolState, heaviest, pool_for
from tests.builders import a_camera

OPEN, CLOSED, DRAINED = PoolState.OPEN, PoolState.CLOSED, PoolState.DRAINED
CAMERAS = [f"3502000000131{n:07d}" for n in range(20_000)]


def rules(**states: PoolState) -> PoolRules:
    """Some rules: two areas, one in the other, a class and an owner."""
    named = dict.fromkeys(["main", "siming", "xiamen", "key", "police"], OPEN)
    return PoolRules(
        named | states,
        "main",
        (
            PoolRule({"siming": 1}, area="fujian/xiamen/siming"),
            PoolRule({"key": 1}, area="fujian/xiamen", camera_class=1),
            PoolRule({"xiamen": 1}, area="fujian/xiamen"),
            PoolRule({"police": 1}, owner="police"),
        ),
    )


@pytest.mark.parametrize(
    ("values", "pool"),
    [
        ({}, "main"),
        ({"area": "fujian/xiamen/siming"}, "siming"),
        ({"area": "fujian/xiamen/siming/harbour", "camera_class": 1}, "siming"),
        ({"area": "fujian/xiamen/siming-east"}, "xiamen"),
        ({"area": "fujian/xiamen", "camera_class": 1}, "key"),
        ({"area": "fujian/xiamen", "camera_class": 2}, "xiamen"),
        ({"area": "fujian", "owner": "police"}, "police"),
        ({"area": "fujian/xiamen", "owner": "police"}, "xiamen"),
        ({"owner": "police", "pool": "main"}, "main"),
        ({"owner": "polic"}, "main"),
    ],
)
def test_the_first_rule_that_fits_decides(values: dict[str, object], pool: str) -> None:
    """The camera's own pool wins, then the rules in their order, then the default."""
    assert pool_for(replace(a_camera(pool=""), **{"area": "", "owner": "", "camera_class": 3, **values}), rules()) == pool


@pytest.mark.parametrize("shut", [CLOSED, DRAINED])
def test_a_closed_pool_is_passed_over(shut: PoolState) -> None:
    """A camera goes where the next thing said of it is open: its own pool, its rules, the default."""
    camera = a_camera(pool="siming", area="fujian/xiamen/siming", camera_class=2, owner="")
    assert pool_for(camera, rules(siming=shut)) == "xiamen"
    assert pool_for(camera, rules(siming=shut, xiamen=shut)) == "main"


def test_nowhere_to_go_is_said_with_names() -> None:
    """Where all is closed the camera is refused, with the pools that were asked; so is a pool that is not configured."""
    camera = a_camera(pool="siming", area="", owner="")
    with pytest.raises(Refused, match="siming, main take no new footage"):
        pool_for(camera, rules(siming=CLOSED, main=DRAINED))
    with pytest.raises(Refused, match="'attic', which the configuration does not name"):
        pool_for(replace(camera, pool="attic"), rules())


def moved(choose: Callable[[str, Mapping[str, float]], str], before: Mapping[str, float], after: Mapping[str, float]) -> list[tuple]:
    """From where to where cameras go that change their pool."""
    return [(choose(camera, before), choose(camera, after)) for camera in CAMERAS if choose(camera, before) != choose(camera, after)]


def test_shares_are_those_of_the_weights() -> None:
    """Each pool gets its share of 20,000 cameras within two hundredths of all."""
    weights = {"a": 1.0, "b": 2.0, "c": 5.0}
    shares = Counter(heaviest(camera, weights) for camera in CAMERAS)
    for pool, weight in weights.items():
        assert abs(shares[pool] / len(CAMERAS) - weight / 8) < 0.02


def modulo(camera: str, weights: Mapping[str, float]) -> str:
    """A naive choice."""
    return sorted(weights)[int(camera[-7:]) % len(weights)]


def test_one_pool_more_moves_only_what_goes_to_it() -> None:
    """A pool that is added takes its share and nothing else moves; one that is closed gives only its own away. Control: modulo."""
    few, more = {"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
    joined = moved(heaviest, few, more)
    assert {to for _, to in joined} == {"d"}
    assert abs(len(joined) / len(CAMERAS) - 1 / 4) < 0.02
    assert {source for source, _ in moved(heaviest, more, few)} == {"d"}
    assert len(moved(modulo, few, more)) > len(CAMERAS) / 2


@given(
    weights=st.dictionaries(st.sampled_from("abcdef"), st.floats(0.001, 1e6), min_size=1),
    more=st.floats(1.0, 1e6),
    camera=st.text("0123456789", min_size=1, max_size=20),
)
def test_a_heavier_pool_only_gains(weights: dict[str, float], more: float, camera: str) -> None:
    """Raising the weight of the chosen pool, or taking another away, never moves the camera."""
    chosen = heaviest(camera, weights)
    assert heaviest(camera, {**weights, chosen: weights[chosen] * more}) == chosen
    for other in set(weights) - {chosen}:
        assert heaviest(camera, {name: weight for name, weight in weights.items() if name != other}) == chosen
