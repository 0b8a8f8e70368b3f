"""Export jobs through the whole service: a recorded camera, the program that makes them, and what others find in the result."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from segments.clock import US_PER_S, iso
from tests.servers.processes import require_program
from tests.servers.rtsp import RtspServer
from tests.service import KEEPSIGHT, Service

pytestmark = [pytest.mark.server, pytest.mark.slow]

LONGEST_S = 8
"""Jobs here ask for no more."""


class Jobs:
    """Asks a service for jobs."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.base = f"http://127.0.0.1:{service.api_port}/api/v1/exports"

    async def ask(self, *items: tuple[str, int, int], **more: Any) -> str:
        """A job's id."""
        listed = [{"camera": camera, "from": iso(start_us), "to": iso(end_us)} for camera, start_us, end_us in items]
        answer = await self._call("POST", self.base, json={"items": listed, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def cancel(self, job_id: str) -> None:
        assert (await self._call("DELETE", f"{self.base}/{job_id}")).status_code == 200

    async def state(self, job_id: str) -> dict[str, Any]:
        return (await self._call("GET", f"{self.base}/{job_id}")).json()

    async def result(self, job_id: str) -> bytes:
        """When it is done; its hash is that of the job."""
        await self.service.wait_for(lambda: self._ended(job_id), 90)
        job = await self.state(job_id)
        assert job["state"] == "done", job
        answer = await self._call("GET", f"{self.base}/{job_id}/file")
        assert hashlib.sha256(answer.content).hexdigest() == job["sha256"]
        return answer.content

    async def is_running(self, job_id: str) -> bool:
        return (await self.state(job_id))["state"] == "running"

    async def _ended(self, job_id: str) -> bool:
        return (await self.state(job_id))["state"] not in ("queued", "running")

    async def _call(self, method: str, url: str, **options: Any) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=60, trust_env=False) as client:
            return await client.request(method, url, **options)


@pytest.fixture
async def town(rtsp_server: RtspServer, tmp_path: Path) -> AsyncIterator[tuple[Service, int]]:
    """A service that has recorded an H.264 and an H.265 camera, and goes on; and since when: `LONGEST_S` from then on are in its pool."""
    cameras = {"gate": rtsp_server.url("aac/exports"), "yard": rtsp_server.url("h265/exports")}
    async with Service(tmp_path / "site", cameras) as service:
        await service.wait_for(lambda: service.is_recording(*cameras))
        began_us = time.time_ns() // 1000 + 2 * US_PER_S
        await asyncio.sleep(14)
        await service.wait_for(lambda: stored(service, cameras, began_us + LONGEST_S * US_PER_S))
        yield service, began_us


async def stored(service: Service, cameras: Iterable[str], until_us: int) -> bool:
    """Whether nothing of before a moment waits in the spool: jobs take what is stored."""
    waiting = [segment["row"]["start_us"] for camera in cameras for segment in await service.live(camera)]
    return min(waiting, default=until_us) >= until_us


def probed(path: Path) -> tuple[str, float, int]:
    """Codec, seconds and pictures of a film, by ffprobe, which must have nothing to say."""
    options = ["-v", "warning", "-count_packets", "-select_streams", "v:0", "-show_streams", "-of", "json"]
    done = subprocess.run([require_program("ffprobe", "ffmpeg"), *options, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    found = json.loads(done.stdout)["streams"][0]
    return found["codec_name"], float(found["duration"]), int(found["nb_read_packets"])


def ffmpegs_of(service: Service) -> list[int]:
    """The ffmpegs that the exports program has started."""
    pid = service.pids().get("exports")
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,comm="], capture_output=True, text=True, check=False).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "ffmpeg" in line]


async def test_a_camera_of_h265_is_exported_for_browsers(town: tuple[Service, int], tmp_path: Path) -> None:
    """H.264 with the time asked for, whatever the camera sends, and with a watermark where it is wanted."""
    service, began_us = town
    jobs = Jobs(service)
    order = {"height": 180, "bitrate_kbps": 200, "watermark": True}
    plain = await jobs.ask(("yard", began_us, began_us + 6 * US_PER_S), form="mp4", transcode={})
    small = await jobs.ask(("yard", began_us, began_us + 6 * US_PER_S), form="mp4", transcode=order)
    for job_id in (plain, small):
        (tmp_path / f"{job_id}.mp4").write_bytes(await jobs.result(job_id))
        codec, seconds, frames = probed(tmp_path / f"{job_id}.mp4")
        assert codec == "h264"
        assert 6 <= seconds <= 9
        assert abs(frames - seconds * 25) <= 2


async def test_an_archive_is_whole_to_others(town: tuple[Service, int], tmp_path: Path) -> None:
    """`unzip`-readable, every hash right, every film readable, and our own command agrees; one changed byte is found by it."""
    service, began_us = town
    jobs = Jobs(service)
    data = await jobs.result(await jobs.ask(("gate", began_us, began_us + 6 * US_PER_S), ("yard", began_us, began_us + 6 * US_PER_S)))
    archive = zipfile.ZipFile(io.BytesIO(data))
    told = json.loads(archive.read("manifest.json"))
    files = [file for item in told["items"] for file in item["files"]]
    assert len(files) == 2
    for file in files:
        film = archive.read(file["name"])
        assert hashlib.sha256(film).hexdigest() == file["sha256"]
        (tmp_path / "film.mp4").write_bytes(film)
        assert probed(tmp_path / "film.mp4")[1] >= 6
        for used in (used for run in file["runs"] for used in run["segments"]):
            assert hashlib.sha256((service.pool / used["key"]).read_bytes()).hexdigest() == used["sha256"]
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    good.write_bytes(data)
    bad.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    verify = lambda path: subprocess.run([*KEEPSIGHT, "exports", "verify", str(path)], capture_output=True, text=True, check=False)  # noqa: E731
    assert verify(good).returncode == 0
    found = verify(bad)
    assert (found.returncode, "gate" in found.stdout) == (1, True)
    assert "done" in service.keepsight("exports", "list").stdout


async def test_a_killed_program_makes_the_job_once(town: tuple[Service, int]) -> None:
    """It is started again, begins the job anew, and there is one result; the ffmpeg that was left over ends by itself."""
    service, began_us = town
    jobs = Jobs(service)
    job_id = await jobs.ask(("yard", began_us, began_us + 8 * US_PER_S), form="mp4", transcode={})
    await service.wait_for(lambda: ffmpegs_of(service))
    left = ffmpegs_of(service)
    service.kill("exports")
    assert await jobs.result(job_id)
    await service.gone(left)
    folders = list((service.data / "exports" / job_id).iterdir())
    assert [folder.name for folder in folders if any(folder.glob("*[0-9]"))][-1] == "0002"
    assert list((service.data / "run" / "exports").iterdir()) == []


async def test_a_cancelled_job_ends_its_ffmpeg(town: tuple[Service, int]) -> None:
    """Within seconds."""
    service, began_us = town
    jobs = Jobs(service)
    job_id = await jobs.ask(("yard", began_us, began_us + 8 * US_PER_S), form="mp4", transcode={})
    await service.wait_for(lambda: ffmpegs_of(service))
    running = ffmpegs_of(service)
    os.kill(running[0], signal.SIGSTOP)  # it would be done too soon
    await jobs.cancel(job_id)
    await service.gone(running, 8)
    assert (await jobs.state(job_id))["state"] == "cancelled"


async def test_recording_does_not_notice(town: tuple[Service, int]) -> None:
    """While jobs make pictures anew, the cameras are recorded without a gap."""
    service, began_us = town
    jobs = Jobs(service)
    started_us = time.time_ns() // 1000
    asked = [await jobs.ask(("yard", began_us, began_us + 8 * US_PER_S), form="mp4", transcode={"watermark": True}) for _ in range(5)]
    for job_id in asked:
        await jobs.result(job_id)
    ended_us = time.time_ns() // 1000
    await asyncio.sleep(8)
    for camera in ("gate", "yard"):
        spans = await service.timeline(camera, started_us, ended_us)
        assert [span for span in spans if span["kind"] == "gap"] == [], spans
