"""Fakes of the recorder's neighbours: an index and a store with faults, a camera one speaks for, a quick disk, a clock one moves."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.fragment import SegmentWriter
from recorder.source import Sink, SourceEnded
from recorder.spool import OpenSegment
from segments.boxes import codecs
from segments.clock import US_PER_S
from segments.errors import TryAgain
from segments.facts import Facts
from segments.media import TIMESCALE, AccessUnit, Track
from segments.model import Cause
from segments.ports import ObjectInfo
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US, RUN
from tests.pool import pictures
from tests.samples import MEDIA_START, VIDEO


class Died(BaseException):
    """The process is gone: no code of it runs any more."""


@dataclass
class Life:
    """Dies after so many calls of any port (None: never). `calls` are the names of those that were made."""

    calls_left: int | None = None
    calls: list[str] = field(default_factory=list)

    def called(self, name: str) -> None:
        """A call has taken effect."""
        self.calls.append(name)
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left == 0:
                raise Died


class _Switched:
    """A port whose calls fail while `away`, or once each for names in `fails`, and which a `Life` counts."""

    def __init__(self, inner: Any, life: Life | None = None) -> None:
        self.inner = inner
        self.life = life or Life()
        self.away = False
        self.fails: dict[str, Exception] = {}
        """Errors by the name of the call they are raised in, before it does anything; each is raised once."""
        self.fails_after: dict[str, Exception] = {}
        """The same, but the call has taken effect."""
        self.before: Callable[[str], None] = lambda _: None
        """Called with each call's name before it does anything."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        if inspect.isasyncgenfunction(method):
            return self._listing(name, method)

        async def call(*arguments: Any, **named: Any) -> Any:
            self.before(name)
            if self.away:
                raise TryAgain(f"{name}: away")
            if name in self.fails:
                raise self.fails.pop(name)
            answer = await method(*arguments, **named)
            self.life.called(name)
            if name in self.fails_after:
                raise self.fails_after.pop(name)
            return answer

        return call

    def _listing(self, name: str, method: Any) -> Any:
        async def listing(*arguments: Any, **named: Any) -> Any:
            self.before(name)
            if self.away:
                raise TryAgain(f"{name}: away")
            if name in self.fails:
                raise self.fails.pop(name)
            async for item in method(*arguments, **named):
                yield item
            self.life.called(name)
            if name in self.fails_after:
                raise self.fails_after.pop(name)

        return listing


class SwitchedIndex(_Switched):
    """A memory index with faults; `inner` is the index itself."""

    inner: MemoryIndex

    def __init__(self, inner: MemoryIndex | None = None, life: Life | None = None) -> None:
        super().__init__(inner or MemoryIndex(), life)


class SwitchedObjects(_Switched):
    """A memory store with faults; `inner` is the store itself. `lies`: a put says yes and stores nothing."""

    inner: MemoryObjects

    def __init__(self, inner: MemoryObjects | None = None, life: Life | None = None) -> None:
        super().__init__(inner or MemoryObjects(), life)
        self.lies = False

    async def put(self, key: str, body: Any, **named: Any) -> str:
        """See `PutObject`."""
        if self.lies:
            return "v1"
        return await self.__getattr__("put")(key, body, **named)


class ForeignObjects(SwitchedObjects):
    """A store that holds other bytes than it was given."""

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""
        info = await self.inner.head(key)
        return ObjectInfo(info.key, info.size, info.version, "f" * 64, info.attributes)


async def keys_of(objects: MemoryObjects) -> list[str]:
    """All keys of a store."""
    return [item.key for item in (await objects.list("")).items]


