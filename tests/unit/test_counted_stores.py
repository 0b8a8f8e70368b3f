"""Index and pools that are counted: the same answers, and figures that tell what happened."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from deploy.metrics.stores import StoreMetrics, failure_kind
from segments.duty import Duty
from segments.errors import Conflict, DataDamaged, NotFound, Refused, TryAgain, Unknown
from segments.model import CameraState, Cause, StateChange
from segments.stores.memory_objects import MemoryObjects
from tests.builders import NOON_US, a_batch, a_camera, a_row
from tests.fakes import SteppedClock, SwitchedIndex, SwitchedObjects
from tests.retention_builders import a_record

DUTY = Duty("record-a", 0, 2)


class Site:
    """Counted stores over fakes, and the figures they leave."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.registry = CollectorRegistry()
        self.below = SwitchedIndex()
        self.pool_below = SwitchedObjects()
        metrics = StoreMetrics(self.registry, self.clock)
        self.index = metrics.index(self.below)
        self.pool = metrics.pools({"main": self.pool_below})["main"]

    def figure(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"keepsight_{name}", labels) or 0.0

    def labels(self) -> set[str]:
        return {value for family in self.registry.collect() for sample in family.samples for value in sample.labels.values()}


@pytest.fixture
def site() -> Site:
    return Site()


async def test_calls_are_counted_and_timed(site: Site) -> None:
    """Under the port's own names; the answer is the port's."""
    site.below.before = lambda _: setattr(site.clock, "passed_ns", site.clock.passed_ns + 300_000_000)
    await site.index.add_camera(a_camera())

    assert (await site.index.camera("gate")).id == "gate"
    assert site.figure("index_call_seconds_count", call="camera") == 1
    assert site.figure("index_call_seconds_sum", call="camera") == pytest.approx(0.3)
    assert site.figure("index_call_seconds_bucket", call="camera", le="0.25") == 0
    assert site.figure("index_call_seconds_bucket", call="camera", le="1.0") == 1


async def test_failures_are_told_by_kind(site: Site) -> None:
    """A failure has no time of its own: what hangs for a minute must not look like a slow answer."""
    site.below.away = True
    with pytest.raises(TryAgain):
        await site.index.camera("gate")
    site.pool_below.fails["head"] = Refused("no rights")
    with pytest.raises(Refused):
        await site.pool.head("k")

    assert site.figure("index_failures_total", call="camera", kind="try-again") == 1
    assert site.figure("index_call_seconds_count", call="camera") == 0
    assert site.figure("pool_failures_total", pool="main", call="head", kind="refused") == 1


async def test_an_answer_that_says_no_is_an_answer(site: Site) -> None:
    """That there is no such camera, or that the key is taken, is how stores work."""
    with pytest.raises(NotFound):
        await site.index.camera("gate")

    assert site.figure("index_call_seconds_count", call="camera") == 1
    assert site.figure("index_failures_total", call="camera", kind="not-found") == 0


async def test_what_is_given_up_is_counted(site: Site) -> None:
    """A call that hangs until a limit of ours cuts it off shows up, or a hanging index would look idle."""

    async def hang(_: str) -> object:
        await asyncio.sleep(60)
        return None

    site.below.inner.camera = hang  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await site.index.camera("gate")

    assert site.figure("index_failures_total", call="camera", kind="cut-off") == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TryAgain("x"), "try-again"),
        (Unknown("x"), "unknown"),
        (Refused("x"), "refused"),
        (DataDamaged("x"), "data-damaged"),
        (Conflict("x"), "conflict"),
        (ZeroDivisionError(), "other"),
        (asyncio.CancelledError(), "cut-off"),
    ],
)
def test_kinds_are_words_of_ours(error: BaseException, kind: str) -> None:
    """A few words, so that a label has a few values."""
    assert failure_kind(error) == kind


async def test_bytes_in_and_out_are_counted(site: Site, tmp_path: Path) -> None:
    """By pool, for bytes and files, in whole and in pieces; a put that is refused moved nothing."""
    data = b"footage" * 100
    file = tmp_path / "f"
    file.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()

    assert isinstance(site.pool_below.inner, MemoryObjects)
    await site.pool.put("a/b", data, sha256=sha256, attributes={})
    await site.pool.put("a/c", file, sha256=sha256, attributes={})
    with pytest.raises(Conflict):
        await site.pool.put("a/c", file, sha256=sha256, attributes={})
    assert await site.pool.get("a/b", 0, 10) == data[:10]

    assert site.figure("pool_written_bytes_total", pool="main") == 2 * len(data)
    assert site.figure("pool_read_bytes_total", pool="main") == 10


