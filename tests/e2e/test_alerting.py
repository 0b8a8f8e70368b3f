"""From a part that is away to the message on somebody's phone: our exporter, Prometheus, our rules, Alertmanager, a webhook."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.health import Health, index_part
from deploy.metrics.program import ProgramMetrics
from deploy.monitored import monitored
from segments.clock import SystemClock
from tests.fakes import SwitchedIndex
from tests.house.tree import ROOT
from tests.servers.processes import free_port
from tests.servers.prometheus import alertmanager, prometheus

LIMIT_S = 40.0
KEY = "m" * 43


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The application on a loopback port; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server._serve())
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


class Phone:
    """Keeps what it is told, alert by alert."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.app = Starlette(routes=[Route("/", self.ring, methods=["POST"])])

    async def ring(self, request: Request) -> Response:
        for alert in (await request.json())["alerts"]:
            self.told.put_nowait(alert)
        return Response()

    async def hears(self, name: str, status: str) -> dict[str, Any]:
        """The next word of this kind."""
        while (alert := await self.told.get())["labels"]["alertname"] != name or alert["status"] != status:
            pass
        return alert


@pytest.mark.server
async def test_an_index_that_is_away_wakes_somebody(tmp_path: Path) -> None:
    """The alert fires while the index is away, carries its runbook, and is taken back when the index is there again."""
    index, phone = SwitchedIndex(), Phone()
    app = monitored(Starlette(), health=Health([index_part(index, "anna")], SystemClock()), metrics=ProgramMetrics("uploader"), key=KEY)
    rules = tmp_path / "alerts.yaml"
    rules.write_text(re.sub(r"for: \w+", "for: 1s", (ROOT / "deploy" / "monitoring" / "alerts.yaml").read_text()))
    key_file = tmp_path / "metrics.key"
    key_file.write_text(f"{KEY}\n")
    key_file.chmod(stat.S_IRUSR)

    async with served(app) as target, served(phone.app) as number:
        manager, manager_address = await asyncio.to_thread(alertmanager, tmp_path, f"http://{number}/")
        watcher = None
        try:
            watcher, _ = await asyncio.to_thread(
                prometheus, tmp_path, target=target, key_file=key_file, rules=rules, alertmanager=manager_address
            )
            async with asyncio.timeout(LIMIT_S):
                index.away = True
                fired = await phone.hears("KeepsightIndexAway", "firing")
                index.away = False
                await phone.hears("KeepsightIndexAway", "resolved")
        finally:
            for program in (watcher, manager):
                if program is not None:
                    await asyncio.to_thread(program.stop)

    assert fired["labels"]["severity"] == "critical"
    assert fired["labels"]["node"] == "anna"
    assert (ROOT / fired["annotations"]["runbook_url"]).is_file()
