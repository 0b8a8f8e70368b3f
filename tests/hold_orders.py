"""The orders in which a hold and a deletion are let on: all there are in memory, and on real stores those around each of their calls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from retention.deletion import Deletion
from tests.hold_races import DELETION, HOLD, Race, Schedule, Turn, memory_race

DELETION_CALLS, HOLD_CALLS = 50, 18
"""A little more than each of them makes when the other does not come between."""
ASKING_CALLS = 62
"""The same of a deletion that asks another site."""


async def every_interleaving(*, deleting: type[Deletion] = Deletion, most_turns: int | None = None) -> tuple[int, dict[str, list[str]]]:
    """All orders of all calls of both in which the turn changes so often at most (None: as often as it can).

    Each state of the world and the two is met once. Returns how many there are, and for each thing that is not as promised an order that
    leads to it.
    """
    seen: set[tuple[object, ...]] = set()
    found: dict[str, list[str]] = {}
    todo: list[list[str]] = [[]]
    while todo:
        order = todo.pop()
        race = memory_race(deleting=deleting)
        await race.prepare()
        for who in order:
            await race.actors[who].step_seen()
        while True:
            going = [who for who, actor in race.actors.items() if not actor.over]
            turns = _turns(order) if most_turns is not None else 0
            state = (*((actor.told, actor.late) for actor in race.actors.values()), *going, turns and (turns, order[-1]), _world(race))
            if state in seen:
                break
            seen.add(state)
            if not going:
                found |= {fault: found.get(fault, order) for fault in await race.faults()}
                break
            last = order[-1] if order and order[-1] in going else going[0]
            todo += [[*order, who] for who in going if who != last and (most_turns is None or turns < most_turns)]
            order = [*order, last]
            await race.actors[last].step_seen()
        await race.end()
    return len(seen), found


def _turns(order: Sequence[str]) -> int:
    return sum(one != other for one, other in pairwise(order))


def _world(race: Race) -> str:
    """A digest of all that is in index and pool, and of the time."""
    index: Any = race.index
    objects: Any = race.objects
    parts = [
        [(str(key), batch) for key, batch in index._batches.items()],
        [sorted(map(str, rows)) for rows in index._rows.values()],
        [(str(key), sorted(map(str, rows))) for key, rows in index._batch_rows.items()],
        {kind: [record.revision for record in records.values()] for kind, records in index._records.items()},
        [(chain, sorted(receipts)) for chain, receipts in index._receipts.items()],
        sorted(objects._objects),
        race.clock.passed_ns,
    ]
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def cuts(every: int = 1, *, deletion_calls: int = DELETION_CALLS) -> Iterable[Schedule]:
    """Each of the two goes up to each of its calls (or each so many), then the other to its end, then the first."""
    for first, second, most in ((DELETION, HOLD, deletion_calls), (HOLD, DELETION, HOLD_CALLS)):
        yield from ((Turn(first, calls), Turn(second), Turn(first)) for calls in range(0, most, every))


def deaths(every: int = 1) -> Iterable[Schedule]:
    """The deletion dies before each of its calls (or each so many), and the hold comes before that, after it, or half and half."""
    for calls in range(0, DELETION_CALLS, every):
        yield Turn(DELETION, calls, dies=True), Turn(HOLD)
        yield Turn(DELETION, calls), Turn(HOLD), Turn(DELETION, 0, dies=True)
        yield Turn(HOLD, HOLD_CALLS // 2), Turn(DELETION, calls, dies=True), Turn(DELETION, 8), Turn(HOLD)
    for calls in range(0, HOLD_CALLS, every):
        yield from ((Turn(DELETION, before), Turn(HOLD, calls, dies=True)) for before in range(0, DELETION_CALLS, 5 * every))
