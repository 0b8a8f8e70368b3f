"""Healing one segment: its bytes from another site, verified before anything here is touched, and put in place of what is wrong.

The order, and why it is safe to die after any step and begin anew:
1. the caller has named the segment in a record (segments/damage.py), so that whoever comes next tries again;
2. its bytes are fetched from a site that has them, and are of the row's size and SHA-256, or nothing goes on;
3. no batch covers the camera-day, then the row is there as it was: a sweep that begins after this look lists the row, as after a commit's
   (segments/commit.py), since all that follows is under way within that deadline or not at all;
4. what lies under the key is taken away (where versions are kept: a mark is laid over it, and no version is removed), and the good bytes
   are put, create-only. Who dies between the two leaves a row without an object, which is healed the same way;
5. where there are versions: the legal hold in the store goes over to the new version, and the row is published with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol, cast

from replication.paced import Budget, PacedReads
from replication.ports import Bytes
from segments.clock import US_PER_DAY, US_PER_S, Clock
from segments.commit import COMMIT_DEADLINE_S, store_object
from segments.errors import Conflict, DataDamaged, KeepsightError, NotFound, Refused, TryAgain
from segments.model import Row, RowPosition
from segments.patience import patiently
from segments.ports import WRITE_LIMIT_S, Batches, LegalHolds, ObjectInfo, ObjectStore, ReadRows, WriteRows
from segments.stored_segment import hash_object

UNREADABLE_US = US_PER_DAY
"""A pool that cannot give an object for so long, and answers otherwise, has lost it."""
REST_S = 60.0
"""So long a site that did not answer is not asked again."""
LEFTOVER_AGE_S = 6 * 3600
_TOUCH_S = COMMIT_DEADLINE_S - WRITE_LIMIT_S


class Outcome(StrEnum):
    """What became of a segment that was said to be damaged."""

    FINE = "fine"
    HEALED = "healed"
    GONE = "gone"
    """There is no row any more."""
    LEAVING = "leaving"
    """Its camera-day is being deleted: nothing is touched."""
    DAMAGED = "damaged"


class Healing(NamedTuple):
    """The outcome; `reason` says what is wrong and why it is not healed, or which site it is from."""

    outcome: Outcome
    reason: str = ""


class ReadElsewhere(Protocol):
    """What healing asks of another site."""

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`."""


class HealIndex(ReadRows, WriteRows, Batches, Protocol):
    """What healing needs of the index."""


@dataclass(frozen=True, slots=True)
class Here:
    """This site. `locks`: the pools that keep legal holds, by name; `folder`: for one segment at a time, while it is verified."""

    index: HealIndex
    pools: Mapping[str, ObjectStore]
    locks: Mapping[str, LegalHolds]
    folder: Path


class _Found(NamedTuple):
    """An object as it is: None where there is none; `wrong` is '' if it is as it should be, `sure` unless it could only not be read."""

    info: ObjectInfo | None
    there: bool
    wrong: str = ""
    sure: bool = True


