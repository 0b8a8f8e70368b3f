"""The programs of a node and how each is started: what starts them loads none of what they need themselves."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from deploy.exports_section import exports_pool
from deploy.fleet.local import Program
from deploy.recorder_orders import RecorderOrders
from deploy.settings import Settings

API = "api"
"""The program that is not the fleet's: `keepsight serve` and `keepsight api` run it where it is wanted."""


def programs(settings: Settings, config: Path | None) -> list[Program]:
    """The uploader is stopped last, when recorders have sealed what they had; recorders do not see the environment's keys."""
    argument = "-" if config is None else str(config.resolve())
    recorders = [
        Program(f"recorder-{number}", command_for("recorder", recorder_orders(settings, number)), trusted=False, stage=1)
        for number in range(settings.fleet.recorders)
    ]
    uploader = Program("uploader", command_for("uploader", argument), trusted=True)
    duties = Program("duties", command_for("duties", argument), trusted=True, stage=1)
    peers = [Program("peers", command_for("peers", argument), trusted=True, stage=1)] if settings.sites else []
    made = exports_pool(settings) is not None
    exports = [Program("exports", command_for("exports", argument), trusted=True, stage=1)] if made else []
    return [uploader, *recorders, duties, *peers, *exports, Program(API, command_for("api", argument), trusted=True, stage=1)]


def fleet_programs(settings: Settings) -> tuple[str, ...]:
    """The names of those that every node of a fleet has: all but the API."""
    return tuple(program.name for program in programs(settings, None) if program.name != API)


def recorder_orders(settings: Settings, number: int) -> RecorderOrders:
    """What a recorder of this node needs to know of the settings."""
    return RecorderOrders(
        name=f"{settings.site.name}-recorder-{number}",
        socket=str(settings.socket_path),
        spool=str(settings.spool_folder),
        max_bytes=settings.spool.max_bytes,
        min_free_bytes=settings.spool.min_free_bytes,
        segment_s=settings.recording.segment_s,
        silence_s=settings.recording.silence_s,
        networks=tuple(str(network) for network in settings.cameras.networks),
        allow_loopback=settings.cameras.allow_loopback,
        log_format=settings.logs.format,
    )


def command_for(program: str, argument: str | RecorderOrders) -> list[str]:
    """The command line that starts a program: `recorder ORDERS`; every other with `CONFIG` (a path, or `-`)."""
    text = json.dumps(asdict(argument)) if isinstance(argument, RecorderOrders) else argument
    return [sys.executable, "-m", f"deploy.{program}_process", text]
