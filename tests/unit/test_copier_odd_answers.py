"""The copier of a source that says what cannot be: that is told, and holds up nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from replication.copy_values import COPY
from segments.errors import DataDamaged, Refused
from tests.copy_sites import closing_of, footage, run_of, two_sites

ROWS = footage()


@pytest.mark.parametrize("error", [DataDamaged("no run"), Refused("no such run id")])
async def test_a_run_that_cannot_be_read_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """What the source says of an open run of here makes no sense: that is told, others' runs are closed, and the walk's place is kept."""
    site = await two_sites(tmp_path, ROWS)
    odd = footage(1, run="home-a-1-0")[0]
    await site.index.put_run(run_of(odd))
    monkeypatch.setattr(site.source.index, "run", _fails_for(odd.run, site.source.index.run, error))
    copier = site.copier()
    await site.run(copier, hours=2)
    assert closing_of(ROWS[-1]) in await site.keys()
    assert await copier.round() <= 2
    assert await site.index.records(COPY)


def _fails_for(run: str, read, error: Exception):
    async def found(camera: str, run_id: str):
        if run_id == run:
            raise error
        return await read(camera, run_id)

    return found


@pytest.mark.parametrize(("error", "rounds"), [(DataDamaged("no news"), 1), (Refused("no such place in the news"), 2)])
async def test_news_that_cannot_be_read_stop_nothing(tmp_path: Path, error: Exception, rounds: int) -> None:
    """A place in the news that the source cannot go on from is given up, and today is compared."""
    site = await two_sites(tmp_path, ROWS[:1], ended=False)
    copier = site.copier()
    await site.run(copier, hours=0.05)
    told = site.source.told.news

    async def news(after: str):
        if after == "0":
            raise error
        return await told(after)

    site.source.told.news = news
    await site.source.keep(ROWS[1:2], ended=False, told=True)
    for _ in range(rounds):
        site.clock.stand_still(await copier.round())
    assert await site.same_as_source(ROWS[0])
    await copier.round()
    await site.source.keep(ROWS[2:], ended=False, told=True)
    await copier.round()
    assert {event.committed_us for event in site.events} == {0, ROWS[2].end_us}
