"""The S3 store behind a proxy that breaks its requests: each fault becomes the error that says what the caller can do, and nothing is lost.

Each fault's control: the same work without the fault succeeds in the same test, and the proxy's list shows that the fault was met.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from segments.commit import store_object
from segments.errors import Conflict, DataDamaged, KeepsightError, NotFound, TryAgain, Unknown
from segments.stores.s3_objects import S3Objects
from tests.contract.object_contract import put, sha256, some_bytes
from tests.servers.faults_http import Fault, HttpFaults
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.server

DATA = some_bytes(300_000)


@pytest.fixture(scope="module")
def bucket(each_s3_server: S3Server) -> str:
    """The bucket of this module."""
    return each_s3_server.make_bucket()


@dataclass
class Broken:
    """A store behind the proxy, and the same bucket past it."""

    proxy: HttpFaults
    store: S3Objects
    server: S3Server
    bucket: str

    def kept(self, key: str) -> bytes | None:
        """What the server really has."""
        try:
            return self.server.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.server.client.exceptions.NoSuchKey:
            return None

    def count(self, method: str) -> int:
        """Requests of a method so far."""
        return sum(seen == method for seen, _ in self.proxy.seen)


@pytest.fixture
def broken(each_s3_server: S3Server, bucket: str):
    """Makes a store whose requests of one method (each, or only the first) meet a fault."""

    @asynccontextmanager
    async def make(fault: Fault | None, *, method: str = "PUT", first_only: bool = False, timeout_s: float = 10) -> AsyncIterator[Broken]:
        met = 0

        def decide(asked: str, path: str, n: int) -> Fault | None:
            nonlocal met
            met += asked == method
            return fault if asked == method and not (first_only and met > 1) else None

        async with HttpFaults(each_s3_server.port, decide, slow_s=5) as proxy:
            store = S3Objects(replace(each_s3_server.settings(bucket, port=proxy.port), request_timeout_s=timeout_s))
            try:
                yield Broken(proxy, store, each_s3_server, bucket)
            finally:
                store.close()

    return make


PUTS = [
    pytest.param(Fault.SLOW_DOWN, TryAgain, False, id="503 SlowDown"),
    pytest.param(Fault.ERROR_AFTER_COMMIT, Unknown, True, id="500 after commit"),
    pytest.param(Fault.RESPONSE_LOST, Unknown, True, id="response lost after commit"),
    pytest.param(Fault.TRUNCATED_UPLOAD, Unknown, False, id="truncated upload"),
    pytest.param(Fault.WRONG_BYTES, DataDamaged, False, id="wrong bytes on the way"),
    pytest.param(Fault.SLOW, Unknown, False, id="no answer in time"),
]


@pytest.mark.parametrize(("fault", "kind", "there"), PUTS)
async def test_a_broken_put_says_what_is_known(broken, fault: Fault, kind: type[KeepsightError], there: bool) -> None:
    """A put that meets a fault is sent once and raises the error of its kind; the server holds the very bytes or nothing."""
    key = f"put/{fault.name}"
    async with broken(fault, timeout_s=1) as at:
        with pytest.raises(kind) as caught:
            await put(at.store, key, DATA)
        assert type(caught.value) is kind
        assert at.count("PUT") == 1
        assert "canary" not in str(caught.value)
        kept = at.kept(key)
        assert kept == (DATA if there else None) or (fault is Fault.SLOW and kept == DATA)


@pytest.mark.parametrize(("fault", "kind", "there"), PUTS)
async def test_a_repeated_put_settles_it(broken, fault: Fault, kind: type[KeepsightError], there: bool) -> None:
    """Putting until it is settled, comparing hashes where it is taken, leaves exactly one object with the very bytes."""
    key = f"settled/{fault.name}"
    async with broken(fault, first_only=True, timeout_s=2) as at:
        for _ in range(3):
            try:
                await store_object(at.store, key, DATA, size=len(DATA), sha256=sha256(DATA), attributes={"camera": "gate"})
                break
            except (TryAgain, DataDamaged):
                continue
        else:
            pytest.fail("not settled in three tries")
        assert at.kept(key) == DATA
        assert (await at.store.head(key)).attributes == {"camera": "gate"}
        with pytest.raises(Conflict):
            await put(at.store, key, b"other")
        assert at.kept(key) == DATA


async def test_a_lying_answer_is_seen_by_looking(broken) -> None:
    """A store that says 200 and keeps nothing deceives the put alone, but not the put that looks afterwards."""
    async with broken(Fault.LYING_200) as at:
        assert await put(at.store, "lie/a", DATA) == ""
        with pytest.raises(NotFound):
            await at.store.head("lie/a")
        with pytest.raises(TryAgain, match="not there"):
            await store_object(at.store, "lie/a", DATA, size=len(DATA), sha256=sha256(DATA), attributes={})
        assert at.kept("lie/a") is None


async def test_a_race_lost_to_other_content_is_a_conflict(broken) -> None:
    """Where the answer is lost and the key belongs to another's bytes, comparing hashes says Conflict, not success."""
    async with broken(Fault.RESPONSE_LOST) as at:
        at.server.client.put_object(Bucket=at.bucket, Key="race/a", Body=b"theirs", Metadata={"sha256": sha256(b"theirs")})
        with pytest.raises(Conflict, match="other content"):
            await store_object(at.store, "race/a", DATA, size=len(DATA), sha256=sha256(DATA), attributes={})
        assert at.kept("race/a") == b"theirs"


