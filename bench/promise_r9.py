"""R9: no lasting orphans or ghosts after any chaos.

A live service records cameras into a folder pool while its recorder, its uploader, or both are killed at random moments, and then into a
bucket whose store fails in every way. At the end every object must have its row and every row its object, with its bytes; what was
acknowledged is stored once; nothing is left in the spool. Control: an uploader that removes the spool file before it commits.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.promise import bound95, read_form, report
from tests.faults import careless
from tests.faults.live_kills import LiveKills, kill_live
from tests.faults.store import Trouble, trouble
from tests.media import Clips
from tests.servers.rtsp import RtspServer
from tests.servers.s3 import SECRET_KEY, S3Server
from tests.servers.seaweedfs import SeaweedFs

SHORT, FULL = 6, 150
SHORT_S, FULL_S = 24, 300
"""How long the store fails."""
LEAST_FAULTS = 7
"""So many kinds of faults it must have shown: fewer were no trial."""
CONTROL = 3
CONTROL_TRIES = 5


async def measure(place: Path, server: RtspServer, s3: S3Server, kills: int, faulty_s: float) -> tuple[LiveKills, Trouble, bool]:
    """The kills, the trouble with the store, and whether the control was found out."""
    urls = [server.url(f"{kind}/{n}") for n, kind in enumerate(("h264", "aac"))]
    say = lambda text: print(text, flush=True)  # noqa: E731
    killed = await kill_live(place / "kills", urls, kills, say=say)
    say(f"{killed.judgement}; back after {killed.back_p99_s:.1f} s (p99)")
    cameras = {"cam2": server.url("h265/2"), **{f"cam{n}": url for n, url in enumerate(urls)}}
    troubled = await trouble(place / "store", cameras, s3, faulty_s)
    say(f"{troubled.judgement}; requests broken: {dict(troubled.broken)}")
    for number in range(CONTROL_TRIES):
        control = await kill_live(place / f"control-{number}", urls, CONTROL, seed=number, keepsight=careless.COMMAND)
        say(f"control, {CONTROL} kills: {control.judgement.lost} lost")
        if control.judgement.lost:
            return killed, troubled, True
    return killed, troubled, False


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    kills, faulty_s = (FULL, FULL_S) if form.full else (SHORT, SHORT_S)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("clips", "s3"):
            (place / name).mkdir()
        clips = Clips(place / "clips")
        with (
            RtspServer({"h264": clips.get(), "h265": clips.get(codec="h265"), "aac": clips.get(audio="aac")}) as server,
            SeaweedFs(place / "s3") as s3,
        ):
            killed, troubled, red = asyncio.run(measure(place, server, s3, kills, faulty_s))
    wrong = killed.judgement.wrong + troubled.judgement.wrong
    untouched = all([span["kind"] for span in spans] == ["footage"] for spans in troubled.timelines)
    silent = SECRET_KEY not in troubled.service.log
    print(f"recording untouched by the store: {untouched}; its key is not in the log: {silent}", flush=True)
    faults = kills + sum(troubled.broken.values())
    result = report(
        promise="R9",
        form=form.name,
        n=faults,
        value=wrong,
        unit=f"orphans, ghosts, lost or doubled pieces, of {killed.judgement.acknowledged + troubled.judgement.acknowledged} acknowledged",
        gate="0",
        bound95=bound95(faults) if wrong == 0 else None,
        control="red" if red else "green",
        met=wrong == 0 and untouched and silent and len(troubled.broken) >= LEAST_FAULTS,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
