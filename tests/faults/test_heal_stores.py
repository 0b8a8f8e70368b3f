"""Healing over real stores: objects damaged past our code by another client, looked at past it afterwards, legal holds included."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replication.heal import Outcome
from segments.clock import SystemClock
from segments.errors import Refused
from segments.model import Row
from segments.stores.file_objects import FileObjects
from segments.stores.s3_objects import S3Objects
from tests.builders import some_rows
from tests.scrub_site import ScrubSite, a_scrub_site, body_of
from tests.servers.s3 import S3Server


class Bucket:
    """A new bucket, and another client's way into it."""

    def __init__(self, server: S3Server, name: str, *, versions: bool = False, locks: bool = False) -> None:
        self.client, self.name = server.client, name
        self.client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if locks else {}))
        if versions:
            self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        self.objects = S3Objects(server.settings(name))

    def overwrite(self, row: Row, data: bytes) -> None:
        """Other bytes under the key, with what the store said of the right ones."""
        meta = {"sha256": hashlib.sha256(body_of(row)).hexdigest()}
        self.client.put_object(Bucket=self.name, Key=row.key, Body=data, Metadata=meta)

    def lose(self, row: Row) -> None:
        """It is deleted."""
        self.client.delete_object(Bucket=self.name, Key=row.key)

    def read(self, row: Row) -> bytes:
        """What it has."""
        return self.client.get_object(Bucket=self.name, Key=row.key)["Body"].read()


@pytest.fixture
def buckets(each_s3_server: S3Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes buckets; they are closed again."""
    made: list[Bucket] = []

    def make(**kind: bool) -> Bucket:
        name = f"heal-{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}-{len(made)}"
        made.append(Bucket(each_s3_server, name, **kind))
        return made[-1]

    yield make
    for bucket in made:
        bucket.objects.close()


async def healed_rows(site: ScrubSite, rows: list[Row]) -> list[Row]:
    """The rows as they are then."""
    return [await site.index.row(row.camera, row.position) for row in rows]


async def test_a_folder_is_healed(tmp_path: Path) -> None:
    """A flipped bit, a file cut short, a file that is gone, one whose card cannot be read: as they were, card and all."""
    objects = FileObjects(tmp_path / "pool", clock=SystemClock())
    site, rows = await a_scrub_site(tmp_path, some_rows(6, version=""), objects=objects)
    paths = [tmp_path / "pool" / row.key for row in rows]
    paths[0].write_bytes(bytes([paths[0].read_bytes()[0] ^ 1]) + paths[0].read_bytes()[1:])
    paths[1].write_bytes(b"short")
    paths[2].unlink()
    paths[3].with_name(f".{paths[3].name}.json").write_text("{")
    outcomes = [(await site.heal(row)).outcome for row in rows]
    heads = [await objects.head(row.key) for row in rows]
    objects.close()

    assert outcomes == [Outcome.HEALED] * 4 + [Outcome.FINE] * 2
    assert [path.read_bytes() for path in paths] == [body_of(row) for row in rows]
    assert [head.sha256 for head in heads] == [row.sha256 for row in rows]


@pytest.mark.server
@pytest.mark.parametrize("versions", [False, True], ids=["plain", "versions"])
async def test_a_bucket_is_healed(tmp_path: Path, buckets: Any, versions: bool) -> None:
    """Overwritten by another client, cut short, deleted: read back past our code, and the row names the version that is there."""
    bucket = buckets(versions=versions)
    site, rows = await a_scrub_site(tmp_path, some_rows(4, version=""), objects=bucket.objects)
    bucket.overwrite(rows[0], b"x" * rows[0].size)
    bucket.overwrite(rows[1], b"short")
    bucket.lose(rows[2])
    outcomes = [(await site.heal(row)).outcome for row in rows]
    now = await healed_rows(site, rows)

    assert outcomes == [Outcome.HEALED] * 3 + [Outcome.FINE]
    assert [bucket.read(row) for row in rows] == [body_of(row) for row in rows]
    assert [row.version for row in now] == [(await bucket.objects.head(row.key)).version for row in rows]
    assert [(await site.heal(row)).outcome for row in now] == [Outcome.FINE] * 4


@pytest.mark.server
async def test_a_locked_version_is_healed_or_reported(tmp_path: Path, buckets: Any) -> None:
    """Where a new version can be put over it, that one is locked, and the damaged one is kept and let go. Else nothing is changed."""
    bucket = buckets(locks=True)
    site, rows = await a_scrub_site(tmp_path, some_rows(2, version=""), objects=bucket.objects)
    site.locks["main"] = bucket.objects
    for row in rows:
        await bucket.objects.set_legal_hold(row.key, row.version, held=True)
    bucket.overwrite(rows[0], b"rotten")
    healing = await site.heal(rows[0])
    (now,) = await healed_rows(site, rows[:1])
    kept = [each async for each in bucket.objects.versions(rows[0].key) if each.size]

    assert await bucket.objects.legal_hold(rows[0].key, now.version)
    if healing.outcome is Outcome.HEALED:
        assert bucket.read(rows[0]) == body_of(rows[0])
        assert now.version != rows[0].version
        assert not await bucket.objects.legal_hold(rows[0].key, rows[0].version)
        assert len(kept) == 3
    else:
        assert (healing.outcome, now) == (Outcome.DAMAGED, rows[0])
        assert rows[0].version in {each.version for each in kept}
        assert bucket.read(rows[0]) in (b"rotten", body_of(rows[0]))


@pytest.mark.server
async def test_a_key_that_may_not_delete_changes_nothing(tmp_path: Path, buckets: Any) -> None:
    """It is reported with the store's reason."""
    bucket = buckets()
    site, rows = await a_scrub_site(tmp_path, some_rows(1, version=""), objects=bucket.objects)
    bucket.overwrite(rows[0], b"rotten")

    async def refused(_: object) -> None:
        raise Refused("403 AccessDenied")

    bucket.objects.delete = refused
    assert (await site.heal(rows[0])).reason.endswith("403 AccessDenied")
    assert bucket.read(rows[0]) == b"rotten"
