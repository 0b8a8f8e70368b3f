"""The programs a fleet starts beside recorders: uploader and api. Each runs until it is told to stop (SIGTERM) and then ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import uvicorn

from deploy.fleet.child import beside_parent, run_until_told
from deploy.logs import set_up_logs
from deploy.recorder_process import RecorderOrders
from deploy.settings import Settings, base_url, load_settings
from deploy.wiring import api_token, camera_sealer, internal_key, open_stores
from playback.app import create_app
from playback.live_client import LiveClient
from playback.services import Services
from recorder.link import listen
from recorder.live import LiveEdge
from recorder.local_routes import create_local_app
from recorder.mend import end_runs_before, highest_epoch, mend
from recorder.shards import ShardServer, ShardSettings
from recorder.spool_folder import spool_usage
from recorder.uploader import Uploader, UploadSettings
from segments.clock import US_PER_DAY, SystemClock
from segments.commit import CommitRules
from segments.errors import KeepsightError, StartRefused
from segments.model import FragmentState

log = logging.getLogger(__name__)

LAST_WORK_S = 5.0
"""At the end, each of: giving leases back, writing states, a last upload. What is not done then is done at the next start."""
CONSOLE = Path(__file__).parent.parent / "playback" / "console" / "dist"


def recorder_orders(settings: Settings, shard: int) -> RecorderOrders:
    """What the recorder of a shard needs to know of the settings."""
    return RecorderOrders(
        name=f"{settings.site.name}-recorder-{shard}",
        shard=shard,
        socket=str(settings.socket_path),
        spool=str(settings.spool_folder),
        max_bytes=settings.spool.max_bytes,
        min_free_bytes=settings.spool.min_free_bytes,
        segment_s=settings.recording.segment_s,
        silence_s=settings.recording.silence_s,
        networks=tuple(str(network) for network in settings.cameras.networks),
        allow_loopback=settings.cameras.allow_loopback,
    )


async def run_uploader(settings: Settings) -> None:
    """Serves the recorders' socket and the local routes, and moves footage from the spool to pool and index."""
    clock = SystemClock()
    async with open_stores(settings) as stores:
        sealer = camera_sealer(settings)
        live = LiveEdge(settings.spool_folder)
        rules = CommitRules(young_us=settings.retention.shortest_floor_days * US_PER_DAY // 2)
        uploader = Uploader(
            settings.spool_folder,
            pools=stores.pools,
            default_pool=settings.default_pool,
            index=stores.index,
            clock=clock,
            settings=UploadSettings(rules=rules),
        )
        shards = ShardServer(
            ShardSettings(settings.site.name, settings.fleet.recorders, settings.fleet.lease_s),
            index=stores.index,
            open_credential=sealer.open,
            live=live,
            sealed=uploader.hint,
            end_runs=lambda epoch, cameras, months: end_runs_before(settings.spool_folder, epoch, cameras, months, stores.index),
            clock=clock,
        )
        status = lambda: _node_status(settings, uploader, shards)  # noqa: E731
        local = create_local_app(live, key=internal_key(settings), status=status)
        await stores.index.spend_epochs(highest_epoch(settings.spool_folder))
        await mend(settings.spool_folder, stores.index)
        server = await listen(settings.socket_path, shards.serve)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_serve_http(local, settings.internal.host, settings.internal.port))
                tasks.create_task(uploader.run())
                tasks.create_task(shards.states.write())
                tasks.create_task(_tidy(live, clock))
        finally:
            server.close()
            await asyncio.shield(_end_uploader(shards, uploader))


async def run_api(settings: Settings) -> None:
    """Serves the API and the page."""
    clock = SystemClock()
    live = LiveClient(base_url(settings.internal.host, settings.internal.port), internal_key(settings))
    async with open_stores(settings) as stores:
        services = Services(
            index=stores.index,
            pools=stores.pools,
            live=live,
            clock=clock,
            site=settings.site.name,
            token=api_token(settings),
            console=CONSOLE,
            hosts=("localhost", settings.api.host if ":" not in settings.api.host else f"[{settings.api.host}]"),
        )
        try:
            await _serve_http(create_app(services), settings.api.host, settings.api.port)
        finally:
            await live.close()


def main(arguments: list[str]) -> int:
    """`uploader CONFIG` or `api CONFIG`; CONFIG is a path, or `-` for defaults and environment."""
    program, argument = arguments
    set_up_logs(program)

    async def run() -> None:
        settings = load_settings(None if argument == "-" else Path(argument))
        await beside_parent(run_uploader(settings) if program == "uploader" else run_api(settings))

    return run_until_told(run)


# --- parts of the uploader ---


async def _tidy(live: LiveEdge, clock: SystemClock) -> None:
    while True:
        await clock.sleep(5.0)
        live.forget_gone()


async def _end_uploader(shards: ShardServer, uploader: Uploader) -> None:
    """Recorders have ended before: leases are given back, states are written, and the last segments go up if that is quick."""
    for last in (shards.release, shards.states.flush, uploader.work_at_last):
        with contextlib.suppress(KeepsightError, TimeoutError):
            async with asyncio.timeout(LAST_WORK_S):
                await last()


def _node_status(settings: Settings, uploader: Uploader, shards: ShardServer) -> Mapping[str, object]:
    counts = shards.counts()
    alarms = [*uploader.alarms, *shards.alarms]
    if any(count.spool_full for count in counts):
        alarms.append("the spool is full: new footage is refused until some is uploaded")
    return {
        "cameras": shards.camera_states(),
        "fragments": {
            FragmentState.BUFFERED: sum(count.buffered for count in counts),
            FragmentState.DURABLE: sum(count.durable for count in counts),
            FragmentState.STORED: uploader.stored,
            FragmentState.INDEXED: uploader.indexed,
        },
        "spool": {"bytes": spool_usage(settings.spool_folder), "limit": settings.spool.max_bytes, "segments": uploader.waiting},
        "alarms": alarms,
    }


class _Server(uvicorn.Server):
    """A server that leaves signals to its process, which has other parts to end in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


async def _serve_http(app: object, host: str, port: int) -> None:
    """Serves until cancelled; raises StartRefused if the address is taken."""
    config = uvicorn.Config(app, host=host, port=port, log_config=None, lifespan="auto", access_log=False, timeout_graceful_shutdown=2)  # type: ignore[arg-type]
    server = _Server(config)
    try:
        socket = config.bind_socket()
    except SystemExit:
        raise StartRefused(f"{host}:{port} cannot be listened on: another program uses it; choose another port") from None
    serving = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
        socket.close()


def command_for(program: str, argument: str | RecorderOrders) -> list[str]:
    """The command line that starts a program."""
    if isinstance(argument, RecorderOrders):
        return [sys.executable, "-m", "deploy.recorder_process", json.dumps(asdict(argument))]
    return [sys.executable, "-m", "deploy.processes", program, argument]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
