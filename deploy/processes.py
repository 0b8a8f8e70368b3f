"""The programs a fleet starts: uploader, recorder, api. Each runs until it is told to stop (SIGTERM) and then ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import uvicorn

from deploy.clock_sync import ClockSync
from deploy.fleet.local import REFUSED_TO_START
from deploy.logs import set_up_logs
from deploy.settings import Settings, load_settings
from deploy.sources import SourceOpener
from deploy.wiring import api_token, camera_sealer, internal_key, open_stores
from playback.app import create_app
from playback.live_client import LiveClient
from playback.services import Services
from recorder.cutter import CutSettings
from recorder.group_sync import GroupSync
from recorder.live import LiveEdge
from recorder.local_routes import create_local_app
from recorder.mend import end_runs_before, highest_epoch, mend
from recorder.recorder import Recorder, RecorderSettings
from recorder.shards import ShardServer, ShardSettings
from recorder.spool import Spool, SpoolLimit
from recorder.spool_folder import spool_usage
from recorder.uploader import Uploader, UploadSettings
from segments.clock import US_PER_DAY, SystemClock
from segments.commit import CommitRules
from segments.errors import KeepsightError, StartRefused
from segments.media import TIMESCALE
from segments.model import FragmentState

log = logging.getLogger(__name__)

CONSOLE = Path(__file__).parent.parent / "playback" / "console" / "dist"


@dataclass(frozen=True, slots=True)
class RecorderOrders:
    """All a recorder process is told on its command line: no path of a store, no key."""

    name: str
    shard: int
    socket: str
    spool: str
    max_bytes: int
    min_free_bytes: int
    segment_s: int
    silence_s: float
    networks: tuple[str, ...]
    allow_loopback: bool


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


async def run_recorder(orders: RecorderOrders) -> None:
    """Records what its uploader assigns."""
    clock = SystemClock()
    spool = Spool(Path(orders.spool), limit=SpoolLimit(orders.max_bytes, orders.min_free_bytes))
    sync = GroupSync(spool)
    cut = CutSettings(segment=orders.segment_s * TIMESCALE)
    async with SourceOpener(orders.networks, allow_loopback=orders.allow_loopback, silence_s=orders.silence_s, clock=clock) as opener:
        recorder = Recorder(
            RecorderSettings(orders.name, orders.shard, cut),
            spool=spool,
            sync=sync,
            open_source=opener,
            clock=clock,
            clock_synced=ClockSync(),
        )
        await recorder.run(orders.socket)


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
            pool_of=lambda camera: shards.pool_of(camera) or settings.default_pool,
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
        server = await _listen(settings.socket_path, shards)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_serve_http(local, settings.internal.host, settings.internal.port))
                tasks.create_task(uploader.run())
                tasks.create_task(shards.write_states())
                tasks.create_task(_tidy(live, clock))
        finally:
            server.close()
            await asyncio.shield(_end_uploader(shards, uploader))


async def run_api(settings: Settings) -> None:
    """Serves the API and the page."""
    clock = SystemClock()
    live = LiveClient(f"http://{settings.internal.host}:{settings.internal.port}", internal_key(settings))
    async with open_stores(settings) as stores:
        services = Services(
            index=stores.index,
            pools=stores.pools,
            live=live,
            clock=clock,
            site=settings.site.name,
            token=api_token(settings),
            console=CONSOLE,
        )
        try:
            await _serve_http(create_app(services), settings.api.host, settings.api.port)
        finally:
            await live.close()


def run_until_told(main: Callable[[], Awaitable[None]]) -> int:
    """Runs a program until it ends or SIGTERM or SIGINT cancels it; the exit code. What refuses the start is said in one sentence."""

    async def whole() -> None:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await main()

    try:
        asyncio.run(whole())
    except asyncio.CancelledError:
        return 0
    except KeepsightError as error:
        log.error("%s", error)
        return REFUSED_TO_START if isinstance(error, StartRefused) else 1
    except ExceptionGroup as group:
        refusals, rest = group.split(StartRefused)
        if rest is not None:
            raise
        for refusal in refusals.exceptions if refusals is not None else ():
            log.error("%s", refusal)
        return REFUSED_TO_START
    return 0


def main(arguments: list[str]) -> int:
    """`uploader CONFIG`, `api CONFIG` or `recorder ORDERS-AS-JSON`; CONFIG is a path, or `-` for defaults and environment."""
    program, argument = arguments
    set_up_logs(program)
    if program == "recorder":
        values = json.loads(argument)
        orders = RecorderOrders(**{**values, "networks": tuple(values["networks"])})
        return run_until_told(lambda: run_recorder(orders))
    settings = load_settings(None if argument == "-" else Path(argument))
    return run_until_told(lambda: run_uploader(settings) if program == "uploader" else run_api(settings))


# --- parts of the uploader ---


async def _listen(path: Path, shards: ShardServer) -> asyncio.Server:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    if len(os.fsencode(path)) > 100:
        raise StartRefused(f"{path} is too long a name for a socket; choose a shorter site.folder")
    return await asyncio.start_unix_server(shards.serve, path, limit=4 << 20)


async def _tidy(live: LiveEdge, clock: SystemClock) -> None:
    while True:
        await clock.sleep(5.0)
        live.forget_gone()


async def _end_uploader(shards: ShardServer, uploader: Uploader) -> None:
    """Recorders have ended before: their last segments go up, leases are given back, states are written."""
    with contextlib.suppress(KeepsightError, TimeoutError):
        async with asyncio.timeout(10):
            await uploader.work()
            await shards.release()
            await shards.flush_states()


def _node_status(settings: Settings, uploader: Uploader, shards: ShardServer) -> Mapping[str, object]:
    counts = shards.counts()
    alarms = list(uploader.alarms.values())
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
    text = argument if isinstance(argument, str) else json.dumps(asdict(argument))
    return [sys.executable, "-m", "deploy.processes", program, text]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
