"""S3 pools behind toxiproxy: slow, cut, silent and absent networks, on both servers.

The control of each is in the test: without the fault the same put succeeds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from segments.commit import store_object
from segments.errors import NotFound, TryAgain, Unknown
from segments.stores.s3_objects import S3Objects
from tests.contract.object_contract import put, sha256, some_bytes
from tests.servers.s3 import S3Server
from tests.servers.toxiproxy import Proxy, Toxiproxy

pytestmark = pytest.mark.server

DATA = some_bytes(2 << 20)


@pytest.fixture(scope="module")
def toxiproxy() -> Iterator[Toxiproxy]:
    """The proxies' program."""
    with Toxiproxy() as running:
        yield running


@dataclass
class Behind:
    """A bucket behind a proxy of its own, and past it."""

    proxy: Proxy
    store: S3Objects
    direct: S3Objects


@pytest.fixture
def behind(each_s3_server: S3Server, toxiproxy: Toxiproxy) -> Iterator[Behind]:
    """See `Behind`."""
    bucket = each_s3_server.make_bucket()
    proxy = toxiproxy.before(each_s3_server.port)
    settings = replace(each_s3_server.settings(bucket), request_timeout_s=1.5)
    made = Behind(proxy, S3Objects(replace(settings, endpoint=f"http://127.0.0.1:{proxy.port}")), S3Objects(settings))
    yield made
    made.store.close()
    made.direct.close()


async def _store(objects: S3Objects, key: str) -> None:
    await store_object(objects, key, DATA, size=len(DATA), sha256=sha256(DATA), attributes={})


async def test_a_slow_network_is_waited_for(behind: Behind) -> None:
    """Answers that come late, but within the limit, are waited for."""
    with behind.proxy.fault("latency", latency=300):
        started_s = time.monotonic()
        await _store(behind.store, "slow")
        assert time.monotonic() - started_s >= 0.6  # the put and the look after it
    assert await behind.direct.get("slow") == DATA


async def test_a_cut_upload_leaves_nothing(behind: Behind) -> None:
    """An upload whose connection closes halfway is Unknown, leaves no object, and goes through the next time."""
    with behind.proxy.cut_uploads(1 << 20):
        with pytest.raises(Unknown):
            await put(behind.store, "cut", DATA)
        with pytest.raises(NotFound):
            await behind.direct.head("cut")
    await _store(behind.store, "cut")
    assert await behind.direct.get("cut") == DATA


async def test_a_lost_answer_is_settled_by_looking(behind: Behind) -> None:
    """The answer is lost and the object is there: the put says Unknown, and its repetition finds its own bytes."""
    with behind.proxy.lost_answers(), pytest.raises(Unknown):
        await put(behind.store, "lost", DATA)
    assert await behind.direct.get("lost") == DATA
    await _store(behind.store, "lost")


async def test_an_absent_store_comes_back(behind: Behind) -> None:
    """A store that refuses connections is TryAgain at once, never Unknown, and is used again when it is back."""
    await _store(behind.store, "before")
    behind.proxy.down()
    with pytest.raises(TryAgain) as caught:
        await put(behind.store, "away", DATA)
    assert type(caught.value) is TryAgain
    behind.proxy.up()
    await _store(behind.store, "away")
    assert await behind.direct.get("away") == DATA


HANGING = """
import asyncio, sys
from segments.stores.s3_client import S3Settings
from segments.stores.s3_objects import S3Objects
from tests.contract.object_contract import put

async def main():
    settings = S3Settings(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], allow_http=True, request_timeout_s=60)
    try:
        async with asyncio.timeout(0.5):
            await put(S3Objects(settings), "hung", b"x")
    except TimeoutError:
        print("gave up")

asyncio.run(main())
"""


def test_a_hanging_store_does_not_keep_a_process_from_ending(versitygw_server: S3Server, toxiproxy: Toxiproxy) -> None:
    """A put that is given up while the store is silent holds nothing back, although its request could go on for a minute."""
    settings = versitygw_server.settings(versitygw_server.make_bucket())
    proxy = toxiproxy.before(versitygw_server.port)
    words = (f"http://127.0.0.1:{proxy.port}", settings.bucket, settings.access_key_id, settings.secret_access_key)
    with proxy.lost_answers():
        done = subprocess.run([sys.executable, "-c", HANGING, *words], capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == ("gave up\n", "")
