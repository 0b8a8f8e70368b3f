"""S6: a virtual mp4 of an hour: first byte and throughput through the real API, against range GETs of the same bytes.

A camera of 1080p25 at 2 Mbit/s with sound, a segment a minute, once in an S3 server and once in a folder. The peer of the first asks the
store itself for the range of each segment, one after the other over one connection; the folder's asks the API for them, as a player of
HLS does. Pairs are taken in turn, who begins changes, and the same plain client reads both. First bytes are of files that nobody has asked
for before: the tails of all segments are read for each. Before, the bytes of both sides are compared, and a list of ranges that is off by
one byte must fail that (the control).
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from bench.promise import read_form, report
from segments.clock import US_PER_S, SystemClock, iso
from segments.media import TIMESCALE
from segments.model import Row
from segments.ports import PutObject
from segments.stores.file_objects import FileObjects
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index
from tests.builders import NOON_US, a_camera, a_run
from tests.media import Clip, Clips, access_units
from tests.pool import Pool
from tests.samples import MEDIA_START, fragments_of, samples_of
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY
from tests.servers.seaweedfs import SeaweedFs
from tests.service import Service

CLIP = Clip(seconds=60, width=1920, height=1080, gop_frames=50, bitrate=2_000_000, noise=True, audio="aac")
GATE_FIRST_S, GATE_RATIO = 0.2, 0.85
READ_BYTES = 1 << 20
LINK_S = 3600


@dataclass(frozen=True, slots=True)
class Plan:
    """How many minutes there are, pairs of turns, and first bytes."""

    minutes: int
    turns: int
    firsts: int


SHORT, FULL = Plan(minutes=15, turns=3, firsts=5), Plan(minutes=60, turns=9, firsts=20)


class Asked(NamedTuple):
    """A GET: address, and a range of it."""

    url: str
    range: tuple[int, int] | None = None


class Measured(NamedTuple):
    """Of one pool: seconds to the first byte, and bytes a second by turn, ours and the peer's."""

    firsts_s: Sequence[float]
    ours: Sequence[float]
    peer: Sequence[float]

    @property
    def ratio(self) -> float:
        """The middle of the turns' ratios, since what else the machine does meets both of a turn."""
        return statistics.median(ours / peer for ours, peer in zip(self.ours, self.peer, strict=True))

    def __str__(self) -> str:
        first_ms = 1000 * statistics.median(self.firsts_s)
        rates = f"{statistics.median(self.ours) / 1e6:.0f} MB/s, range GETs {statistics.median(self.peer) / 1e6:.0f}"
        return f"first byte {first_ms:.0f} ms (slowest {1000 * max(self.firsts_s):.0f}), {rates}, {self.ratio:.2f} times"


# --- a plain client --------------------------------------------------------------------------------------------------


def get(requests: Iterable[Asked]) -> Iterator[memoryview]:
    """The bodies of all, one after the other over one connection, in pieces that hold until the next is asked for."""
    buffer = memoryview(bytearray(READ_BYTES))
    connection: http.client.HTTPConnection | None = None
    for asked in requests:
        address = urlsplit(asked.url)
        connection = connection or http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        headers = {"Range": f"bytes={asked.range[0]}-{asked.range[1] - 1}"} if asked.range else {}
        connection.request("GET", f"{address.path}?{address.query}", headers=headers)
        answer = connection.getresponse()
        if answer.status not in (200, 206):
            raise RuntimeError(f"{answer.status}: {answer.read(500)!r}")
        while count := answer.readinto(buffer):
            yield buffer[:count]
    if connection:
        connection.close()


def rate(requests: Sequence[Asked]) -> float:
    """Bytes a second of all these."""
    began_s = time.perf_counter()
    total = sum(map(len, get(requests)))
    return total / (time.perf_counter() - began_s)


def first_byte_s(asked: Asked) -> float:
    """Seconds from the question to the first byte of the body."""
    began_s = time.perf_counter()
    with closing(get([asked])) as pieces:  # type: ignore[type-var]
        next(pieces)
        return time.perf_counter() - began_s


def hashed(requests: Sequence[Asked], *, skip: int = 0) -> str:
    """SHA-256 of all bodies together, without so many first bytes."""
    digest = hashlib.sha256()
    for piece in get(requests):
        digest.update(piece[skip:])
        skip = max(0, skip - len(piece))
    return digest.hexdigest()


# --- the site --------------------------------------------------------------------------------------------------------


def footage(minutes: int, folder: Path) -> Pool:
    """One run of so many segments of a minute."""
    tracks, units = access_units(Clips(folder).get(clip=CLIP))
    pool = Pool()
    for minute in range(minutes):
        start = MEDIA_START + minute * 60 * TIMESCALE
        samples = samples_of(tracks, units, start)
        samples = [[sample for sample in track if sample.dts < start + 60 * TIMESCALE] for track in samples]
        pool.record(tracks, fragments_of(samples), start_us=NOON_US + minute * 60 * US_PER_S, counter=minute)
    return pool


