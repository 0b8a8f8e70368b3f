"""The cost of a whole node under load: recorder, uploader, API and their parent, from cameras to stored in S3 and indexed in Cassandra."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bench.load import Cameras, Cost, Window, measured, must_have_arrived, watched
from bench.process_cost import usage
from tests.servers.s3 import S3Server
from tests.servers.safe_cassandra import safe_cassandra
from tests.servers.seaweedfs import SeaweedFs
from tests.service import Service

STARTED_S = 120.0


async def node_cost(cameras: Cameras, count: int, window: Window, *, segment_s: int) -> tuple[Cost, dict[str, float]]:
    """The cost of all its processes together, and thousandths of a core a camera by process; raises NotArrived.

    What counts as written is what the store has more at the end than at the beginning. The window should be some segments long, so that
    each camera's share of uploading is in it.
    """
    urls = cameras.urls(count)
    with tempfile.TemporaryDirectory() as folder:
        async with _node(Path(folder), urls, segment_s) as (service, store, bucket):
            names = [f"camera-{n}" for n in range(count)]
            await service.wait_for(lambda: service.is_recording(*names), STARTED_S)
            pids = {**service.pids(), "serve": service.pid("serve")}
            await watched(list(pids.values()), window.settle_s, lambda: None)
            before, stored = {name: usage([pid]) for name, pid in pids.items()}, _bytes_in(store, bucket)
            cost = await measured(list(pids.values()), count, window.measure_s, lambda: None)
            stored = _bytes_in(store, bucket) - stored
            parts = {name: 1000 * usage([pid]).since(before[name]).cpu_s / cost.seconds / count for name, pid in pids.items()}
    cost = replace(cost, used=cost.used._replace(written_bytes=stored))
    must_have_arrived("the store", cost, cameras.bits_per_s)
    return cost, parts


@asynccontextmanager
async def _node(folder: Path, urls: list[str], segment_s: int) -> AsyncIterator[tuple[Service, S3Server, str]]:
    (folder / "s3").mkdir()
    (folder / "cassandra").mkdir()
    with SeaweedFs(folder / "s3") as store, safe_cassandra(folder / "cassandra") as cassandra:
        bucket = await asyncio.to_thread(store.make_bucket)
        where = store.settings(bucket)
        secret = folder / "s3-secret"
        secret.touch(mode=0o600)
        secret.write_text(where.secret_access_key)
        pool = {
            "kind": "s3",
            "endpoint": where.endpoint,
            "bucket": bucket,
            "access_key_id": where.access_key_id,
            "secret_file": str(secret),
        }
        settings = {
            "pools": {"main": pool},
            "index": await cassandra.new_section(),
            "recording": {"segment_s": segment_s, "silence_s": 10},
            "spool": {"min_free_bytes": 1 << 20},
        }
        cameras = {f"camera-{n}": url for n, url in enumerate(urls)}
        async with Service(folder / "site", cameras, **settings) as service:
            yield service, store, bucket


def _bytes_in(store: S3Server, bucket: str) -> int:
    pages = store.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(item["Size"] for page in pages for item in page.get("Contents", []))
