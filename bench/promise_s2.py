"""S2: memory a camera: what a recorder of N cameras takes over one that has none, by proportional share (PSS).

Cameras of 1080p25 and 4 Mbit/s over RTSP/TCP, all with their key frames at the same moment, which is the worst case: the highest of samples
taken each second counts. The peer is ffmpeg, one process a camera (with 25 cameras; each takes the same).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.load import Cameras, Window, load_cameras, peer_cost, recorder, recorder_cost
from bench.process_cost import pss_bytes
from bench.promise import read_form, report

SHORT, FULL = Window(settle_s=4, measure_s=6), Window(settle_s=60, measure_s=60)
SIZES, PEERS = (100, 200), 25
GATE_MIB = 3.0
IDLE_S = 3.0
MIB = 2**20


async def empty_bytes() -> int:
    """What a recorder takes that has no cameras."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "spool").mkdir(mode=0o700)
        async with recorder(Path(folder), []) as (process, stand_in):
            await stand_in.connected()
            await asyncio.sleep(IDLE_S)
            return pss_bytes([process.pid])


async def measure(cameras: Cameras, window: Window) -> tuple[float, float]:
    """MiB a camera: ours at the worst number of cameras, and the peer's."""
    empty = await empty_bytes()
    print(f"a recorder without cameras: {empty / MIB:.1f} MiB", flush=True)
    worst = 0.0
    for count in SIZES:
        cost = await recorder_cost(cameras, count, window)
        each = (cost.pss_bytes - empty) / count / MIB
        worst = max(worst, each)
        print(f"ours, {cost}: {each:.2f} MiB a camera", flush=True)
    peer = await peer_cost(cameras, PEERS, window)
    print(f"ffmpeg, {peer}: {peer.pss_bytes / PEERS / MIB:.2f} MiB a camera", flush=True)
    return worst, peer.pss_bytes / PEERS / MIB


def main() -> bool:
    """Runs the promise; returns whether it is met."""
    form = read_form(__doc__)
    with load_cameras() as cameras:
        ours, peer = asyncio.run(measure(cameras, FULL if form.full else SHORT))
    result = report(
        promise="S2",
        form=form.name,
        n=max(SIZES),
        value=round(ours, 3),
        unit="MiB a camera, the worst of 100 and 200 cameras",
        peer=round(peer, 3),
        ratio=round(ours / peer, 4),
        gate="< 3 MiB over an empty recorder",
        met=ours < GATE_MIB,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
