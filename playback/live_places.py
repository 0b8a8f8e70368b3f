"""The live edge of a whole site: the places that may know of a camera are asked at once, and one that hangs holds nobody up for long."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from playback.live import LiveFootage, Partly
from segments.clock import Clock
from segments.duty import Place
from segments.errors import KeepsightError, NotFound, TryAgain
from segments.model import Row, RowPosition, Run
from segments.ports import Places
from segments.shards import shard_of

log = logging.getLogger(__name__)

T = TypeVar("T")

KEPT_S = 1.0
"""So long the places are as they were last read: they report themselves about each second."""
ONE_OF_MANY_S = 1.0
"""How long one of several places may take: what the others say is worth more than its answer."""
ONLY_ONE_S = 3.0
REST_S = 3.0
"""So long a place that did not answer is not asked again, if there are others."""
OWNERS_KEPT = 10_000


class LivePlace(LiveFootage, Protocol):
    """One place."""

    async def close(self) -> None:
        """Closes its connections."""


class LivePlaces:
    """See `LiveFootage`. `connect` makes the client of a place by the address of its internal routes."""

    def __init__(self, index: Places, connect: Callable[[str], LivePlace], clock: Clock) -> None:
        self._index = index
        self._connect = connect
        self._clock = clock
        self._clients: dict[str, LivePlace] = {}
        self._places: Sequence[Place] = ()
        self._read_ns: int | None = None
        self._rests_until_ns: dict[str, int] = {}
        self._owners: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        """See `LiveFootage`; raises Partly where some of the places do not answer."""
        answers, errors = await self._ask(_knowing(camera, await self._known()), lambda place: place.segments(camera))
        for url, segments in answers.items():
            for row, _ in segments:
                self._owns(url, camera, row.run)
        found = sorted((one for segments in answers.values() for one in segments), key=lambda one: one[0].position)
        if errors:
            raise Partly(found, next(iter(errors.values())))
        return found

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        """See `LiveFootage`. All segments of a run are at one place."""

        async def ask(place: LivePlace) -> bytes | None:
            try:
                return await place.read(camera, position, start, end)
            except NotFound:
                return None

        known = await self._known()
        owner = [place for place in known if place.url == self._owners.get((camera, position.run))]
        answers, errors = await self._ask(owner or _knowing(camera, known), ask)
        for url, data in answers.items():
            if data is not None:
                self._owns(url, camera, position.run)
                return data
        if errors:
            raise next(iter(errors.values()))
        raise NotFound(f"no spool holds segment {position.counter} of {camera} {position.run} any more")

    async def status(self) -> Mapping[str, object]:
        """See `LiveFootage`; numbers are summed up over all places, and alarms name theirs where there are several."""
        known = await self._known()
        if not known:
            raise TryAgain("no place that records has been heard of yet")
        names = {place.url: place.name for place in known}
        answers, errors = await self._ask(known, lambda place: place.status())
        if not answers:
            raise next(iter(errors.values()))
        summed = {part: _sum([answer.get(part, {}) for answer in answers.values()]) for part in ("cameras", "fragments", "spool")}
        alarms = [f"{names[url]}: {alarm}" if len(known) > 1 else alarm for url, answer in answers.items() for alarm in _alarms(answer)]
        return {**summed, "alarms": [*alarms, *(f"{names[url]} does not answer: {error}" for url, error in errors.items())]}

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._clients.values():
            await client.close()

    # --- places ---

    async def _known(self) -> Sequence[Place]:
        """The site's places, as they were at most a second ago; as they were last while the index does not answer."""
        now_ns = self._clock.monotonic_ns()
        if self._read_ns is None or now_ns - self._read_ns >= KEPT_S * 1e9:
            try:
                self._places = [place for place in await self._index.places() if place.url]
            except TryAgain:
                if self._read_ns is None:
                    raise
            self._read_ns = now_ns
            for url in self._clients.keys() - {place.url for place in self._places}:
                await self._clients.pop(url).close()
        return self._places

    def _owns(self, url: str, camera: str, run: str) -> None:
        self._owners[camera, run] = url
        self._owners.move_to_end((camera, run))
        if len(self._owners) > OWNERS_KEPT:
            self._owners.popitem(last=False)

    async def _ask(
        self, places: Sequence[Place], question: Callable[[LivePlace], Awaitable[T]]
    ) -> tuple[dict[str, T], dict[str, KeepsightError]]:
        """What each answers, and what went wrong with the others, by their addresses."""
        awake = [place for place in places if self._rests_until_ns.get(place.url, 0) <= self._clock.monotonic_ns()] or places
        limit_s = ONE_OF_MANY_S if len(places) > 1 else ONLY_ONE_S
        said = await asyncio.gather(*(self._one(place.url, question, limit_s) for place in awake))
        answers: dict[str, T] = {}
        errors: dict[str, KeepsightError] = {
            place.url: TryAgain(f"{place.name} did not answer a moment ago") for place in places if place not in awake
        }
        for place, answer in zip(awake, said, strict=True):
            if isinstance(answer, KeepsightError):
                log.warning("place.unanswered: %(place)s does not answer: %(error)s", {"place": place.name, "error": answer})
                errors[place.url] = answer
                self._rests_until_ns[place.url] = self._clock.monotonic_ns() + int(REST_S * 1e9)
            else:
                answers[place.url] = answer
        return answers, errors

    async def _one(self, url: str, question: Callable[[LivePlace], Awaitable[T]], limit_s: float) -> T | KeepsightError:
        if url not in self._clients:
            self._clients[url] = self._connect(url)
        try:
            async with asyncio.timeout(limit_s):
                return await question(self._clients[url])
        except TimeoutError:
            return TryAgain(f"no answer within {limit_s:g} s")
        except KeepsightError as error:
            return error


def _knowing(camera: str, places: Sequence[Place]) -> list[Place]:
    """The places in whose spools footage of the camera may lie."""
    return [place for place in places if shard_of(camera, place.of) in place.spooled]


def _sum(parts: Sequence[object]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        if isinstance(part, Mapping):
            total.update(part)
    return dict(total)


def _alarms(answer: Mapping[str, object]) -> Sequence[str]:
    said = answer.get("alarms", ())
    return said if isinstance(said, list) else ()
