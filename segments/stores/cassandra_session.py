"""One session of the Cassandra driver behind asyncio: connection, levels of consistency, limits of time, and our errors for its own.

The driver has a thread of its own; answers come back to the loop many at a time. It has no types: `Any` stays in this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cassandra import ConsistencyLevel  # type: ignore[import-untyped]
from cassandra.auth import PlainTextAuthProvider  # type: ignore[import-untyped]
from cassandra.cluster import (  # type: ignore[import-untyped]
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    ResponseFuture,
    Session,
)
from cassandra.policies import (  # type: ignore[import-untyped]
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, tuple_factory  # type: ignore[import-untyped]

from segments.errors import KeepsightError, Refused, StartRefused, TryAgain
from segments.stores.cassandra_errors import FOREIGN, translate, translate_connecting

Values = Sequence[object]
Found = tuple[Any, ...]

UNSET: object = UNSET_VALUE
"""Leaves a column as it is; a None would be written as a deletion. Only within this process: it does not survive pickling."""
ANSWER_LIMIT_S = 5.0
"""How long any request waits for its answer, all servers it is tried on together. Under half of `WRITE_LIMIT_S`."""
SCAN_LIMIT_S = 12.0
"""The same for listing partitions over all servers."""
MAX_UNDER_WAY = 5_000
"""Requests of one process at a time; one more is TryAgain. (At 32,768 a connection the driver would block the loop.)"""
_PAGE_ROWS = 2_000
_TABLE = re.compile(r"\b(FROM|INTO|UPDATE|TABLE IF NOT EXISTS|ALTER TABLE) ([a-z_]+)(?![a-z_.])")
_READ_AGAIN_S = 0.5
"""After so long a read is sent to a second server, too; the first answer counts."""

_READ, _READ_SERIAL, _SCAN, _WRITE, _COMPARE = EXEC_PROFILE_DEFAULT, "read-serial", "scan", "write", "compare"


@dataclass(frozen=True, slots=True)
class CassandraSettings:
    """Where the index is and how to log in. `hosts` are servers of `datacenter`, the one whose copies answer us."""

    hosts: tuple[str, ...]
    datacenter: str
    keyspace: str
    port: int = 9042
    user: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None

    @property
    def where(self) -> str:
        """Its name in sentences, without secrets."""
        return f"{','.join(self.hosts)}:{self.port}"


async def open_session(settings: CassandraSettings) -> CassandraSession:
    """Connects; raises StartRefused (login, certificate, data centre) or TryAgain (no server answers)."""
    try:
        cluster, session = await asyncio.to_thread(_connect, settings)
    except Refused as error:
        raise StartRefused(str(error)) from None
    return CassandraSession(settings, cluster, session)


class CassandraSession:
    """Asks and tells; belongs to the process and the event loop it was opened in. Raises TryAgain, Unknown or Refused."""

    def __init__(self, settings: CassandraSettings, cluster: Cluster, session: Session) -> None:
        self.settings = settings
        self._cluster = cluster
        self._session = session
        self._pid = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._prepared: dict[str, Any] = {}
        self._answers: deque[tuple[asyncio.Future[Any], Any, Exception | None]] = deque()
        self._woken = False
        self._under_way = 0

    # --- what adapters call; statements are prepared when first used, and columns come in the order the statement names them

    async def read(self, cql: str, values: Values = ()) -> list[Found]:
        """All rows a statement gives, as a quorum of the data centre knows them."""
        return await self._read_pages(cql, values, _READ)

    async def read_serial(self, cql: str, values: Values = ()) -> list[Found]:
        """The same, and never older than what any `compare_and_set` or `read_serial` before it has shown (linearizable)."""
        return await self._read_pages(cql, values, _READ_SERIAL)

    async def scan(self, cql: str, values: Values = ()) -> list[Found]:
        """The same over many partitions, with more time."""
        return await self._read_pages(cql, values, _SCAN)

    async def write(self, cql: str, values: Values) -> None:
        """Writes with the time of this call; durable on a quorum of the data centre when it returns."""
        prepared = self._prepared.get(cql) or await self._prepare(cql)
        await self._answer_to(self._send(prepared.bind(values), _WRITE), writing=True)

    async def write_together(self, writes: Sequence[tuple[str, Values]]) -> None:
        """The same for several writes of one partition: all of them or none."""
        await self._answer_to(self._send(await self._batch(writes), _WRITE), writing=True)

    async def compare_and_set(self, cql: str, values: Values) -> bool:
        """A conditional write (Paxos, of this data centre alone); whether its condition held. Never tried twice by itself."""
        prepared = self._prepared.get(cql) or await self._prepare(cql)
        (answer,) = await self._answer_to(self._send(prepared.bind(values), _COMPARE), writing=True)
        return bool(answer[0])

    async def compare_and_set_together(self, cql: str, many: Sequence[Values]) -> bool:
        """The same of several writes of one partition: all of them if the condition of each holds, else none."""
        batch = await self._batch([(cql, values) for values in many])
        return bool((await self._answer_to(self._send(batch, _COMPARE), writing=True))[0][0])

    async def define(self, cql: str) -> None:
        """A statement that changes the schema; returns when all servers agree on it, else raises TryAgain."""
        response = await asyncio.to_thread(self._defined, cql)
        if not response.is_schema_agreed:
            raise TryAgain("the servers of the index do not agree on the schema yet")

    def now_us(self) -> int:
        """The time the driver would give a write now: the machine's clock, and never the same twice."""
        return int(self._cluster.timestamp_generator())

    def now_s(self) -> float:
        """The loop's own clock, which only rises."""
        return self._loop.time()

    def datacenters(self) -> set[str]:
        """The data centres the servers are in."""
        return {host.datacenter for host in self._cluster.metadata.all_hosts()}

    async def close(self) -> None:
        """Closes all connections; fine if done twice."""
        await asyncio.to_thread(self._cluster.shutdown)

    # --- the bridge

    async def _batch(self, writes: Sequence[tuple[str, Values]]) -> Any:
        batch = BatchStatement(BatchType.UNLOGGED)
        for cql, values in writes:
            batch.add((self._prepared.get(cql) or await self._prepare(cql)).bind(values))
        return batch

    async def _read_pages(self, cql: str, values: Values, profile: Any) -> list[Found]:
        bound = (self._prepared.get(cql) or await self._prepare(cql)).bind(values)
        found: list[Found] = []
        state = None
        while True:
            response = self._send(bound, profile, state)
            found += await self._answer_to(response, writing=False)
            state = response._paging_state  # noqa: SLF001 - its public way to the next page blocks
            if state is None:
                return found

    def _send(self, statement: Any, profile: Any, paging_state: bytes | None = None) -> ResponseFuture:
        if os.getpid() != self._pid:
            raise Refused("the index was opened before this process was forked: open it anew here")
        if self._under_way >= MAX_UNDER_WAY:
            raise TryAgain(f"{MAX_UNDER_WAY} requests to the index are under way already")
        try:
            return self._session.execute_async(statement, execution_profile=profile, paging_state=paging_state)
        except FOREIGN:
            raise Refused(f"the index at {self.settings.where} is closed") from None

    def _answer_to(self, response: ResponseFuture, *, writing: bool) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._under_way += 1
        response.add_callbacks(self._answered, self._failed, callback_args=(future,), errback_args=(future, response, writing))
        return future

    def _answered(self, rows: Any, future: asyncio.Future[Any]) -> None:
        """In the driver's thread."""
        self._hand_over(future, rows, None)

    def _failed(self, error: Exception, future: asyncio.Future[Any], response: Any, writing: bool) -> None:
        """In the driver's thread, or in ours where no server could be asked at all."""
        self._hand_over(future, None, translate(error, writing=writing, sent=len(response.attempted_hosts)))

    def _hand_over(self, future: asyncio.Future[Any], rows: Any, error: Exception | None) -> None:
        """Many answers, one wake-up of the loop: waking it is the dear part."""
        self._answers.append((future, rows, error))
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False
        while self._answers:
            future, rows, error = self._answers.popleft()
            self._under_way -= 1
            if future.done():
                continue
            if error is None:
                future.set_result(rows)
            else:
                future.set_exception(error)

    async def _prepare(self, cql: str) -> Any:
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                prepared = await asyncio.to_thread(self._prepared_by_server, cql)
        except TimeoutError:
            raise TryAgain("the index: no server answered in time") from None
        prepared.is_idempotent = True
        prepared.fetch_size = _PAGE_ROWS
        self._prepared[cql] = prepared
        return prepared

    def _prepared_by_server(self, cql: str) -> Any:
        try:
            return self._session.prepare(_qualified(cql, self.settings.keyspace))
        except FOREIGN as error:
            raise translate(error, writing=False, sent=0) from None

    def _defined(self, cql: str) -> ResponseFuture:
        try:
            return self._session.execute(_qualified(cql, self.settings.keyspace), timeout=2 * SCAN_LIMIT_S).response_future
        except FOREIGN as error:
            raise translate(error, writing=True, sent=1) from None


