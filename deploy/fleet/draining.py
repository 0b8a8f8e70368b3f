"""Emptying a node before it is stopped: an administrator's wish, and waiting until nothing of it is needed any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segments.clock import Clock
from segments.duty import Place, Placing
from segments.errors import NotFound, TryAgain
from segments.ports import Places

LOOK_EVERY_S = 0.5
SILENT_S = 30.0
"""A place that has said nothing for so long is not there to be emptied."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """What a place still has: duties placed there, cameras it records, shards with footage in its spool."""

    duties: int
    cameras: int
    spooled: int

    @property
    def is_empty(self) -> bool:
        """Whether the node can be stopped without anybody missing it."""
        return not (self.duties or self.cameras or self.spooled)


def remainder(place: Place, placings: Sequence[Placing]) -> Remainder:
    """What is left at a place."""
    return Remainder(len(placings), place.load, len(place.spooled))


async def empty(index: Places, name: str, clock: Clock, say: Callable[[Remainder], None] = lambda _: None) -> None:
    """Waits until the place of a node that drains is empty, and has said so twice, saying what is left.

    Raises NotFound if there is no such place, TryAgain if it falls silent.
    """
    beat, heard_ns, agreed = -1, clock.monotonic_ns(), 0
    while agreed < 2:
        left = remainder(place := await place_of(index, name), await index.placings(name))
        if place.beat != beat:
            beat, heard_ns = place.beat, clock.monotonic_ns()
            agreed = agreed + 1 if left.is_empty else 0
        if clock.monotonic_ns() - heard_ns > SILENT_S * 1e9:
            raise TryAgain(f"{name} has said nothing for {SILENT_S:g} s: what its spool holds cannot be known")
        say(left)
        await clock.sleep(LOOK_EVERY_S)


async def place_of(index: Places, name: str) -> Place:
    """The place of a node; raises NotFound."""
    for place in await index.places():
        if place.name == name:
            return place
    raise NotFound(f"no node {name!r} has been heard of; `keepsight fleet status` names them")
