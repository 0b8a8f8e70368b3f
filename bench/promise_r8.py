"""R8: the index away: recording and upload go on, all is indexed after, and the index made anew from the pool equals the old one.

A live service records cameras while its index is away, in every way an index can be: SQLite's file locked by another program; Cassandra
hung (SIGSTOP), dead (SIGKILL, then started again), its answers lost on the way. Meanwhile nothing of the timelines may be missing, and
segments go to the pool and leave stubs. Afterwards everything acknowledged is stored once, index and pool agree to the byte, and an index
that `keepsight index rebuild` makes from the pool alone has the same rows and runs. Control: an uploader that keeps no stubs.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.promise import bound95, read_form, report
from tests.faults import stubless
from tests.faults.absent_index import Absence, cut_off, killed, locked, stopped
from tests.faults.index_away import SEGMENT_S, Away, index_away
from tests.media import Clips
from tests.servers.rtsp import RtspServer
from tests.servers.safe_cassandra import SafeCassandra, safe_cassandra
from tests.servers.toxiproxy import Toxiproxy
from tests.service import Service

SHORT_S, FULL_S = 10.0, 1800.0
SHORT, FULL = ("locked", "killed", "cut off"), ("locked", "stopped", "killed", "cut off")
CONTROL_S = 10.0


async def measure(place: Path, urls: Sequence[str], kinds: Sequence[str], away_s: float) -> list[Away]:
    """What each kind of absence came to; the last is the control."""
    cameras = {f"cam{n}": url for n, url in enumerate(urls)}
    found = []
    with safe_cassandra(place) as cassandra, Toxiproxy() as toxiproxy:
        for kind in kinds:
            service, absence = await site(place / kind.replace(" ", "-"), kind, cameras, cassandra, toxiproxy)
            done = await index_away(service, list(cameras), absence, away_s)
            print(f"{kind} for {away_s:g} s: {done}", flush=True)
            found.append(done)
    control = Service(place / "control", cameras, keepsight=stubless.COMMAND, recording={"segment_s": SEGMENT_S})
    done = await index_away(control, list(cameras), locked(control.data / "index.sqlite"), CONTROL_S)
    print(f"control, without stubs: {done.differing} differ, {done.judgement}", flush=True)
    return [*found, done]


async def site(folder: Path, kind: str, cameras: dict[str, str], cassandra: SafeCassandra, toxiproxy: Toxiproxy) -> tuple[Service, Absence]:
    """A service of its own, and how its index goes away."""
    if kind == "locked":
        service = Service(folder, cameras, recording={"segment_s": SEGMENT_S})
        return service, locked(service.data / "index.sqlite")
    proxy = toxiproxy.before(cassandra.server.port)
    section = await cassandra.new_section(port=proxy.port if kind == "cut off" else None)
    absences = {"stopped": stopped(cassandra), "killed": killed(cassandra), "cut off": cut_off(proxy)}
    return Service(folder, cameras, index=section, recording={"segment_s": SEGMENT_S}), absences[kind]


async def run(kinds: Sequence[str], away_s: float) -> list[Away]:
    """All kinds and the control."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "clips").mkdir()
        clips = Clips(place / "clips")
        with RtspServer({"h264": clips.get(), "aac": clips.get(audio="aac")}) as server:
            urls = [server.url(f"{kind}/{n}") for n, kind in enumerate(("h264", "aac"))]
            return await measure(place, urls, kinds, away_s)


def wrong(done: Away) -> int:
    """All that is promised never to be; a kind in which nothing waited as a stub has shown nothing."""
    return done.judgement.wrong + done.differing + (done.missing_s > 0) + (done.stubs == 0) + (done.stored == 0)


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    away_s, kinds = (FULL_S, FULL) if form.full else (SHORT_S, SHORT)
    *tried, control = asyncio.run(run(kinds, away_s))
    rows, failed = sum(done.rows for done in tried), sum(map(wrong, tried))
    result = report(
        promise="R8",
        form=form.name,
        n=rows,
        value=failed,
        unit=f"rows that differ, pieces lost or moments missing, away {away_s:g} s ({', '.join(kinds)}); "
        f"the backlog was indexed in {max(done.indexed_s for done in tried):.0f} s",
        gate="0 rows differ",
        bound95=bound95(rows) if failed == 0 else None,
        control="red" if control.differing else "green",
        met=failed == 0,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
