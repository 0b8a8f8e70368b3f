"""Two real sites: how long copies take, and what a site tells of it, checked against the rows that are there."""

from __future__ import annotations

import csv
import io
import urllib.request
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.rtsp import RtspServer
from tests.servers.toxiproxy import Toxiproxy
from tests.servers.two_sites import TwoSites

pytestmark = pytest.mark.server

RECORDED_S = 60.0
NEWS_S = 15.0
"""News are asked for each 2 s, and gathered each second; on a machine that does much else."""


@pytest.fixture(scope="module")
def toxiproxy() -> Iterator[Toxiproxy]:
    """The links between the sites."""
    with Toxiproxy() as running:
        yield running


@pytest.fixture
async def sites(rtsp_server: RtspServer, tmp_path: Path, toxiproxy: Toxiproxy) -> AsyncIterator[TwoSites]:
    """North records a camera; south copies it."""
    cameras = {"north": {"gate": rtsp_server.url("h264/lag-gate")}, "south": {}}
    async with TwoSites(tmp_path, cameras, toxiproxy, {"south": {"replication": {"late_s": 20}}}) as made:
        yield made


async def test_lag_is_seconds_and_is_told(sites: TwoSites) -> None:
    """Copies follow their commits by news, not by the next comparing; report, command and metrics say what the rows say; a cut shows."""

    await sites.south.wait_for(partial(has_rows, sites, "south", 1), RECORDED_S)
    for _ in range(2):
        count = len(await sites.rows("north", "gate")) + 1
        await sites.north.wait_for(partial(has_rows, sites, "north", count), RECORDED_S)
        took_s = await sites.south.wait_for(partial(has_rows, sites, "south", count), NEWS_S)
        print(f"copied {took_s:.2f} s after it was seen at its source")

    async def told() -> bool:
        lag = sites.south.keepsight("site", "lag", "north", "--json")
        return lag.returncode == 0 and '"cameras": 1' in lag.stdout

    await sites.south.wait_for(told, 90)
    lines = list(csv.DictReader(io.StringIO(sites.south.keepsight("site", "report", "--format", "csv").stdout)))
    rows = len(await sites.rows("south", "gate"))
    print(f"on average {lines[0]['mean_s']} s from commit to commit")
    assert {(line["from"], line["to"]) for line in lines} == {("north", "south")}
    assert 3 <= sum(int(line["segments"]) for line in lines) <= rows

    sites.cut()
    before = len(await sites.rows("north", "gate"))
    await sites.north.wait_for(partial(has_rows, sites, "north", before + 1), RECORDED_S)

    async def grown() -> bool:
        return _metric(sites, "keepsight_copy_rpo_seconds") > 25

    await sites.south.wait_for(grown, 90)
    assert sites.south.keepsight("site", "lag").returncode == 1


async def has_rows(sites: TwoSites, name: str, count: int) -> bool:
    """Whether a site has so many segments of the camera."""
    return len(await sites.rows(name, "gate")) >= count


def _metric(sites: TwoSites, name: str) -> float:
    """The greatest value of a metric that south's uploader tells."""
    key = (sites.south.data / "keys" / "metrics.key").read_text().strip()
    asked = urllib.request.Request(f"http://127.0.0.1:{sites.south.internal_port}/metrics", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        text = answer.read().decode()
    found = [sample.value for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name]
    return max(found, default=0.0)
