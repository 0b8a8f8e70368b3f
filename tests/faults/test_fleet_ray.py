"""The fleet on a real Ray cluster: its actors, its programs and its head are killed, and recording goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from segments.clock import US_PER_S
from tests.faults.fleet_trials import gaps_since, now_us, recorded_by, restart_in_turn
from tests.fleet_site import FleetSite
from tests.servers.ray_cluster import RayCluster
from tests.servers.rtsp import RtspServer
from tests.servers.safe_cassandra import PASSWORD as INDEX_PASSWORD
from tests.servers.safe_cassandra import SafeCassandra

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.alone, pytest.mark.asyncio(loop_scope="module")]

NODES = ("north", "south")
CAMERAS = ("gate", "yard", "dock")
PASSWORD = "Qw7-canary-of-the-camera"
GAP_S = 6.0
NO_GAP_S = 0.2


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[RayCluster]:
    """A head whose state outlives it."""
    with RayCluster(redis=True) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    ray_cluster: RayCluster, cassandra_of_services: SafeCassandra, rtsp_server: RtspServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FleetSite]:
    """Two nodes of a Ray cluster that record three cameras, one with a password."""
    folder = tmp_path_factory.mktemp("ray-town")
    async with FleetSite(folder / "site", cassandra_of_services, names=NODES, ray=ray_cluster) as site:
        urls = {camera: rtsp_server.url(f"h264/ray-{camera}") for camera in CAMERAS}
        urls["gate"] = urls["gate"].replace("rtsp://", f"rtsp://ops:{PASSWORD}@")
        await asyncio.to_thread(site.add, urls)
        yield site
        await asyncio.to_thread(site.must, "fleet", "stop")
        left = [words for node in site.nodes.values() for words in node.pids().values() if "deploy." in words]
        assert left == []


@pytest_asyncio.fixture(loop_scope="module")
async def calm(town: FleetSite) -> FleetSite:
    """The town with all programs of both nodes running, and all cameras recorded."""
    await town.wait_for(lambda: is_whole(town))
    await town.wait_for(lambda: town.records_since(now_us() - 6 * US_PER_S, *CAMERAS))
    return town


async def test_the_fleet_says_how_it_stands(calm: FleetSite, ray_cluster: RayCluster) -> None:
    """Each node has its uploader and its recorder; no secret is among what Ray keeps, or what its processes can be asked for."""
    status = await asyncio.to_thread(calm.status)
    names = sorted((line["node"], line["program"]) for line in status["programs"])

    assert names == [(node, program) for node in NODES for program in ("duties", "recorder-0", "uploader")]
    assert {place["name"] for place in status["places"]} == {name for node in NODES for name in (node, f"{node}/duties")}
    await calm.wait_for(lambda: is_balanced(calm))
    secrets = [PASSWORD, INDEX_PASSWORD, *((calm.folder / "keys" / name).read_text() for name in ("cameras", "internal"))]
    assert places_of(secrets, ray_cluster.folder) == []
    assert [words for node in calm.nodes.values() for words in node.pids().values() if any(secret in words for secret in secrets)] == []
    assert places_of([ray_cluster.token.strip()], ray_cluster.folder, but=("token",)) == []


async def test_a_recorder_sees_nothing_of_ray(calm: FleetSite) -> None:
    """Its environment has no token, no path of one, and no address of the cluster."""
    line = await program(calm, "north", "recorder-0")
    words = Path(f"/proc/{line['pid']}/environ").read_bytes().decode().split("\0")

    assert [word for word in words if word.startswith(("RAY_", "KEEPSIGHT_"))] == []


async def test_a_killed_guardian_takes_its_program_along(calm: FleetSite) -> None:
    """Ray makes the guardian again; the old program ends before the new one starts, and the other node is not touched."""
    began_us, before = now_us(), await program(calm, "north", "uploader")
    untouched = await program(calm, "south", "uploader")
    os.kill(before["guardian_pid"], signal.SIGKILL)
    await calm.wait_for(lambda: runs_anew(calm, "north", "uploader", before["pid"]))
    await calm.wait_for(lambda: calm.records_since(now_us() - 6 * US_PER_S, *CAMERAS))

    assert not Path(f"/proc/{before['pid']}").exists()
    assert await program(calm, "south", "uploader") == untouched
    await asyncio.sleep(4)
    assert (await gaps_since(calm, CAMERAS, began_us)).worst_s <= GAP_S


async def test_a_killed_recorder_is_back(calm: FleetSite) -> None:
    """Its guardian starts it again, and its cameras miss a few seconds at most."""
    began_us, before = now_us(), await program(calm, "north", "recorder-0")
    await asyncio.sleep(2)
    os.kill(before["pid"], signal.SIGKILL)
    await calm.wait_for(lambda: runs_anew(calm, "north", "recorder-0", before["pid"]))
    await asyncio.sleep(8)

    assert (await gaps_since(calm, CAMERAS, began_us)).worst_s <= GAP_S


async def test_a_killed_supervisor_touches_nothing(calm: FleetSite) -> None:
    """Ray makes it again; no program notices."""
    before = (await asyncio.to_thread(calm.status))["programs"]
    pids = [pid for node in calm.nodes.values() for pid, words in node.pids().items() if "SupervisorActor" in words]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(2)
    await calm.wait_for(lambda: is_whole(calm))

    assert len(pids) == 1
    assert (await asyncio.to_thread(calm.status))["programs"] == before


async def test_recording_and_takeover_do_without_the_head(calm: FleetSite, ray_cluster: RayCluster) -> None:
    """The head is lost, then a node: the other takes its cameras over. When the head is back, so is the fleet, all of it."""
    began_us = now_us()
    await asyncio.to_thread(ray_cluster.kill)
    await asyncio.sleep(3)
    assert (await asyncio.to_thread(calm.keepsight, "fleet", "status")).stderr.count("no Ray cluster answers") == 1
    name = max(NODES, key=lambda name: len(recorded_by(calm, name)))
    lost_us = now_us()
    await asyncio.to_thread(calm.nodes[name].kill)
    await calm.wait_for(lambda: calm.records_since(lost_us + 2 * US_PER_S, *CAMERAS))
    took_s = (now_us() - lost_us) / US_PER_S
    await asyncio.to_thread(ray_cluster.start)
    calm.nodes[name].start()
    await calm.wait_for(lambda: is_whole(calm), 120)
    await asyncio.sleep(8)

    assert took_s <= GAP_S + 5
    assert (await gaps_since(calm, CAMERAS, began_us)).worst_s <= GAP_S


async def test_nodes_restarted_in_turn_lose_nothing(calm: FleetSite) -> None:
    """Drained, its Ray shut down and started, taken in again: no camera misses two seconds (R13)."""
    gaps = await restart_in_turn(calm, CAMERAS)

    assert gaps.worst_s <= 2.0, gaps


async def test_without_a_token_there_is_no_fleet(tmp_path: Path) -> None:
    """R25 (1): the start is refused with a sentence that says what to set."""
    config = tmp_path / "keepsight.toml"
    config.write_text('[fleet]\nkind = "ray"\n[index]\nkind = "cassandra"\nhosts = ["127.0.0.1"]\ndatacenter = "dc1"\n')
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", "from deploy.cli import main; main()", "fleet", "start", "--config", str(config)]
    run = partial(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    done = await asyncio.to_thread(run)

    assert done.returncode == 3
    assert "RAY_AUTH_MODE=token" in done.stderr


async def program(site: FleetSite, node: str, name: str) -> dict[str, Any]:
    """A program as `keepsight fleet status` shows it."""
    lines = (await asyncio.to_thread(site.status))["programs"]
    return next(line for line in lines if (line["node"], line["program"]) == (node, name))


async def runs_anew(site: FleetSite, node: str, name: str, old_pid: int) -> bool:
    """Whether a program runs as another process than before."""
    lines = (await asyncio.to_thread(site.status))["programs"]
    return any((line["node"], line["program"]) == (node, name) and line["pid"] not in (None, old_pid) for line in lines)


async def is_balanced(site: FleetSite) -> bool:
    """Whether both nodes have some of the duties, which may take some calm after one of them was there first."""
    status = await asyncio.to_thread(site.status)
    return {duty["holder"] for duty in status["duties"] if duty["duty"].startswith("record-")} == set(NODES)


async def is_whole(site: FleetSite) -> bool:
    """Whether all programs of all nodes run, and all places have their recorders."""
    status = await asyncio.to_thread(site.status)
    running = [line for line in status["programs"] if line["pid"] is not None and not line["trouble"]]
    recorders = {place["name"]: place["recorders"] for place in status["places"]}
    return len(running) == len(site.programs) * len(NODES) and all(recorders.get(node) == 1 for node in NODES)


def places_of(secrets: list[str], folder: Path, but: tuple[str, ...] = ()) -> list[str]:
    """The files of a folder that hold one of these."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name not in but:
            data = path.read_bytes()
            found += [str(path) for secret in secrets if secret.encode() in data]
    return found
