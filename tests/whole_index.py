"""An index with something of everything in it, for tests that go through whole indexes."""

from __future__ import annotations

from datetime import date

from segments.clock import US_PER_DAY, US_PER_S
from segments.duty import Duty
from segments.model import BatchState, PartitionKind
from segments.ports import Index
from segments.usage import PackedHistory
from tests.audit_builders import some_lines
from tests.builders import NOON_US, a_batch, a_camera, a_change, a_loss, a_run, at, some_fragments, some_rows
from tests.retention_builders import a_hold, a_receipt, write_hold, write_policy

CAMERAS = ("gate", "gate-2", "yard", "35020000001310000001")
DAYS = 3
ROWS_A_DAY = 7
EPOCH = 41
"""The highest that was given."""
LISTED = 5
"""Rows of its batch."""
CHAINS = {"sweep.0-of-2": 3, "sweep.1-of-2": 1}
"""Receipts of each chain."""
RECORDS = 3
HISTORIES = 2
"""Months of usage, by bucket."""
ACTS = 4


async def fill(index: Index, *, cameras: tuple[str, ...] = CAMERAS, days: int = DAYS, rows_a_day: int = ROWS_A_DAY) -> None:
    """Cameras with footage of some days, one run of which lasts from one month into the next, with states, and what retention keeps."""
    await index.spend_epochs(EPOCH - 1)
    assert await index.acquire(Duty("record-a"), "node-1", seen=None, now_us=NOON_US, ttl_us=US_PER_S) is not None
    for n, camera in enumerate(cameras):
        await index.add_camera(a_camera(camera, latitude=24.1 + n / 3, tags=("门口", f"n{n}"), twice=n == 1))
        await index.put_credential(camera, bytes(range(n, n + 60)))
        await index.put_run(a_run(camera=camera, notes=("sound left out",), init=bytes(range(256)) * 5))
        long = at("2026-03-31T23:00:00Z")
        await index.put_run(
            a_run(camera=camera, id="home-a-2-1", start_us=long, last_us=long + US_PER_DAY, ended=True, end_cause="camera-away")
        )
        for day in range(days):
            await index.publish_many(rows_of(camera, day, rows_a_day))
        await index.put_state(a_change(camera=camera))
        await index.put_state(a_loss(camera=camera, at_us=at("2026-01-02T03:04:05.678901Z"), detail="时钟"))
    await fill_retention(index, cameras[0])
    for bucket in range(HISTORIES):
        await index.put_usage_history(PackedHistory(date(2026, 3, 1), bucket, 1, b"what was recorded"))


async def fill_retention(index: Index, camera: str) -> None:
    """A camera-day on its way, what was deleted before, a policy and two holds, one of them changed."""
    batch = a_batch(camera=camera, state=BatchState.HELD, decided_us=NOON_US + 5, listed_us=NOON_US + 9, policy=1, finding="扣押")
    await index.put_batch_rows(batch, rows_of(camera, 0, LISTED))
    await index.put_batch(batch, expect=None)
    for chain, count in CHAINS.items():
        previous = ""
        for number in range(1, count + 1):
            receipt = a_receipt(chain=chain, number=number, previous=previous, camera=camera, rule="等级 general")
            await index.put_receipt(receipt)
            previous = receipt.digest
    await index.put_audit(some_lines(ACTS))
    await write_policy(index)
    for name in ("h1", "案件-2"):
        await write_hold(index, a_hold(id=name))
    hold = await index.record("hold", "h1")
    await index.put_record(hold.changed(hold.values | {"reason": "another"}))


def rows_of(camera: str, day: int, count: int = ROWS_A_DAY):
    """The rows of one of its days."""
    return some_rows(count, camera=camera, start_us=NOON_US + day * US_PER_DAY, fragments=some_fragments(3))


PARTITIONS = {PartitionKind.RUNS: 2, PartitionKind.ROWS: DAYS, PartitionKind.STATES: 2}
"""How many partitions a camera has of each kind; the first one has a batch beside them."""
ITEMS = len(CAMERAS) * (3 + DAYS * ROWS_A_DAY + 2) + 1 + LISTED + sum(CHAINS.values()) + RECORDS + HISTORIES + ACTS
"""All items, a run once in each of its months."""