def _qualified(cql: str, keyspace: str) -> str:
    """The statement with its tables named as those of the keyspace: what the server asks of statements that are prepared."""
    return _TABLE.sub(rf"\1 {keyspace}.\2", cql)


# --- connecting --------------------------------------------------------------------------------------------------------


def _connect(settings: CassandraSettings) -> tuple[Cluster, Session]:
    try:
        cluster = Cluster(
            settings.hosts,
            port=settings.port,
            protocol_version=5,
            auth_provider=PlainTextAuthProvider(settings.user, settings.password) if settings.user else None,
            ssl_context=settings.tls,
            execution_profiles=_profiles(settings.datacenter),
            reconnection_policy=ConstantReconnectionPolicy(1, max_attempts=None),
            idle_heartbeat_interval=5,
            idle_heartbeat_timeout=5,
            prepare_on_all_hosts=False,
        )
    except FOREIGN as error:
        raise translate_connecting(error, settings.where) from None
    try:
        return cluster, cluster.connect()
    except (*FOREIGN, OSError) as error:
        known = {host.datacenter for host in cluster.metadata.all_hosts() if host.datacenter}
        cluster.shutdown()
        raise _not_connected(error, settings, known) from None


def _not_connected(error: Exception, settings: CassandraSettings, known: set[str]) -> KeepsightError:
    if known and settings.datacenter not in known:
        return StartRefused(f"the index has no data centre {settings.datacenter!r}: set index.datacenter to {' or '.join(sorted(known))}")
    return translate_connecting(error, settings.where)


def _profiles(datacenter: str) -> dict[Any, ExecutionProfile]:
    """All of one data centre: a quorum of its copies, and Paxos among them."""

    def profile(level: int, limit_s: float = ANSWER_LIMIT_S, **more: Any) -> ExecutionProfile:
        return ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=datacenter)),
            consistency_level=level,
            serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
            request_timeout=limit_s,
            row_factory=tuple_factory,
            **more,
        )

    again = ConstantSpeculativeExecutionPolicy(_READ_AGAIN_S, 1)
    return {
        _READ: profile(ConsistencyLevel.LOCAL_QUORUM, speculative_execution_policy=again),
        _READ_SERIAL: profile(ConsistencyLevel.LOCAL_SERIAL),
        _SCAN: profile(ConsistencyLevel.LOCAL_QUORUM, SCAN_LIMIT_S),
        _WRITE: profile(ConsistencyLevel.LOCAL_QUORUM),
        _COMPARE: profile(ConsistencyLevel.LOCAL_QUORUM, retry_policy=FallthroughRetryPolicy()),
    }
