"""What comes wrong over the link between two sites, or finds no room, is refused, and is here once it comes right."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from replication.copy_values import CopyKind
from segments.clock import SystemClock
from segments.media import TIMESCALE
from segments.model import Fragment, Row
from segments.stores.file_objects import FileObjects
from tests.copy_sites import SEGMENT_BYTES, body_of, footage, two_sites
from tests.faults.full_spool import small_disk
from tests.faults.loop_disk import need_root
from tests.faults.site_link import linked

FRAGMENTS = tuple(
    Fragment(half * SEGMENT_BYTES // 2, SEGMENT_BYTES // 2, 100, (10 + 30 * half) * TIMESCALE, 30 * TIMESCALE) for half in range(2)
)
ROWS = footage(6, fragments=FRAGMENTS)
FLIPS = {1: 0, 2: SEGMENT_BYTES // 2, 4: SEGMENT_BYTES - 1}
ROOM_BYTES = 24 << 10
"""Of four segments and what a folder takes."""


async def test_bits_that_flip_on_the_way_are_refused(tmp_path: Path) -> None:
    """At the beginning, middle or end of a segment, over the routes: nothing of it is committed, and it is named; the others come."""
    site = await two_sites(tmp_path, ROWS)
    async with linked(site) as (peer, relay):
        relay.flips = FLIPS
        copier = site.copier(peer=peer)
        await site.run(copier, hours=0.5, least_s=60)

        assert relay.flipped >= len(FLIPS)
        assert {row.counter for row in await site.rows(ROWS[0])} == {0, 3, 5}
        assert {position.counter for _, position in copier.refused} == FLIPS.keys()
        assert all("SHA-256" in text for text in copier.refused.values())
        assert {key for key in await site.keys() if not key.endswith("_end")} == {ROWS[n].key for n in (0, 3, 5)}
        assert await site.wrong_bytes() == []

        relay.flips = {}
        await site.run(copier, hours=2, least_s=300)
        assert await site.same_as_source(ROWS[0])
        assert await site.wrong_bytes() == []


async def test_believing_them_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a copier and a store that do not hash take wrong bytes, and the look at what is stored finds each."""

    async def believing(_self: Any, _row: Any, pieces: Any) -> Any:
        async for piece in pieces:
            yield piece

    monkeypatch.setattr("replication.copy.SegmentCopy._verified", believing)
    monkeypatch.setattr("segments.stores.memory_objects.read_verified", lambda _key, body, _sha256: body)
    site = await two_sites(tmp_path, ROWS)
    async with linked(site) as (peer, relay):
        relay.flips = FLIPS
        await site.run(site.copier(peer=peer), hours=0.5, least_s=60)
    assert sorted(await site.wrong_bytes()) == [ROWS[n].key for n in FLIPS]


@pytest.mark.root
async def test_a_pool_that_is_full_is_waited_for(tmp_path: Path) -> None:
    """What finds no room leaves no row and no piece of a file; once there is room, all of it comes."""
    need_root("mount", "umount")
    site = await two_sites(tmp_path / "copying", ROWS)
    with small_disk(tmp_path / "disk", ROOM_BYTES) as disk:
        objects = FileObjects(disk, clock=SystemClock())
        copier = site.copier(pools={"vault": objects})
        await site.run(copier, hours=0.2)
        some = await site.rows(ROWS[0])
        assert 0 < len(some) < len(ROWS)
        assert CopyKind.RETRIED in site.kinds()
        assert CopyKind.REFUSED not in site.kinds()
        assert _stored(disk, some) == [row.sha256 for row in some]
        assert len(_segments(disk)) == len(some)

        _grow(disk)
        await site.run(copier, hours=2)
        assert await site.same_as_source(ROWS[0])
        assert _stored(disk, ROWS) == [hashlib.sha256(body_of(row)).hexdigest() for row in ROWS]
        objects.close()


def _grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={ROOM_BYTES * 8}", str(disk)], check=True, timeout=60)


def _stored(folder: Path, rows: Sequence[Row]) -> list[str]:
    """Hashes of the files of these rows."""
    return [hashlib.sha256((folder / row.key).read_bytes()).hexdigest() for row in rows]


def _segments(folder: Path) -> list[Path]:
    """All files that lie at places of segments."""
    return [path for path in folder.rglob("*.mp4") if not path.name.startswith(".")]
