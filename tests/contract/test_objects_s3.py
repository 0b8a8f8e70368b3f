"""The object contract over a real S3 server, with boto3 as the back door, and what only S3 has: users, headers, refusals."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import obstore
import pytest
from botocore.exceptions import ClientError
from obstore.store import S3Store

from segments.errors import DataDamaged, Refused, StartRefused, TryAgain
from segments.stores.probe import BUCKET_NEEDS, Ability
from segments.stores.s3_client import S3Settings, bucket_client
from segments.stores.s3_objects import S3Objects
from segments.stores.s3_probe import probe_bucket
from tests.certificates import Authority
from tests.contract.object_contract import ObjectContract, put, sha256
from tests.servers.processes import free_port
from tests.servers.s3 import ACCESS_KEY, READ_ONLY, SECRET_KEY, S3Server
from tests.servers.versitygw import VersityGw

pytestmark = pytest.mark.server


class BotoBackDoor:
    """See `BackDoor`."""

    def __init__(self, server: S3Server, bucket: str) -> None:
        self.client: Any = server.client
        self._bucket = bucket

    def read(self, key: str, **version: str) -> bytes | None:
        """See `BackDoor`."""
        try:
            return self.client.get_object(Bucket=self._bucket, Key=key, **version)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchVersion"):
                raise
            return None

    def write(self, key: str, data: bytes) -> None:
        """See `BackDoor`."""
        self.client.put_object(Bucket=self._bucket, Key=key, Body=data)

    def keys(self, prefix: str) -> set[str]:
        """See `BackDoor`."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


@pytest.fixture(scope="module")
def bucket(each_s3_server: S3Server) -> str:
    """The bucket of this module."""
    return each_s3_server.make_bucket()


@pytest.fixture
def store(each_s3_server: S3Server, bucket: str) -> Iterator[S3Objects]:
    """A store over it."""
    store = S3Objects(each_s3_server.settings(bucket))
    yield store
    store.close()


@pytest.fixture
def back(each_s3_server: S3Server, bucket: str) -> BotoBackDoor:
    """Past the store."""
    return BotoBackDoor(each_s3_server, bucket)


class TestS3Objects(ObjectContract):
    """The contract."""

    adapter = "S3Objects"


async def test_the_server_keeps_what_others_can_read(store: S3Objects, back: BotoBackDoor, bucket: str) -> None:
    """Hash, attributes and content type lie in S3's headers, plain where they are ASCII, and the server keeps the checksum."""
    await put(store, "h/a.mp4", b"hello", duration="PT60.04S", type='video/mp4; codecs="avc1"', place="门")
    answer = back.client.head_object(Bucket=bucket, Key="h/a.mp4", ChecksumMode="ENABLED")
    assert answer["Metadata"] == {
        "sha256": sha256(b"hello"),
        "duration": "PT60.04S",
        "type": 'video/mp4; codecs="avc1"',
        "place": "%E9%97%A8",
    }
    assert answer["ContentType"] == "video/mp4"
    assert answer["ChecksumSHA256"] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


async def test_versions_are_returned(each_s3_server: S3Server) -> None:
    """In a bucket with versions a put returns the object's version id, and head the same."""
    bucket = each_s3_server.make_bucket()
    each_s3_server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = S3Objects(each_s3_server.settings(bucket))
    version = await put(store, "a", b"x")
    assert version == each_s3_server.client.head_object(Bucket=bucket, Key="a")["VersionId"]
    assert (await store.head("a")).version == version


def _wrong_logins(server: S3Server, bucket: str) -> list[S3Settings]:
    good = server.settings(bucket)
    wrong_secret = replace(good, secret_access_key="canary-that-is-wrong")
    return [wrong_secret, replace(good, access_key_id="nobody", secret_access_key="canary-that-is-wrong")]


async def test_wrong_logins_are_refused(each_s3_server: S3Server, bucket: str) -> None:
    """A wrong secret or an unknown user is Refused by every call, and no secret is in the error, its traceback or the settings' text."""
    for settings in _wrong_logins(each_s3_server, bucket):
        store = S3Objects(settings)
        for call in (put(store, "l/a", b"x"), store.head("l/a"), store.get("l/a"), store.list("l/"), store.delete(["l/a"])):
            with pytest.raises(Refused, match="403") as caught:
                await call
            told = "".join(traceback.format_exception(caught.value)) + repr(settings) + str(settings) + repr(vars(store))
            assert "canary" not in told


