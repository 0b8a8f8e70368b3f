"""S7: the sweep: segments removed a second, rows and objects, against DeleteObjects alone on as many keys.

Both work on one bucket of a real S3 server, one after the other, several times, the order changing. Ours are camera-days of a segment a
minute in an index in SQLite, led from the decision to the receipt by the real sweep: planned twice, unpublished, claimed, looked at for
holds, deleted, listed again, proven. Only the waiting (commit deadline and grace) passes by the clock alone. The peer sends the same keys
to DeleteObjects, a thousand a request, and believes every answer. Then the requests to the index and to the pool are counted for camera-
days of 10, 100 and 1,440 segments: they must grow with camera-days, and not with segments.
"""

from __future__ import annotations

import asyncio
import inspect
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.due_site import Amount, begin_retention, keep, rows_of, sweep_all
from bench.promise import read_form, report
from segments.model import Row
from segments.ports import Index
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SeaweedFs

DAY_SEGMENTS = 1440
SHORT, FULL = (Amount(2, 1, DAY_SEGMENTS), 3), (Amount(5, 2, DAY_SEGMENTS), 5)
SIZES = (10, 100, DAY_SEGMENTS)
GATE = 0.8
MOST_GROWTH = 1.5
"""So many times the requests of a camera-day of 10 segments one of 1,440 may take: a page of a thousand more of each listing is fair."""
AT_ONCE = 8
MOST_KEYS = 1000
"""Of one request (S3, DeleteObjects)."""


@dataclass
class Counting:
    """A port whose calls are counted by name; what comes in pages is counted by the calls beneath it."""

    port: Any
    calls: Counter[str] = field(default_factory=Counter)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            self.calls[name] += 1
            return await method(*arguments, **named)

        return call

    async def versions(self, prefix: str) -> AsyncIterator[Any]:
        """See `Versions`; a request for each thousand."""
        count = 0
        async for each in self.port.versions(prefix):
            count += 1
            yield each
        self.calls["versions"] += 1 + max(0, count - 1) // MOST_KEYS


@asynccontextmanager
async def an_index(folder: Path) -> AsyncIterator[Index]:
    """A new index with the shipped policy."""
    index = await open_sqlite_index(folder / f"{time.monotonic_ns()}.sqlite")
    await begin_retention(index)
    yield index
    await index.close()


async def ours_s(amount: Amount, folder: Path, objects: S3Objects) -> float:
    """Seconds the sweep takes for all of it."""
    async with an_index(folder) as index:
        await keep(rows_of(amount), index, objects)
        began_s = time.monotonic()
        done = await sweep_all(index, {"main": objects})
        took_s = time.monotonic() - began_s
    if sum(each.segments for each in done) != amount.all_segments:
        raise RuntimeError(f"the sweep deleted {sum(each.segments for each in done)} of {amount.all_segments} segments")
    return took_s


async def peer_s(amount: Amount, folder: Path, objects: S3Objects, server: S3Server, bucket: str) -> float:
    """Seconds DeleteObjects takes for as many keys."""
    async with an_index(folder) as index:
        kept = await keep(rows_of(amount, name=f"peer{time.monotonic_ns()}-"), index, objects)
    began_s = time.monotonic()
    await asyncio.to_thread(_delete, kept, server, bucket)
    return time.monotonic() - began_s


def _delete(rows: Sequence[Row], server: S3Server, bucket: str) -> None:
    def one(some: Sequence[Row]) -> None:
        objects = [{"Key": row.key, **({"VersionId": row.version} if row.version else {})} for row in some]
        answer = server.client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if answer.get("Errors"):
            raise RuntimeError(f"{len(answer['Errors'])} of {len(some)} keys were refused")

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(one, [rows[start : start + MOST_KEYS] for start in range(0, len(rows), MOST_KEYS)]))


async def requests(segments: int, folder: Path, objects: S3Objects) -> tuple[Counter[str], Counter[str]]:
    """The calls that one camera-day more takes, of index and pool: those of three less those of one, over two."""
    found = []
    for cameras in (1, 3):
        async with an_index(folder) as index:
            await keep(rows_of(Amount(cameras, 1, segments)), index, objects)
            counted, pool = Counting(index), Counting(objects)
            await sweep_all(counted, {"main": pool})
            found.append((counted.calls, pool.calls))
    return tuple(Counter({name: round((three[name] - one[name]) / 2, 1) for name in three}) for one, three in zip(*found, strict=True))


async def measure(amount: Amount, pairs: int, folder: Path, server: S3Server, bucket: str) -> tuple[list[float], list[float]]:
    """Segments a second of both, a pair after the other."""
    objects = S3Objects(server.settings(bucket))
    ours, peers = [], []
    for pair in range(pairs):
        for one in ("ours", "peer") if pair % 2 else ("peer", "ours"):
            taken_s = await (ours_s(amount, folder, objects) if one == "ours" else peer_s(amount, folder, objects, server, bucket))
            (ours if one == "ours" else peers).append(amount.all_segments / taken_s)
        print(f"  pair {pair + 1}: ours {ours[-1]:,.0f}, DeleteObjects alone {peers[-1]:,.0f} segments/s", flush=True)
    objects.close()
    return ours, peers


async def growth(folder: Path, server: S3Server, bucket: str) -> float:
    """How many times the requests of a small camera-day a large one takes; the index' and the pool's together."""
    objects = S3Objects(server.settings(bucket))
    totals = []
    for segments in SIZES:
        index, pool = await requests(segments, folder, objects)
        totals.append(index.total() + pool.total())
        print(f"  a camera-day of {segments}: {index.total():g} to the index, {pool.total():g} to the pool", flush=True)
        print(f"    {dict(index.most_common())}; {dict(pool.most_common())}", flush=True)
    objects.close()
    return totals[-1] / totals[0]


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    amount, pairs = FULL if form.full else SHORT
    with tempfile.TemporaryDirectory() as folder, SeaweedFs(Path(folder)) as server:
        print(f"S7: {amount.all_segments} segments, {pairs} pairs, {server.name}", flush=True)
        bucket = server.make_bucket()
        ours, peers = await measure(amount, pairs, Path(folder), server, bucket)
        grown = await growth(Path(folder), server, bucket)
    ratio = statistics.median(one / peer for one, peer in zip(ours, peers, strict=True))
    print(f"requests grow {grown:.2f} times from {SIZES[0]} to {SIZES[-1]} segments a camera-day", flush=True)
    result = report(
        promise="S7",
        form=form.name,
        n=amount.all_segments * pairs,
        value=round(statistics.median(ours)),
        unit="segments/s",
        peer=round(statistics.median(peers)),
        ratio=round(ratio, 3),
        gate=f">= {GATE} of DeleteObjects alone; requests grow with camera-days, not segments",
        met=ratio >= GATE and grown <= MOST_GROWTH,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
