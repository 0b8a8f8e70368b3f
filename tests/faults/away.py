"""A live service whose store goes away in every way it can, and comes back: what was lost, what recording noticed, how it caught up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from segments.clock import US_PER_S
from tests.builders import at
from tests.faults.store import BreakingStore, a_bucket_service, objects_in
from tests.faults.witness import Judgement, Witness, judge
from tests.servers.faults_http import Fault, HttpFaults
from tests.servers.s3 import S3Server
from tests.servers.toxiproxy import Proxy, Toxiproxy
from tests.service import Service

BACKLOG_S = 1200
"""The longest wait for the backlog to go; a gate is less."""
HEALTHY_S = 4
"""How long it records before anything is broken, and after all is well again."""


class Away(StrEnum):
    """How a store can be away."""

    GONE = "gone"
    """Connections are refused."""
    SLOW = "slow"
    """Far less goes through than is recorded."""
    RESET = "reset"
    """Connections are reset."""
    BUSY = "busy"
    """503 SlowDown to everything."""
    FORBIDDEN = "forbidden"
    """403 AccessDenied to everything."""


class Phase(NamedTuple):
    """One kind of trouble for so long."""

    way: Away
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What it came to."""

    judgement: Judgement
    gap_s: float
    """Time without footage in the timelines of all cameras, from before the first trouble to after the last."""
    backlog_bytes: int
    caught_up_s: float
    """From the store's return to an empty backlog."""
    ingest_bytes_per_s: float
    said: bool
    """Whether the status told of what waited, and told no more afterwards."""

    @property
    def catch_up(self) -> float:
        """Bytes uploaded a second while it caught up, as a multiple of the bytes recorded."""
        return 1 + self.backlog_bytes / self.caught_up_s / self.ingest_bytes_per_s


@dataclass
class Store:
    """The two proxies before a store, one for connections, one for requests."""

    connections: Proxy
    requests: BreakingStore

    @asynccontextmanager
    async def trouble(self, way: Away) -> AsyncIterator[None]:
        """The store is away in this way."""
        async with AsyncExitStack() as stack:
            match way:
                case Away.GONE:
                    self.connections.down()
                    stack.callback(self.connections.up)
                case Away.SLOW:
                    stack.enter_context(self.connections.fault("bandwidth", up=True, rate=4))
                case Away.RESET:
                    stack.enter_context(self.connections.fault("reset_peer", timeout=0))
                case Away.BUSY | Away.FORBIDDEN:
                    self.requests.now = Fault.SLOW_DOWN if way is Away.BUSY else Fault.FORBIDDEN
                    stack.callback(setattr, self.requests, "now", "fine")
            yield


@asynccontextmanager
async def _behind_proxies(server: S3Server) -> AsyncIterator[Store]:
    requests = BreakingStore()
    async with HttpFaults(server.port, requests) as http:
        with Toxiproxy() as toxiproxy:
            yield Store(toxiproxy.before(http.port), requests)


async def store_away(
    folder: Path, cameras: Mapping[str, str], server: S3Server, phases: Sequence[Phase], *, keepsight: Sequence[str] | None = None
) -> Outcome:
    """Records through all phases, lets the service catch up, stops it, and judges; `keepsight` takes the place of the command."""
    async with _behind_proxies(server) as store:
        more = {} if keepsight is None else {"keepsight": keepsight}
        service, bucket = a_bucket_service(folder, cameras, server, store.connections.port, recording={"segment_s": 2}, **more)
        async with service:
            await service.wait_for(lambda: service.is_recording(*cameras))
            await asyncio.sleep(HEALTHY_S)
            began_us = time.time_ns() // 1000 - HEALTHY_S // 2 * US_PER_S
            async with Witness(service, list(cameras)) as witness:
                ingest, said = await _trouble(service, store, phases)
                backlog = (await service.api("/status"))["spool"]["bytes"]
                caught_up_s = await _caught_up(service, len(cameras), strict=keepsight is None)
                await asyncio.sleep(HEALTHY_S)
            ended_us = time.time_ns() // 1000 - 4 * US_PER_S
            gaps = [_gap_s(await service.timeline(camera, began_us, ended_us)) for camera in cameras]
            await service.stop()
        judgement = await asyncio.to_thread(judge, witness, objects_in(server, bucket), verified=keepsight is None)
    return Outcome(judgement, sum(gaps), backlog, caught_up_s, ingest, said)


async def _trouble(service: Service, store: Store, phases: Sequence[Phase]) -> tuple[float, bool]:
    """Goes through the phases; returns what was recorded a second while nothing went through, and whether the last was told of."""
    rates = []
    said = False
    for way, seconds in phases:
        async with store.trouble(way):
            before, started_s = (await service.api("/status"))["spool"]["bytes"], time.monotonic()
            await asyncio.sleep(seconds)
            status = await service.api("/status")
            if way is Away.GONE:
                rates.append((status["spool"]["bytes"] - before) / (time.monotonic() - started_s))
            said = bool(status["alarms"])
    return sum(rates) / len(rates), said


async def _caught_up(service: Service, cameras: int, *, strict: bool) -> float:
    """Seconds until no more waits than is being recorded, and nothing is complained of."""

    async def done() -> bool:
        status = await service.api("/status")
        return status["spool"]["segments"] <= cameras and status["alarms"] == []

    with contextlib.nullcontext() if strict else contextlib.suppress(RuntimeError):
        return await service.wait_for(done, BACKLOG_S if strict else 5)
    return 5.0


def _gap_s(spans: Sequence[Mapping[str, str]]) -> float:
    return sum(at(span["to"]) - at(span["from"]) for span in spans if span["kind"] != "footage") / US_PER_S


def all_ways(gone_s: float, others_s: float) -> list[Phase]:
    """Gone for so long, then away in every other way for so long each."""
    return [Phase(way, gone_s if way is Away.GONE else others_s) for way in Away]
