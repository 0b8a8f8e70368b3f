"""SQLite against the reference model: any sequence of calls is answered alike by both."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from segments.clock import US_PER_S, day_start_us
from segments.duty import Duty, Placing
from segments.errors import KeepsightError
from segments.model import Batch, BatchState, Fragment, Lease, PartitionKind, RowPosition, Run
from segments.ports import CameraFilter, Index
from segments.stores.memory_index import MemoryIndex
from segments.stores.sqlite_index import open_sqlite_index
from segments.usage import PackedHistory
from tests.builders import a_camera, a_change, a_loss, a_row, a_run
from tests.contract.index_partitions_contract import found as all_partitions
from tests.retention_builders import a_gone, a_receipt, a_record

MIDNIGHT = day_start_us(date(2026, 3, 1))
CAMERAS = st.sampled_from(["gate", "gate-2", "yard"])
MOMENTS = st.integers(MIDNIGHT - 3, MIDNIGHT + 3)
RUNS = st.sampled_from(["home-a-1-1", "home-a-10-1", "home-b-2-1"])
MONTHS = st.sampled_from([date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)])
DAYS = st.sampled_from([date(2026, 2, 28), date(2026, 3, 1)])
LIMITS = st.integers(1, 4)
STATES = st.sampled_from(BatchState)
DECISIONS = st.integers(1, 2)
AREAS = st.sampled_from(["", "a", "a/b", "ab"])
CLASSES = st.integers(1, 2)
HOLDERS = st.sampled_from(["one", "two"])
FRAGMENTS = st.lists(st.builds(Fragment, *[st.integers(0, 1 << 30)] * 5), max_size=3).map(tuple)

Call = Callable[[Index], Awaitable[object]]


class SqliteLikeTheModel(RuleBasedStateMachine):
    """Each rule makes one call on both and compares the answers, errors by their class."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.model = MemoryIndex()
        self.sqlite = self.runner.run(open_sqlite_index(Path(self.folder.name) / "index.db"))
        self.leases: list[Lease] = []

    def teardown(self) -> None:
        """Closes the file and the loop."""
        self.runner.run(self.sqlite.close())
        self.runner.close()
        self.folder.cleanup()

    def both(self, call: Call) -> object:
        """The answer both give."""
        expected, answer = (self.runner.run(_outcome(call, index)) for index in (self.model, self.sqlite))
        assert answer == expected
        return answer

    @rule(camera=CAMERAS, start_us=MOMENTS, run=RUNS, counter=st.integers(0, 11), fragments=FRAGMENTS)
    def publish(self, **fields: object) -> None:
        """Rows around midnight."""
        self.both(lambda index: index.publish(a_row(**fields)))

    @rule(camera=CAMERAS, starts=st.lists(MOMENTS, max_size=4))
    def publish_many(self, camera: str, starts: list[int]) -> None:
        """Several at once, of one day or of two."""
        self.both(lambda index: index.publish_many([a_row(camera=camera, start_us=start_us) for start_us in starts]))

    @rule(camera=CAMERAS, day=DAYS, start_us=MOMENTS, run=RUNS, counter=st.integers(-1, 11), limit=LIMITS)
    def rows(self, camera: str, day: date, start_us: int, run: str, counter: int, limit: int) -> None:
        """A page from any position, and the row at it."""
        position = RowPosition(start_us, run, counter)
        self.both(lambda index: index.rows(camera, day, after=position, limit=limit))
        self.both(lambda index: index.rows(camera, day, limit=limit))
        self.both(lambda index: index.row(camera, position))

    @rule(
        camera=CAMERAS,
        id=RUNS,
        start_us=MOMENTS,
        length_s=st.integers(0, 40 * 86_400),
        ended=st.booleans(),
        cause=st.sampled_from(["", "x"]),
    )
    def put_run(self, camera: str, id: str, start_us: int, length_s: int, ended: bool, cause: str) -> None:  # noqa: A002
        """Writes of a run in any order."""
        run = a_run(camera=camera, id=id, start_us=start_us, last_us=start_us + length_s * US_PER_S, ended=ended, end_cause=cause)
        self.both(lambda index: index.put_run(run))
        self.both(lambda index: index.run(camera, id))

    @rule(camera=CAMERAS, month=MONTHS, limit=LIMITS)
    def runs(self, camera: str, month: date, limit: int) -> None:
        """All pages of a camera-month."""
        after: str | None = ""
        while after is not None:
            cursor = after
            page = self.both(lambda index, cursor=cursor: index.runs(camera, month, after=cursor, limit=limit))
            after = page.next  # type: ignore[attr-defined]

    @rule(camera=CAMERAS, at_us=MOMENTS, lost=st.booleans())
    def put_state(self, camera: str, at_us: int, lost: bool) -> None:
        """Changes around the new month."""
        self.both(lambda index: index.put_state((a_loss if lost else a_change)(camera=camera, at_us=at_us)))

    @rule(camera=CAMERAS, month=MONTHS, at_us=MOMENTS, limit=LIMITS)
    def states(self, camera: str, month: date, at_us: int, limit: int) -> None:
        """A page, and the state at a moment."""
        self.both(lambda index: index.states(camera, month, after_us=at_us, limit=limit))
        self.both(lambda index: index.state_before(camera, at_us))

    @rule(camera=CAMERAS, day=DAYS, state=STATES, decided_us=DECISIONS, expect=st.none() | STATES, forget=st.booleans())
    def batches(self, camera: str, day: date, state: BatchState, decided_us: int, expect: BatchState | None, forget: bool) -> None:
        """Conditional writes, kept or refused alike."""
        if forget and expect is not None:
            self.both(lambda index: index.forget_batch(camera, day, expect=expect))
        else:
            self.both(lambda index: index.put_batch(Batch(camera, day, state, decided_us), expect=expect))
        self.both(lambda index: index.batch(camera, day))

    @rule(
        camera=CAMERAS, day=DAYS, decided_us=DECISIONS, starts=st.lists(MOMENTS, max_size=3), run=RUNS, limit=LIMITS, remove=st.booleans()
    )
    def batch_rows(self, camera: str, day: date, decided_us: int, starts: list[int], run: str, limit: int, remove: bool) -> None:
        """Rows put into batches of one camera-day, read by pages and removed."""
        batch = Batch(camera, day, BatchState.LISTED, decided_us)
        rows = [row for start_us in starts if (row := a_row(camera=camera, start_us=start_us, run=run)).day == day]
        self.both(lambda index: index.remove_batch_rows(batch) if remove else index.put_batch_rows(batch, rows))
        self.both(lambda index: index.batch_rows(batch, limit=limit))
        self.both(lambda index: index.batch_rows(batch, after=RowPosition(MIDNIGHT, run, -1), limit=limit))

    @rule(camera=CAMERAS, day=DAYS, decided_us=DECISIONS, run=RUNS, starts=st.none() | st.lists(MOMENTS, max_size=3))
    def unpublish(self, camera: str, day: date, decided_us: int, run: str, starts: list[int] | None) -> None:
        """Rows out, for the present batch, a former one or none."""
        batch = Batch(camera, day, BatchState.LISTED, decided_us)
        positions = None if starts is None else [RowPosition(start_us, run, 0) for start_us in starts]
        self.both(lambda index: index.unpublish(batch, positions))
        self.both(lambda index: index.rows(camera, day))

    @rule(chain=HOLDERS, number=st.integers(1, 3), camera=CAMERAS, day=DAYS, older=st.integers(0, 1), start_us=MOMENTS)
    def receipts(self, chain: str, number: int, camera: str, day: date, older: int, start_us: int) -> None:
        """Written, repeated and in each other's way; found by chain and by camera."""
        gone = (a_gone(a_row(camera=camera, start_us=start_us)),)
        receipt = a_receipt(chain=chain, number=number, camera=camera, day=day, older=older, segments=gone)
        self.both(lambda index: index.put_receipt(receipt))
        self.both(lambda index: index.last_receipt(chain))
        self.both(lambda index: index.receipts(camera, day.replace(day=1)))
        self.both(lambda index: index.receipt_chain(chain, after=number - 1, limit=1))
        self.both(lambda index: index.receipt_chains())
        self.both(lambda index: index.deleted(camera, day.replace(day=1)))

    @rule(kind=HOLDERS, name=CAMERAS, revision=st.integers(0, 3), said=st.integers(0, 1))
    def records(self, kind: str, name: str, revision: int, said: int) -> None:
        """Any revision of any record, kept or refused alike."""
        self.both(lambda index: index.put_record(a_record(kind=kind, id=name, revision=revision, text=f'{{"said":{said}}}')))
        self.both(lambda index: index.record(kind, name))
        self.both(lambda index: index.records(kind))

    @rule(month=MONTHS, bucket=st.integers(0, 1), revision=st.integers(0, 3), said=st.binary(max_size=1))
    def usage_history(self, month: date, bucket: int, revision: int, said: bytes) -> None:
        """Any revision of any history, kept or refused alike."""
        self.both(lambda index: index.put_usage_history(PackedHistory(month, bucket, revision, said)))
        self.both(lambda index: index.usage_history(month, bucket))
        self.both(lambda index: index.usage_history_months())

    @rule(kind=st.sampled_from(PartitionKind), limit=LIMITS)
    def partitions(self, kind: PartitionKind, limit: int) -> None:
        """All of a kind, in the order of each."""
        model, sqlite = (self.runner.run(all_partitions(index, kind, limit=limit)) for index in (self.model, self.sqlite))
        assert len(sqlite) == len(model)
        assert set(sqlite) == set(model)

    @rule(camera=CAMERAS, area=AREAS, camera_class=CLASSES, change=st.sampled_from(["add", "set", "remove"]))
    def change_cameras(self, camera: str, area: str, camera_class: int, change: str) -> None:
        """The archive changes."""
        value = a_camera(camera, area=area, camera_class=camera_class)
        calls: dict[str, Call] = {
            "add": lambda index: index.add_camera(value),
            "set": lambda index: index.set_camera(value),
            "remove": lambda index: index.remove_camera(camera),
        }
        self.both(calls[change])

    @rule(area=AREAS, camera_class=st.none() | CLASSES, after=st.just("") | CAMERAS, limit=LIMITS)
    def cameras(self, area: str, camera_class: int | None, after: str, limit: int) -> None:
        """Any narrowed page."""
        self.both(lambda index: index.cameras(CameraFilter(camera_class, area), after=after, limit=limit))

    @rule(shard=st.integers(0, 1), holder=HOLDERS, now_us=st.integers(0, 30), ttl_us=st.integers(1, 20), fresh=st.booleans())
    def acquire(self, shard: int, holder: str, now_us: int, ttl_us: int, fresh: bool) -> None:
        """Leases at any time, clocks running back included, by what is seen now or was seen once."""
        duty = Duty("record-a", shard, 2)
        once = next((lease for lease in self.leases if lease.duty == duty), None)
        seen = self.both(lambda index: index.lease(duty)) if fresh else once
        assert seen is None or isinstance(seen, Lease)
        lease = self.both(lambda index: index.acquire(duty, holder, seen=seen, now_us=now_us, ttl_us=ttl_us))
        if isinstance(lease, Lease):
            assert all(lease.epoch > earlier.epoch for earlier in self.leases)
            self.leases.append(lease)

    @rule(nth=st.integers(0, 9), now_us=st.integers(0, 30), ttl_us=st.integers(1, 20), release=st.booleans())
    def renew_or_release(self, nth: int, now_us: int, ttl_us: int, release: bool) -> None:
        """By holders old and new."""
        if nth >= len(self.leases):
            return
        lease = self.leases[-1 - nth]
        if release:
            self.both(lambda index: index.release(lease, now_us=now_us))
        else:
            self.both(lambda index: index.renew(lease, now_us=now_us, ttl_us=ttl_us))
        self.both(lambda index: index.lease(lease.duty))

    @rule(shard=st.integers(0, 1), place=HOLDERS, standby=st.booleans(), remove=st.booleans())
    def place_duties(self, shard: int, place: str, standby: bool, remove: bool) -> None:
        """Placings written, changed and removed."""
        placing = Placing(Duty("record-a", shard, 2), place, standby)
        self.both(lambda index: index.remove_placing(placing) if remove else index.put_placing(placing))
        self.both(lambda index: index.placings(place))


async def _outcome(call: Call, index: Index) -> object:
    try:
        return await call(index)
    except KeepsightError as error:
        return type(error)


_SETTINGS = settings(max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestSqliteLikeTheModel = SqliteLikeTheModel.TestCase
TestSqliteLikeTheModel.settings = _SETTINGS


class _ForgetsTheLastMoment(SqliteLikeTheModel):
    """A model with another rule for runs: the newest write wins in everything."""

    def __init__(self) -> None:
        super().__init__()

        async def put_run(run: Run) -> None:
            self.model._runs[run.camera, run.id] = run

        self.model.put_run = put_run  # type: ignore[method-assign]


def test_a_broken_rule_is_seen() -> None:
    """Negative control: where the two differ in one rule, the comparison goes red."""
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            _ForgetsTheLastMoment, settings=settings(_SETTINGS, max_examples=300, database=None, phases=[Phase.generate])
        )
