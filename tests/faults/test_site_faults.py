"""Two whole sites while their programs are killed, their link breaks in the middle of segments, and bytes rot at the source.

Afterwards nothing differs, and what was damaged was never taken.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from segments.model import Row
from tests.servers.rtsp import RtspServer
from tests.servers.toxiproxy import Toxiproxy
from tests.servers.two_sites import TwoSites

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

SEED = 6
TROUBLES = 6
MIDDLE_BYTES = 25_000
"""A connection that is cut after so much has been opened, and is in the middle of a segment: they have 45 kB."""
RECORDED_S = 60.0
COPIED_S = 120.0
NAMED_S = 60.0
LATE_S = 10


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites(rtsp_server: RtspServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoSites]:
    """North records two cameras; south copies them, and has none."""
    cameras = {"north": {camera: rtsp_server.url(f"h264/faults-{camera}") for camera in ("gate", "yard")}}
    settings = {"south": {"replication": {"late_s": LATE_S}}}
    with Toxiproxy() as toxiproxy:
        async with TwoSites(tmp_path_factory.mktemp("sites"), cameras, toxiproxy, settings) as made:
            await made.north.wait_for(lambda: _has(made, "north", 2), RECORDED_S)
            yield made


async def _has(sites: TwoSites, name: str, count: int) -> bool:
    return all([len(await sites.rows(name, camera)) >= count for camera in ("gate", "yard")])


async def _all_copied(sites: TwoSites) -> None:
    for camera in ("gate", "yard"):
        await sites.copied(camera, "north", "south", limit_s=COPIED_S)


async def _wrong(sites: TwoSites) -> list[str]:
    """Segments at south whose bytes are not those that north's row tells, or of which north has no row."""
    told = {row.key: row.sha256 for camera in ("gate", "yard") for row in await sites.rows("north", camera)}
    copies = [row for camera in ("gate", "yard") for row in await sites.rows("south", camera)]
    return [row.key for row in copies if {_digest(sites, "south", row), row.sha256} != {told.get(row.key)}]


def _digest(sites: TwoSites, name: str, row: Row) -> str:
    return hashlib.sha256(sites.stored(name, row)).hexdigest()


@contextmanager
def _one_bit_flipped(path: Path) -> Iterator[None]:
    """In the middle of a file, in place."""
    _flip(path)
    try:
        yield
    finally:
        _flip(path)


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


async def test_deaths_and_cuts_in_the_middle_leave_nothing_behind(sites: TwoSites) -> None:
    """The copier is killed or the program it asks, answers are cut in the middle of a segment or lost: at the end all is there, and right.

    The control: one bit that is changed past our code at the end is seen.
    """
    dice = random.Random(SEED)
    for number in range(TROUBLES):
        await asyncio.sleep(dice.uniform(0.2, 2))
        match number % 4:
            case 0:
                sites.south.kill("duties")
            case 1:
                with sites.link("south").fault("limit_data", bytes=MIDDLE_BYTES):
                    await asyncio.sleep(6)
            case 2:
                sites.north.kill("peers")
            case _:
                with sites.link("south").lost_answers():
                    await asyncio.sleep(3)
    await _all_copied(sites)
    assert await _wrong(sites) == []

    row = max(await _there(sites), key=lambda row: row.size)  # that of a run that broke off is smaller
    assert row.size > MIDDLE_BYTES
    with _one_bit_flipped(sites.south.pool / row.key):
        assert await _wrong(sites) == [row.key]
    assert await _wrong(sites) == []


async def test_what_rots_at_the_source_is_not_taken_and_named(sites: TwoSites) -> None:
    """A segment whose bytes there are not those of its row any more is refused by its key and told as late with the reason; nothing is
    stored of it, and the others come. Once the source has the right bytes again, a copier that knows nothing of it takes it.
    """
    await _all_copied(sites)
    sites.cut()
    had = len(await sites.rows("south", "gate"))
    await sites.north.wait_for(lambda: _has(sites, "north", had + 2), RECORDED_S)
    rotten = (await sites.rows("north", "gate"))[had]
    assert rotten.position not in {row.position for row in await _there(sites)}
    with _one_bit_flipped(sites.north.pool / rotten.key):
        sites.mend()
        await sites.south.wait_for(lambda: f"copy.refused: {rotten.key}" in sites.south.log, COPIED_S)
        await sites.copied("yard", "north", "south", limit_s=COPIED_S)
        await sites.south.wait_for(lambda: _newer_is_there(sites, rotten), COPIED_S)
        assert rotten.position not in {row.position for row in await _there(sites)}
        assert not (sites.south.pool / rotten.key).exists()
        await sites.south.wait_for(lambda: _told_late(sites, rotten), NAMED_S)
    sites.south.kill("duties")
    await _all_copied(sites)
    assert await _wrong(sites) == []


async def _there(sites: TwoSites) -> list[Row]:
    return await sites.rows("south", "gate")


async def _newer_is_there(sites: TwoSites, than: Row) -> bool:
    return any(row.start_us > than.start_us for row in await _there(sites))


async def _told_late(sites: TwoSites, row: Row) -> bool:
    """Whether the command that tells how far copies are behind names a segment, and why it is not here."""
    told = await asyncio.to_thread(sites.south.keepsight, "site", "lag")
    return any(row.camera in line and "SHA-256" in line for line in told.stderr.splitlines()) and told.returncode != 0
