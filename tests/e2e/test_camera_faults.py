"""Cameras that fail in every way, recorded at once by the real service: what was told meanwhile, and what the timeline says after."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from segments.clock import US_PER_S
from segments.media import TIMESCALE
from tests.builders import at
from tests.media import Clips
from tests.quirk_camera import QuirkCamera
from tests.scripted_camera import ScriptedCamera, Sent, looped, reporting
from tests.servers.faults import TcpFaults
from tests.servers.rtsp import RtspServer
from tests.service import Service
from tests.stored import breaks, probe, stored_runs

pytestmark = [pytest.mark.server, pytest.mark.slow]

BEFORE_S = 8.0
"""All are recorded so long before something happens to one."""
WHOLE_S = 42.0
BACK_S = 12.0
"""How soon after its return a camera that was away for some seconds has footage again, at the latest."""
CLIP_PICTURES = 100


@dataclass
class Happened:
    """What one camera did and what was said of it."""

    faults_us: list[tuple[int, int]] = field(default_factory=list)
    """When something was wrong with it."""
    states: set[tuple[str, str | None]] = field(default_factory=set)
    """What the API said it was doing, asked four times a second."""
    spans: list[dict[str, Any]] = field(default_factory=list)
    """Its timeline afterwards."""
    tries: int = 0

    @property
    def causes(self) -> set[str]:
        """Why there was no footage once it had begun."""
        return {span["cause"] for span in self.spans if span["kind"] == "gap"}

    @property
    def runs(self) -> list[str]:
        """Runs in order."""
        return list(dict.fromkeys(span["run"] for span in self.spans if span["kind"] == "footage"))

    def gap_s(self) -> float:
        """All that is missing."""
        return sum(at(span["to"]) - at(span["from"]) for span in self.spans if span["kind"] == "gap") / US_PER_S


def now_us() -> int:
    """The wall clock."""
    return time.time_ns() // 1000


@dataclass
class Night:
    """All of it."""

    cameras: dict[str, Happened] = field(default_factory=dict)
    service: Service | None = None

    @asynccontextmanager
    async def fault(self, camera: str, seconds: float) -> AsyncIterator[None]:
        """Notes that something is wrong with the camera for as long."""
        await asyncio.sleep(BEFORE_S)
        began_us = now_us()
        yield
        await asyncio.sleep(seconds)
        self.cameras[camera].faults_us.append((began_us, now_us()))


# --- what happens to each ----------------------------------------------------------------------------------------------


@dataclass
class Street:
    """Where the cameras are."""

    night: Night
    server: RtspServer
    doomed: RtspServer
    proxies: Mapping[str, TcpFaults]

    async def dropped(self) -> None:
        """The camera closes the connection and knows the path no more."""
        async with self.night.fault("dropped", 5):
            await asyncio.to_thread(self.server.drop, "h264/dropped")
        await asyncio.to_thread(self.server.restore, "h264/dropped")

    async def frozen(self) -> None:
        """Connection and RTCP live on, media stops."""
        async with self.night.fault("frozen", 7):
            await asyncio.to_thread(self.server.freeze, "h264/frozen")
        await asyncio.to_thread(self.server.thaw, "h264/frozen")

    async def blackholed(self) -> None:
        """Nothing comes through any more, new connections are taken and never answered."""
        async with self.night.fault("blackholed", 8):
            self.proxies["blackholed"].silent = True
        self.proxies["blackholed"].silent = False
        self.proxies["blackholed"].reset()

    async def stalled(self) -> None:
        """The network holds everything back for a moment."""
        async with self.night.fault("stalled", 2):
            self.proxies["stalled"].stall()
        self.proxies["stalled"].resume()

    async def reset(self) -> None:
        """The connection is reset."""
        async with self.night.fault("reset", 0):
            self.proxies["reset"].reset()

    async def killed(self) -> None:
        """The camera's server dies and comes back."""
        async with self.night.fault("killed", 4):
            await asyncio.to_thread(self.doomed.kill)
        await asyncio.to_thread(self.doomed.start)
        self.proxies["killed"].server_port = self.doomed.port


def other_resolution(clips: Clips) -> Iterator[Sent]:
    """Another picture size after 10 s, in the same connection."""
    yield from looped(clips.get(), seconds=10)
    yield from looped(clips.get(width=320, height=180), first_s=10, first_stamp=1_000_000 + 10 * TIMESCALE)


def jumping(clips: Clips, seconds: int) -> Iterator[Sent]:
    """The time stamps move by so much after 10 s."""
    yield from looped(clips.get(), seconds=10)
    yield from looped(clips.get(), first_s=10, first_stamp=1_000_000 + (10 + seconds) * TIMESCALE)


