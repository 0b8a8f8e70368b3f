"""The copy duty tells how it stands: lag, days, counted camera-days; and goes on copying whatever goes wrong with that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.copy_duty import CopyRounds
from replication.copy_report import CopyDay, copy_days
from replication.lag_record import lag_reports
from segments.errors import TryAgain
from segments.usage import usage_by_pool
from tests.builders import a_camera
from tests.copy_sites import NOW_US, footage
from tests.unit.test_copy_duty import DUTY, keys_of, parts_of, peers_with, settings_of

MOST_ROUNDS = 50
"""Copying really reads and writes, while a round's minutes pass by the clock of the test: a busy machine needs more of them."""


async def test_a_round_tells_what_it_came_to(tmp_path: Path) -> None:
    """All that was copied is in the report of its day, nothing is wanted any more, RPO is measured, and the scrub finds the copies."""
    rows = footage(5, start_us=NOW_US - 330 * 1_000_000)
    parts = await parts_of(settings_of(tmp_path, north={}), await peers_with(north=rows))
    await parts.stores.index.add_camera(a_camera(home="north", tier="", camera_class=2))
    rounds = CopyRounds(DUTY, parts)
    days: Sequence[CopyDay] = ()
    for _ in range(MOST_ROUNDS):
        await rounds.round()
        days = await copy_days(parts.stores.index)
        if sum(each.segments for day in days for each in day.classes.values()) >= len(rows):
            break
    await rounds.round()  # counts, and tells of what is counted

    (day,) = days
    assert {number: (each.segments, each.size_bytes) for number, each in day.classes.items()} == {2: (5, sum(row.size for row in rows))}
    (report,) = await lag_reports(parts.stores.index)
    assert (report.site, report.duty, report.backlog, report.waits) == ("north", str(DUTY), {}, "")
    assert report.rpo[2].cameras + report.rpo[2].quiet == 1
    assert (await usage_by_pool(parts.stores.index))["main"].segments == 5


@pytest.mark.parametrize("error", [TryAgain("away"), RuntimeError("a fault of ours")])
async def test_telling_stops_no_copying(tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails there."""

    async def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr("replication.copy_ledger.CopyLedger.flush", fails)
    rows = footage()
    parts = await parts_of(settings_of(tmp_path, north={}), await peers_with(north=rows))
    await CopyRounds(DUTY, parts).round()
    assert {row.key for row in rows} <= await keys_of(parts)
