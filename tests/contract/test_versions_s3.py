"""The contract of versions and legal holds over real S3 servers, in buckets without versions, with them, and with Object Lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segments.errors import Refused, TryAgain
from segments.ports import ObjectVersion
from segments.stores.s3_objects import S3Objects
from tests.contract.object_contract import put
from tests.contract.object_version_contract import LegalHoldContract, NoLocksContract, all_versions
from tests.contract.test_objects_s3 import BotoBackDoor
from tests.servers.pretenders import Rclone
from tests.servers.processes import free_port
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.server


class VersionsBackDoor(BotoBackDoor):
    """See `VersionBackDoor`."""

    def kept(self, key: str, version: str) -> bytes | None:
        """See `VersionBackDoor`."""
        return self.read(key, VersionId=version)


def set_versions(server: S3Server, bucket: str, status: str) -> None:
    """Whether a bucket keeps versions from now on."""
    server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


@pytest.fixture(scope="module")
def plain_bucket(each_s3_server: S3Server) -> str:
    """A bucket without versions."""
    return each_s3_server.make_bucket()


@pytest.fixture(scope="module")
def versioned_bucket(each_s3_server: S3Server) -> str:
    """A bucket with versions, without locks."""
    bucket = each_s3_server.make_bucket()
    set_versions(each_s3_server, bucket, "Enabled")
    return bucket


@pytest.fixture(scope="module")
def locked_bucket(each_s3_server: S3Server) -> str:
    """A bucket with Object Lock."""
    return each_s3_server.make_bucket(locks=True)


class TestPlainBucket(NoLocksContract):
    """Without versions."""

    adapter = "S3Objects"

    @pytest.fixture
    def bucket(self, plain_bucket: str) -> str:
        """The bucket."""
        return plain_bucket


class TestVersionedBucket(NoLocksContract):
    """With versions."""

    adapter = "S3Objects"

    @pytest.fixture
    def bucket(self, versioned_bucket: str) -> str:
        """The bucket."""
        return versioned_bucket


class TestLockedBucket(LegalHoldContract):
    """With Object Lock."""

    adapter = "S3Objects"

    @pytest.fixture
    def bucket(self, locked_bucket: str) -> str:
        """The bucket."""
        return locked_bucket


@pytest.fixture
def bucket(each_s3_server: S3Server) -> str:
    """A new bucket with versions."""
    bucket = each_s3_server.make_bucket()
    set_versions(each_s3_server, bucket, "Enabled")
    return bucket


@pytest.fixture
def store(each_s3_server: S3Server, bucket: str) -> Iterator[S3Objects]:
    """A store over it."""
    store = S3Objects(each_s3_server.settings(bucket))
    yield store
    store.close()


@pytest.fixture
def back(each_s3_server: S3Server, bucket: str) -> VersionsBackDoor:
    """Past the store."""
    return VersionsBackDoor(each_s3_server, bucket)


def left(server: S3Server, bucket: str) -> set[tuple[str, str]]:
    """Versions and marks of deletion in a bucket, by the server's own word."""
    found = server.client.list_object_versions(Bucket=bucket)
    return {(each["Key"], each["VersionId"]) for each in (*found.get("Versions", []), *found.get("DeleteMarkers", []))}


async def test_what_others_wrote_over_is_found(each_s3_server: S3Server, store: S3Objects, bucket: str) -> None:
    """Older versions and marks of deletion are listed, the marks without size, and leave nothing when they are removed."""
    client: Any = each_s3_server.client
    ours = await put(store, "d/a", b"ours")
    theirs = client.put_object(Bucket=bucket, Key="d/a", Body=b"their bytes")["VersionId"]
    await store.delete(["d/a", "d/never-was"])
    found = await all_versions(store, "d/")
    assert ObjectVersion("d/a", ours, 4) in found
    assert ObjectVersion("d/a", theirs, 11) in found
    assert {tuple(entry[:2]) for entry in found} == left(each_s3_server, bucket)
    assert {entry.size for entry in found if entry.version not in (ours, theirs)} == {0}
    assert len([entry for entry in found if entry.key == "d/a"]) == 3
    assert await store.delete_versions([entry[:2] for entry in found]) == {}
    assert left(each_s3_server, bucket) == set()


