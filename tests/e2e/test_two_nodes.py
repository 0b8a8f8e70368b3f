"""Two nodes of one site, as real processes on one machine: who records what, what the API sees of both, and what the loss of one costs."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from playback.footage import LIVE_HEADER
from segments.clock import US_PER_S, SystemClock
from segments.keys import parse_run
from segments.secrets import make_secret_file
from segments.shards import shard_of
from tests.builders import at
from tests.servers.rtsp import RtspServer
from tests.service import Service, moment

pytestmark = pytest.mark.server

NAMES = [f"nodes-{n}" for n in range(20)]
ONCE = [next(name for name in NAMES if shard_of(name, 2) == shard) for shard in range(2)]
"""A camera of each shard."""
TWICE = next(name for name in NAMES if name not in ONCE)
CAMERAS = [*ONCE, TWICE]
FRESH_S = 6.0
"""Footage is durable about a second after a fragment of 2 s is whole."""
LOST_S = 15.0
"""A lease of 3 s, a place watched as long, and a machine that does much else."""
Nodes = tuple[Service, Service]


@pytest.fixture
async def nodes(rtsp_server: RtspServer, tmp_path: Path) -> AsyncIterator[Nodes]:
    """Two services that share index, pool and key, and have a spool each."""
    urls = {name: {"url": rtsp_server.url(f"h264/{name}"), "twice": str(name == TWICE).lower()} for name in CAMERAS}
    token_of_the_site = secrets.token_urlsafe(32)
    async with AsyncExitStack() as stack:
        made = []
        for node in ("one", "two"):
            make_secret_file(tmp_path / node / "data" / "keys" / "internal.key", token_of_the_site)
            service = Service(
                tmp_path / node,
                {} if made else urls,
                node={"name": node},
                index={"path": str(tmp_path / "index.sqlite")},
                pools={"main": {"kind": "files", "folder": str(tmp_path / "pool")}},
                fleet={"shards": 2, "lease_s": 3},
                recording={"segment_s": 60, "silence_s": 3},
            )
            made.append(await stack.enter_async_context(service))
        yield made[0], made[1]


async def edge_age_s(node: Service, camera: str) -> float:
    """How old the newest footage is that this node's API shows."""
    now_us = SystemClock().now_us()
    spans = await node.timeline(camera, now_us - 300 * US_PER_S, now_us)
    return min(((now_us - at(span["to"])) / US_PER_S for span in spans if span["kind"] == "footage"), default=300.0)


async def is_fresh(node: Service) -> bool:
    """Whether this node's API shows the newest footage of every camera, wherever it is recorded."""
    return all([await edge_age_s(node, camera) < FRESH_S for camera in CAMERAS])


async def lanes(nodes: Nodes) -> list[set[str]]:
    """In which lanes each node records the camera that is recorded twice."""
    return [{parse_run(segment["row"]["run"]).lane for segment in await node.live(TWICE)} for node in nodes]


async def both_are_at_work(nodes: Nodes) -> bool:
    """Whether both lanes are recorded, each on a node of its own."""
    return sorted(map(sorted, await lanes(nodes))) == [["a"], ["b"]] and all([await is_fresh(node) for node in nodes])


async def test_each_api_sees_the_spools_of_both(nodes: Nodes) -> None:
    """Footage that only the other's spool has; and if that node hangs, what is left within a second or two, saying that more may be."""
    await nodes[0].wait_for(lambda: both_are_at_work(nodes), 60)
    (_, lane), asked = await lanes(nodes), nodes[1]
    path = f"/cameras/{TWICE}/timeline?from={moment(SystemClock().now_us() - 60 * US_PER_S)}&to={moment(SystemClock().now_us())}"
    assert LIVE_HEADER not in (await asked.get(path)).headers

    nodes[0].kill("uploader", number=signal.SIGSTOP)
    began_s = time.monotonic()
    hung = await asked.get(path)
    took_s = time.monotonic() - began_s
    again = await asked.get(path)
    quick_s = time.monotonic() - began_s - took_s
    fresh = await edge_age_s(asked, TWICE)
    nodes[0].kill("uploader", number=signal.SIGCONT)

    assert [answer.headers.get(LIVE_HEADER) for answer in (hung, again)] == ["away", "away"]
    assert took_s < 2.5, took_s
    assert quick_s < took_s
    assert (lane, fresh < FRESH_S) == (lane, True)
    await asked.wait_for(lambda: is_fresh(asked))
    assert LIVE_HEADER not in (await asked.get(path)).headers


async def test_a_lost_node_costs_seconds_and_a_camera_recorded_twice_nothing(nodes: Nodes) -> None:
    """All processes of the node that records lane a die at once: the other takes its cameras, and lane b has every moment."""
    await nodes[0].wait_for(lambda: both_are_at_work(nodes), 60)
    (first, _), (lost, left) = await lanes(nodes), nodes
    if first != {"a"}:
        lost, left = left, lost
    began_us = SystemClock().now_us()  # of the time before, the lost spool may hold the only footage
    pids = list(lost.pids().values())
    lost.kill("serve", *lost.pids())
    await lost.gone(pids)
    await left.wait_for(lambda: is_fresh(left), 40)
    end_us = SystemClock().now_us() - 4 * US_PER_S

    gaps = {camera: [gap for gap in await left.timeline(camera, began_us, end_us) if gap["kind"] == "gap"] for camera in CAMERAS}
    assert gaps[TWICE] == []
    for camera in ONCE:
        assert {gap["cause"] for gap in gaps[camera]} <= {"recorder-away", "reconnecting"}
        assert 0 < sum(at(gap["to"]) - at(gap["from"]) for gap in gaps[camera]) / US_PER_S < LOST_S

    await lost.start()
    await left.wait_for(lambda: is_fresh(left), 40)
