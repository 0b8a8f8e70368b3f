"""What a store really does, found out by doing it: the abilities every pool needs, asked through the port the product itself uses.

Nothing is believed: after each answer the probe looks at what is there. Its objects lie under `PROBE_FOLDER` and are removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from segments.errors import Conflict, DataDamaged, KeepsightError, NotFound, TryAgain
from segments.ports import ObjectStore

PROBE_FOLDER = "keepsight-probe"


class Race(NamedTuple):
    """So many that put objects of this size under one key at once."""

    size_bytes: int
    racers: int


RACES = (Race(1 << 10, 32), Race(256 << 10, 8))
QUICK_RACES = (Race(1 << 10, 1), Race(256 << 10, 4))
"""At a start; SeaweedFS lets racers wait for one another for up to a second each."""
_ATTRIBUTES = {"camera": "35020000001310000001", "place": "门 2", "type": 'video/mp4; codecs="avc1"'}


class Ability(StrEnum):
    """What a store can be asked to do; see `POOL_NEEDS` and `BUCKET_NEEDS`, and what settings name beside them."""

    CREATE_ONLY = "create-only"
    """Of many that put one key at once, exactly one succeeds; nobody overwrites."""
    ATTRIBUTES = "attributes"
    RANGES = "ranges"
    LISTS = "lists"
    DELETES = "deletes"
    CHECKSUMS = "checksums"
    """Bytes that are not of the SHA-256 they came with are refused."""
    LOGINS = "logins"
    """A wrong secret is refused."""
    VERSIONS = "versions"
    OBJECT_LOCK = "object-lock"
    """Retention and legal hold keep a version against every delete."""
    SIGNED_LINKS = "signed-links"
    """A link opens one object until it expires, and only as it was signed."""


POOL_NEEDS = frozenset({Ability.CREATE_ONLY, Ability.ATTRIBUTES, Ability.RANGES, Ability.LISTS, Ability.DELETES, Ability.CHECKSUMS})
BUCKET_NEEDS = POOL_NEEDS | {Ability.LOGINS}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one ability; `said` tells what was seen, in a sentence without secrets."""

    ability: Ability
    passed: bool
    said: str


class Missing(Exception):
    """A store failed a trial; the text says what was seen."""


def expect(holds: bool, otherwise: str) -> None:
    """Raises Missing unless so."""
    if not holds:
        raise Missing(otherwise)


async def tried(ability: Ability, trial: Awaitable[str]) -> Finding:
    """The finding of a trial, which returns what it saw or raises Missing. Raises TryAgain where the store does not answer."""
    try:
        return Finding(ability, passed=True, said=await trial)
    except Missing as missing:
        return Finding(ability, passed=False, said=str(missing))
    except TryAgain:
        raise
    except KeepsightError as error:
        return Finding(ability, passed=False, said=str(error))


def probe_key(name: str, run: str) -> str:
    """A key of one run of a probe."""
    return f"{PROBE_FOLDER}/{run}/{name}"


