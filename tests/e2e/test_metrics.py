"""Metrics, health and logs of the real service while it records."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from deploy.logs import FROM_A_LIBRARY
from tests.house.test_events import EVENTS, explained
from tests.house.tree import ROOT
from tests.metrics import api_program, node_program, sample_names
from tests.servers.processes import require_program
from tests.servers.rtsp import RtspServer
from tests.service import Service

pytestmark = [pytest.mark.server, pytest.mark.slow]

PASSWORD = "canary-7c1d"
FIGURES = {"uploader": node_program, "api": api_program}


@dataclass
class Seen:
    """What the service said of itself while it recorded one camera and failed to reach another."""

    texts: dict[str, str] = field(default_factory=dict)
    ready: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    locked: tuple[int, dict[str, Any]] = (0, {})
    """Of the uploader, while the index was locked."""
    present: tuple[int, dict[str, Any]] = (0, {})
    """The uploader's last word."""
    refused: list[int] = field(default_factory=list)
    key: str = ""
    log: str = ""

    def figure(self, program: str, name: str, **labels: str) -> float | None:
        """The value of a sample; None if there is none."""
        samples = (sample for family in text_string_to_metric_families(self.texts[program]) for sample in family.samples)
        return next((sample.value for sample in samples if sample.name == f"keepsight_{name}" and sample.labels == labels), None)


async def look(service: Service, seen: Seen) -> None:
    """Asks both programs everything, then locks the index, which then takes nothing from the uploader, and frees it again."""
    addresses = {"uploader": f"http://127.0.0.1:{service.internal_port}", "api": f"http://127.0.0.1:{service.api_port}"}
    seen.key = (service.data / "keys" / "metrics.key").read_text().strip()
    with_key = {"Authorization": f"Bearer {seen.key}"}
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:

        async def ready(program: str) -> tuple[int, dict[str, Any]]:
            answer = await client.get(f"{addresses[program]}/health/ready")
            return answer.status_code, answer.json()

        async def becomes(status: int) -> bool:
            seen.present = await ready("uploader")
            return seen.present[0] == status

        async def swept() -> bool:
            text = (await client.get(f"{addresses['uploader']}/metrics", headers=with_key)).text
            return "keepsight_sweep_finished_timestamp_seconds{" in text

        await service.wait_for(swept)
        for program, address in addresses.items():
            seen.refused.append((await client.get(f"{address}/metrics")).status_code)
            seen.texts[program] = (await client.get(f"{address}/metrics", headers=with_key)).text
            seen.ready[program] = await ready(program)
        database = sqlite3.connect(service.data / "index.sqlite", isolation_level=None, timeout=10, check_same_thread=False)
        await asyncio.to_thread(database.execute, "BEGIN EXCLUSIVE")
        try:
            await service.wait_for(lambda: becomes(503))
            seen.locked = seen.present
        finally:
            await asyncio.to_thread(database.execute, "ROLLBACK")
            database.close()
        await service.wait_for(lambda: becomes(200))


async def spend(folder: Path, url: str) -> Seen:
    """Some seconds of a service whose log is JSON."""
    seen = Seen()
    cameras = {"gate": url, "gone": f"rtsp://user:{PASSWORD}@127.0.0.1:9/none"}
    async with Service(folder, cameras, logs={"format": "json"}) as service:
        await service.wait_for(lambda: service.is_recording("gate"))
        await service.wait_for(lambda: _indexed(service))
        await service.get("/cameras/gate")
        await look(service, seen)
        await service.stop()
        seen.log = service.log
    return seen


async def _indexed(service: Service) -> bool:
    return (await service.api("/status"))["fragments"]["indexed"] > 0


