"""A site is lost, with real processes and cameras: the other one records in its place, and gives back when it has returned."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from segments.clock import US_PER_S, SystemClock
from segments.keys import parse_run
from segments.model import Row
from tests.servers.rtsp import RtspServer
from tests.servers.toxiproxy import Toxiproxy
from tests.servers.two_sites import NAMES, TwoSites

pytestmark = pytest.mark.server

KNOWN_S = 60.0
"""Within so long a site knows the cameras of the other, on a machine that does much else."""
RTO_S = 60.0
STEPS_BACK_S = 30.0
GAP_US = 2 * US_PER_S
"""A GOP of the clip: a run that ends in favour of a higher epoch begins anew at a key frame."""


@pytest.fixture(scope="module")
def toxiproxy() -> Iterator[Toxiproxy]:
    """The links between the sites."""
    with Toxiproxy() as running:
        yield running


@pytest.fixture
async def sites(rtsp_server: RtspServer, tmp_path: Path, toxiproxy: Toxiproxy) -> AsyncIterator[TwoSites]:
    """North records a camera; south has none of its own."""
    cameras = {"north": {"gate": rtsp_server.url("h264/lost-gate")}}
    settings = {name: {"recording": {"segment_s": 2}} for name in NAMES}
    async with TwoSites(tmp_path, cameras, toxiproxy, settings) as made:
        yield made


def done(sites: TwoSites, name: str, *words: str) -> str:
    """A command at a site, which has to end well."""
    ended = sites.site(name).keepsight(*words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def said(sites: TwoSites, name: str, other: str) -> dict:
    """What a site knows of the other."""
    return json.loads(done(sites, name, "site", "show", other, "--json"))


async def runs_of(sites: TwoSites, at: str, by: str) -> list[Row]:
    """Rows of the camera that a site has, of those that a site recorded."""
    return [row for row in await sites.rows(at, "gate") if parse_run(row.run).site == by]


async def recorded(sites: TwoSites, name: str) -> bool:
    """Whether a site has footage of the camera that it has recorded itself."""
    return bool(await runs_of(sites, name, name))


def longest_gap_us(rows: list[Row]) -> int:
    """The longest time between two rows that no row covers."""
    longest, end_us = 0, min(row.start_us for row in rows)
    for row in sorted(rows, key=lambda row: row.start_us):
        longest, end_us = max(longest, row.start_us - end_us), max(end_us, row.end_us)
    return longest


def now_us() -> int:
    """This machine's clock, which is that of both sites."""
    return SystemClock().now_us()


async def test_a_lost_site_is_stood_in_for_and_has_its_cameras_again(sites: TwoSites, tmp_path: Path) -> None:
    """A drill while all is well, then the loss: recorded within the promise, in higher epochs; the site that returns steps back, and after
    the give-back it records again, in epochs that are higher still, and nothing since the takeover is missing.
    """
    await sites.north.wait_for(lambda: sites.north.is_recording("gate"), KNOWN_S)
    await sites.south.wait_for(lambda: said(sites, "south", "north")["guests"] == 1, KNOWN_S)
    await sites.north.wait_for(lambda: recorded(sites, "north"), KNOWN_S)
    await sites.copied("gate", "north", "south", limit_s=150)
    drilled = json.loads(_drill(sites, tmp_path / "drill").read_text())
    print("DRILL", drilled["rpo_s"], drilled["rto_s"])
    assert drilled["failed"] == 0
    assert drilled["rto_s"]["max"] <= RTO_S
    assert await sites.north.is_recording("gate")

    lost_epoch = max(parse_run(row.run).epoch for row in await runs_of(sites, "north", "north"))
    await sites.lose("north")
    decided_us = now_us()
    done(sites, "south", "site", "take-over", "north", "--reason", "a fire", "--yes")

    async def stood_in() -> bool:
        return any(row.start_us > decided_us for row in await runs_of(sites, "south", "south"))

    await sites.south.wait_for(stood_in, RTO_S * 2)
    first = next(row for row in await runs_of(sites, "south", "south") if row.start_us > decided_us)
    print("RTO", (first.start_us - decided_us) / US_PER_S)
    assert first.start_us - decided_us <= RTO_S * US_PER_S
    assert parse_run(first.run).epoch > lost_epoch

    returned_us = now_us()
    await sites.north.start()
    await sites.north.wait_for(lambda: said(sites, "north", "south")["taken"] is not None, STEPS_BACK_S)
    await sites.copied("gate", "south", "north", limit_s=120)
    assert [row for row in await runs_of(sites, "north", "north") if row.start_us > returned_us] == []

    await sites.south.wait_for(lambda: not said(sites, "south", "north")["finding"], STEPS_BACK_S)
    given_us = now_us()
    waited = done(sites, "south", "site", "give-back", "north", "--yes", "--within", "150s")
    assert "north has all that was recorded here in its place" in waited

    async def records_again() -> bool:
        return any(row.start_us > given_us for row in await runs_of(sites, "north", "north"))

    await sites.north.wait_for(records_again, 90)
    await sites.south.wait_for(lambda: said(sites, "south", "north")["takeover"]["ended_us"] > 0, 120)
    again = [row for row in await runs_of(sites, "north", "north") if row.start_us > given_us]
    assert min(parse_run(row.run).epoch for row in again) > parse_run(first.run).epoch
    stood = [row for row in await runs_of(sites, "south", "south") if row.start_us > decided_us]
    print("OVERLAP", (max(row.end_us for row in stood) - again[0].start_us) / US_PER_S)
    assert longest_gap_us([*stood, *again]) <= GAP_US


def _drill(sites: TwoSites, folder: Path) -> Path:
    done(sites, "south", "drill", "north", "--share", "1", "--for", "15s", "--report", str(folder), "--yes")
    (report,) = folder.glob("*.json")
    return report
