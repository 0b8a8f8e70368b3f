"""S5: how soon playback starts: a cold random seek in 30 days, against a bare range GET of the same bytes from the pool.

Ours: the media playlist of the hour after a random moment, the run's init and the first fragment, each to its last byte, from a real API
process (access checked, SQLite with 43,200 rows, SeaweedFS), proxied, and by a signed link of the pool (the redirect followed). Bare: the
fragment by a link that was signed before. In turns, on kept connections, of one client; who begins changes. The API runs at the niceness of
the pool here, as a busy machine would measure the difference of the two. Control: whole segments in the place of fragments.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from bench.played_site import CAMERA, DAYS, FRAGMENT_BYTES, SEGMENT_US, TOKEN, PlayedSite, span_query
from bench.promise import read_form, report
from segments.clock import US_PER_S
from segments.stores.s3_objects import S3Objects

SHORT, FULL = 100, 1_000
WARM_UP = 20
WINDOW_US = 3600 * US_PER_S
GATE_PROXIED, GATE_LINKS = 2.0, 1.5
AS_NICE = "import os\nos.nice = lambda _: 0"
BASE = f"/api/v1/cameras/{CAMERA}/hls/"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Times:
    """Seconds of each seek."""

    proxied: list[float] = field(default_factory=list)
    links: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return "; ".join(
            f"{name} p50 {1e3 * statistics.median(one):.1f} p95 {1e3 * p95(one):.1f} ms" for name, one in vars(self).items() if one
        )


def p95(seconds: Sequence[float]) -> float:
    """What 95 of 100 took at most."""
    return sorted(seconds)[int(0.95 * (len(seconds) - 1) + 0.5)]


class Player:
    """Seeks as a player does, reading no more of a playlist than it needs to begin."""

    def __init__(self, site: PlayedSite) -> None:
        self._api, self._pool = site.line(), site.pool_line()

    def seek(self, at_us: int, *, links: bool) -> int:
        """From the playlist's request to the last byte of the first fragment; its size."""
        address = f"{BASE}media.m3u8?{span_query(at_us, WINDOW_US)}{'&delivery=links' if links else ''}"
        lines = self._api.get(address, **AUTH).body.split(b"\n", 9)
        init = next(line for line in lines if line.startswith(b"#EXT-X-MAP")).split(b'"')[1].decode()
        length, _, offset = next(line for line in lines if line.startswith(b"#EXT-X-BYTERANGE")).partition(b":")[2].partition(b"@")
        place = next(line for line in lines if line and not line.startswith(b"#")).decode()
        assert self._api.get(urljoin(address, init), **AUTH).status == 200
        wanted = f"bytes={int(offset)}-{int(offset) + int(length) - 1}"
        answer = self._api.get(urljoin(address, place), Range=wanted, **AUTH)
        if links:
            assert answer.status == 307, answer.status
            found = urlsplit(answer.headers["location"])
            answer = self._pool.get(f"{found.path}?{found.query}", Range=wanted)
        assert answer.status == 206, answer.status
        return len(answer.body)

    def bare(self, link: str, at_us: int, start_us: int) -> int:
        """The same fragment, by a link that was signed before."""
        number = (at_us - start_us) % SEGMENT_US // (2 * US_PER_S)
        first = 16 + number * FRAGMENT_BYTES
        return len(self._pool.get(link, Range=f"bytes={first}-{first + FRAGMENT_BYTES - 1}").body)

    def careless(self, at_us: int) -> int:
        """The control: the whole segment."""
        address = f"{BASE}media.m3u8?{span_query(at_us, WINDOW_US)}"
        place = next(line for line in self._api.get(address, **AUTH).body.split(b"\n", 9) if line and not line.startswith(b"#")).decode()
        return len(self._api.get(urljoin(address, place), **AUTH).body)


async def signed(site: PlayedSite) -> list[str]:
    """Paths of links to all objects, good for the whole measurement."""
    store = S3Objects(site.pool.settings(site.bucket))
    try:
        return [str(await store.link(key, "", 6 * 3600)).partition(f":{site.pool.port}")[2] for key in site.keys]
    finally:
        store.close()


def measure(site: PlayedSite, seeks: int) -> Times:
    """Seeks on all sides in turns."""
    dice, player, times = random.Random(5), Player(site), Times()
    bare = asyncio.run(signed(site))
    for turn in range(seeks + WARM_UP):
        at_us = site.moment_us(dice, WINDOW_US)
        link = bare[(at_us - site.start_us) // SEGMENT_US % len(bare)]
        sides: dict[str, Callable[[], int]] = {
            "proxied": lambda at=at_us: player.seek(at, links=False),
            "links": lambda at=at_us: player.seek(at, links=True),
            "bare": lambda at=at_us, link=link: player.bare(link, at, site.start_us),
        }
        names = list(sides)
        for name in names[turn % 3 :] + names[: turn % 3]:
            began_s = time.perf_counter()
            size = sides[name]()
            took_s = time.perf_counter() - began_s
            assert size == FRAGMENT_BYTES, (name, size)
            if turn >= WARM_UP:
                getattr(times, name).append(took_s)
        if turn % 10 == 0:
            began_s = time.perf_counter()
            player.careless(at_us)
            times.control.append(time.perf_counter() - began_s)
    return times


def main() -> bool:
    """Runs the promise; returns whether it is met."""
    form = read_form(__doc__)
    with tempfile.TemporaryDirectory() as folder, PlayedSite(Path(folder), days=DAYS) as site:
        site.start(AS_NICE)
        times = measure(site, FULL if form.full else SHORT)
    print(times, flush=True)
    proxied, links = p95(times.proxied) / p95(times.bare), p95(times.links) / p95(times.bare)
    result = report(
        promise="S5",
        form=form.name,
        n=len(times.bare),
        value=round(1e3 * p95(times.proxied), 1),
        unit=f"ms p95 to the last byte of the first fragment; by a signed link {1e3 * p95(times.links):.1f} ms ({links:.2f} times)",
        peer=round(1e3 * p95(times.bare), 1),
        ratio=round(proxied, 2),
        gate=f"p95 <= {GATE_PROXIED:g} times proxied, <= {GATE_LINKS:g} by signed link",
        control="red" if p95(times.control) / p95(times.bare) > GATE_PROXIED else "green",
        met=proxied <= GATE_PROXIED and links <= GATE_LINKS,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