async def test_refused_deletes_are_named_key_by_key(each_s3_server: S3Server, store: S3Objects, bucket: str) -> None:
    """Where the store refuses single keys of a delete, each comes back with its reason and nothing is lost in silence."""
    for n in range(5):
        await put(store, f"r/{n}", b"x")
    reader = S3Objects(each_s3_server.read_only_settings(bucket))
    assert await reader.delete([f"r/{n}" for n in range(5)]) == {f"r/{n}": "AccessDenied" for n in range(5)}
    assert READ_ONLY[1] not in repr(vars(reader))
    assert len((await store.list("r/")).items) == 5


async def test_a_held_version_stays(each_s3_server: S3Server) -> None:
    """A delete in a bucket with legal holds leaves the held version where it is."""
    bucket = each_s3_server.make_bucket(locks=True)
    store = S3Objects(each_s3_server.settings(bucket))
    for key in ("a", "b", "c"):
        await put(store, key, b"x")
    each_s3_server.client.put_object_legal_hold(Bucket=bucket, Key="b", LegalHold={"Status": "ON"})
    await store.delete(["a", "b", "c"])
    versions = each_s3_server.client.list_object_versions(Bucket=bucket)["Versions"]
    assert "b" in {version["Key"] for version in versions}


async def test_a_missing_bucket_is_refused(each_s3_server: S3Server) -> None:
    """A bucket that is not there needs a person: Refused, and it is not made in passing."""
    store = S3Objects(each_s3_server.settings("never-made"))
    for call in (put(store, "a", b"x"), store.list("")):
        with pytest.raises(Refused, match="NoSuchBucket"):
            await call
    assert "never-made" not in [bucket["Name"] for bucket in each_s3_server.client.list_buckets()["Buckets"]]


async def test_an_absent_server_is_tried_again(each_s3_server: S3Server, bucket: str) -> None:
    """Nobody at the address is TryAgain, and a put is known not to have happened."""
    store = S3Objects(each_s3_server.settings(bucket, port=free_port()))
    for call in (put(store, "a", b"x"), store.head("a"), store.get("a"), store.list(""), store.delete(["a"])):
        with pytest.raises(TryAgain, match="could not be reached") as caught:
            await call
        assert type(caught.value) is TryAgain


async def test_links_open_one_object(store: S3Objects, back: BotoBackDoor) -> None:
    """A link opens its object without a login, whole and by range; whether it is there is not asked."""
    data = bytes(range(256)) * 4096
    version = await put(store, "k/a b+c.mp4", data)
    link, to_nothing = await store.link("k/a b+c.mp4", version, 30), await store.link("k/none", "", 30)
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(link)).content == data
        part = await http.get(link, headers={"Range": "bytes=5-99"})
        assert (part.status_code, part.content) == (206, data[5:100])
        assert (await http.get(to_nothing)).status_code == 404


async def test_links_open_nothing_else(each_s3_server: S3Server, store: S3Objects, back: BotoBackDoor) -> None:
    """Neither another object, nor after its time, nor with another signature, nor to write; and no secret is in a link."""
    for key in ("k/a", "k/b"):
        await put(store, key, key.encode())
    link, passing = await store.link("k/a", "", 30), await store.link("k/a", "", 1)
    assert link is not None
    assert passing is not None
    assert SECRET_KEY not in link
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(link)).content == b"k/a"
        forged = link[:-1] + ("0" if link[-1] != "0" else "1")
        refused = [await http.get(link.replace("k/a", "k/b")), await http.get(forged), await http.put(link, content=b"x")]
        assert [answer.status_code for answer in refused] == [403, 403, 403]
        await asyncio.sleep(2.5)  # the server's own clock counts
        assert (await http.get(passing)).status_code in (400, 403)
        assert (await http.get(link)).content == back.read("k/a") == b"k/a"


