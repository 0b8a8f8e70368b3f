"""Which recorder of a node carries which duty: pure. What is placed stays, unless one carries far more than another."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from segments.duty import LANE_OF, Duty

R = TypeVar("R", bound=Hashable)

UNEVEN = 4
"""Moving a duty opens its cameras twice for a moment, so it must pay: by over a quarter of what a recorder is meant to carry."""


def loads(sizes: Mapping[Duty, int], placed: Mapping[Duty, R], recorders: Sequence[R]) -> dict[R, int]:
    """How many cameras each recorder carries."""
    carried = dict.fromkeys(recorders, 0)
    for duty, recorder in placed.items():
        if recorder in carried:
            carried[recorder] += sizes.get(duty, 0)
    return carried


def share(sizes: Mapping[Duty, int], placed: Mapping[Duty, R], recorders: Sequence[R]) -> dict[Duty, R]:
    """A recorder for each duty of `sizes` (cameras by duty) that has none: the largest first, to whom carries least.

    The two lanes of a shard go to two recorders if there are two. However much there is, all of it is given out: one that carries too
    much loses less than a camera nobody records.
    """
    together = {duty: recorder for duty, recorder in placed.items() if recorder in set(recorders)}
    given: dict[Duty, R] = {}
    for duty in sorted(sizes, key=lambda duty: (-sizes[duty], duty)):
        if duty in together or not recorders:
            continue
        carried = loads(sizes, together, recorders)
        duties = list(together.values())
        beside = {recorder for other, recorder in together.items() if _other_lane(duty, other)}
        given[duty] = together[duty] = min(recorders, key=lambda one: (one in beside, carried[one], duties.count(one)))
    return given


def relief(sizes: Mapping[Duty, int], placed: Mapping[Duty, R], recorders: Sequence[R], capacity: int) -> tuple[Duty, R] | None:
    """One duty to move from who carries most to who carries least, if that pays; `capacity` is what one is meant to carry."""
    carried = loads(sizes, placed, recorders)
    if len(carried) < 2:
        return None
    heavy, light = max(carried, key=carried.__getitem__), min(carried, key=carried.__getitem__)
    gain = carried[heavy] - carried[light]
    fitting = [duty for duty, recorder in placed.items() if recorder == heavy and 0 < sizes.get(duty, 0) < gain]
    if gain <= capacity // UNEVEN or not fitting:
        return None
    return min(fitting, key=lambda duty: (abs(gain - 2 * sizes[duty]), duty)), light


def _other_lane(duty: Duty, other: Duty) -> bool:
    return (duty.shard, duty.of) == (other.shard, other.of) and LANE_OF[duty.kind] != LANE_OF[other.kind]