class ObjectsProbe:
    """Tries what every pool needs, whatever kind of store it is."""

    def __init__(self, objects: ObjectStore, run: str, races: Sequence[Race] = RACES) -> None:
        """`run`: a name of this run's own; its objects lie under it."""
        self._objects = objects
        self._run = run
        self._races = races

    async def run(self) -> list[Finding]:
        """Findings of `POOL_NEEDS`, in the order of `Ability`. Raises TryAgain if the store does not answer, Refused if it refuses us."""
        await self._objects.list(f"{PROBE_FOLDER}/", limit=1)
        trials: list[tuple[Ability, Callable[[], Awaitable[str]]]] = [
            (Ability.CREATE_ONLY, self._create_only),
            (Ability.ATTRIBUTES, self._attributes),
            (Ability.RANGES, self._ranges),
            (Ability.LISTS, self._lists),
            (Ability.CHECKSUMS, self._checksums),
            (Ability.DELETES, self._deletes),
        ]
        try:
            return [await tried(ability, trial()) for ability, trial in trials]
        finally:
            await self._objects.delete([self._key(name) for name in ("a/0", "a/1", "wrong")])

    def _key(self, name: str) -> str:
        return probe_key(name, self._run)

    async def _put(self, name: str, data: bytes, sha256: str | None = None) -> bool:
        """Whether it was taken; False: there is an object of that key already."""
        try:
            await self._objects.put(self._key(name), data, sha256=sha256 or _sha256(data), attributes=_ATTRIBUTES)
        except Conflict:
            return False
        return True

    async def _create_only(self) -> str:
        for number, (size_bytes, racers) in enumerate(self._races):
            bodies = [random.Random(racer).randbytes(size_bytes) for racer in range(racers)]
            answers = await asyncio.gather(*(self._put(f"a/{number}", body) for body in bodies), return_exceptions=True)
            winners = _winners(answers)
            expect(len(winners) == 1, f"{len(winners)} of {racers} that put one key at once were told that theirs was stored")
            there = await self._objects.get(self._key(f"a/{number}"))
            expect(there == bodies[winners[0]], "the object does not have the bytes of the one who was told that they were stored")
            expect(not await self._put(f"a/{number}", b"later"), "a second put of a key overwrote the first")
            expect(await self._objects.get(self._key(f"a/{number}")) == there, "a second put was refused, and yet changed the object")
        return f"1 of {racers} that put one key at once won"

    async def _attributes(self) -> str:
        info = await self._objects.head(self._key("a/0"))
        expect(dict(info.attributes) == _ATTRIBUTES and len(info.sha256) == 64, "an object's attributes come back changed")
        return "kept as they were put"

    async def _ranges(self) -> str:
        data = await self._objects.get(self._key("a/1"))
        for start, end in ((0, 1), (5, 1000), (100_000, 200_001), (len(data) - 3, None), (len(data) - 3, len(data) + 9), (len(data), None)):
            got = await self._objects.get(self._key("a/1"), start, end)
            expect(got == data[start:end], f"bytes {start} to {end} of {len(data)} were asked for, and {len(got)} others came")
        return "every range gave its bytes"

    async def _lists(self) -> str:
        names = [self._key(f"a/{number}") for number in range(len(self._races))]
        page = await self._objects.list(self._key("a/"))
        expect([item.key for item in page.items] == names, "what was just put is not in the listing, or not in order")
        after = await self._objects.list(self._key("a/"), after=names[0])
        expect([item.key for item in after.items] == names[1:], "a listing after a key gives the wrong objects")
        return "in order, with what was just put"

    async def _checksums(self) -> str:
        try:
            await self._put("wrong", b"not these bytes", _sha256(b"these bytes"))
        except DataDamaged:
            return "bytes of another SHA-256 were refused"
        raise Missing("bytes that are not of their SHA-256 were stored")

    async def _deletes(self) -> str:
        names = [self._key(f"a/{number}") for number in range(len(self._races))]
        refused = await self._objects.delete([*names, self._key("never")])
        expect(not refused, f"a delete was refused: {', '.join(sorted(set(refused.values())))}")
        for name in names:
            try:
                await self._objects.head(name)
            except NotFound:
                continue
            raise Missing("what was deleted is still there")
        expect(not (await self._objects.list(self._key("a/"))).items, "what was deleted is still listed")
        return "what was deleted is gone"


def _winners(answers: Sequence[object]) -> list[int]:
    """Who was told that theirs was stored. Losers may be told to try again (409 of S3), or nothing; of nobody a race says nothing.

    Raises TryAgain where nobody won, and what is neither an answer nor a passing fault.
    """
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, TryAgain):
            raise answer
    winners = [racer for racer, won in enumerate(answers) if won is True]
    if not winners:
        raise TryAgain("the store stored none of the objects that the probe put")
    return winners


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
