"""The scrub as a duty and as a command: made from the settings, and told in tables, metrics, and by the doctor."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from deploy.cli_frame import Exit
from deploy.doctor import Found, Verdict
from deploy.doctor_scrub import findings
from deploy.metrics.scrub import ScrubMetrics
from deploy.placed_duties import placed_duties
from deploy.scrub_duty import ScrubSources, scrub_rounds
from deploy.settings import Settings, load_settings
from deploy.wiring import Stores, open_stores
from replication.scrub_progress import FIRST, Progress, Tally, Walk, read_progress
from segments.clock import US_PER_DAY
from segments.damage import damaged_of, note_damage
from segments.duty import Duty
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_row, a_run, some_rows
from tests.command_line import Keepsight
from tests.scrub_site import DUTY, Copy, Shelf, a_scrub_site, body_of

GOOD = Progress(str(DUTY), NOON_US, Walk(1, NOON_US, NOON_US), Walk(1, NOON_US, NOON_US), Tally(3, 2, 0, 10, 5_000))


async def test_it_is_placed_everywhere_and_heals_where_there_are_sites(tmp_path: Path) -> None:
    """A duty of each shard, with or without other sites; made from the settings it does what it is for, and leaves its note."""
    assert [duty for duty in placed_duties(Settings()) if duty.kind == "scrub"] == [Duty("scrub")]
    site, rows = await a_scrub_site(tmp_path)
    site.objects.lose(rows[0].key)
    settings = load_settings(None, {"KEEPSIGHT_SITE__FOLDER": str(tmp_path / "site")})
    sources = ScrubSources(settings, Stores(site.index, {"main": site.objects}), {}, site.peers, site.clock)
    await scrub_rounds(sources)(DUTY)()

    assert await site.wrong(rows) == []
    assert (await read_progress(site.index, str(DUTY))).tally.healed == 1


def keep(keepsight: Keepsight, lost: int) -> tuple[MemoryIndex, Shelf]:
    """Six segments in the stores of a configuration, the first ones lost there; and another site that has them all."""
    other, shelf = MemoryIndex(), Shelf()

    async def put() -> None:
        async with open_stores(load_settings(keepsight.config, {})) as stores:
            pool = next(iter(stores.pools))
            await stores.index.put_run(a_run())
            for number, row in enumerate(some_rows(6, version="", pool=pool)):
                body = body_of(row)
                good = replace(row, size=len(body), sha256=hashlib.sha256(body).hexdigest())
                for index, objects in ((stores.index, stores.pools[pool]), (other, shelf)):
                    if number >= lost or objects is shelf:
                        await objects.put(row.key, body, sha256=good.sha256, attributes={})
                    await index.publish(replace(good, pool=pool if index is stores.index else "main"))
            await stores.index.put_usage("gate", row.day, await stores.index.row_sums("gate", row.day))

    asyncio.run(put())
    return other, shelf


def test_the_command_finds_and_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone it names what is damaged and ends with 1; with a site it heals, and all is well. Where there is nothing it says so."""
    keepsight = Keepsight(tmp_path)
    other, shelf = keep(keepsight, lost=2)
    alone = keepsight("scrub", "run", "gate", "--json", code=Exit.FINDINGS)
    told = json.loads(alone.stdout)
    assert (told["hashed"], told["found"], told["healed"], len(told["damage"])) == (4, 2, 0, 2)
    assert told["damage"][0]["camera"] == "gate"
    assert "2 segments are damaged" in keepsight("scrub", "status", code=Exit.FINDINGS).stdout
    assert json.loads(keepsight("scrub", "status", "--json", code=Exit.FINDINGS).stdout)["damage"] == told["damage"]

    @asynccontextmanager
    async def peers(*_: object) -> AsyncIterator[Any]:
        yield {"b": Copy(other, shelf)}

    monkeypatch.setattr("deploy.peers.open_peers", peers)
    day = a_row().day
    tomorrow = date.fromordinal(day.toordinal() + 1)
    assert f"'gate' is stored here of {tomorrow}" in keepsight("scrub", "run", "gate", str(tomorrow), code=Exit.BAD_INPUT).stderr
    assert "'gaet' is stored here" in keepsight("scrub", "run", "gaet", code=Exit.BAD_INPUT).stderr
    healed = keepsight("scrub", "run", "gate", str(day)).stdout
    assert ("2 healed" in healed, "no footage is known" in healed) == (True, True)
    keepsight("scrub", "status")
    keepsight("scrub", "run", "gate", "yesterday", code=Exit.BAD_INPUT)


async def test_metrics_count_what_was_added() -> None:
    """Damage that stands, chains that do not hold, and what was found, healed and read since; nothing where another node tells it."""
    index, registry = MemoryIndex(), CollectorRegistry()
    metrics = ScrubMetrics(registry)
    await note_damage(index, [damaged_of(a_row(), "lost", 1)])
    metrics.show([GOOD], [damaged_of(a_row(), "lost", 1)])
    metrics.show([replace(GOOD, tally=Tally(5, 2, 0, 10, 9_000), faults={"c": "bad"})], [])

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"keepsight_{name}", labels)

    assert value("damaged_segments") == 0
    assert value("scrub_found_segments_total", duty=str(DUTY)) == 5
    assert value("scrub_read_bytes_total", duty=str(DUTY)) == 9_000
    assert value("scrub_receipt_faults", duty=str(DUTY)) == 1
    await metrics.sample(index, supervises=True)
    assert value("damaged_segments") == 1
    await metrics.sample(index, supervises=False)
    assert (value("damaged_segments"), value("scrub_receipt_faults", duty=str(DUTY))) == (0, None)


def examined(*shards: Progress, damage: int = 0, days: float = 0) -> list[Found]:
    """What the doctor says some days after noon."""
    rows = [damaged_of(row, "there is no object", 1) for row in some_rows(damage)] if damage else []
    return findings(shards, rows, now_us=NOON_US + int(days * US_PER_DAY), cycle_days=30)


def test_the_doctor_tells_what_a_person_should_know() -> None:
    """Damage and broken chains are ill, a scrub that does not keep up is noted, with what to do; else it is well."""
    assert [(one.what, one.verdict) for one in examined(GOOD)] == [("scrub", Verdict.GOOD)]
    assert [one.verdict for one in examined()] == [Verdict.NOTED]
    (_, ill) = examined(GOOD, damage=5)
    assert (ill.verdict, ill.seen.count("there is no object")) == (Verdict.ILL, 3)
    (_, ill) = examined(replace(GOOD, faults={"sweep.0-of-1": "it goes from 1 to 3"}))
    assert (ill.what, ill.verdict) == ("receipts of sweep.0-of-1", Verdict.ILL)
    slow = replace(GOOD, looked=Walk(2, NOON_US, 0, FIRST), hashed=Walk(2, NOON_US, 0, FIRST))
    assert len(examined(slow, days=1)) == 1
    assert [one.verdict for one in examined(slow, days=31)] == [Verdict.GOOD, Verdict.NOTED, Verdict.NOTED]
