"""A live service without its index: recording and upload go on, all is indexed after, and the pool alone tells all that the index knew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import stubless
from tests.faults.absent_index import cut_off, locked
from tests.faults.index_away import index_away
from tests.servers.rtsp import RtspServer
from tests.servers.safe_cassandra import SafeCassandra
from tests.servers.toxiproxy import Toxiproxy
from tests.service import Service

pytestmark = [pytest.mark.server, pytest.mark.slow]

AWAY_S = 12.0


async def test_lost_answers_of_cassandra_lose_nothing(
    rtsp_server: RtspServer, cassandra_of_services: SafeCassandra, tmp_path: Path
) -> None:
    """Requests arrive, answers never come: segments go to the pool and leave stubs; then all rows are there, as a rebuild makes them."""
    cameras = {f"cam{n}": rtsp_server.url(f"{kind}/answers-{n}") for n, kind in enumerate(("h264", "aac"))}
    with Toxiproxy() as toxiproxy:
        proxy = toxiproxy.before(cassandra_of_services.server.port)
        section = await cassandra_of_services.new_section(port=proxy.port)
        service = Service(tmp_path, cameras, index=section, recording={"segment_s": 3})
        done = await index_away(service, list(cameras), cut_off(proxy), AWAY_S)

    assert done.judgement.acknowledged > 10
    assert done.judgement.wrong == 0, done.judgement
    assert min(done.stubs, done.stored) > 0, done  # each waits out two requests first
    assert (done.differing, done.missing_s, done.causes) == (0, 0, frozenset()), done
    assert done.rows > 6


async def test_an_uploader_without_stubs_is_found_out(rtsp_server: RtspServer, tmp_path: Path) -> None:
    """The control: where what is stored counts as indexed, the index made anew has rows the old one lacks, and the comparison sees it."""
    cameras = {"gate": rtsp_server.url("h264/stubless")}
    service = Service(tmp_path, cameras, keepsight=stubless.COMMAND, recording={"segment_s": 3})
    done = await index_away(service, list(cameras), locked(service.data / "index.sqlite"), AWAY_S)

    assert done.stubs == 0
    assert done.differing > 0
