"""Faults of whole nodes and of what is between them: others take over, what was acknowledged is kept, and coverage tells the truth."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from segments.clock import US_PER_S
from segments.keys import parse_key, parse_run
from tests.faults.fleet_trials import gaps_since, hang_node, lose_node, now_us, recorded_by, settled
from tests.fleet_site import FleetSite
from tests.media import frame_numbers
from tests.servers.faults import TcpFaults
from tests.servers.processes import require, require_program
from tests.servers.rtsp import RtspServer
from tests.servers.safe_cassandra import SafeCassandra

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.alone, pytest.mark.asyncio(loop_scope="module")]

GAP_S = 6.0
"""Of a lost node's cameras, at most (R11)."""
NO_GAP_S = 0.2
HANG_S = 8.0
AWAY_S = 8.0
CLIP_FRAMES = 100
FRAME_US = 40_000
ONCE = ("once-0", "once-1", "once-2", "once-3")
TWICE = "twice"
NODES = ("north", "south")
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@dataclass
class Town:
    """The site all tests share, and the ways of its nodes to the index."""

    site: FleetSite
    ways: dict[str, TcpFaults]

    @property
    def cameras(self) -> tuple[str, ...]:
        """All of them."""
        return (*ONCE, TWICE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    cassandra_of_services: SafeCassandra, rtsp_server: RtspServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """Two nodes and five cameras, one of them recorded twice."""
    folder = tmp_path_factory.mktemp("town")
    async with AsyncExitStack() as stack:
        ways = {name: await stack.enter_async_context(TcpFaults(cassandra_of_services.server.port)) for name in NODES}
        site = FleetSite(folder / "site", cassandra_of_services, names=NODES, index_ports={name: way.port for name, way in ways.items()})
        await stack.enter_async_context(site)
        await asyncio.to_thread(site.add, {camera: rtsp_server.url(f"h264/town-{camera}") for camera in ONCE})
        await asyncio.to_thread(site.add, {TWICE: {"url": rtsp_server.url("load/town-twice"), "twice": "true"}})
        yield Town(site, ways)


@pytest_asyncio.fixture(loop_scope="module")
async def calm(town: Town) -> Town:
    """The town with all cameras recorded, and both nodes at work: as a test finds it."""
    since_us = now_us()
    await town.site.wait_for(lambda: town.site.records_since(now_us() - 6 * US_PER_S, *town.cameras))
    await town.site.wait_for(lambda: all(TWICE in recorded_by(town.site, name, since_us) for name in NODES))
    return town


def busier(town: Town) -> str:
    """The node that records more cameras."""
    return max(NODES, key=lambda name: len(recorded_by(town.site, name)))


async def test_cameras_come_and_go_while_it_runs(calm: Town, rtsp_server: RtspServer) -> None:
    """A camera that is added is soon recorded somewhere, and one that is removed nowhere any more; the others notice nothing."""
    began_us = now_us()
    await asyncio.to_thread(calm.site.add, {"late": rtsp_server.url("h264/town-late")})
    await calm.site.wait_for(lambda: any("late" in recorded_by(calm.site, name) for name in NODES), 10)
    await asyncio.to_thread(calm.site.must, "camera", "remove", "late")
    await calm.site.wait_for(lambda: not any("late" in recorded_by(calm.site, name) for name in NODES), 15)

    assert (await gaps_since(calm.site, calm.cameras, began_us)).worst_s <= NO_GAP_S


async def test_without_the_index_all_nodes_go_on(calm: Town) -> None:
    """The index is away for longer than any lease: nobody takes anything from anybody when it is back, and nothing is missing."""
    await settled(calm.site)
    began_us, before = now_us(), await asyncio.to_thread(epochs_of_duties, calm.site)
    await asyncio.sleep(2)
    for way in calm.ways.values():
        way.silent = True
    await asyncio.sleep(AWAY_S)
    for way in calm.ways.values():
        way.silent = False
        way.reset()
    await asyncio.sleep(6)

    assert await asyncio.to_thread(epochs_of_duties, calm.site) == before, moves(calm.site)
    assert (await gaps_since(calm.site, calm.cameras, began_us)).worst_s <= NO_GAP_S


async def test_the_store_may_be_away(calm: Town) -> None:
    """There is a file in the place of the pool's folder for a while: recording goes on, and all is uploaded afterwards."""
    began_us = now_us()
    hidden = calm.site.pool.with_name("pool-away")
    calm.site.pool.rename(hidden)
    calm.site.pool.touch()
    await asyncio.sleep(AWAY_S)
    calm.site.pool.unlink()
    hidden.rename(calm.site.pool)
    await asyncio.sleep(5)

    assert (await gaps_since(calm.site, calm.cameras, began_us)).worst_s <= NO_GAP_S


async def test_a_lost_node_is_replaced(calm: Town) -> None:
    """SIGKILL of all its processes: the gap is at most 6 s and has its cause, and its last minute is there once it is back."""
    name = busier(calm)
    gaps = await lose_node(calm.site, name, calm.cameras)

    assert gaps.worst_s <= GAP_S, gaps
    assert gaps.worst_s > NO_GAP_S
    assert gaps.causes <= {"recorder-away", "reconnecting"}, gaps
    assert gaps.seconds[TWICE] <= NO_GAP_S


async def test_what_a_dead_disk_holds_is_named(calm: Town) -> None:
    """While the lost node is away, the time that only its disk has is a gap with a cause; nothing is passed over in silence."""
    name = busier(calm)
    cameras = sorted(recorded_by(calm.site, name) - {TWICE})
    began_us = now_us()
    await asyncio.sleep(3)
    lost_us = now_us()
    await asyncio.to_thread(calm.site.nodes[name].kill)
    await calm.site.wait_for(lambda: calm.site.records_since(lost_us + 2 * US_PER_S, *cameras))
    until_us = now_us() - 4 * US_PER_S
    told = {
        camera: (await calm.site.footage(camera, began_us, until_us), await calm.site.gaps(camera, began_us, until_us))
        for camera in cameras
    }
    calm.site.nodes[name].start()

    for footage, gaps in told.values():
        assert sum(end - start for start, end in footage) + sum(gap.end_us - gap.start_us for gap in gaps) >= until_us - began_us - 2000
        assert {gap.cause for gap in gaps} <= {"recorder-away", "reconnecting", "unknown"}


async def test_a_hung_node_overwrites_and_hides_nothing(calm: Town) -> None:
    """SIGSTOP for longer than a lease, then SIGCONT: others took over, its own footage is kept under its own epoch, no object changes."""
    name = busier(calm)
    before = digests(calm.site.pool)
    gaps = await hang_node(calm.site, name, calm.cameras, HANG_S)
    after = digests(calm.site.pool)

    assert gaps.worst_s <= GAP_S, gaps
    assert gaps.seconds[TWICE] <= NO_GAP_S
    assert {key: after.get(key) for key in before} == before
    assert '"findings": []' in (await asyncio.to_thread(calm.site.keepsight, "verify", "hash", "--json")).stdout


async def test_a_node_cut_off_from_the_index_goes_on(calm: Town) -> None:
    """A partition between one node and the index: it records on in its epoch, another takes over beside it, and not a moment is lost."""
    await cut_off(calm, swallowed)


@pytest.mark.root
async def test_a_node_whose_packets_are_dropped_goes_on(calm: Town) -> None:
    """The same by the kernel: no packet passes between the node and the index, new connections included."""
    require_program("nft", "nftables")
    await cut_off(calm, dropped)


async def cut_off(town: Town, way_cut: Callable[[TcpFaults], AbstractContextManager[None]]) -> None:
    """Cuts the way of one node to the index until another has taken its cameras, and looks for gaps."""
    await settled(town.site)
    name, began_us = busier(town), now_us()
    cameras = sorted(recorded_by(town.site, name) - {TWICE})
    with way_cut(town.ways[name]):
        await town.site.wait_for(lambda: set(cameras) <= recorded_by(town.site, other(name)))
        await asyncio.sleep(3)
    await asyncio.sleep(8)
    gaps = await gaps_since(town.site, town.cameras, began_us)

    assert gaps.worst_s <= NO_GAP_S, gaps
    assert epochs(town.site, cameras[0], began_us) >= 2


@contextmanager
def swallowed(way: TcpFaults) -> Iterator[None]:
    """What either side sends is taken and never handed on."""
    way.silent = True
    yield
    way.silent = False
    way.reset()


@contextmanager
def dropped(way: TcpFaults) -> Iterator[None]:
    """The kernel drops all packets to and from the way."""
    table = f"keepsight-{way.port}"
    rules = "".join(f"tcp {side} {way.port} drop; " for side in ("dport", "sport"))
    subprocess.run(["nft", f"table inet {table} {{ chain cut {{ type filter hook input priority 0; {rules} }}; }}"], check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", table], check=True)


async def test_a_stepped_clock_moves_nothing(calm: Town, tmp_path: Path) -> None:
    """The wall clock of one uploader jumps ten minutes back, and later forward: leases are kept by monotonic clocks, nothing is taken."""
    require(Path(FAKETIME).exists(), "libfaketime is missing; install it: apt-get install libfaketime")
    name, node = "south", calm.site.nodes["south"]
    plain, clock = dict(node.environment), tmp_path / "clock"
    clock.write_text("+0")
    asks = {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    node.environment = {**plain, "LD_PRELOAD": FAKETIME, **asks}
    await restart(calm, name)
    await settled(calm.site)
    began_us, before = now_us(), await asyncio.to_thread(epochs_of_duties, calm.site)
    for step in ("-600", "+0"):
        clock.write_text(step)
        await asyncio.sleep(6)
    after = await asyncio.to_thread(epochs_of_duties, calm.site)
    gaps = await gaps_since(calm.site, calm.cameras, began_us)
    node.environment = plain
    await restart(calm, name)

    assert after == before, moves(calm.site)
    assert gaps.worst_s <= NO_GAP_S, gaps


async def restart(town: Town, name: str) -> None:
    """A node is lost and back, with what it records."""
    await asyncio.to_thread(town.site.nodes[name].kill)
    since_us = now_us()
    town.site.nodes[name].start()
    await town.site.wait_for(lambda: TWICE in recorded_by(town.site, name, since_us))


async def test_a_camera_recorded_twice_loses_no_frame(calm: Town) -> None:
    """One node of two is lost: every picture that the camera sent is there, by the numbers in the pictures themselves."""
    began_us = now_us()
    await lose_node(calm.site, busier(calm), [TWICE])
    until_us = now_us()
    await asyncio.sleep(8)  # the segments of that moment are over
    await calm.site.wait_for(lambda: not any(file.stat().st_mtime_ns // 1000 < until_us for file in open_files(calm.site)), 60)
    numbers = pictures(calm.site.pool, TWICE, began_us, until_us)

    assert len(numbers) > 200
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def moves(site: FleetSite) -> list[str]:
    """What was last said of duties that change hands, and why."""
    lines = [f"{name}: {line}" for name in NODES for line in site.log(name).splitlines() if "placing." in line or "lease." in line]
    return sorted(lines, key=lambda line: line.partition(": ")[2])[-20:]


def epochs_of_duties(site: FleetSite) -> dict[str, int]:
    """The epoch of each duty: a higher one is another holder's, or a holder's who began anew."""
    return {duty["duty"]: duty["epoch"] for duty in site.status()["duties"]}


def other(name: str) -> str:
    """The other node."""
    return NODES[1 - NODES.index(name)]


def digests(pool: Path) -> dict[str, str]:
    """The hash of every object."""
    files = [path for path in pool.glob("*/*/*/*/*.mp4") if not path.name.startswith(".")]
    return {str(path.relative_to(pool)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def epochs(site: FleetSite, camera: str, since_us: int) -> int:
    """In how many epochs a camera was recorded since."""
    files = [
        *site.pool.glob(f"{camera}/*/*/*/*.mp4"),
        *(path for name in NODES for path in (site.spool / name).glob(f"{camera}/*/*.*")),
    ]
    runs = {part for file in files if file.stat().st_mtime_ns // 1000 > since_us for part in file.parts if part.startswith("town-")}
    return len({parse_run(run).epoch for run in runs})


def open_files(site: FleetSite) -> list[Path]:
    """What waits in the spools, of the camera that is recorded twice."""
    return [path for name in NODES for path in (site.spool / name).glob(f"{TWICE}/*/*.mp4")]


def pictures(pool: Path, camera: str, start_us: int, end_us: int) -> list[int]:
    """The pictures of a camera between two moments, in order, each once, numbered from the first loop of its clip on.

    Both lanes read the same stream, whose pictures carry their number in the clip; which time round it is, the wall clock tells.
    """
    found = set()
    for path in pool.glob(f"{camera}/*/*/*/*.mp4"):
        key = parse_key(str(path.relative_to(pool)))
        for place, number in enumerate(frame_numbers(path)):
            at_us = key.start_us + place * FRAME_US
            if start_us < at_us < end_us:
                loops = round(((at_us - start_us) / FRAME_US - number) / CLIP_FRAMES)
                found.add(loops * CLIP_FRAMES + number)
    return sorted(found)
