"""R2: kill -9 at any byte: nothing acknowledged is lost, the tail is repaired, and recording goes on.

A writer of four cameras with large fragments is killed at a random instant, its spool repaired, and a new writer started on it: how soon it
has its first acknowledgement is measured from its start, the interpreter's own included. Control: a repair that keeps the torn end. Then
recorder, uploader, or both of a live service are killed likewise: how soon there is footage again is measured from the kill.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.promise import bound95, read_form, report
from tests.faults.kill import Kills, kill_often
from tests.faults.live_kills import LiveKills, kill_live
from tests.faults.plain_segment import UNTRIMMED
from tests.media import Clips
from tests.servers.rtsp import RtspServer

SHORT, FULL = 40, 1000
LIVE_SHORT, LIVE_FULL = 6, 150
STEP = 20
CONTROL_AT_MOST = 600
BACK_S = 5.0
LEAST_PROMISED = 100
"""Fewer were no trial."""


def kill(spool: Path, kills: int) -> Kills:
    """So many kills, said as they go by."""
    total = Kills()
    for done in range(0, kills, STEP):
        more = kill_often(spool, STEP, seed=done + 1)
        total.verdict.add(more.verdict)
        total.back_s += more.back_s
        print(f"{done + STEP} kills: {total.verdict}, back after {total.back_p99_s:.2f} s (p99)", flush=True)
    return total


def control(spool: Path) -> bool:
    """Whether keeping torn ends was found out, before so many kills."""
    for done in range(0, CONTROL_AT_MOST, STEP):
        damaged = kill_often(spool, STEP, seed=done + 1, form=UNTRIMMED, largest=8_000_000).verdict.damaged
        print(f"control, {done + STEP} kills: {damaged} damaged", flush=True)
        if damaged:
            return True
    return False


def kill_service(place: Path, kills: int) -> LiveKills:
    """So many kills of a live service's processes."""
    (place / "clips").mkdir()
    clips = Clips(place / "clips")
    with RtspServer({"h264": clips.get(), "aac": clips.get(audio="aac")}) as server:
        urls = [server.url("h264/kill"), server.url("aac/kill")]
        live = asyncio.run(kill_live(place / "live", urls, kills, say=lambda text: print(f"live: {text}", flush=True)))
    print(f"live, {kills} kills: {live.judgement}, footage again after {live.back_p99_s:.2f} s (p99)", flush=True)
    return live


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    kills = FULL if form.full else SHORT
    with tempfile.TemporaryDirectory() as folder:
        done = kill(Path(folder) / "spool", kills)
        red = control(Path(folder) / "control")
        live = kill_service(Path(folder), LIVE_FULL if form.full else LIVE_SHORT)
    verdict = done.verdict
    wrong = verdict.lost + verdict.damaged + verdict.unsealed + live.judgement.wrong
    promised = verdict.promised + live.judgement.acknowledged
    kills += live.kills
    back_s = max(done.back_p99_s, live.back_p99_s)
    result = report(
        promise="R2",
        form=form.name,
        n=kills,
        value=wrong,
        unit=f"fragments lost or damaged, of {promised} acknowledged; {verdict.repaired} torn; back p99 {back_s:.2f} s",
        gate="0 of 1,000; 0 damaged samples served; back p99 <= 5 s",
        bound95=bound95(kills) if wrong == 0 else None,
        control="red" if red else "green",
        met=wrong == 0 and back_s <= BACK_S and verdict.promised > LEAST_PROMISED,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
