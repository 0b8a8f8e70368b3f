"""The frame of a program that reads the configuration: logs, settings, and an orderly end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from deploy.fleet.child import beside_parent, run_until_told
from deploy.logs import set_up_logs
from deploy.settings import Settings, load_settings


def run_configured(program: str, config: str, work: Callable[[Settings], Awaitable[None]]) -> int:
    """Does the work until it is told to stop; its exit code. `config` is a path, or `-` for defaults and environment."""
    set_up_logs(program)

    async def run() -> None:
        settings = load_settings(None if config == "-" else Path(config))
        set_up_logs(program, settings.logs.format)
        await beside_parent(work(settings))

    return run_until_told(run)