def keyless(clips: Clips) -> Iterator[Sent]:
    """Key frames are missing for 15 s, and again here and there later."""
    for n, sent in enumerate(looped(clips.get())):
        key_is_lost = sent.at_s < 15 or n // 25 % 3 == 0
        if not (sent.unit.key and key_is_lost):
            yield sent


def stepping(clips: Clips) -> Iterator[Sent]:
    """The camera's clock runs 1 % fast, and is set 30 s ahead after 12 s."""
    began_us = now_us()
    clock_us = lambda at_s: began_us + round(at_s * 1.01 * US_PER_S) + (30 * US_PER_S if at_s > 12 else 0)  # noqa: E731
    yield from reporting(looped(clips.get()), clock_us)


def scripted(clips: Clips) -> dict[str, ScriptedCamera]:
    """The cameras no third party's server can play."""
    clips.get(width=320, height=180)  # not while the cameras play
    long = clips.get(seconds=64, gop_frames=750, width=320, height=180)
    plain = clips.get()
    return {
        "resolution": ScriptedCamera(clip=plain, script=lambda: other_resolution(clips)),
        "ahead": ScriptedCamera(clip=plain, script=lambda: jumping(clips, 3600)),
        "back": ScriptedCamera(clip=plain, script=lambda: jumping(clips, -60)),
        "keyless": ScriptedCamera(clip=plain, script=lambda: keyless(clips)),
        "long-gop": ScriptedCamera(clip=long, script=lambda: looped(long)),
        "trusted-clock": ScriptedCamera(clip=plain, script=lambda: stepping(clips)),
        "other-clock": ScriptedCamera(clip=plain, script=lambda: stepping(clips)),
    }


# --- the night ---------------------------------------------------------------------------------------------------------


async def spend(night: Night, server: RtspServer, clips: Clips, folder: Any) -> None:
    """Starts everything, lets it happen, and asks."""
    async with AsyncExitStack() as stack:
        doomed = stack.enter_context(RtspServer({"h264": clips.get()}))
        proxies = {name: await stack.enter_async_context(TcpFaults(server.port)) for name in ("blackholed", "stalled", "reset")}
        proxies["killed"] = await stack.enter_async_context(TcpFaults(doomed.port))
        cameras: dict[str, Any] = {name: server.url(f"h264/{name}") for name in ("dropped", "frozen")}
        cameras["b-frames"] = server.url("bframes/night")
        cameras |= {name: f"rtsp://127.0.0.1:{proxy.port}/h264/{name}" for name, proxy in proxies.items()}
        for name, camera in scripted(clips).items():
            await stack.enter_async_context(camera)
            cameras[name] = {"url": camera.url(), "trust_clock": "true" if name == "trusted-clock" else "false"}
        locked = await stack.enter_async_context(QuirkCamera(login=("ops", "right", ['Digest realm="cam", nonce="{nonce}"'])))
        cameras["locked"] = locked.url(login="ops:wrong@")
        night.cameras = {name: Happened() for name in cameras}
        service = night.service = Service(folder, cameras)
        await stack.enter_async_context(service)
        await live_through(night, Street(night, server, doomed, proxies))
        night.cameras["locked"].tries = len(locked.of("DESCRIBE"))


async def live_through(night: Night, street: Street) -> None:
    """From the moment all are recorded that can be."""
    service = night.service
    await service.wait_for(lambda: service.is_recording(*(night.cameras.keys() - {"locked", "keyless"})))
    began_us, watching = now_us(), asyncio.ensure_future(watch(night))
    happens: list[Callable[[], Awaitable[None]]] = [
        street.dropped,
        street.frozen,
        street.blackholed,
        street.stalled,
        street.reset,
        street.killed,
    ]
    try:
        await asyncio.gather(*(happen() for happen in happens), asyncio.sleep(WHOLE_S))
    finally:
        watching.cancel()
    for name, happened in night.cameras.items():
        happened.spans = await service.timeline(name, began_us, now_us() - 4 * US_PER_S)


async def watch(night: Night) -> None:
    """Asks what all are doing."""
    for _ in itertools.count():
        for camera in (await night.service.api("/cameras"))["cameras"]:
            night.cameras[camera["id"]].states.add((camera["state"]["state"], camera["state"]["cause"]))
        await asyncio.sleep(0.25)


