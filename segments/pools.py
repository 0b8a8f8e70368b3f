"""Which pool a camera's new footage goes to: by its own wish, else by the first rule that fits, else to the default. Pure.

What is stored stays where its row says; a change concerns new footage only.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from segments.errors import Refused
from segments.model import Camera


class PoolState(StrEnum):
    """Whether a pool takes new footage. What lies in it is read in every state."""

    OPEN = "open"
    CLOSED = "closed"
    """No new footage."""
    DRAINED = "drained"
    """No new footage, and to be taken out of service once what is in it has fallen due."""


@dataclass(frozen=True, slots=True)
class PoolRule:
    """Cameras of an area (and those below it), a class and an owner go to these pools; what is empty or None fits all.

    Several pools share the cameras in proportion to their weights.
    """

    weights: Mapping[str, float]
    area: str = ""
    camera_class: int | None = None
    owner: str = ""

    def fits(self, camera: Camera) -> bool:
        """Whether this rule speaks of the camera."""
        return (
            f"{camera.area}/".startswith(f"{self.area}/" if self.area else "")
            and self.camera_class in (None, camera.camera_class)
            and self.owner in ("", camera.owner)
        )


@dataclass(frozen=True, slots=True)
class PoolRules:
    """All that decides: the pools with their states, the rules in order, and the pool for cameras that no rule fits."""

    states: Mapping[str, PoolState]
    default: str
    rules: Sequence[PoolRule] = ()


def pool_for(camera: Camera, pools: PoolRules) -> str:
    """The pool of a camera's new footage.

    A pool that is closed is passed over: the camera goes where the next rule says, and in the end to the default pool. Raises Refused if
    nothing that is said of it is open, or if its own pool is not configured.
    """
    if camera.pool and camera.pool not in pools.states:
        raise Refused(f"camera {camera.id} belongs to pool {camera.pool!r}, which the configuration does not name")
    named = []
    for weights in _choices(camera, pools):
        named += sorted(weights)
        is_open = {name: weight for name, weight in weights.items() if pools.states[name] is PoolState.OPEN}
        if is_open:
            return heaviest(camera.id, is_open)
    raise Refused(
        f"camera {camera.id} has nowhere to go: {', '.join(dict.fromkeys(named))} take no new footage; open a pool, or name another for it"
    )


def heaviest(camera: str, weights: Mapping[str, float]) -> str:
    """Weighted rendezvous hashing (Schindelhauer, Schomaker: Weighted Distributed Hash Tables, 2005).

    Each pool gets its share of cameras; one pool more, or one less, moves only the cameras that go to it, or come from it.
    """
    return max(sorted(weights), key=lambda pool: -weights[pool] / math.log(_unit(pool, camera)))


def _choices(camera: Camera, pools: PoolRules) -> Iterator[Mapping[str, float]]:
    if camera.pool:
        yield {camera.pool: 1.0}
    yield from (rule.weights for rule in pools.rules if rule.fits(camera))
    yield {pools.default: 1.0}


def _unit(pool: str, camera: str) -> float:
    """A number above 0 and below 1 that looks random and is always the same."""
    digest = hashlib.blake2b(f"{pool}/{camera}".encode(), digest_size=8).digest()
    return ((int.from_bytes(digest) >> 11) + 0.5) / (1 << 53)