async def keep(pool: Pool, objects: PutObject, index_file: Path) -> list[Row]:
    """Stores and indexes all of it."""
    index = await open_sqlite_index(index_file)
    await index.add_camera(a_camera(enabled=False))
    await index.put_run(a_run(init=pool.footage[0].init))
    rows = [each.row for each in pool.footage]
    for row in rows:
        await objects.put(row.key, pool.objects[row.key], sha256=row.sha256, attributes={})
    await index.publish_many(rows)
    await index.close()
    return rows


def file_url(service: Service, minutes: int, *, less_s: float = 0.0) -> str:
    """The address of all of it, less so many seconds of its end."""
    end_us = NOON_US + minutes * 60 * US_PER_S - round(less_s * US_PER_S)
    query = f"from={quote(iso(NOON_US))}&to={quote(iso(end_us))}"
    return f"http://127.0.0.1:{service.api_port}/api/v1/cameras/gate/footage.mp4?{query}"


async def measure(service: Service, plan: Plan, urls: Mapping[str, str]) -> Measured:
    """`urls`: where the peer gets each segment, by key. Raises AssertionError if the bytes differ, or the control does not."""
    answer = await service.get(file_url(service, plan.minutes).partition("/api/v1")[2].replace(".mp4?", ".json?"))
    assert answer.status_code == 200, answer.text
    manifest = answer.json()
    places: list[dict[str, Any]] = [placed for run in manifest["runs"] for placed in run["segments"]]
    ours = [Asked(file_url(service, plan.minutes))]
    peer = [Asked(urls[placed["key"]], (placed["bytes"][0], placed["bytes"][1])) for placed in places]
    head = manifest["size"] - sum(end - start for start, end in (placed["bytes"] for placed in places))
    await asyncio.to_thread(compare, ours, peer, head)
    firsts = [Asked(file_url(service, plan.minutes, less_s=2.0 * n + 1)) for n in range(plan.firsts)]
    firsts_s = [await asyncio.to_thread(first_byte_s, each) for each in firsts]
    rates: tuple[list[float], list[float]] = ([], [])
    for turn in range(plan.turns):
        sides = [(ours, rates[0]), (peer, rates[1])]
        for requests, kept in sides if turn % 2 else reversed(sides):
            kept.append(await asyncio.to_thread(rate, requests))
    return Measured(firsts_s, *rates)


def compare(ours: Sequence[Asked], peer: Sequence[Asked], head: int) -> None:
    """Both sides give the same bytes; with one byte more of the first segment they do not."""
    found = hashed(ours, skip=head)
    assert found == hashed(peer), "the file is not made of these ranges"
    start, end = peer[0].range or (0, 0)
    assert found != hashed([peer[0]._replace(range=(start + 1, end + 1)), *peer[1:]]), "the control stayed green"


async def in_s3(plan: Plan, folder: Path, pool: Pool) -> Measured:
    """The peer asks the store, by signed links."""
    with SeaweedFs(folder) as server:
        bucket = server.make_bucket()
        secret = folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text(SECRET_KEY)
        section = {"kind": "s3", "endpoint": f"http://127.0.0.1:{server.port}", "bucket": bucket, "access_key_id": ACCESS_KEY}
        service = Service(folder / "site", pools={"main": {**section, "secret_file": str(secret)}})
        service.data.mkdir(parents=True)
        rows = await keep(pool, S3Objects(server.settings(bucket)), service.data / "index.sqlite")
        links = {row.key: server.client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": row.key}, LINK_S) for row in rows}
        async with service:
            return await measure(service, plan, links)


async def in_folder(plan: Plan, folder: Path, pool: Pool) -> Measured:
    """The peer asks the API for the segments."""
    service = Service(folder / "site")
    service.pool.mkdir(parents=True)
    rows = await keep(pool, FileObjects(service.pool, clock=SystemClock()), service.data / "index.sqlite")
    async with service:
        base = f"http://127.0.0.1:{service.api_port}/api/v1/cameras/gate/segments"
        return await measure(service, plan, {row.key: f"{base}/{row.start_us}/{row.run}/{row.counter}.mp4" for row in rows})


def main() -> bool:
    """Runs the promise; returns whether it is met."""
    form = read_form(__doc__)
    plan = FULL if form.full else SHORT
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        pool = footage(plan.minutes, Path(folder))
        for name, side in (("S3", in_s3), ("folder", in_folder)):
            (Path(folder) / name).mkdir()
            found[name] = asyncio.run(side(plan, Path(folder) / name, pool))
            print(f"{name}: {found[name]}", flush=True)
    s3, files = found["S3"], found["folder"]
    firsts = [statistics.median(each.firsts_s) for each in found.values()]
    result = report(
        promise="S6",
        form=form.name,
        n=plan.turns,
        value=round(statistics.median(s3.ours) / 1e6, 1),
        unit=f"MB/s of {plan.minutes} min in S3, first byte {1000 * firsts[0]:.0f} ms; in a folder "
        f"{statistics.median(files.ours) / 1e6:.0f} MB/s, {files.ratio:.2f} times, {1000 * firsts[1]:.0f} ms",
        peer=round(statistics.median(s3.peer) / 1e6, 1),
        ratio=round(s3.ratio, 3),
        gate="first byte <= 200 ms, >= 0.85 times range GETs of the same bytes, in S3 and in a folder",
        met=max(firsts) <= GATE_FIRST_S and min(s3.ratio, files.ratio) >= GATE_RATIO,
        control="red",
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
