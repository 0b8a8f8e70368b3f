"""R7: an upload is verified, and there is one object a segment, whatever the network and the store do.

Segments go through `store_object` into real S3 servers of two makes, half of them each, behind a proxy that breaks two of three puts: cut
short, answered never or with an error although stored, changed on the way, refused, or acknowledged without being stored. Each is repeated
until it is settled. Then every object is read past our code: its bytes must be the segment's, and there must be one. Control: a putter that
takes the store's word.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from bench.promise import bound95, read_form, report
from segments.commit import store_object
from segments.errors import DataDamaged, TryAgain
from segments.ports import ObjectStore
from segments.stores.s3_objects import S3Objects
from tests.servers.faults_http import Fault, HttpFaults
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SeaweedFs
from tests.servers.versitygw import VersityGw

FAULTS = [Fault.TRUNCATED_UPLOAD, Fault.WRONG_BYTES, Fault.RESPONSE_LOST, Fault.ERROR_AFTER_COMMIT, Fault.SLOW_DOWN, Fault.LYING_200]
SHORT, FULL, CONTROL = 600, 10_000, 60
AT_ONCE = 8
MAX_TRIES = 50
SERVERS = (SeaweedFs, VersityGw)
SEGMENT_BYTES = 64 << 10
SEED = 7


@dataclass
class Tally:
    """What became of the segments."""

    wrong: int = 0
    """Settled, but the server has other bytes or none."""
    unsettled: int = 0
    doubled: int = 0
    """Objects beyond one a segment."""
    tries: int = 0

    @property
    def failures(self) -> int:
        """All that the promise forbids."""
        return self.wrong + self.unsettled + self.doubled


class Breaking:
    """Breaks two of three puts, by a seeded die; counts what it broke."""

    def __init__(self) -> None:
        self._dice = random.Random(SEED)
        self.met: Counter[str] = Counter()

    def __call__(self, method: str, path: str, n: int) -> Fault | None:
        """See `HttpFaults`."""
        if method != "PUT" or self._dice.random() < 1 / 3:
            return None
        fault = self._dice.choice(FAULTS)
        self.met[fault.name] += 1
        return fault


async def settle(objects: ObjectStore, key: str, data: bytes) -> int:
    """Stores a segment as the uploader does, trying again until it is settled; returns the tries, 0 if they were used up."""
    digest = hashlib.sha256(data).hexdigest()
    for tries in range(1, MAX_TRIES + 1):
        try:
            await store_object(objects, key, data, size=len(data), sha256=digest, attributes={"camera": "gate"})
            return tries
        except (TryAgain, DataDamaged):
            continue
    return 0


async def trust(objects: ObjectStore, key: str, data: bytes) -> int:
    """The control: takes every answer as "stored" and looks at nothing."""
    with contextlib.suppress(TryAgain, DataDamaged):
        await objects.put(key, data, sha256=hashlib.sha256(data).hexdigest(), attributes={})
    return 1


async def measure(server: S3Server, n: int, work=settle) -> tuple[Tally, Counter[str]]:
    """Stores n segments through the breaking proxy and compares what the server has with what was sent."""
    bucket, breaking, tally = server.make_bucket(), Breaking(), Tally()
    server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})  # an overwrite would leave two
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(objects: ObjectStore, number: int) -> None:
        async with at_once:
            tries = await work(objects, key(number), segment(number))
        tally.tries += tries
        tally.unsettled += tries == 0
        if number % 1000 == 999:
            print(f"  {number + 1} segments, {sum(breaking.met.values())} puts broken", flush=True)

    async with HttpFaults(server.port, breaking) as proxy:
        objects = S3Objects(replace(server.settings(bucket, port=proxy.port), request_timeout_s=10))
        await asyncio.gather(*(one(objects, number) for number in range(n)))
        objects.close()
    await asyncio.to_thread(compare, server, bucket, n, tally)
    return tally, breaking.met


def key(number: int) -> str:
    """The key of a segment."""
    return f"gate/2026-01-31/home-a-1-1/{number // 1000:02d}/{number:05d}.mp4"


def segment(number: int) -> bytes:
    """Its bytes, made anew each time."""
    return random.Random(number).randbytes(SEGMENT_BYTES)


def compare(server: S3Server, bucket: str, n: int, tally: Tally) -> None:
    """Reads everything the bucket has, past our code, other versions of an object included."""
    pages = server.client.get_paginator("list_object_versions").paginate(Bucket=bucket)
    versions = {(version["Key"], version["VersionId"]) for page in pages for version in page.get("Versions", [])}
    found = Counter(key for key, _ in versions)  # versitygw begins each page with the last version of the one before
    tally.doubled = found.total() - len(found) + len(set(found) - {key(number) for number in range(n)})
    for number in range(n):
        if found[key(number)] == 0:
            tally.wrong += 1
            continue
        body = server.client.get_object(Bucket=bucket, Key=key(number))["Body"].read()
        tally.wrong += body != segment(number)


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    n = FULL if form.full else SHORT
    failures, controls, unmet = 0, [], set()
    for kind in SERVERS:
        with tempfile.TemporaryDirectory() as folder, kind(Path(folder)) as server:
            print(f"R7: {n // 2} segments of {SEGMENT_BYTES >> 10} KiB into {server.name}, two of three puts broken", flush=True)
            tally, met = await measure(server, n // 2)
            print(f"  faults met: {dict(met)}; {tally.tries} tries; {tally}", flush=True)
            control, _ = await measure(server, CONTROL, trust)
            print(f"  control, which takes the store's word: {control.failures} of {CONTROL} wrong", flush=True)
        failures += tally.failures
        controls.append(control.failures)
        unmet |= {fault for fault in FAULTS if not met[fault.name]}
    result = report(
        promise="R7",
        form=form.name,
        n=n,
        value=failures,
        unit="segments lost, damaged or doubled, over two S3 servers",
        gate="0 of 10,000 in the full form",
        bound95=bound95(n) if failures == 0 else None,
        control="red" if all(controls) else "green",
        met=failures == 0 and not unmet,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
