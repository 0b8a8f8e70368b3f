"""The exports program: makes what export jobs ask for, one at a time, behind everything else. It has no port."""

from __future__ import annotations

import os
import secrets
import sys
from functools import partial
from importlib.metadata import version

from deploy.api_access import open_access
from deploy.configured_program import run_configured
from deploy.export_jobs import Room, empty_work_folder, font_of, open_exports, zone_of
from deploy.ffmpeg import Ffmpeg, find_ffmpeg
from deploy.peers import open_peers
from deploy.safety import refuse_unsafe
from deploy.settings import Settings
from deploy.tls import trust_in_nodes
from deploy.wiring import Stores, internal_key, open_stores
from playback.access import Access
from playback.elsewhere import Elsewhere, Nowhere
from playback.exports.job import Job
from playback.exports.make import ExportMaker
from playback.exports.queue import Exports
from playback.exports.results import ResultWriter
from playback.exports.worker import ExportWorker
from playback.live_client import LiveClient
from playback.live_places import LivePlaces
from playback.sensitive.checks import RecordedConsents
from playback.services import Services
from replication.elsewhere import PeerElsewhere
from replication.namesakes import but_namesakes
from segments.clock import SystemClock
from segments.damage import KnownDamage
from segments.errors import StartRefused

EXPORTS_NICENESS = 15
"""Recording, answering and copying go first: of a scarce processor this program gets about a thirtieth."""


async def run_exports(settings: Settings) -> None:
    """Works on jobs until cancelled; what is under way then goes back into the queue."""
    os.nice(EXPORTS_NICENESS)
    await refuse_unsafe(settings)
    clock = SystemClock()
    connect = partial(LiveClient, key=internal_key(settings), tls=trust_in_nodes(settings))
    async with (
        open_stores(settings) as stores,
        open_peers(settings, clock) as peers,
        open_access(settings, stores.index, clock) as who,
    ):
        with open_exports(settings, stores.index, clock) as exports:
            if exports is None:
                raise StartRefused(
                    "exports.pool: this site has no pool for the results of export jobs; name one, or do not start this program"
                )
            live = LivePlaces(stores.index, connect, clock)
            others = PeerElsewhere(but_namesakes(peers, stores.index, clock), clock) if peers else Nowhere()
            try:
                await _work(settings, stores, exports, live, others, clock, who.access)
            finally:
                await live.close()


async def _work(
    settings: Settings, stores: Stores, exports: Exports, live: LivePlaces, others: Elsewhere, clock: SystemClock, access: Access
) -> None:
    services = Services(
        index=stores.index,
        pools=stores.pools,
        live=live,
        clock=clock,
        site=settings.site.name,
        damage=KnownDamage(stores.index, clock),
        elsewhere=others,
        consents=RecordedConsents(stores.index, clock),
    )
    own = settings.exports
    folder = empty_work_folder(settings)
    transcoder = Ffmpeg(find_ffmpeg(own.ffmpeg), own.threads, font_of(settings), zone_of(settings), folder, own.max_result_bytes)
    maker = ExportMaker(services, access, transcoder, Room(settings), f"keepsight {version('keepsight')}")

    def writer(job: Job) -> ResultWriter:
        return ResultWriter(exports.results, job, clock, most_bytes=own.max_result_bytes)

    holder = f"{settings.node_name}/{secrets.token_hex(4)}"
    await ExportWorker(exports.queue, maker, writer, exports.results, clock, holder=holder).run(own.running)


def main(arguments: list[str]) -> int:
    """`CONFIG`."""
    return run_configured("exports", arguments[0], run_exports)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