class Healer:
    """Heals segments of one site from others."""

    def __init__(self, here: Here, peers: Mapping[str, ReadElsewhere], clock: Clock, budget: Budget) -> None:
        self._here = here
        self._peers = peers
        self._clock = clock
        self._budget = budget
        self._away_ns: dict[str, int] = {}

    async def heal(self, camera: str, position: RowPosition, since_us: int) -> Healing:
        """Looks at the segment, and heals it if it is damaged. `since_us`: since when it is known to be.

        Raises TryAgain where index or pool do not answer, or were too slow: what was begun is gone on with by the next call.
        """
        try:
            row = await self._here.index.row(camera, position)
        except NotFound:
            return Healing(Outcome.GONE)
        if await self._is_leaving(row):
            return Healing(Outcome.LEAVING)
        if row.pool not in self._here.pools:
            return Healing(Outcome.DAMAGED, f"pool {row.pool} is not in the configuration")
        found = await self._look(row)
        if found.info is not None and not found.wrong:
            return await self._published(row, found.info)
        if not found.sure and self._clock.now_us() - since_us < UNREADABLE_US:
            return Healing(Outcome.DAMAGED, found.wrong)
        return await self._heal(row, found)

    async def _heal(self, row: Row, found: _Found) -> Healing:
        make_folder(self._here.folder, self._clock.now_us())
        with tempfile.NamedTemporaryFile(dir=self._here.folder) as file:
            site, attributes, said = await self._fetch(row, file)
            if not site:
                return Healing(Outcome.DAMAGED, f"{found.wrong}; {said}")
            again = await self._look(row)  # it may have come back meanwhile
            if again.info is not None and not again.wrong:
                return await self._published(row, again.info)
            latest_ns = await self._may_touch(row)
            if latest_ns is None:
                return Healing(Outcome.LEAVING)
            try:
                version = await self._replace(row, Path(file.name), attributes, latest_ns=latest_ns, there=again.there)
            except (Refused, Conflict, DataDamaged) as error:
                return Healing(Outcome.DAMAGED, f"{found.wrong}; it cannot be put in its place: {error}")
            await self._publish(row, version, latest_ns)
        return Healing(Outcome.HEALED, f"{found.wrong}; from {site}")

    # --- what is here

    async def _is_leaving(self, row: Row) -> bool:
        return await self._here.index.batch(row.camera, row.day) is not None

    async def _look(self, row: Row) -> _Found:
        objects = self._here.pools[row.pool]
        try:
            info = await patiently(partial(objects.head, row.key), self._clock)
        except NotFound:
            return _Found(None, there=False, wrong="there is no object")
        except DataDamaged as error:
            return _Found(None, there=True, wrong=str(error))
        if info.size != row.size:
            return _Found(info, there=True, wrong=f"it has {info.size} bytes, not {row.size}")
        try:
            sha256 = await patiently(partial(hash_object, PacedReads(objects, self._budget), row.key), self._clock)
        except NotFound:
            return _Found(None, there=False, wrong="there is no object")
        except (TryAgain, DataDamaged) as error:
            return _Found(info, there=True, wrong=f"it cannot be read: {error}", sure=isinstance(error, DataDamaged))
        wrong = "" if sha256 == row.sha256 else f"its SHA-256 is {sha256}, not {row.sha256}"
        return _Found(info, there=True, wrong=wrong)

    # --- what others have

    async def _fetch(self, row: Row, file: IO[bytes]) -> tuple[str, Mapping[str, str], str]:
        """The site whose bytes, now in the file, are those of the row, and their attributes; or '' and why there is none."""
        said = [] if self._peers else ["no other site is configured"]
        for site, peer in self._peers.items():
            if self._clock.monotonic_ns() < self._away_ns.get(site, 0):
                said.append(f"{site} does not answer")
                continue
            try:
                return site, await self._read(await peer.read(row), row, file), ""
            except NotFound:
                said.append(f"{site} does not have it")
            except TryAgain:
                self._away_ns[site] = self._clock.monotonic_ns() + int(REST_S * 1e9)
                said.append(f"{site} does not answer")
            except KeepsightError as error:
                said.append(f"{site}: {error}")
        return "", {}, ", ".join(said)

    async def _read(self, found: Bytes, row: Row, file: IO[bytes]) -> Mapping[str, str]:
        """Takes the bytes into the file; raises DataDamaged unless they are those of the row."""
        digest, size = hashlib.sha256(), 0
        file.seek(0)
        file.truncate()
        async with aclosing(cast("Any", found.pieces)) as pieces:
            async for piece in pieces:
                await self._budget.take(len(piece))
                size += len(piece)
                if size > row.size:
                    break
                await asyncio.to_thread(digest.update, piece)
                await asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(file.flush)
        if (size, digest.hexdigest()) != (row.size, row.sha256):
            raise DataDamaged("its copy is damaged, too")
        return found.attributes

    # --- putting it right

    async def _may_touch(self, row: Row) -> int | None:
        """Until when (monotonic) this row's object may be replaced; None: its camera-day is being deleted.

        Raises TryAgain if the row has changed or gone meanwhile.
        """
        latest_ns = self._clock.monotonic_ns() + int(_TOUCH_S * 1e9)
        if await self._is_leaving(row):
            return None
        with suppress(NotFound):
            if await self._here.index.row(row.camera, row.position) == row:
                return latest_ns
        raise TryAgain(f"the row of {row.key} has changed meanwhile")

    def _in_time(self, row: Row, latest_ns: int) -> None:
        if self._clock.monotonic_ns() > latest_ns:
            raise TryAgain(f"store or index were too slow to heal {row.key}; it starts over")

    async def _replace(self, row: Row, body: Path, attributes: Mapping[str, str], *, latest_ns: int, there: bool) -> str:
        """Takes away what is there, and puts the good bytes; returns their version."""
        objects = self._here.pools[row.pool]
        if there:
            _expect_gone(await objects.delete([row.key]))
        self._in_time(row, latest_ns)
        put = partial(store_object, objects, row.key, body, size=row.size, sha256=row.sha256, attributes=attributes)
        try:
            return await put()
        except TryAgain as error:
            if not isinstance(error.__cause__, Conflict):
                raise
        # The key is taken, and nothing is there: versitygw takes no create-only put over the mark of a deletion, as S3 does.
        versions = [each async for each in objects.versions(row.key) if each.key == row.key]
        _expect_gone({key: reason for (key, _), reason in (await objects.delete_versions([each[:2] for each in versions])).items()})
        self._in_time(row, latest_ns)
        return await put()

    async def _published(self, row: Row, info: ObjectInfo) -> Healing:
        """A segment with the right bytes: somebody may have died before its row was given their version."""
        if info.version == row.version:
            return Healing(Outcome.FINE)
        latest_ns = await self._may_touch(row)
        if latest_ns is None:
            return Healing(Outcome.LEAVING)
        await self._publish(row, info.version, latest_ns)
        return Healing(Outcome.HEALED, "its row named another version")

    async def _publish(self, row: Row, version: str, latest_ns: int) -> None:
        if version == row.version:
            return
        await self._move_lock(row, version)
        self._in_time(row, latest_ns)
        await self._here.index.publish(replace(row, version=version))

    async def _move_lock(self, row: Row, version: str) -> None:
        """A hold's lock goes to the new version first; then the damaged one lets go, or nothing could ever delete it."""
        locks = self._here.locks.get(row.pool)
        if locks is None:
            return
        try:
            held = await locks.legal_hold(row.key, row.version)
        except NotFound:
            return
        if held:
            await locks.set_legal_hold(row.key, version, True)  # noqa: FBT003 - the port's own word order
            await locks.set_legal_hold(row.key, row.version, False)  # noqa: FBT003


def make_folder(folder: Path, now_us: int) -> None:
    """Makes the folder of segments being verified (0700), and removes what processes that died have left there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.iterdir():
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < now_us / US_PER_S - LEFTOVER_AGE_S:
                left.unlink()


def _expect_gone(refused: Mapping[str, str]) -> None:
    for reason in refused.values():
        raise Refused(f"the store does not let go of what is there ({reason})")
