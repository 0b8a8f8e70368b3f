"""R18: a deletion is complete and proven.

Footage that is due is deleted by the real sweep from a bucket with versions, a bucket without, and a folder, with other versions and
marks of deletion put over its keys past our code. Then the stores are asked past our code: every byte under those keys counts, in any
version. The receipts are exported and checked without the index; they must name each deleted segment once, and nothing else. Footage that
is not due must be there, byte for byte. Control: a store that hides an older version and keeps it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.due_site import DUE_US, Amount, begin_retention, body_of, keep, rows_of, sweep_all
from bench.promise import bound95, read_form, report
from deploy.receipts import verified
from segments.clock import US_PER_DAY, SystemClock
from segments.model import Row
from segments.ports import Index, ObjectStore
from segments.receipt import parse_receipt
from segments.receipt_chains import chains_named, receipts_of
from segments.stores.file_objects import FileObjects
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SeaweedFs

SHORT, FULL, CONTROL = Amount(3, 2, 40), Amount(20, 5, 100), Amount(1, 1, 10)
FRESH = Amount(1, 1, 10)
"""Footage that is not due."""
OLDER_EVERY = 5
"""Every so many keys have an older version, every second of these a mark, too."""


@dataclass
class Tally:
    """What was found, of so many segments that were due."""

    segments: int = 0
    residual_bytes: int = 0
    residual_versions: int = 0
    """Versions and marks under keys that were due."""
    unproven: int = 0
    """Segments that no receipt names, or more than one, or that were not due; faults in the chain; rows that are still there."""
    lost: int = 0
    """Fresh segments that are not there byte for byte."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in Tally.__dataclass_fields__))

    @property
    def failures(self) -> int:
        """All that the promise forbids."""
        return self.residual_bytes + self.residual_versions + self.unproven + self.lost


@dataclass(frozen=True, slots=True)
class Keeping:
    """A store under test and its back doors: what it has (key to sizes of versions), reads, and putting junk over keys."""

    name: str
    objects: ObjectStore
    contents: Callable[[], Mapping[str, list[int]]]
    read: Callable[[str], bytes]
    overwrite: Callable[[Sequence[str]], None] = lambda _: None


