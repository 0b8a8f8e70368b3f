"""What R14 does with two whole sites: they run, their link is cut and mended, one is lost and stood in for, comes back, and has its cameras
again. Then no camera answers any more, and what both have is compared: their rows, and the hashes of the files they name.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.copy_watch import CopyWatch
from segments.clock import US_PER_S, SystemClock
from segments.keys import parse_run
from segments.model import Row
from tests.builders import at
from tests.media import Clip, Clips
from tests.servers.rtsp import RtspServer
from tests.servers.toxiproxy import Toxiproxy
from tests.servers.two_sites import NAMES, TwoSites
from tests.service import Service, moment

CLIP = Clip(seconds=4, fps=10, width=320, height=64, gop_frames=10)
KNOWN_S = 120.0
FIRST_S = 6.0
"""A segment of each camera is committed after so long."""
FOLLOWED_S = 240.0
"""How long what a fault left may take to be copied, before this gives up."""
LOST_S = 180.0
"""The same for cameras that are to be recorded again."""
SETTLED_S = 480.0
"""The same for what waits in a spool when no camera answers any more: a disk that others write to syncs it when it can."""
PLAYED_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Story:
    """So many cameras of north and of south, and how long they run undisturbed and cut off."""

    north: int
    south: int
    run_s: float
    cut_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `rpo_s`: footage of each camera of the lost site that the other one had not when it was lost.

    `rto_s`: of each, from the loss until footage of after it was played at the other site. `differing`: rows that only one site has or
    that are not the same at both, and segments whose bytes are not those of their row.
    """

    delays_s: Sequence[float]
    backlog_s: float
    rpo_s: Sequence[float]
    rto_s: Sequence[float]
    rows: int
    differing: int


async def lose_a_site(folder: Path, story: Story) -> Outcome:
    """See the module."""
    (folder / "clips").mkdir()
    cameras = {name: [f"{name}-{number}" for number in range(getattr(story, name))] for name in NAMES}
    with RtspServer({"load+": Clips(folder / "clips").get(clip=CLIP)}) as server, Toxiproxy() as toxiproxy:
        urls = {name: {camera: server.url(f"load/{camera}") for camera in some} for name, some in cameras.items()}
        async with TwoSites(folder, urls, toxiproxy) as sites, CopyWatch(sites) as watch:
            return await _Loss(sites, watch, server, cameras["north"], cameras["south"]).tell(story)


