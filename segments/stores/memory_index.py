"""The index in dicts: the reference every other index is compared with, and the index of tests. It ends with its process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TypeVar

from segments.clock import day_of
from segments.errors import Conflict, NotFound
from segments.model import Batch, BatchState, Camera, Lease, Row, RowPosition, Run, StateChange
from segments.ports import ALL_CAMERAS, CameraFilter, Page
from segments.stores import lease_rules
from segments.stores.partitions import areas_around, cut_page, merge_run, month_of, months_of_run, one_day, page_limit, run_cursor

T = TypeVar("T")
C = TypeVar("C", int, str, RowPosition)


class MemoryIndex:
    """See `segments.ports.Index`. No call waits inside, so each takes effect at once; it belongs to one event loop."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, date], dict[RowPosition, Row]] = defaultdict(dict)
        self._runs: dict[tuple[str, str], Run] = {}
        self._states: dict[str, dict[int, StateChange]] = defaultdict(dict)
        self._batches: dict[tuple[str, date], Batch] = {}
        self._cameras: dict[str, Camera] = {}
        self._credentials: dict[str, bytes] = {}
        self._leases: dict[int, Lease] = {}
        self._epoch = 0

    # --- rows

    async def publish(self, row: Row) -> None:
        """See `WriteRows`."""
        self._rows[row.camera, row.day][row.position] = row

    async def publish_many(self, rows: Sequence[Row]) -> None:
        """See `WriteRows`; raises BadInput for rows of several camera-days."""
        one_day(rows)
        for row in rows:
            await self.publish(row)

    async def rows(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        """See `ReadRows`."""
        first = after or RowPosition(-1, "", -1)
        return _page(self._rows.get((camera, day), {}).values(), lambda row: row.position, first, limit)

    async def row(self, camera: str, position: RowPosition) -> Row:
        """See `ReadRows`."""
        day = self._rows.get((camera, day_of(position.start_us)), {})
        return _found(day.get(position), f"camera {camera} has no row at {position}")

    # --- runs

    async def put_run(self, run: Run) -> None:
        """See `Runs`."""
        self._runs[run.camera, run.id] = merge_run(self._runs.get((run.camera, run.id)), run)

    async def run(self, camera: str, run_id: str) -> Run:
        """See `Runs`."""
        return _found(self._runs.get((camera, run_id)), f"camera {camera} has no run {run_id}")

    async def runs(self, camera: str, month: date, *, after: str = "", limit: int = 1000) -> Page[Run, str]:
        """See `Runs`."""
        listed = (run for run in self._runs.values() if run.camera == camera and month in months_of_run(run))
        return _page(listed, run_cursor, after, limit)

    # --- states

    async def put_state(self, change: StateChange) -> None:
        """See `States`."""
        self._states[change.camera][change.at_us] = change

    async def states(self, camera: str, month: date, *, after_us: int = -1, limit: int = 1000) -> Page[StateChange, int]:
        """See `States`."""
        changes = (change for change in self._states.get(camera, {}).values() if month_of(change.at_us) == month)
        return _page(changes, lambda change: change.at_us, after_us, limit)

    async def state_before(self, camera: str, at_us: int) -> StateChange | None:
        """See `States`."""
        changes = self._states.get(camera, {})
        moment = max((us for us in changes if us <= at_us), default=None)
        return None if moment is None else changes[moment]

    # --- batches

    async def batch(self, camera: str, day: date) -> Batch | None:
        """See `Batches`."""
        return self._batches.get((camera, day))

    async def put_batch(self, batch: Batch, *, expect: BatchState | None) -> None:
        """See `Batches`."""
        self._expect(batch.camera, batch.day, expect)
        self._batches[batch.camera, batch.day] = batch

    async def forget_batch(self, camera: str, day: date, *, expect: BatchState) -> None:
        """See `Batches`."""
        self._expect(camera, day, expect)
        del self._batches[camera, day]

    def _expect(self, camera: str, day: date, expect: BatchState | None) -> None:
        present = self._batches.get((camera, day))
        state = present.state if present else None
        if state != expect:
            raise Conflict(f"the batch of {camera} {day} is {state}, not {expect}")

    # --- cameras and credentials

    async def add_camera(self, camera: Camera) -> None:
        """See `Cameras`."""
        if camera.id in self._cameras:
            raise Conflict(f"there is a camera {camera.id} already")
        self._cameras[camera.id] = camera

    async def set_camera(self, camera: Camera) -> None:
        """See `Cameras`."""
        await self.camera(camera.id)
        self._cameras[camera.id] = camera

    async def remove_camera(self, camera_id: str) -> None:
        """See `Cameras`."""
        await self.camera(camera_id)
        del self._cameras[camera_id]

    async def camera(self, camera_id: str) -> Camera:
        """See `Cameras`."""
        return _found(self._cameras.get(camera_id), f"there is no camera {camera_id}")

    async def cameras(self, only: CameraFilter = ALL_CAMERAS, *, after: str = "", limit: int = 1000) -> Page[Camera, str]:
        """See `Cameras`."""
        chosen = (
            camera
            for camera in self._cameras.values()
            if only.area in areas_around(camera.area) and only.camera_class in (None, camera.camera_class)
        )
        return _page(chosen, lambda camera: camera.id, after, limit)

    async def put_credential(self, camera_id: str, sealed: bytes) -> None:
        """See `Credentials`."""
        self._credentials[camera_id] = sealed

    async def credential(self, camera_id: str) -> bytes | None:
        """See `Credentials`."""
        return self._credentials.get(camera_id)

    async def remove_credential(self, camera_id: str) -> None:
        """See `Credentials`."""
        self._credentials.pop(camera_id, None)

    # --- leases

    async def acquire(self, shard: int, holder: str, *, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        present = self._leases.get(shard)
        if not lease_rules.is_free(present, holder, now_us):
            return None
        self._epoch += 1
        self._leases[shard] = lease_rules.granted(present, Lease(shard, holder, self._epoch, now_us + ttl_us), now_us)
        return self._leases[shard]

    async def renew(self, lease: Lease, *, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        return self._replace_lease(lease, lease_rules.renewed(self._leases.get(lease.shard), lease, now_us + ttl_us))

    async def release(self, lease: Lease, *, now_us: int) -> None:
        """See `Leases`."""
        self._replace_lease(lease, lease_rules.released(self._leases.get(lease.shard), lease, now_us))

    async def lease(self, shard: int) -> Lease | None:
        """See `Leases`."""
        return self._leases.get(shard)

    async def spend_epochs(self, through: int) -> None:
        """See `Leases`."""
        self._epoch = max(self._epoch, through)

    def _replace_lease(self, lease: Lease, new: Lease | None) -> Lease | None:
        if new is not None:
            self._leases[lease.shard] = new
        return new

    async def close(self) -> None:
        """See `Index`."""


def _found(value: T | None, sentence: str) -> T:
    if value is None:
        raise NotFound(sentence)
    return value


def _page(values: Iterable[T], cursor: Callable[[T], C], after: C, limit: int) -> Page[T, C]:
    later = sorted((value for value in values if cursor(value) > after), key=cursor)
    return cut_page(later[: page_limit(limit) + 1], limit, cursor)
