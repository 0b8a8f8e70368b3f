"""The removal of a batch's objects from their pools: every version and mark of deletion, and the empty objects that closed its runs.

Everything here may be done again, at any time. Before each request the caller is asked, who raises if it must not be sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol, TypeVar

from segments.errors import BadInput, NotFound, Refused
from segments.keys import SegmentKey, day_prefix, parse_key
from segments.model import Batch, Row
from segments.ports import DeleteObjects, ObjectInfo, ObjectVersion, Runs, Versions

T = TypeVar("T")

MOST_KEYS = 1000
"""Of one request."""

Before = Callable[[int], Awaitable[None]]
"""Called before each request with the number of objects it removes; raises if they must not go."""


class DoomedObjects(DeleteObjects, Versions, Protocol):
    """What the way out needs of a pool."""

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""


Pools = Mapping[str, DoomedObjects]


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is to be removed of a batch: its rows' objects, the closings that are known by key (`closings_of`), and every other closing of
    the day whose run is not among `open_runs`, which keep rows there.
    """

    batch: Batch
    rows: Sequence[Row]
    closings: Collection[str] = ()
    open_runs: Collection[str] = ()

    def has(self, version: ObjectVersion, keys: Collection[str]) -> bool:
        """Whether this must go, `keys` being those of its rows in the pool."""
        return version.key in keys or version.key in self.closings or _run_closed_by(version.key) not in (None, *self.open_runs)


@dataclass
class Removed:
    """What went: the keys of closings, and versions and marks beside those the rows name. `left`: what did not go, key to reason."""

    closings: set[str] = field(default_factory=set)
    older: set[tuple[str, str]] = field(default_factory=set)
    left: dict[str, str] = field(default_factory=dict)


async def remove(doomed: Doomed, *, pools: Pools, before: Before) -> Removed:
    """Removes it, and looks whether it is gone.

    Raises Refused if a pool is not configured, and what the pools and `before` raise; then some may be gone.
    """
    removed = Removed(closings=set(doomed.closings))
    for name, of_pool in groupby(sorted(doomed.rows, key=lambda row: row.pool), key=lambda row: row.pool):
        await _remove_of_pool(doomed, list(of_pool), removed, objects=pool_of(pools, name), before=before)
    return removed


async def there(batch: Batch, rows: Sequence[Row], pools: Pools) -> list[Row]:
    """Those of these rows whose objects are still in their pools, in order."""
    found: list[Row] = []
    for name in sorted({row.pool for row in rows}):
        objects = pool_of(pools, name)
        listed = {(each.key, each.version) for each in await _listed(objects, batch, ())}
        of_pool = [row for row in rows if row.pool == name]
        found += [row for row in of_pool if row.version and (row.key, row.version) in listed]
        found += [row for row in of_pool if not row.version and await _answers(objects, row.key)]
    return sorted(found, key=lambda row: row.position)


async def closings_of(batch: Batch, rows: Sequence[Row], open_runs: Collection[str], index: Runs) -> list[str]:
    """Keys of the empty objects that closed these rows' runs, where nothing of the run is left in the camera-day or after it.

    They are known from the run and its last segment, also where they lie beyond midnight, and after they were removed.
    """
    last = {row.run: row for row in sorted(rows, key=lambda row: row.counter) if row.run not in open_runs}
    found = []
    for run_id, row in sorted(last.items()):
        try:
            run = await index.run(batch.camera, run_id)
        except NotFound:
            continue
        if run.ended and run.last_us == row.end_us:
            found.append(str(SegmentKey(batch.camera, run_id, row.end_us, row.counter + 1, is_end=True)))
    return found


def pool_of(pools: Pools, name: str) -> DoomedObjects:
    """A pool by its name; raises Refused if the configuration does not have it."""
    try:
        return pools[name]
    except KeyError:
        raise Refused(f"footage lies in pool {name!r}, which the configuration does not name: it cannot be deleted") from None


async def _remove_of_pool(doomed: Doomed, rows: list[Row], removed: Removed, *, objects: DoomedObjects, before: Before) -> None:
    reasons = await _remove_rows(objects, rows, before)
    own, keys = {(row.key, row.version) for row in rows}, {row.key for row in rows}
    found = [each for each in await _listed(objects, doomed.batch, doomed.closings) if doomed.has(each, keys)]
    if not found:
        return
    for some in _in_groups(found):
        await before(len(some))
        refused = await objects.delete_versions([(each.key, each.version) for each in some])
        reasons |= {key: reason for (key, _), reason in refused.items()}
    removed.older |= {(each.key, each.version) for each in found if each.key in keys} - own
    removed.closings |= {each.key for each in found} - keys
    still = [each for each in await _listed(objects, doomed.batch, doomed.closings) if doomed.has(each, keys)]
    removed.left |= {each.key: reasons.get(each.key, "the pool said it was removed, and it is still there") for each in still}


async def _remove_rows(objects: DoomedObjects, rows: Sequence[Row], before: Before) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for versions in _in_groups([(row.key, row.version) for row in rows if row.version]):
        await before(len(versions))
        reasons |= {key: reason for (key, _), reason in (await objects.delete_versions(versions)).items()}
    for keys in _in_groups([row.key for row in rows if not row.version]):
        await before(len(keys))
        reasons |= await objects.delete(keys)
    return reasons


async def _listed(objects: Versions, batch: Batch, closings: Collection[str]) -> list[ObjectVersion]:
    day = day_prefix(batch.camera, batch.day)
    prefixes = [day, *(key for key in closings if not key.startswith(day))]
    return [each for prefix in prefixes for each in [found async for found in objects.versions(prefix)]]


def _run_closed_by(key: str) -> str | None:
    try:
        parsed = parse_key(key)
    except BadInput:
        return None
    return parsed.run if parsed.is_end else None


def _in_groups(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + MOST_KEYS] for start in range(0, len(things), MOST_KEYS))


async def _answers(objects: DoomedObjects, key: str) -> bool:
    try:
        await objects.head(key)
    except NotFound:
        return False
    return True
