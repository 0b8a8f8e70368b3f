"""Hostile inputs, given to the product as a user and a camera would, beside honest cameras; what came of it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from deploy.archive import entry_of
from deploy.sources import SourceOpener
from recorder.link import AssignedCamera
from recorder.source import SourceEnded
from segments.clock import SystemClock
from segments.errors import BadInput
from tests.builders import NOON_US
from tests.faults.canaries import Canaries, Peer, filled, open_barely
from tests.faults.hostile import NAMES, Hostile
from tests.keeping_sink import KeepingSink
from tests.quirk_camera import Asked, QuirkCamera, some_pictures
from tests.rtp_builders import PICTURE_TICKS, PPS, SPS, Packets, fu_a, idr, inter

AT_ONCE = 12
LIMIT_S = 30.0
"""Within which an input must have ended: more than to resolve, to connect and to wait for an answer."""
_SILENCE_S = 2.0


@dataclass
class Siege:
    """What became of the inputs."""

    n: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    """How inputs ended, by the sentence's beginning."""
    unclear: list[str] = field(default_factory=list)
    """Inputs without a refusal in our words, or not within the limit."""
    hits: list[str] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)
    """Inputs that ran while a canary was touched."""
    longest_s: float = 0.0
    honest_refused: list[str] = field(default_factory=list)
    """Honest cameras that were not read."""


@dataclass
class OneWayCamera(QuirkCamera):
    """A camera that refuses what asks for another kind of transport than its own, until libav, which tries all, comes to that."""

    def _answer(self, asked: Asked) -> bytes:
        own = next((kind for kind in ("multicast", "udp") if kind in self.transports[0].lower()), "tcp")
        if asked.method == "SETUP" and own not in asked.headers["transport"].lower():
            return self._message(asked, "461 Unsupported Transport", [])
        return super()._answer(asked)


async def known_names(host: str) -> Sequence[str]:
    """A resolver that knows the hostile names, and numbers in all the forms that the system reads."""
    if host in NAMES:
        return NAMES[host]
    return [socket.inet_ntoa(socket.inet_aton(host))]


async def besiege(
    inputs: Sequence[Hostile], clip: Path, folder: Path, *, at_once: int = AT_ONCE, networks: Sequence[str] = ("127.0.0.1/32",)
) -> Siege:
    """Gives each input to the product, which may reach cameras on 127.0.0.1 alone, while honest cameras are read."""
    opener = SourceOpener(networks, allow_loopback=False, silence_s=_SILENCE_S, clock=SystemClock(), resolver=known_names)
    siege, turn = Siege(len(inputs)), asyncio.Semaphore(at_once)
    async with Canaries(clip, folder) as canaries, QuirkCamera(media=_many_pictures(), pause_s=0.04) as steady:
        sink = KeepingSink()
        steadily = asyncio.ensure_future((await opener(_assigned(steady.url()))).run(sink))

        async def one(hostile: Hostile) -> None:
            async with turn:
                await _meet(hostile, canaries, opener, siege)

        await asyncio.gather(*(one(hostile) for hostile in inputs))
        siege.honest_refused = await _unread(opener, clip)
        units = len(sink.units)
        await asyncio.sleep(0.5)
        if steadily.done() or len(sink.units) <= units:
            siege.honest_refused.append("the camera that was read all the time")
        steadily.cancel()
        await asyncio.gather(steadily, return_exceptions=True)
        siege.hits = canaries.hits
    return siege


async def open_all_barely(inputs: Iterable[Hostile], clip: Path, folder: Path) -> list[str]:
    """The control: canaries that the same inputs hit when libav opens them as they are."""
    async with Canaries(clip, folder) as canaries, AsyncExitStack() as stack:
        urls = [(await _stand_up(hostile, canaries, stack)).url for hostile in inputs if "{" in hostile.url]
        await open_barely(url for url in urls if "\0" not in url)
        return canaries.hits


async def _meet(hostile: Hostile, canaries: Canaries, opener: SourceOpener, siege: Siege) -> None:
    hits, began_s = len(canaries.hits), time.monotonic()
    async with AsyncExitStack() as stack:
        ready = await _stand_up(hostile, canaries, stack)
        try:
            async with asyncio.timeout(LIMIT_S):
                await (await opener(_assigned(ready.url, ready.transport))).run(KeepingSink())
            siege.unclear.append(f"{hostile!r:.200}: ended without a reason")
        except (BadInput, SourceEnded) as refusal:
            siege.refusals[f"{type(refusal).__name__}: {refusal!s:.50}"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no refusal
            siege.unclear.append(f"{hostile!r:.200}: {error!r}")
    siege.longest_s = max(siege.longest_s, time.monotonic() - began_s)
    if len(canaries.hits) > hits:
        siege.suspects.append(f"{hostile!r:.300}: {canaries.hits[hits:]}")


async def _stand_up(hostile: Hostile, canaries: Canaries, stack: AsyncExitStack) -> Hostile:
    """Starts the input's camera, if it has one; the input with all words filled in."""
    camera: AbstractAsyncContextManager[QuirkCamera | Peer] | None = None
    if hostile.habits is not None:
        kind = OneWayCamera if hostile.transport == "libav" else QuirkCamera
        camera = kind(**{"media": some_pictures(3), "then": "close"} | filled(hostile.habits, canaries.places))
    elif hostile.says or hostile.pages:
        camera = Peer(canaries.places, hostile.says, hostile.pages)
    places = canaries.places | ({"port": str((await stack.enter_async_context(camera)).port)} if camera else {})
    return Hostile(filled(hostile.url, places), hostile.transport)


async def _unread(opener: SourceOpener, clip: Path) -> list[str]:
    """Honest cameras of each kind that brought no picture."""
    body = b"HTTP/1.1 200 OK\r\n\r\n" + clip.read_bytes()
    playlist = b"HTTP/1.1 200 OK\r\n\r\n#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nlive.ts\n#EXT-X-ENDLIST\n"
    refused = []
    async with (
        Peer({}, b"", {"/live.ts": body, "/x.m3u8": playlist}) as web,
        Peer({}, clip.read_bytes(), {}) as tcp,
        OneWayCamera(media=_many_pictures()[:500], pause_s=0.002, then="close") as rtsp,
    ):
        piped = [f"http://127.0.0.1:{web.port}/live.ts", f"http://127.0.0.1:{web.port}/x.m3u8", f"tcp://127.0.0.1:{tcp.port}"]
        for url, transport in (*((url, "auto") for url in piped), (rtsp.url(), "libav")):
            sink = KeepingSink()
            try:
                await (await opener(_assigned(url, transport))).run(sink)
            except SourceEnded as ended:
                if not sink.units:
                    refused.append(f"{url}: {ended}")
    return refused


def _many_pictures() -> Sequence[bytes]:
    """Frames of more minutes than a siege takes, with a key frame every two seconds."""
    packets = Packets(channel=0)
    for n in range(10_000):
        payloads = fu_a(inter(300, fill=n % 256)) if n % 50 else [SPS, PPS, *fu_a(idr(300))]
        packets.unit(payloads, 1_000_000 + n * PICTURE_TICKS)
    return packets.frames


def _assigned(url: str, transport: str = "auto") -> AssignedCamera:
    """The camera as `camera add` makes it; raises BadInput."""
    entry = entry_of({"id": "gate", "url": url, "transport": transport}, now_us=NOON_US)
    login = entry.credential
    return AssignedCamera(entry.camera, login.user if login else "", login.password if login else "")
