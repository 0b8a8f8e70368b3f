"""A live service whose pool is a bucket of a real S3 server, with a proxy in between that breaks requests by dice."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segments.clock import US_PER_S
from tests.faults.witness import Judgement, Witness, judge
from tests.servers.faults_http import Fault, HttpFaults
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.service import Service

SEED = 3
BACKLOG_S = 90
"""A failed upload is tried again after a minute at the latest."""


class BreakingStore:
    """What the proxy does to requests now: nothing ("fine"), what the dice say ("dice"), or one fault for all."""

    def __init__(self) -> None:
        self.broken: Counter[str] = Counter()
        self.now: str | Fault = "fine"
        self._dice = random.Random(SEED)

    def __call__(self, method: str, path: str, n: int) -> Fault | None:
        """See `HttpFaults`."""
        if self.now == "fine":
            return None
        fault = self.now if isinstance(self.now, Fault) else self._dice.choice([None, *Fault])
        if fault is Fault.LYING_200 and method != "PUT":
            fault = None  # a store lies about what it took, not about what it has
        if fault is not None:
            self.broken[fault.name] += 1
        return fault


def a_bucket_service(folder: Path, cameras: Mapping[str, Any], server: S3Server, port: int, **settings: Any) -> tuple[Service, str]:
    """A service whose pool is a new bucket behind this port, and the bucket's name."""
    folder.mkdir(exist_ok=True)
    secret = folder / "s3.secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET_KEY)
    bucket = server.make_bucket()
    pool = {"kind": "s3", "endpoint": f"http://127.0.0.1:{port}", "bucket": bucket, "access_key_id": ACCESS_KEY, "secret_file": str(secret)}
    return Service(folder, cameras, pools={"main": pool}, **settings), bucket


@dataclass
class Trouble:
    """What a time of trouble with the store came to: what was kept, what was broken (by the fault's name), and the cameras' timelines."""

    judgement: Judgement
    broken: Counter[str]
    timelines: list[list[dict[str, Any]]]
    service: Service


async def trouble(folder: Path, cameras: Mapping[str, str], server: S3Server, faulty_s: float) -> Trouble:
    """Records while the store fails in every way for so long, waits until the backlog is gone, stops, and judges."""
    store = BreakingStore()
    async with HttpFaults(server.port, store) as proxy:
        service, bucket = a_bucket_service(folder, cameras, server, proxy.port, recording={"segment_s": 2})
        async with service:
            await service.wait_for(lambda: service.is_recording(*cameras))
            began_us = time.time_ns() // 1000
            async with Witness(service, list(cameras)) as witness:
                store.now = "dice"
                await asyncio.sleep(faulty_s)
                store.now = "fine"
                await service.wait_for(lambda: _backlog_is_gone(service), BACKLOG_S)
            timelines = [await service.timeline(camera, began_us, time.time_ns() // 1000 - 4 * US_PER_S) for camera in cameras]
            await service.stop()
        judgement = await asyncio.to_thread(judge, witness, objects_in(server, bucket))
    return Trouble(judgement, store.broken, timelines, service)


async def _backlog_is_gone(service: Service) -> bool:
    """Whether only what is being recorded now waits."""
    status = await service.api("/status")
    return status["spool"]["segments"] <= 3 and status["alarms"] == []


def objects_in(server: S3Server, bucket: str) -> dict[str, bytes]:
    """All objects of a bucket, read past our code."""
    pages = server.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key: server.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