async def test_versions_are_counted_to_their_end(site: Site) -> None:
    """A listing of versions is one call, a failure in it is told by its kind, and removals are calls like others."""
    await site.pool.put("a/b", b"x", sha256=hashlib.sha256(b"x").hexdigest(), attributes={})
    assert [found.key async for found in site.pool.versions("a/")] == ["a/b"]
    site.pool_below.fails["versions"] = TryAgain("away")
    with pytest.raises(TryAgain):
        assert [found async for found in site.pool.versions("a/")] == []
    assert await site.pool.delete_versions([("a/b", "")]) == {}

    assert site.figure("pool_call_seconds_count", pool="main", call="versions") == 1
    assert site.figure("pool_call_seconds_count", pool="main", call="delete_versions") == 1
    assert site.figure("pool_failures_total", pool="main", call="versions", kind="try-again") == 1


async def test_what_retention_asks_of_the_index_is_counted(site: Site) -> None:
    """Batches' rows, receipts and records pass as they are, an answer that is a Conflict included."""
    await site.index.put_batch_rows(a_batch(), [a_row()])
    assert (await site.index.batch_rows(a_batch())).items == [a_row()]
    await site.index.put_record(a_record())
    with pytest.raises(Conflict):
        await site.index.put_record(a_record(text="{}"))
    assert site.figure("index_call_seconds_count", call="put_record") == 2
    assert site.figure("index_failures_total", call="put_record", kind="conflict") == 0


async def test_streams_are_counted_to_their_end() -> None:
    """The bytes a reader took, also of one that has enough, which is no failure."""
    clock, registry, below = SteppedClock(), CollectorRegistry(), MemoryObjects()
    data = bytes(100_000)
    await below.put("k", data, sha256=hashlib.sha256(data).hexdigest(), attributes={})
    pool = StoreMetrics(registry, clock).pools({"main": below})["main"]

    assert sum([len(piece) async for piece in pool.stream("k", 10)]) == 99_990
    reading = pool.stream("k")
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]

    assert registry.get_sample_value("keepsight_pool_call_seconds_count", {"pool": "main", "call": "stream"}) == 2
    assert registry.get_sample_value("keepsight_pool_read_bytes_total", {"pool": "main"}) >= 99_990
    assert not [one for family in registry.collect() for one in family.samples if one.name.endswith("failures_total") and one.value]


async def test_the_delay_runs_from_the_footage_to_its_row(site: Site) -> None:
    """What an operator wants to know: how long after the fact footage is safe and found."""
    row = a_row(end_us=NOON_US - 45_000_000)
    await site.index.publish(row)

    assert site.figure("commit_delay_seconds_sum") == pytest.approx(45)
    assert (await site.below.inner.row(row.camera, row.position)) == row


async def test_states_and_leases_are_counted_by_what_became_of_them(site: Site) -> None:
    """Reconnects by cause; epochs taken, lost and given back. No label holds a camera or a place."""
    await site.index.put_state(StateChange("gate", NOON_US, CameraState.WAITING, Cause.CAMERA_AWAY))
    await site.index.put_state(StateChange("gate", NOON_US + 1, CameraState.RECORDING, None))
    lease = await site.index.acquire(DUTY, "anna", seen=None, now_us=NOON_US, ttl_us=3_000_000)
    assert lease is not None
    taken = await site.index.acquire(DUTY, "berta", seen=lease, now_us=NOON_US, ttl_us=3_000_000)
    assert taken is not None
    assert await site.index.renew(lease, now_us=NOON_US, ttl_us=3_000_000) is None
    await site.index.release(taken, now_us=NOON_US)

    assert site.figure("camera_changes_total", state="waiting", cause="camera-away") == 1
    assert site.figure("camera_changes_total", state="recording", cause="") == 1
    assert site.figure("lease_changes_total", kind="record-a", change="taken") == 2
    assert site.figure("lease_changes_total", kind="record-a", change="lost") == 1
    assert site.figure("lease_changes_total", kind="record-a", change="released") == 1
    assert not {"gate", "anna", "berta"} & site.labels()


async def test_everything_else_is_the_ports_own(site: Site) -> None:
    """The wrapper answers as the port does, for whatever the port has."""
    assert site.pool.__class__.__name__ == "CountedPool"
    with pytest.raises(AttributeError):
        _ = site.pool.no_such_call
