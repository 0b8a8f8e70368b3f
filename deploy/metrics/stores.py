"""Index and pools whose calls are counted and timed: wrappers around the ports, which add no call and change no answer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Histogram

from segments.clock import US_PER_S, Clock
from segments.duty import Duty
from segments.errors import Conflict, KeepsightError, NotFound
from segments.model import Lease, Row, StateChange
from segments.ports import Body, Index, ObjectStore

CALL_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0)
DELAY_BUCKETS_S = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
_ANSWERS = (NotFound, Conflict)
"""Errors that are answers: the other side does its work."""


def failure_kind(error: BaseException) -> str:
    """A word for an error, out of a few: `try-again`, `unknown`, `refused`, `data-damaged`, `bad-input`, `other`; `cut-off`: we gave up."""
    if isinstance(error, asyncio.CancelledError):
        return "cut-off"
    if not isinstance(error, KeepsightError):
        return "other"
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__).removeprefix("-")


class CallMetrics:
    """Seconds of the calls that were answered, and a count of those that failed, of one kind of store."""

    def __init__(self, registry: CollectorRegistry, clock: Clock, store: str, *, labels: tuple[str, ...] = (), what: str) -> None:
        self._clock = clock
        self._seconds = Histogram(
            f"keepsight_{store}_call_seconds",
            f"How long answered calls of {what} took.",
            [*labels, "call"],
            buckets=CALL_BUCKETS_S,
            registry=registry,
        )
        self._failures = Counter(
            f"keepsight_{store}_failures", f"Calls of {what} that failed.", [*labels, "call", "kind"], registry=registry
        )

    @contextmanager
    def counted(self, call: str, *labels: str) -> Iterator[None]:
        """Counts what happens inside as one call."""
        began_ns = self._clock.monotonic_ns()
        try:
            yield
        except (*_ANSWERS, GeneratorExit):  # a reader that has enough is no failure
            self._took(began_ns, *labels, call)
            raise
        except BaseException as error:
            self._failures.labels(*labels, call, failure_kind(error)).inc()
            raise
        self._took(began_ns, *labels, call)

    def expect(self, *labels: str) -> None:
        """Tells of a failure from now on, though there was none: so the first is seen as a rise."""
        self._failures.labels(*labels)

    def _took(self, began_ns: int, *labels: str) -> None:
        self._seconds.labels(*labels).observe((self._clock.monotonic_ns() - began_ns) / 1e9)


class Counted:
    """Any port: its coroutines and listings are counted under their names, everything else is the port's own."""

    def __init__(self, port: object, calls: CallMetrics, *labels: str) -> None:
        self._port = port
        self._calls = calls
        self._labels = labels

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if inspect.isasyncgenfunction(method):
            return self._listing(name, method)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            with self._calls.counted(name, *self._labels):
                return await cast("Callable[..., Awaitable[Any]]", method)(*arguments, **named)

        return call

    def _listing(self, name: str, method: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def listing(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
            with self._calls.counted(name, *self._labels):
                async for item in method(*arguments, **named):
                    yield item

        return listing


class StoreMetrics:
    """The instruments of index and pools; makes the counting wrappers."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self.clock = clock
        self.index_calls = CallMetrics(registry, clock, "index", what="the index")
        self.pool_calls = CallMetrics(registry, clock, "pool", labels=("pool",), what="a pool")
        self.written = Counter("keepsight_pool_written_bytes", "Bytes put into a pool.", ["pool"], registry=registry)
        self.read = Counter("keepsight_pool_read_bytes", "Bytes read from a pool.", ["pool"], registry=registry)
        self.delay = Histogram(
            "keepsight_commit_delay_seconds",
            "From the end of a segment's footage until its row was published.",
            buckets=DELAY_BUCKETS_S,
            registry=registry,
        )
        self.changes = Counter(
            "keepsight_camera_changes", "Changes of the cameras' states that were written down.", ["state", "cause"], registry=registry
        )
        self.leases = Counter(
            "keepsight_lease_changes",
            "Leases by what became of them here: taken (each a new epoch), lost (a higher epoch was given), released.",
            ["kind", "change"],
            registry=registry,
        )

    def index(self, index: Index) -> Index:
        """The index, counted."""
        return cast("Index", CountedIndex(index, self))

    def pools(self, pools: Mapping[str, ObjectStore]) -> Mapping[str, ObjectStore]:
        """The pools, counted."""
        return {name: cast("ObjectStore", CountedPool(pool, self, name)) for name, pool in pools.items()}


class CountedIndex(Counted):
    """See `StoreMetrics`."""

    def __init__(self, index: Index, metrics: StoreMetrics) -> None:
        super().__init__(index, metrics.index_calls)
        self._index = index
        self._metrics = metrics

    async def publish(self, row: Row) -> None:
        """See `WriteRows`."""
        with self._calls.counted("publish"):
            await self._index.publish(row)
        self._metrics.delay.observe(max(0.0, (self._metrics.clock.now_us() - row.end_us) / US_PER_S))

    async def put_state(self, change: StateChange) -> None:
        """See `States`."""
        with self._calls.counted("put_state"):
            await self._index.put_state(change)
        self._metrics.changes.labels(change.state.value, change.cause.value if change.cause is not None else "").inc()

    async def acquire(self, duty: Duty, holder: str, *, seen: Lease | None, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        with self._calls.counted("acquire"):
            lease = await self._index.acquire(duty, holder, seen=seen, now_us=now_us, ttl_us=ttl_us)
        if lease is not None:
            self._metrics.leases.labels(duty.kind, "lost")  # told from the first on, so that its first rise is seen
            self._metrics.leases.labels(duty.kind, "taken").inc()
        return lease

    async def renew(self, lease: Lease, *, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        with self._calls.counted("renew"):
            kept = await self._index.renew(lease, now_us=now_us, ttl_us=ttl_us)
        if kept is None:
            self._metrics.leases.labels(lease.duty.kind, "lost").inc()
        return kept

    async def release(self, lease: Lease, *, now_us: int) -> None:
        """See `Leases`."""
        with self._calls.counted("release"):
            await self._index.release(lease, now_us=now_us)
        self._metrics.leases.labels(lease.duty.kind, "released").inc()


class CountedPool(Counted):
    """See `StoreMetrics`."""

    def __init__(self, pool: ObjectStore, metrics: StoreMetrics, name: str) -> None:
        super().__init__(pool, metrics.pool_calls, name)
        self._pool = pool
        self._written = metrics.written.labels(name)
        self._read = metrics.read.labels(name)
        for call in ("put", "get", "head"):
            metrics.pool_calls.expect(name, call, "refused")
            metrics.pool_calls.expect(name, call, "data-damaged")

    async def put(self, key: str, body: Body, *, sha256: str, attributes: Mapping[str, str]) -> str:
        """See `PutObject`."""
        size = body.stat().st_size if isinstance(body, Path) else len(body)
        with self._calls.counted("put", *self._labels):
            version = await self._pool.put(key, body, sha256=sha256, attributes=attributes)
        self._written.inc(size)
        return version

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `ReadObject`."""
        with self._calls.counted("get", *self._labels):
            data = await self._pool.get(key, start, end)
        self._read.inc(len(data))
        return data

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `ReadObject`. Timed to its end, the reader's own time included."""
        with self._calls.counted("stream", *self._labels):
            async for piece in self._pool.stream(key, start, end):
                self._read.inc(len(piece))
                yield piece
