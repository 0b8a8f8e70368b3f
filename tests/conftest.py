"""Fixtures of all tests: clips, the third-party camera server, a real S3 server, a browser."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Page

from tests.media import Clips
from tests.servers.cassandra import CassandraServer
from tests.servers.chromium import chromium_page
from tests.servers.rtsp import RtspServer
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SeaweedFs
from tests.servers.versitygw import VersityGw


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no search for garbage looks through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Clips encoded on first use and kept for the session, for all worker processes of it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "clips"
    folder.mkdir(exist_ok=True)
    return Clips(folder)


@pytest.fixture(scope="session")
def rtsp_server(clips: Clips) -> Iterator[RtspServer]:
    """Cameras at h264/x, h265/x, aac/x, alaw/x, ulaw/x, bframes/x (any x; take one of your own) and load/x, which all its readers share."""
    cameras = {
        "h264": clips.get(),
        "h265": clips.get(codec="h265"),
        "aac": clips.get(audio="aac"),
        "alaw": clips.get(".mov", audio="pcm_alaw"),
        "ulaw": clips.get(".mov", audio="pcm_mulaw"),
        "bframes": clips.get(b_frames=2),
        "load+": clips.get(),
    }
    with RtspServer(cameras) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server (SeaweedFS); take a bucket of your own."""
    with SeaweedFs(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def versitygw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server of another make."""
    with VersityGw(tmp_path_factory.mktemp("versitygw")) as server:
        yield server


@pytest.fixture(scope="session", params=["s3_server", "versitygw_server"], ids=["SeaweedFS", "versitygw"])
def each_s3_server(request: pytest.FixtureRequest) -> S3Server:
    """One server after the other: for what must hold on both."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CassandraServer]:
    """A real Cassandra, one node with a synced log; take a keyspace of your own."""
    with CassandraServer(tmp_path_factory.mktemp("cassandra")) as server:
        yield server


@pytest.fixture
async def browser_page() -> AsyncIterator[Page]:
    """A page of real Chromium in the test's own event loop."""
    async with chromium_page() as page:
        yield page
