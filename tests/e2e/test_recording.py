"""The whole way: a third party's camera server, the real service, and what is in the pool, the index and the API afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from segments.clock import US_PER_S, day_of, to_datetime
from segments.model import Row, Run
from segments.stores.sqlite_index import open_sqlite_index
from tests.m3u8 import Playlist, read_playlist
from tests.servers.rtsp import RtspServer
from tests.service import Service, moment
from tests.stored import breaks, probe, stored_runs

pytestmark = [pytest.mark.server, pytest.mark.slow]

CODECS = {
    "h264": {"video": "h264"},
    "h265": {"video": "hevc"},
    "aac": {"video": "h264", "audio": "aac"},
    "alaw": {"video": "h264", "audio": "aac"},
}
RECORDED_S = 18
SEGMENT_S = 5
CLIP_PICTURES = 100


@dataclass
class Evening:
    """What was seen while four cameras were recorded, and what was left when the service had been stopped."""

    folder: Path
    began_us: int = 0
    status: dict[str, Any] = field(default_factory=dict)
    edges: dict[str, tuple[int, Playlist]] = field(default_factory=dict)
    """By camera: when it was asked for, and the playlist of the present."""
    timelines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    exit_code: int = -1
    log: str = ""
    service: Service | None = None

    @property
    def pool(self) -> Path:
        """The folder pool."""
        return self.service.pool


async def spend(evening: Evening, server: RtspServer) -> None:
    """Records for a while, asks, and stops."""
    service = evening.service = Service(evening.folder, {name: server.url(f"{name}/evening") for name in CODECS})
    async with service:
        await service.wait_for(lambda: service.is_recording(*CODECS))
        evening.began_us = time.time_ns() // 1000
        await asyncio.sleep(RECORDED_S)  # footage takes as long as it takes
        evening.status = await service.api("/status")
        for name in CODECS:
            now_us = time.time_ns() // 1000
            span = f"from={moment(now_us - 60 * US_PER_S)}&to={moment(now_us + 60 * US_PER_S)}"
            text = (await service.get(f"/cameras/{name}/hls/media.m3u8?{span}")).text
            evening.edges[name] = (now_us, read_playlist(text))
            evening.timelines[name] = await service.timeline(name, evening.began_us, now_us - 6 * US_PER_S)
        evening.exit_code = await service.stop()
        evening.log = service.log


@pytest.fixture(scope="module")
def evening(rtsp_server: RtspServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """One evening for all tests: it takes as long as what is recorded."""
    seen = Evening(tmp_path_factory.mktemp("evening"))
    asyncio.run(spend(seen, rtsp_server))
    return seen


@pytest.mark.parametrize("camera", CODECS)
def test_objects_are_whole_files_for_a_third_party(evening: Evening, camera: str) -> None:
    """ffprobe reads every object without a word, finds the codecs that were sent (A-law became AAC), and segments are as long as asked."""
    (run,) = stored_runs(evening.pool, camera)
    assert len(run.segments) >= RECORDED_S // SEGMENT_S
    assert [probe(path) for path in run.segments] == [CODECS[camera]] * len(run.segments)


@pytest.mark.parametrize("camera", CODECS)
def test_no_picture_is_missing_and_none_is_there_twice(evening: Evening, camera: str) -> None:
    """The numbers in the pictures go on without a break over all segments; taking one picture away is found."""
    (run,) = stored_runs(evening.pool, camera)
    numbers = run.numbers()
    assert len(numbers) >= 25 * RECORDED_S
    assert breaks(numbers, CLIP_PICTURES) == []
    assert breaks(numbers[:50] + numbers[51:], CLIP_PICTURES) == [(numbers[49], numbers[51])]


@pytest.mark.parametrize("camera", CODECS)
def test_the_timeline_is_footage_from_end_to_end(evening: Evening, camera: str) -> None:
    """While it recorded there is nothing but footage of one run."""
    (span,) = evening.timelines[camera]
    assert span["kind"] == "footage"


@pytest.mark.parametrize("camera", CODECS)
def test_the_live_edge_is_a_few_seconds_old(evening: Evening, camera: str) -> None:
    """The playlist of the present ends at most 5 s before it, does not end for good, and begins when recording began."""
    asked_us, playlist = evening.edges[camera]
    last = playlist.entries[-1]
    assert asked_us - (last.clock_us + round(last.seconds * US_PER_S)) < 5 * US_PER_S
    assert not playlist.ended
    assert abs(playlist.entries[0].clock_us - evening.began_us) < 5 * US_PER_S


def test_states_of_fragments_are_counted(evening: Evening) -> None:
    """Each state is counted by its name: durable ones of the segments' pieces, of which those in sealed segments are stored and indexed."""
    counted = evening.status["fragments"]
    assert set(counted) == {"buffered", "durable", "stored", "indexed"}
    assert counted["durable"] >= counted["stored"] >= counted["indexed"] >= 4 * (RECORDED_S - 2 * SEGMENT_S) / 2
    assert counted["durable"] <= 4 * (RECORDED_S + SEGMENT_S)
    assert evening.status["cameras"] == {"recording": 4}
    assert evening.status["alarms"] == []


def test_sigterm_leaves_nothing_in_the_spool(evening: Evening) -> None:
    """All runs are closed in pool and index: each has its `_end`, the spool is empty, and the program ended well."""
    assert evening.exit_code == 0
    assert [path for path in evening.service.spool.rglob("*") if path.name != ".lock"] == []
    assert [len(run.ends) for run in stored_runs(evening.pool)] == [1] * len(CODECS)
    assert "Traceback" not in evening.log
    assert " ERROR " not in evening.log


def test_verify_finds_nothing(evening: Evening) -> None:
    """Every row has its object with its bytes, and every object its row; a changed byte is found."""
    done = evening.service.keepsight("verify", "hash", "--json")
    assert (done.returncode, json.loads(done.stdout)[0]["findings"]) == (0, [])
    assert json.loads(done.stdout)[0]["rows"] >= 4 * RECORDED_S // SEGMENT_S
    victim = stored_runs(evening.pool, "h264")[0].segments[0]
    whole = victim.read_bytes()
    try:
        victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert evening.service.keepsight("verify", "hash").returncode == 1
    finally:
        victim.write_bytes(whole)


async def test_the_index_can_be_made_from_the_pool(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    """`index rebuild` into an empty index gives the same rows and the same runs."""
    service = evening.service
    monkeypatch.setenv("KEEPSIGHT_INDEX__PATH", str(evening.folder / "rebuilt.sqlite"))
    done = await asyncio.to_thread(service.keepsight, "index", "rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    os.environ.pop("KEEPSIGHT_INDEX__PATH")
    was, made = [await rows_and_runs(path, evening.began_us) for path in (service.data / "index.sqlite", evening.folder / "rebuilt.sqlite")]
    assert len(was[0]) >= 4 * RECORDED_S // SEGMENT_S
    assert made == was


async def rows_and_runs(path: Path, at_us: int) -> tuple[list[Row], list[Run]]:
    """All that an index has of the cameras' day."""
    index = await open_sqlite_index(path)
    try:
        days = {day_of(at_us), day_of(at_us + 60 * US_PER_S)}
        rows = [row for name in CODECS for day in sorted(days) for row in (await index.rows(name, day)).items]
        month = to_datetime(at_us).date().replace(day=1)
        return rows, [run for name in CODECS for run in (await index.runs(name, month)).items]
    finally:
        await index.close()
