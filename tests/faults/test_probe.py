"""The capability probe: real stores pass, and those that fake what they say are found out, by what they fake. Nothing is left behind."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segments.errors import Refused, TryAgain
from segments.stores.file_objects import FileObjects
from segments.stores.memory_objects import MemoryObjects
from segments.stores.probe import BUCKET_NEEDS, POOL_NEEDS, QUICK_RACES, Ability, ObjectsProbe
from segments.stores.s3_probe import probe_bucket
from tests.clocks import HandClock
from tests.servers.pretenders import Moto, Rclone
from tests.servers.processes import free_port
from tests.servers.s3 import S3Server

LOCKS = {Ability.VERSIONS, Ability.OBJECT_LOCK}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A store that believes everybody."""
    with Moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


def left(server: S3Server, bucket: str) -> list[str]:
    """Everything a bucket holds, other versions and delete markers included."""
    found = server.client.list_object_versions(Bucket=bucket)
    return [each["Key"] for each in (*found.get("Versions", []), *found.get("DeleteMarkers", []))]


async def failed(server: S3Server, bucket: str, **options: Any) -> set[Ability]:
    """What a store does not do; every finding says what was seen, and none a secret."""
    findings = await probe_bucket(server.settings(bucket), **options)
    assert all(finding.said and "canary" not in finding.said for finding in findings)
    return {finding.ability for finding in findings if not finding.passed}


@pytest.mark.server
async def test_real_stores_pass(each_s3_server: S3Server) -> None:
    """Everything is really done but what the bucket was not made for, versions and locks; nothing is left in it."""
    plain = each_s3_server.make_bucket()
    assert await failed(each_s3_server, plain, quick=True) == LOCKS
    assert left(each_s3_server, plain) == []


@pytest.mark.server
async def test_a_bucket_that_locks_by_itself_passes(each_s3_server: S3Server) -> None:
    """With a default retention too, and the probe says whether objects show it: SeaweedFS's do, versitygw's do not. Nothing is left."""
    bucket = each_s3_server.make_bucket(locks=True)
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    each_s3_server.client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)
    findings = await probe_bucket(each_s3_server.settings(bucket), quick=True)
    assert [finding for finding in findings if not finding.passed] == []
    (lock,) = (finding for finding in findings if finding.ability is Ability.OBJECT_LOCK)
    shown = {"SeaweedFS": "is shown", "versitygw": "is not shown"}[each_s3_server.name]
    assert lock.said.endswith(f"retention {shown} at objects")
    assert left(each_s3_server, bucket) == []


@pytest.mark.server
async def test_rclone_is_found_out(tmp_path: Path) -> None:
    """It overwrites where it is told to create only, and stores bytes that are not of their hash."""
    with Rclone(tmp_path) as server:
        found = await failed(server, server.make_bucket(), quick=True)
    assert found >= {Ability.CREATE_ONLY, Ability.CHECKSUMS, *LOCKS}
    assert Ability.LOGINS not in found


@pytest.mark.server
@pytest.mark.parametrize("locks", [False, True])
async def test_moto_is_found_out(moto: S3Server, locks: bool) -> None:
    """Any secret is let in, any bytes are taken, links never expire; locks do not hold although they are claimed."""
    found = await failed(moto, moto.make_bucket(locks=locks), quick=True)
    assert found == {Ability.CHECKSUMS, Ability.LOGINS, Ability.SIGNED_LINKS, *({Ability.OBJECT_LOCK} if locks else LOCKS)}


@pytest.mark.server
async def test_who_may_only_read_is_refused(each_s3_server: S3Server) -> None:
    """A key that may not write passes nothing that writes, and nothing passes by an error of its own."""
    bucket = each_s3_server.make_bucket()
    findings = await probe_bucket(each_s3_server.read_only_settings(bucket), BUCKET_NEEDS, quick=True)
    passed = {finding.ability for finding in findings if finding.passed}
    assert passed <= {Ability.LOGINS, Ability.CHECKSUMS}
    assert any("403 AccessDenied" in finding.said for finding in findings)


@pytest.mark.server
async def test_who_cannot_be_asked_is_told_apart(versitygw_server: S3Server) -> None:
    """A missing bucket and a wrong key are refused; nobody at the address is tried again: neither is a finding."""
    good = versitygw_server.settings(versitygw_server.make_bucket())
    for wrong in (replace(good, bucket="never-made"), replace(good, secret_access_key="canary-that-is-wrong")):
        with pytest.raises(Refused):
            await probe_bucket(wrong, BUCKET_NEEDS, quick=True)
    with pytest.raises(TryAgain):
        await probe_bucket(replace(good, endpoint=f"http://127.0.0.1:{free_port()}"), BUCKET_NEEDS, quick=True)


# --- folders, and stores that fake one thing ---


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[FileObjects]:
    """A file pool."""
    objects = FileObjects(tmp_path / "pool", clock=HandClock(0))
    yield objects
    objects.close()


async def test_a_folder_passes(folder: FileObjects, tmp_path: Path) -> None:
    """A file pool does what every pool needs, under the full race, and is empty afterwards."""
    findings = await ObjectsProbe(folder, "run").run()
    assert {finding.ability for finding in findings if finding.passed} == POOL_NEEDS
    assert [path.name for path in (tmp_path / "pool").iterdir() if not path.name.startswith(".")] == []


class Faking(MemoryObjects):
    """A store that says yes and does one thing wrong."""

    def __init__(self, fake: Ability) -> None:
        super().__init__()
        self.fake = fake

    async def put(self, key: str, body: Any, *, sha256: str, attributes: Any) -> str:
        """See `PutObject`."""
        if self.fake is Ability.CREATE_ONLY:
            await self.delete([key])
        if self.fake is Ability.CHECKSUMS:
            sha256 = hashlib.sha256(body).hexdigest()
        return await super().put(key, body, sha256=sha256, attributes={} if self.fake is Ability.ATTRIBUTES else attributes)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `ReadObject`."""
        return await super().get(key, *((0, None) if self.fake is Ability.RANGES else (start, end)))

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Any:
        """See `ListObjects`."""
        page = await super().list(prefix, after=after, limit=limit)
        return replace(page, items=list(reversed(page.items))) if self.fake is Ability.LISTS else page

    async def delete(self, keys: Any) -> Any:
        """See `DeleteObjects`."""
        return {} if self.fake is Ability.DELETES else await super().delete(keys)


@pytest.mark.parametrize("fake", sorted(POOL_NEEDS))
async def test_each_fake_is_found_out(fake: Ability) -> None:
    """The control of every trial: a store that does this one thing wrong fails in it."""
    findings = await ObjectsProbe(Faking(fake), "run", QUICK_RACES).run()
    assert fake in {finding.ability for finding in findings if not finding.passed}