class SteppedClock:
    """Begins at noon and stands until a test moves it; sleepers wake in order. `waiting` says how many sleep."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.start_us = now_us
        self.passed_ns = 0
        self._sleepers: list[tuple[int, int, asyncio.Event]] = []
        self._order = 0

    def now_us(self) -> int:
        """See `segments.clock.Clock`."""
        return self.start_us + self.passed_ns // 1000

    def monotonic_ns(self) -> int:
        """See `segments.clock.Clock`."""
        return self.passed_ns

    async def sleep(self, seconds: float) -> None:
        """See `segments.clock.Clock`."""
        event = asyncio.Event()
        self._order += 1
        heapq.heappush(self._sleepers, (self.passed_ns + round(seconds * 1e9), self._order, event))
        await event.wait()

    def stand_still(self, seconds: float) -> None:
        """Time passes and nobody wakes, as when all are stopped: those whose moment has come meanwhile wake late."""
        self.passed_ns += round(seconds * 1e9)

    async def pass_(self, seconds: float) -> None:
        """Lets time pass, waking each sleeper at its moment, and lets everybody do what they then do."""
        end_ns = self.passed_ns + round(seconds * 1e9)
        await settled()
        while self._sleepers and self._sleepers[0][0] <= end_ns:
            due_ns = self._sleepers[0][0]
            self.passed_ns = max(self.passed_ns, due_ns)
            while self._sleepers and self._sleepers[0][0] == due_ns:
                heapq.heappop(self._sleepers)[2].set()
            await settled()
        self.passed_ns = end_ns


async def settled() -> None:
    """Lets every task run that can, work in threads and sockets of this machine included."""
    for _ in range(4):
        for _ in range(10):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)


async def until(condition: Callable[[], object], limit: int = 2_000) -> None:
    """Lets others run until the condition holds; AssertionError if it never does."""
    for _ in range(limit):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to that")


class FakeSource:
    """A camera one speaks for: it delivers what the test says, when it says so."""

    def __init__(self, tracks: Sequence[Track], units: Iterable[AccessUnit] = ()) -> None:
        self.tracks = tracks
        self.units = list(units)
        self.sink: Sink | None = None
        self.closed = False
        self._end: asyncio.Future[None] | None = None

    async def run(self, sink: Sink) -> None:
        """See `Source`: opens, delivers the units it was made with, and waits for more to do."""
        self._end = asyncio.get_running_loop().create_future()
        try:
            self.sink = sink
            sink.opened(self.tracks, ())
            self.feed(self.units)
            await self._end
        finally:
            self.closed = True

    def feed(self, units: Iterable[AccessUnit]) -> None:
        """Delivers units as they were taken, without delay."""
        assert self.sink is not None
        for unit in units:
            self.sink.unit(unit, NOON_US + unit.pts * US_PER_S // TIMESCALE)

    def end(self, cause: Cause = Cause.CAMERA_AWAY, text: str = "connection refused") -> None:
        """The connection is lost."""
        self.fail(SourceEnded(cause, text))

    def fail(self, error: Exception) -> None:
        """It ends with any error."""
        assert self._end is not None
        self._end.set_exception(error)


def synthetic_units(seconds: float, *, first_s: float = 0, fps: int = 5) -> list[AccessUnit]:
    """Pictures nobody decodes, a key frame each second."""
    step = TIMESCALE // fps
    first = round(first_s * fps)
    return [AccessUnit(0, n * step, None, n % fps == 0, b"picture %d" % n) for n in range(first, first + round(seconds * fps))]


@dataclass
class FakeDisk:
    """A `DiskSync` that is quick; `error` makes the next sync fail."""

    error: OSError | None = None
    syncs: int = 0

    def prepared(self, segments: Iterable[OpenSegment]) -> Callable[[], None]:
        """See `DiskSync`."""
        list(segments)

        def sync() -> None:
            self.syncs += 1
            if self.error is not None:
                error, self.error = self.error, None
                raise error

        return sync

    def close(self) -> None:
        """See `DiskSync`."""


@dataclass(frozen=True)
class Sealed:
    """A segment lying sealed in a spool: its file, its bytes, and what its row and object must say."""

    path: Path
    data: bytes
    camera: str
    run: str
    counter: int
    start_us: int
    fragments: int
    end_us: int

    @property
    def sha256(self) -> str:
        """Of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


def a_sealed_file(
    folder: Path, *, camera: str = "gate", run: str = RUN, counter: int = 0, start_us: int | None = None, seconds: int = 4
) -> Sealed:
    """A whole segment of pictures nobody decodes, sealed in a spool; 4 s each, the run beginning at noon."""
    if start_us is None:
        start_us = NOON_US + counter * seconds * US_PER_S
    writer = SegmentWriter()
    first = MEDIA_START + counter * seconds * TIMESCALE
    data = writer.begin([VIDEO])
    for second in range(0, seconds, 2):
        data += writer.add([pictures(50, first + second * TIMESCALE, every=25)])
    facts = Facts(
        camera=camera,
        run=run,
        counter=counter,
        start_us=start_us,
        end_us=start_us + seconds * US_PER_S,
        run_start_us=start_us - counter * seconds * US_PER_S,
        codecs=codecs([VIDEO]),
        width=VIDEO.width,
        height=VIDEO.height,
        notes=(),
        clock_synced=True,
    )
    count = len(writer.fragments)
    data += writer.finish(facts.as_json())
    path = folder / camera / run / f"{start_us}.{counter}.mp4"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(data)
    return Sealed(path, data, camera, run, counter, start_us, count, facts.end_us)