async def test_many_versions_of_one_object(each_s3_server: S3Server, store: S3Objects, bucket: str) -> None:
    """More versions of one key than a page holds are all found: a page may end in the midst of them."""
    put_object = each_s3_server.client.put_object
    expected = {("d/a", put_object(Bucket=bucket, Key="d/a", Body=b"x")["VersionId"]) for _ in range(1003)}
    expected.add(("d/b", put_object(Bucket=bucket, Key="d/b", Body=b"x")["VersionId"]))
    found = await all_versions(store, "d/")
    assert {tuple(entry[:2]) for entry in found} == expected


@pytest.mark.parametrize("now", ["Enabled", "Suspended"])
async def test_what_was_put_before_there_were_versions(each_s3_server: S3Server, now: str) -> None:
    """Such an object has the version '', as a put that got none; removing that leaves no mark, and leaves the newer ones."""
    bucket = each_s3_server.make_bucket()
    store = S3Objects(each_s3_server.settings(bucket))
    assert await put(store, "d/a", b"old") == ""
    set_versions(each_s3_server, bucket, "Enabled")
    newer = each_s3_server.client.put_object(Bucket=bucket, Key="d/a", Body=b"newer")["VersionId"]
    set_versions(each_s3_server, bucket, now)
    assert await all_versions(store, "d/") == [ObjectVersion("d/a", "", 3), ObjectVersion("d/a", newer, 5)]
    assert await store.delete_versions([("d/a", "")]) == {}
    assert left(each_s3_server, bucket) == {("d/a", newer)}


async def test_a_put_without_versions_has_none(each_s3_server: S3Server, store: S3Objects, bucket: str) -> None:
    """Where versions are suspended, S3 calls the version of a put 'null'; put, head and listing call it ''."""
    set_versions(each_s3_server, bucket, "Suspended")
    assert await put(store, "d/a", b"x") == ""
    assert (await store.head("d/a")).version == ""
    assert await all_versions(store, "d/") == [ObjectVersion("d/a", "", 1)]
    assert await store.delete_versions([("d/a", "")]) == {}
    assert left(each_s3_server, bucket) == set()


async def test_refused_removals_are_named(each_s3_server: S3Server, store: S3Objects, bucket: str) -> None:
    """Who may only read removes no version: each is named with its reason, or all are Refused at once; nothing is gone."""
    doomed = [(f"d/{n}", await put(store, f"d/{n}", b"x")) for n in range(3)]
    reader = S3Objects(each_s3_server.read_only_settings(bucket))
    if each_s3_server.name == "versitygw":  # its reader may not even ask whether there are versions
        with pytest.raises(Refused, match="403 AccessDenied"):
            await reader.delete_versions(doomed)
    else:
        assert await reader.delete_versions(doomed) == dict.fromkeys(doomed, "AccessDenied")
    assert left(each_s3_server, bucket) == set(doomed)


async def test_an_absent_server_is_tried_again(each_s3_server: S3Server, bucket: str) -> None:
    """Nobody at the address is TryAgain, whatever is asked; a bucket that is not there is Refused."""
    absent = S3Objects(each_s3_server.settings(bucket, port=free_port()))
    unmade = S3Objects(each_s3_server.settings("never-made"))
    for store, kind, said in ((absent, TryAgain, "could not be reached"), (unmade, Refused, "NoSuchBucket")):
        for call in (
            all_versions(store, "d/"),
            store.delete_versions([("d/a", "some")]),
            store.set_legal_hold("d/a", "some", held=True),
            store.legal_hold("d/a", "some"),
        ):
            with pytest.raises(kind, match=said):
                await call


async def test_a_store_that_knows_no_versions(tmp_path: Path) -> None:
    """Its objects are what there is: they are listed and removed as such; a hold is Refused, and not taken for a put."""
    with Rclone(tmp_path) as server:
        store = S3Objects(server.settings(server.make_bucket()))
        await put(store, "d/a", b"x")
        assert await all_versions(store, "d/") == [ObjectVersion("d/a", "", 1)]
        with pytest.raises(Refused, match="Object Lock"):
            await store.set_legal_hold("d/a", "", held=True)
        assert await store.get("d/a") == b"x"
        assert await store.delete_versions([("d/a", "")]) == {}
        assert await all_versions(store, "d/") == []