@dataclass
class Hiding:
    """The control: a store that keeps one version for itself, and denies it."""

    objects: ObjectStore
    hidden: set[tuple[str, str]] = field(default_factory=set)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objects, name)

    async def versions(self, prefix: str) -> AsyncIterator[Any]:
        """See `Versions`, all but one."""
        async for each in self.objects.versions(prefix):
            if not self.hidden:
                self.hidden.add((each.key, each.version))
            if (each.key, each.version) not in self.hidden:
                yield each

    async def delete_versions(self, doomed: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """See `Versions`, all but one."""
        self.hidden |= set() if self.hidden else {doomed[0]}
        kept = [each for each in doomed if each not in self.hidden]
        return await self.objects.delete_versions(kept) if kept else {}

    async def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `DeleteObjects`, all but one."""
        self.hidden |= set() if self.hidden else {(keys[0], "")}
        kept = [key for key in keys if (key, "") not in self.hidden]
        return await self.objects.delete(kept) if kept else {}


def of_bucket(server: S3Server, *, versions: bool) -> Keeping:
    """A new bucket."""
    bucket = server.make_bucket()
    client = server.client
    if versions:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def contents() -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = {}
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                found.setdefault(one["Key"], []).append(one.get("Size", 0))
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for one in page.get("Contents", ()):
                found.setdefault(one["Key"], [one["Size"]])
        return found

    def overwrite(keys: Sequence[str]) -> None:
        for n, key in enumerate(keys if versions else ()):
            client.put_object(Bucket=bucket, Key=key, Body=b"put by others")
            if n % 2:
                client.delete_object(Bucket=bucket, Key=key)

    def read(key: str) -> bytes:
        return client.get_object(Bucket=bucket, Key=key)["Body"].read()

    name = f"{server.name}, a bucket {'with' if versions else 'without'} versions"
    return Keeping(name, S3Objects(server.settings(bucket)), contents, read, overwrite)


def of_folder(folder: Path) -> Keeping:
    """A new folder."""

    def contents() -> Mapping[str, list[int]]:
        files = (path for path in folder.rglob("*") if path.is_file() and path != folder / ".lock")  # the pool's own
        return {str(path.relative_to(folder)): [path.stat().st_size] for path in files}

    return Keeping("a folder", FileObjects(folder, clock=SystemClock()), contents, lambda key: (folder / key).read_bytes())


@asynccontextmanager
async def an_index(folder: Path) -> AsyncIterator[Index]:
    """A new index in SQLite that begins with the shipped policy."""
    index = await open_sqlite_index(folder / "index.sqlite")
    await begin_retention(index)
    yield index
    await index.close()


async def measure(keeping: Keeping, amount: Amount, folder: Path, *, hides: bool = False) -> Tally:
    """Keeps footage, deletes what is due, and looks at all that is left."""
    async with an_index(folder) as index:
        due = await keep(rows_of(amount), index, keeping.objects)
        fresh = await keep(rows_of(FRESH, first_us=DUE_US - 2 * US_PER_DAY, name="fresh"), index, keeping.objects)
        await asyncio.to_thread(keeping.overwrite, [row.key for row in due[::OLDER_EVERY]])
        await sweep_all(index, {"main": Hiding(keeping.objects) if hides else keeping.objects})
        tally = await asyncio.to_thread(_left, keeping, due, fresh)
        tally.unproven = await _unproven(index, due, folder / "receipts.jsonl")
    keeping.objects.close()
    return tally


def _left(keeping: Keeping, due: Sequence[Row], fresh: Sequence[Row]) -> Tally:
    """What the store still has of what was due, closings and files beside the objects included: all that does not lie with the fresh."""
    stays = {row.camera for row in fresh}
    left = [size for key, sizes in keeping.contents().items() if key.split("/")[0] not in stays for size in sizes]
    lost = sum(keeping.read(row.key) != body_of(row) for row in fresh)
    return Tally(segments=len(due), residual_bytes=sum(left), residual_versions=len(left), lost=lost)


async def _unproven(index: Index, due: Sequence[Row], export: Path) -> int:
    """What is wrong with the receipts, exported and read without the index; and rows of what was due."""
    with export.open("w", encoding="utf-8") as file:
        async for receipt in receipts_of(index, await chains_named(index), SystemClock()):
            file.write(f"{receipt.text}\n")
    named = Counter(gone[:5] for line in export.read_text().splitlines() for gone in parse_receipt(line).segments)
    wanted = Counter((row.pool, row.key, row.version, row.size, row.sha256) for row in due)
    rows = sum([len((await index.rows(*day)).items) for day in sorted({(row.camera, row.day) for row in due})])
    return len(verified([export]).faults) + ((named - wanted) + (wanted - named)).total() + rows


async def measure_all(amount: Amount, folder: Path, server: S3Server, *, hides: bool = False) -> list[Tally]:
    """One tally a store."""
    kept = [of_bucket(server, versions=True), of_bucket(server, versions=False), of_folder(_new(folder / "pool"))]
    found = []
    for number, keeping in enumerate(kept):
        found.append(await measure(keeping, amount, _new(folder / f"index-{number}"), hides=hides))
        print(f"  {keeping.name}{', which keeps one version for itself' if hides else ''}: {found[-1]}", flush=True)
    return found


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    amount = FULL if form.full else SHORT
    print(f"R18: {amount.all_segments} segments in each of three stores, deleted by the sweep", flush=True)
    with tempfile.TemporaryDirectory() as folder, SeaweedFs(Path(folder)) as server:
        found = await measure_all(amount, Path(folder) / "ours", server)
        controls = await measure_all(CONTROL, Path(folder) / "control", server, hides=True)
    total = sum(found, Tally())
    result = report(
        promise="R18",
        form=form.name,
        n=total.segments,
        value=total.failures,
        unit="bytes, versions and receipts too many or missing",
        gate="0 residual bytes, versions included; receipts = deletions",
        bound95=bound95(total.segments) if total.failures == 0 else None,
        control="red" if all(tally.residual_versions for tally in controls) else "green",
        met=total.failures == 0,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