class _Loss:
    """North is lost, of two sites."""

    def __init__(self, sites: TwoSites, watch: CopyWatch, server: RtspServer, lost: Sequence[str], others: Sequence[str]) -> None:
        self._sites, self._watch, self._server = sites, watch, server
        self._lost, self._all = lost, [*lost, *others]

    async def tell(self, story: Story) -> Outcome:
        """All of it, one after the other."""
        await self._run(story.run_s)
        backlog_s = await self._cut(story.cut_s)
        lost_us, had, rto_s = await self._lose()
        await self._return()
        rows, differing = await self._compare()
        rpo_s = [await self._missed_s(camera, had[camera], lost_us) for camera in self._lost]
        return Outcome(self._watch.end(), backlog_s, rpo_s, rto_s, rows, differing)

    async def _run(self, seconds: float) -> None:
        north, south = self._sites.north, self._sites.south
        await north.wait_for(lambda: north.is_recording(*self._lost), KNOWN_S)
        await south.wait_for(lambda: self._says("south", lambda of: of["guests"] == len(self._lost)), KNOWN_S)
        await asyncio.sleep(FIRST_S)
        await self._watch.caught_up(KNOWN_S)
        self._watch.counts = True
        _say(f"{len(self._all)} cameras are recorded and copied")
        await asyncio.sleep(seconds)

    async def _cut(self, seconds: float) -> float:
        self._watch.interrupt()
        self._sites.cut()
        await asyncio.sleep(seconds)
        self._sites.mend()
        backlog_s = await self._watch.caught_up(FOLLOWED_S)
        _say(f"{backlog_s:.1f} s after {seconds:g} s without a link all that was committed before its end is copied")
        self._watch.counts = True
        return backlog_s

    async def _lose(self) -> tuple[int, dict[str, list[Row]], list[float]]:
        self._watch.interrupt()
        lost_us = _now_us()
        await self._sites.lose("north")
        had = {camera: await self._rows("south", camera) for camera in self._lost}
        await self._order("south", "take-over", "north", "--reason", "a fire", "--yes")
        turn = asyncio.Semaphore(PLAYED_AT_ONCE)
        async with asyncio.timeout(LOST_S):
            rto_s = await asyncio.gather(*(self._played_s(camera, lost_us, turn) for camera in self._lost))
        _say(f"lost, and stood in for: played again after {max(rto_s):.1f} s at worst")
        return lost_us, had, list(rto_s)

    async def _return(self) -> None:
        north, south = self._sites.north, self._sites.south
        await north.start()
        returned_us = _now_us()
        await north.wait_for(lambda: self._says("north", lambda of: of["taken"] is not None), KNOWN_S)
        _say(f"back, and all is copied {await self._watch.caught_up(FOLLOWED_S):.1f} s later")
        self._watch.counts = True
        await south.wait_for(lambda: self._says("south", lambda of: not of["finding"]), KNOWN_S)
        await self._order("south", "give-back", "north", "--yes", "--now")
        await north.wait_for(lambda: self._recorded_since(returned_us), KNOWN_S)
        await south.wait_for(lambda: self._says("south", lambda of: of["takeover"]["ended_us"] > 0), KNOWN_S)
        _say("its cameras are given back")

    async def _compare(self) -> tuple[int, int]:
        """No camera answers any more; how many rows there are, and by how much the sites differ when all is done."""
        self._server.kill()
        for name in NAMES:
            await self._settled(self._sites.site(name))
        end_us = _now_us() + int(FOLLOWED_S * US_PER_S)
        found: dict[str, set[Row]] = {}
        while not found or (found["north"] != found["south"] and _now_us() < end_us):
            await asyncio.sleep(1)
            found = {name: {row for camera in self._all for row in await self._rows(name, camera)} for name in NAMES}
        wrong = [name for name in NAMES for row in found[name] if self._digest(name, row) != row.sha256]
        return len(found["north"] | found["south"]), len(found["north"] ^ found["south"]) + len(wrong)

    # --- parts

    async def _settled(self, site: Service) -> None:
        try:
            await site.wait_for(lambda: not site.waiting(), SETTLED_S)
        except RuntimeError as error:
            raise RuntimeError(f"in the spool is still {', '.join(site.waiting())}: {error}") from None

    async def _rows(self, name: str, camera: str) -> list[Row]:
        return await self._sites.rows(name, camera)

    def _digest(self, name: str, row: Row) -> str:
        return hashlib.sha256(self._sites.stored(name, row)).hexdigest()

    async def _missed_s(self, camera: str, had: Sequence[Row], lost_us: int) -> float:
        """Footage that north had on its disks, and south had not."""
        known = {row.position for row in had}
        rows = [row for row in await self._rows("north", camera) if parse_run(row.run).site == "north" and row.start_us < lost_us]
        return sum(row.end_us - row.start_us for row in rows if row.position not in known) / US_PER_S

    async def _recorded_since(self, since_us: int) -> bool:
        """Whether north has footage of its own of each of its cameras."""
        for camera in self._lost:
            rows = await self._rows("north", camera)
            if not any(row.start_us > since_us and parse_run(row.run).site == "north" for row in rows):
                return False
        return True

    async def _played_s(self, camera: str, lost_us: int, turn: asyncio.Semaphore) -> float:
        """From the loss until ffprobe decodes pictures of after it, from the other site."""
        south = self._sites.south
        while True:
            spans = await south.timeline(camera, lost_us, _now_us())
            found = [span for span in spans if span["kind"] == "footage" and at(span["to"]) - at(span["from"]) >= US_PER_S]
            async with turn:
                if found and await asyncio.to_thread(_pictures, _playlist(south.api_port, camera, found[0])):
                    return (_now_us() - lost_us) / US_PER_S
            await asyncio.sleep(0.5)

    async def _says(self, name: str, said: Callable[[Any], bool]) -> bool:
        """Whether this is so of what a site knows of the other one."""
        other = NAMES[1 - NAMES.index(name)]
        return said(json.loads(await asyncio.to_thread(self._done, name, "site", "show", other, "--json")))

    async def _order(self, name: str, *words: str) -> None:
        await asyncio.to_thread(self._done, name, "site", *words)

    def _done(self, name: str, *words: str) -> str:
        ended = self._sites.site(name).keepsight(*words)
        if ended.returncode:
            raise RuntimeError(f"keepsight {' '.join(words)}: {ended.stdout}{ended.stderr}")
        return ended.stdout


def _playlist(port: int, camera: str, span: dict[str, str]) -> str:
    return (
        f"http://127.0.0.1:{port}/api/v1/cameras/{camera}/hls/multivariant.m3u8?from={moment(at(span['from']))}&to={moment(at(span['to']))}"
    )


def _pictures(url: str) -> int:
    """How many pictures ffprobe decodes of a playlist; 0 where it finds none."""
    program = shutil.which("ffprobe")
    if program is None:
        sys.exit("ffprobe is not on PATH; install it: apt-get install ffmpeg")
    words = ["-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", url]
    told = subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False).stdout.split()
    return int(told[0].strip(",")) if told and told[0].strip(",").isdigit() else 0


def _now_us() -> int:
    """This machine's clock, which is that of both sites."""
    return SystemClock().now_us()


def _say(text: str) -> None:
    print(f"  {text}", flush=True)
