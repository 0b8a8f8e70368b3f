"""The recorder's program, by itself: it loads no store, no index and no web server, so it starts quickly, is small, and can reach none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deploy.clock_sync import ClockSync
from deploy.fleet.child import beside_parent, run_until_told
from deploy.logs import LogFormat, set_up_logs
from deploy.recorder_orders import RecorderOrders
from deploy.sources import SourceOpener
from recorder.cutter import CutSettings
from recorder.group_sync import GroupSync
from recorder.recorder import Recorder, RecorderSettings
from recorder.spool import Spool, SpoolLimit
from segments.clock import SystemClock
from segments.media import TIMESCALE


async def run_recorder(orders: RecorderOrders) -> None:
    """Records what its uploader assigns."""
    clock = SystemClock()
    spool = Spool(Path(orders.spool), limit=SpoolLimit(orders.max_bytes, orders.min_free_bytes))
    sync = GroupSync(spool)
    cut = CutSettings(segment=orders.segment_s * TIMESCALE)
    recorder = Recorder(
        RecorderSettings(orders.name, cut),
        spool=spool,
        sync=sync,
        open_source=SourceOpener(orders.networks, allow_loopback=orders.allow_loopback, silence_s=orders.silence_s, clock=clock),
        clock=clock,
        clock_synced=ClockSync(),
    )
    await recorder.run(orders.socket)


def main(arguments: list[str]) -> int:
    """`ORDERS-AS-JSON`."""
    values = json.loads(arguments[0])
    orders = RecorderOrders(**{**values, "networks": tuple(values["networks"])})
    set_up_logs("recorder", LogFormat(orders.log_format))
    return run_until_told(lambda: beside_parent(run_recorder(orders)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