@pytest.fixture(scope="module")
def night(rtsp_server: RtspServer, clips: Clips, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """One night for all tests: it takes as long as what happens."""
    seen = Night()
    asyncio.run(spend(seen, rtsp_server, clips, tmp_path_factory.mktemp("night")))
    return seen


LOST = ("dropped", "frozen", "blackholed", "stalled", "reset", "killed", "locked")
BROKEN = ("b-frames", "resolution", "ahead", "back", "keyless", "long-gop", "trusted-clock", "other-clock")


@pytest.mark.parametrize("name", [*LOST, *BROKEN])
def test_every_moment_is_footage_or_has_one_cause(night: Night, name: str) -> None:
    """The spans follow each other without a hole, and none of them is unknown."""
    spans = night.cameras[name].spans
    assert all(a["to"] == b["from"] for a, b in pairwise(spans))
    assert "unknown" not in night.cameras[name].causes, spans


@pytest.mark.parametrize(
    ("name", "causes"),
    [
        ("dropped", {"camera-away"}),
        ("frozen", {"media-stopped"}),
        ("blackholed", {"media-stopped", "camera-away"}),
        ("reset", {"camera-away"}),
        ("killed", {"camera-away"}),
    ],
)
def test_a_lost_camera_is_told_and_comes_back(night: Night, name: str, causes: set[str]) -> None:
    """What is missing has the right cause and no other, lies where the fault was, and ends soon after it; the state said so meanwhile."""
    happened = night.cameras[name]
    ((fault_us, over_us),) = happened.faults_us
    gaps = [span for span in happened.spans if span["kind"] == "gap"]
    assert happened.causes <= causes
    assert gaps
    assert happened.causes & {cause for state, cause in happened.states if state != "recording"} == happened.causes
    assert at(gaps[0]["from"]) >= fault_us - US_PER_S
    assert at(gaps[-1]["to"]) <= over_us + BACK_S * US_PER_S
    assert happened.spans[-1]["kind"] == "footage"


@pytest.mark.parametrize("name", ["stalled", "b-frames", "long-gop", "trusted-clock", "other-clock"])
def test_what_is_no_loss_leaves_no_gap(night: Night, name: str) -> None:
    """A network that stalls, B-frames, key frames 30 s apart, a clock that drifts and steps: one run, all of it footage."""
    happened = night.cameras[name]
    assert [span["kind"] for span in happened.spans] == ["footage"]
    assert happened.states <= {("recording", None), ("connecting", "reconnecting")}


@pytest.mark.parametrize("name", ["dropped", "frozen", "blackholed", "stalled", "reset", "killed", "b-frames", "resolution"])
def test_what_is_stored_is_whole(night: Night, name: str) -> None:
    """Within each run picture follows picture, and a third party reads every file without a word."""
    for run in stored_runs(night.service.pool, name):
        assert all(probe(path)["video"] == "h264" for path in run.segments)
        numbers = run.numbers()
        if name == "b-frames":
            numbers = numbers[:-3]  # the stream was cut between a picture and those shown before it
        if name != "resolution":
            assert breaks(numbers, CLIP_PICTURES) == []


def test_a_refused_login_is_told_and_not_hammered(night: Night) -> None:
    """The state says what a person must look at; in 40 s the camera is asked for little: once without, once with the password a try."""
    happened = night.cameras["locked"]
    assert ("waiting", "login-refused") in happened.states
    assert happened.causes == {"login-refused"}
    assert happened.tries <= 2 * 3


@pytest.mark.parametrize(("name", "detail"), [("resolution", "parameters"), ("ahead", "moved by +36"), ("back", "moved by -")])
def test_a_break_in_the_stream_begins_a_new_run(night: Night, name: str, detail: str) -> None:
    """Another picture size, times that jump or run back: a new run with at most a moment between, and the reason is told."""
    happened = night.cameras[name]
    assert len(happened.runs) == 2
    assert happened.causes <= {"reconnecting"}
    assert happened.gap_s() < 1.5
    assert all(detail in span["detail"] for span in happened.spans if span["kind"] == "gap")


def test_both_picture_sizes_are_kept_apart(night: Night) -> None:
    """Each run has one size: what it was before and after the change."""
    runs = stored_runs(night.service.pool, "resolution")
    assert [{size(path) for path in run.segments} for run in runs] == [{(640, 360)}, {(320, 180)}]


def size(path: Any) -> tuple[int, int]:
    """Width and height, by libav."""
    import av

    with contextlib.closing(av.open(path)) as container:
        return container.streams.video[0].width, container.streams.video[0].height


def test_missing_key_frames_are_told(night: Night) -> None:
    """Before the first key frame the cause is said after 10 s; key frames lost later cost no footage."""
    happened = night.cameras["keyless"]
    assert ("connecting", "no-key-frame") in happened.states
    assert [span["kind"] for span in happened.spans][-1] == "footage"
    assert happened.causes <= {"no-key-frame", "reconnecting"}
    assert len(happened.runs) == 1


def test_a_long_group_is_kept_in_pieces(night: Night) -> None:
    """With 30 s between key frames, footage is durable within seconds all the same: pieces of 2 s, and nothing is missing."""
    (run,) = stored_runs(night.service.pool, "long-gop")
    assert breaks(run.numbers(), 1600) == []
    assert night.cameras["long-gop"].spans[-1]["kind"] == "footage"