@pytest.fixture(scope="module")
def seen(rtsp_server: RtspServer, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One service for all tests."""
    return asyncio.run(spend(tmp_path_factory.mktemp("metrics"), rtsp_server.url("h264/metrics")))


@pytest.mark.parametrize("program", FIGURES)
def test_every_metric_is_told(seen: Seen, program: str) -> None:
    """What dashboard, alerts and their tests ask for is what the running programs tell, name by name."""
    instruments = sample_names(generate_latest(FIGURES[program]().registry).decode())
    assert sample_names(seen.texts[program]) >= instruments


@pytest.mark.parametrize("program", FIGURES)
def test_prometheus_finds_nothing_to_say(seen: Seen, program: str) -> None:
    """`promtool check metrics` on the real output: names, types, help texts."""
    promtool = require_program("promtool", "prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=seen.texts[program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_promtool_would_find_something(seen: Seen) -> None:
    """The control: a counter that is not called one."""
    bad = seen.texts["api"].replace("keepsight_api_requests_total", "keepsight_api_requests")
    promtool = require_program("promtool", "prometheus")
    assert subprocess.run([promtool, "check", "metrics"], input=bad, capture_output=True, text=True, check=False).returncode != 0


def test_figures_are_true(seen: Seen) -> None:
    """One camera records, one is away; footage was made durable, stored and indexed; its duty is held, its parts are well."""
    assert seen.figure("uploader", "cameras", state="recording", cause="") == 1
    assert seen.figure("uploader", "recorders_connected") == seen.figure("uploader", "recorders_wanted") == 1
    durable, stored, indexed = (seen.figure("uploader", "fragments_total", state=state) or 0 for state in ("durable", "stored", "indexed"))
    assert durable >= stored >= indexed > 0
    assert 0 <= (seen.figure("uploader", "footage_silent_seconds") or 0) < 10
    assert (seen.figure("uploader", "pool_written_bytes_total", pool="main") or 0) > 1000
    assert (seen.figure("uploader", "commit_delay_seconds_count") or 0) > 0
    assert seen.figure("uploader", "duties_held", kind="record-a") == seen.figure("uploader", "duties_wanted", kind="record-a") == 1
    assert 0 <= (seen.figure("uploader", "spool_bytes") or 0) < (seen.figure("uploader", "spool_limit_bytes") or 0)
    assert seen.figure("uploader", "spool_refusing") == 0
    assert abs((seen.figure("uploader", "sweep_finished_timestamp_seconds", duty="sweep.0-of-1") or 0) - time.time()) < 600
    assert seen.figure("uploader", "sweep_deleted_segments_total", duty="sweep.0-of-1") == 0
    assert seen.figure("uploader", "part_healthy", part="index") == 1
    assert (seen.figure("uploader", "camera_changes_total", state="waiting", cause="camera-away") or 0) >= 1
    assert (seen.figure("api", "api_requests_total", route="/cameras/{camera}", status="2xx") or 0) >= 1
    assert (seen.figure("api", "index_call_seconds_count", call="camera") or 0) >= 1


def test_no_camera_is_a_label(seen: Seen) -> None:
    """A hundred thousand cameras make no more series than one; and nothing secret is told."""
    for text in seen.texts.values():
        labels = {value for family in text_string_to_metric_families(text) for sample in family.samples for value in sample.labels.values()}
        assert not {"gate", "gone"} & labels
        assert PASSWORD not in text
        assert seen.key not in text


def test_metrics_want_the_key(seen: Seen) -> None:
    """On both ports."""
    assert seen.refused == [401, 401]


def test_ready_turns_red_with_the_index_and_green_again(seen: Seen) -> None:
    """While another holds the index the uploader cannot write to it; its probe names the part and nothing else."""
    assert {program: status for program, (status, _) in seen.ready.items()} == {"uploader": 200, "api": 200}
    status, said = seen.locked
    assert (status, said["status"]) == (503, "ill")
    assert "index" in said["ill"]
    assert set(said) == {"status", "ill"}
    assert seen.present[0] == 200


def test_the_log_is_json_of_known_events(seen: Seen) -> None:
    """Each line of each process is an object with an event of the reference; no password is in any."""
    lines = [json.loads(line) for line in seen.log.splitlines() if line.startswith("{")]
    known = {event for event, _ in explained((ROOT / EVENTS).read_text())} | {FROM_A_LIBRARY}
    assert lines
    assert {line["event"] for line in lines} <= known
    assert {"time", "program", "level", "event", "message"} <= set.intersection(*(set(line) for line in lines))
    assert not [line for line in seen.log.splitlines() if re.match(r"\d{4}-\d\d-\d\dT", line)]
    assert PASSWORD not in seen.log
