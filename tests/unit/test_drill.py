"""A drill, measured from footage that is there, and its report."""

from __future__ import annotations

import hashlib
import json
from html.parser import HTMLParser

import pytest

from deploy.drill_page import drill_page
from replication.drill import Decision, DrillReport, Measured, Spread, as_json, measured, newest_here, spread
from segments.clock import US_PER_S
from segments.model import Row
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US, a_row

S = US_PER_S
DECIDED_US = NOON_US + 600 * S


class Site:
    """An index and a pool, in which footage is put."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.pool = MemoryObjects()

    async def has(self, camera: str, run: str, start_us: int, content: bytes | None = None) -> Row:
        """A segment; `content`: what the pool holds of it instead."""
        body = f"{camera} {run} {start_us}".encode()
        row = a_row(camera=camera, run=run, start_us=start_us, size=len(body), sha256=hashlib.sha256(body).hexdigest(), pool="main")
        await self.index.publish(row)
        stored = body if content is None else content
        await self.pool.put(row.key, stored, sha256=hashlib.sha256(stored).hexdigest(), attributes={})
        return row

    async def measured(self, *cameras: str) -> list[Measured]:
        newest = await newest_here("harbour", cameras, self.index, now_us=DECIDED_US)
        decision = Decision(DECIDED_US, newest)
        return await measured("hill", cameras, decision, DECIDED_US + 60 * S, index=self.index, pools={"main": self.pool})


async def test_what_would_be_lost_and_how_long_it_takes_are_read_from_footage() -> None:
    """RPO ends at the newest footage of the home site that is here, RTO begins ours; a run of a third site is neither."""
    site = Site()
    home = await site.has("quay", "harbour-a-5-1", DECIDED_US - 100 * S)
    await site.has("quay", "island-a-9-1", DECIDED_US - 50 * S)
    await site.has("quay", "hill-a-1000006-1", DECIDED_US + 7 * S)
    await site.has("quay", "hill-a-1000006-2", DECIDED_US + 70 * S)
    assert await site.measured("quay") == [Measured("quay", DECIDED_US - home.end_us, 7 * S)]


async def test_footage_that_comes_later_does_not_count_as_having_been_here() -> None:
    """What the copy brings after the decision would have been lost."""
    site = Site()
    home = await site.has("quay", "harbour-a-5-1", DECIDED_US - 100 * S)
    newest = await newest_here("harbour", ["quay"], site.index, now_us=DECIDED_US)
    await site.has("quay", "harbour-a-5-1", DECIDED_US - 40 * S)
    found = await measured("hill", ["quay"], Decision(DECIDED_US, newest), DECIDED_US + 60 * S, index=site.index, pools={})
    assert found[0].rpo_us == DECIDED_US - home.end_us


async def test_a_camera_that_was_not_recorded_is_named() -> None:
    """Nor one of which there is no footage of its home."""
    found = await Site().measured("quay")
    assert found == [Measured("quay", None, None, "no footage of it was recorded here")]


@pytest.mark.parametrize("spoilt", [b"", b"x" * 9, None])
async def test_footage_that_cannot_be_played_was_not_recorded(spoilt: bytes | None) -> None:
    """The control: other bytes, fewer bytes, or no object."""
    site = Site()
    row = await site.has("quay", "hill-a-1000006-1", DECIDED_US + 7 * S, spoilt)
    if spoilt is None:
        await site.pool.delete([row.key])
    (found,) = await site.measured("quay")
    assert found.rto_us is None
    assert row.key in found.finding


def test_percentiles_are_by_nearest_rank_and_what_is_missing_is_the_worst() -> None:
    """Of a hundred values each is one of a hundred; one that failed is the greatest."""
    values = [n * S for n in range(1, 101)]
    assert spread(values) == Spread(50 * S, 99 * S, 100 * S)
    assert spread([*values[:-1], None]) == Spread(50 * S, 99 * S, None)
    assert spread([None]) == Spread(None, None, None)
    assert spread([]) == Spread(None, None, None)


def a_report() -> DrillReport:
    """Two cameras, one of which was not recorded, and has a name that is no markup."""
    cameras = [Measured("gate", 4 * S, 9 * S), Measured("quay", 90 * S, None, "<b>no</b> footage")]
    return DrillReport("harbour", "hill", "Lin & Wu", DECIDED_US, DECIDED_US + 60 * S, cameras)


def test_the_report_is_json_with_seconds() -> None:
    """Every camera, and what they come to."""
    found = json.loads(json.dumps(as_json(a_report())))
    assert found["rto_s"] == {"p50": 9.0, "p99": None, "max": None}
    assert found["rpo_s"] == {"p50": 4.0, "p99": 90.0, "max": 90.0}
    assert (found["failed"], found["cameras"][0]) == (1, {"camera": "gate", "rpo_s": 4.0, "rto_s": 9.0, "finding": ""})


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_has_a_plot_of_each_and_no_markup_of_others() -> None:
    """Two curves, the failed camera first, all texts as texts, no scripts."""
    seen = _Seen()
    seen.feed(drill_page(a_report()))
    assert seen.tags.count("polyline") == 2
    assert not {"script", "b", "link", "img"} & set(seen.tags)
    assert "<b>no</b> footage" in seen.texts
    assert "Lin & Wu" in seen.texts
    assert seen.texts.index("quay") < seen.texts.index("gate")
    assert "never" in seen.texts