READS = [Fault.SLOW_DOWN, Fault.ERROR_AFTER_COMMIT, Fault.RESPONSE_LOST]


@pytest.mark.parametrize("fault", [*READS, Fault.TRUNCATED_ANSWER])
async def test_a_read_is_repeated_a_little(broken, fault: Fault) -> None:
    """A read that meets one fault is repeated and gives the very bytes."""
    async with broken(fault, method="GET", first_only=True) as at:
        await put(at.store, f"once/{fault.name}", DATA)
        assert await at.store.get(f"once/{fault.name}") == DATA
        assert at.count("GET") >= 2


@pytest.mark.parametrize("fault", [*READS, Fault.TRUNCATED_ANSWER])
async def test_a_broken_read_is_tried_again_later(broken, fault: Fault) -> None:
    """A read that goes on failing raises TryAgain within its limits, and never gives fewer bytes than it should."""
    async with broken(fault, method="GET", timeout_s=4) as at:
        await put(at.store, f"reads/{fault.name}", DATA)
        for call in (at.store.get(f"reads/{fault.name}"), at.store.get(f"reads/{fault.name}", 7, 200_000)):
            with pytest.raises(TryAgain):
                await call
        with pytest.raises(TryAgain):
            await at.store.list("reads/")
        assert at.count("GET") <= 12


async def test_a_silent_store_is_given_up(broken) -> None:
    """Reads of a store that does not answer end in TryAgain after the limit, not never."""
    async with broken(Fault.SLOW, method="GET", timeout_s=0.3) as at:
        await put(at.store, "silent/a", DATA)
        async with asyncio.timeout(5):
            for call in (at.store.get("silent/a"), at.store.list("silent/")):
                with pytest.raises(TryAgain, match="in time"):
                    await call


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.ERROR_AFTER_COMMIT, Fault.RESPONSE_LOST])
async def test_a_broken_delete_can_be_repeated(broken, fault: Fault) -> None:
    """A delete that meets a fault raises TryAgain, not "removed"; the next one removes."""
    async with broken(fault, method="POST", first_only=True) as at:
        await put(at.store, f"del/{fault.name}", DATA)
        with pytest.raises(TryAgain):
            await at.store.delete([f"del/{fault.name}"])
        assert await at.store.delete([f"del/{fault.name}"]) == {}
        assert at.kept(f"del/{fault.name}") is None


async def test_control_without_faults_all_succeeds(broken) -> None:
    """The same work through the same proxy without a fault succeeds, one request each."""
    async with broken(None) as at:
        await store_object(at.store, "control/a", DATA, size=len(DATA), sha256=sha256(DATA), attributes={})
        assert await at.store.get("control/a") == DATA
        assert await at.store.delete(["control/a"]) == {}
        assert [method for method, _ in at.proxy.seen] == ["PUT", "HEAD", "GET", "POST"]