async def test_links_signed_for_a_range_open_this_range_alone(store: S3Objects) -> None:
    """Neither a wider range, nor another, nor the whole: the Range header is signed, and has to be sent as it was."""
    data = bytes(range(256)) * 64
    version = await put(store, "k/range", data)
    link = await store.link("k/range", version, 30, "bytes=10-99")
    assert link is not None
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(link, headers={"Range": "bytes=10-99"})
        assert (answer.status_code, answer.content) == (206, data[10:100])
        others = [await http.get(link, headers={"Range": wanted}) for wanted in ("bytes=10-100", "bytes=9-99", "bytes=0-", "bytes=10-98")]
        assert {one.status_code for one in (*others, await http.get(link))} <= {400, 403}


async def test_the_environment_does_not_change_the_store(each_s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables other tools use (keys, tokens, endpoints) change nothing of what the settings say."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",
        "AWS_BUCKET",
    ):
        monkeypatch.setenv(name, "http://127.0.0.1:1" if "URL" in name else "other")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_UNSIGNED_PAYLOAD", "true")
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS", "AWS_USE_FIPS_ENDPOINT", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "/nowhere")
    store = S3Objects(each_s3_server.settings(bucket))
    await put(store, "env/a", b"x")
    assert await store.get("env/a") == b"x"
    for proxy in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:1")
    assert bucket_client(each_s3_server.settings(bucket)).get_object(Bucket=bucket, Key="env/a")["Body"].read() == b"x"


async def test_a_store_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    """Behind TLS whose authority only `ca_file` names, objects and probe work; without it, or with another, nothing is sent."""
    authority, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    with VersityGw(tmp_path, authority) as server:
        far = server.settings(server.make_bucket())
        assert far.endpoint.startswith("https:")
        store = S3Objects(far)
        await put(store, "tls/a", b"x")
        assert await store.get("tls/a") == b"x"
        findings = await probe_bucket(far, {*BUCKET_NEEDS, Ability.SIGNED_LINKS}, quick=True)
        assert [finding for finding in findings if not finding.passed] == []
        for wrong in (None, other.ca_file):
            with pytest.raises(TryAgain, match="could not be reached"):
                await put(S3Objects(replace(far, ca_file=wrong)), "tls/b", b"x")
    with pytest.raises(StartRefused, match="cannot be read"):
        S3Objects(replace(far, ca_file=tmp_path / "missing.pem"))


async def test_attributes_that_are_not_ascii_are_damaged(each_s3_server: S3Server, store: S3Objects, bucket: str) -> None:
    """An object of others with metadata that HTTP cannot carry is DataDamaged, not tried for ever; its neighbours are listed."""
    careless = S3Store(
        bucket,
        endpoint=f"http://127.0.0.1:{each_s3_server.port}",
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
    )
    await obstore.put_async(careless, "n/a", b"x", attributes={"place": "门"})
    with pytest.raises(DataDamaged, match="ASCII"):
        await store.head("n/a")
    assert [item.key for item in (await store.list("n/")).items] == ["n/a"]


async def test_markers_of_folders_are_not_objects(store: S3Objects, back: BotoBackDoor) -> None:
    """The empty objects that consoles make for folders are not listed, and what lies beside them is."""
    for key in ("m/", "m/day/", "m/day/run/"):
        back.write(key, b"")
    await put(store, "m/day/run/10/a.mp4", b"x")
    for prefix in ("m", "m/", "m/day/", "m/day/run/"):
        assert [item.key for item in (await store.list(prefix)).items] == ["m/day/run/10/a.mp4"]


@pytest.mark.parametrize(
    "endpoint", ["store:9000", "ftp://store", "http://store", "https://user:canary@store", "https://", "https://store?token=canary"]
)
def test_endpoints_that_cannot_be_used_are_refused(endpoint: str) -> None:
    """An endpoint with credentials in it, without a scheme, or without TLS unless allowed, is refused at once without repeating it."""
    with pytest.raises(StartRefused, match="endpoint") as caught:
        S3Settings(endpoint, "bucket", "key", SECRET_KEY)
    assert "canary" not in str(caught.value)
