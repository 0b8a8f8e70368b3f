"""The index in dicts: the reference every other index is compared with, and the index of tests. It ends with its process."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from segments.clock import day_of
from segments.digest import Mark, mark_of
from segments.duty import Duty, Place, Placing
from segments.errors import Conflict, NotFound
from segments.model import Batch, BatchState, Camera, Footage, Lease, Partition, PartitionKind, Row, RowPosition, Run, StateChange
from segments.ports import ALL_CAMERAS, CameraFilter, Page
from segments.shards import bucket_of
from segments.stores import lease_rules
from segments.stores.memory_audit import MemoryAudit
from segments.stores.memory_retention import MemoryRetention
from segments.stores.memory_usage import MemoryUsage
from segments.stores.partitions import (
    areas_around,
    cut_page,
    merge_run,
    month_of,
    months_of_run,
    one_day,
    page_limit,
    parse_partition,
    partition_cursor,
    run_cursor,
)

T = TypeVar("T")
C = TypeVar("C", int, str, RowPosition)


class MemoryIndex(MemoryUsage, MemoryRetention, MemoryAudit):
    """See `segments.ports.Index`. No call waits inside, so each takes effect at once; it belongs to one event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[tuple[str, date], dict[RowPosition, Row]] = defaultdict(dict)
        self._runs: dict[tuple[str, str], Run] = {}
        self._states: dict[str, dict[int, StateChange]] = defaultdict(dict)
        self._batches: dict[tuple[str, date], Batch] = {}
        self._cameras: dict[str, Camera] = {}
        self._credentials: dict[str, bytes] = {}
        self._changes: Counter[int] = Counter()
        self._leases: dict[Duty, Lease] = {}
        self._epoch = 0
        self._places: dict[str, Place] = {}
        self._placings: dict[str, dict[Duty, Placing]] = defaultdict(dict)

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

    async def footage(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Footage, RowPosition]:
        """See `ReadRows`."""
        page = await self.rows(camera, day, after=after, limit=limit)
        return Page([Footage(row.start_us, row.end_us, row.run, row.codecs) for row in page.items], page.next)

    async def marks(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Mark, RowPosition]:
        """See `ReadRows`."""
        page = await self.rows(camera, day, after=after, limit=limit)
        return Page([mark_of(row) for row in page.items], page.next)

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

    # --- partitions

    async def partitions(self, kind: PartitionKind, *, after: str = "", limit: int = 1000) -> Page[Partition, str]:
        """See `Partitions`; in order of the cursors' texts."""
        parse_partition(after)
        return _page(map(Partition._make, self._keys_of(kind)), partition_cursor, after, limit)

    def _keys_of(self, kind: PartitionKind) -> set[tuple[str, date]]:
        match kind:
            case PartitionKind.ROWS:
                return {key for key, rows in self._rows.items() if rows}
            case PartitionKind.RUNS:
                return {(run.camera, month) for run in self._runs.values() for month in months_of_run(run)}
            case PartitionKind.STATES:
                return {(camera, month_of(us)) for camera, changes in self._states.items() for us in changes}
            case PartitionKind.BATCHES:
                return set(self._batches)

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
        self._stamp(camera.id)

    async def set_camera(self, camera: Camera) -> None:
        """See `Cameras`."""
        await self.camera(camera.id)
        self._cameras[camera.id] = camera
        self._stamp(camera.id)

    async def remove_camera(self, camera_id: str) -> None:
        """See `Cameras`."""
        await self.camera(camera_id)
        del self._cameras[camera_id]
        self._stamp(camera_id)

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
        self._stamp(camera_id)

    async def credential(self, camera_id: str) -> bytes | None:
        """See `Credentials`."""
        return self._credentials.get(camera_id)

    async def remove_credential(self, camera_id: str) -> None:
        """See `Credentials`."""
        if self._credentials.pop(camera_id, None) is not None:
            self._stamp(camera_id)

    def _stamp(self, camera_id: str) -> None:
        self._changes[bucket_of(camera_id)] += 1

    async def camera_stamps(self) -> Mapping[int, str]:
        """See `CameraChanges`."""
        return {bucket: str(changes) for bucket, changes in self._changes.items()}

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """See `CameraChanges`."""
        return [camera for _, camera in sorted(self._cameras.items()) if bucket_of(camera.id) == bucket]

    async def credentials_in(self, bucket: int) -> Mapping[str, bytes]:
        """See `CameraChanges`."""
        return {camera: sealed for camera, sealed in self._credentials.items() if bucket_of(camera) == bucket}

    # --- leases

    async def acquire(self, duty: Duty, holder: str, *, seen: Lease | None, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        if not lease_rules.is_as_seen(self._leases.get(duty), seen):
            return None
        self._epoch += 1
        self._leases[duty] = lease_rules.granted(seen, Lease(duty, holder, self._epoch, now_us + ttl_us, ttl_us), now_us)
        return self._leases[duty]

    async def renew(self, lease: Lease, *, now_us: int, ttl_us: int) -> Lease | None:
        """See `Leases`."""
        return self._replace_lease(lease_rules.renewed(self._leases.get(lease.duty), lease, now_us, ttl_us))

    async def release(self, lease: Lease, *, now_us: int) -> None:
        """See `Leases`."""
        self._replace_lease(lease_rules.released(self._leases.get(lease.duty), lease, now_us))

    async def lease(self, duty: Duty) -> Lease | None:
        """See `Leases`."""
        return self._leases.get(duty)

    async def spend_epochs(self, through: int) -> None:
        """See `Leases`."""
        self._epoch = max(self._epoch, through)

    def _replace_lease(self, new: Lease | None) -> Lease | None:
        if new is not None:
            self._leases[new.duty] = new
        return new

    # --- places

    async def put_place(self, place: Place) -> None:
        """See `Places`."""
        known = self._places.get(place.name)
        self._places[place.name] = replace(place, draining=known is not None and known.draining)

    async def remove_place(self, name: str) -> None:
        """See `Places`."""
        self._places.pop(name, None)
        self._placings.pop(name, None)

    async def places(self) -> Sequence[Place]:
        """See `Places`."""
        return [place for _, place in sorted(self._places.items())]

    async def set_draining(self, name: str, draining: bool) -> None:
        """See `Places`."""
        self._places[name] = replace(_found(self._places.get(name), f"there is no place {name}"), draining=draining)

    async def put_placing(self, placing: Placing) -> None:
        """See `Places`."""
        self._placings[placing.place][placing.duty] = placing

    async def remove_placing(self, placing: Placing) -> None:
        """See `Places`."""
        self._placings[placing.place].pop(placing.duty, None)

    async def placings(self, place: str) -> Sequence[Placing]:
        """See `Places`."""
        return sorted(self._placings.get(place, {}).values())

    async def close(self) -> None:
        """See `Index`."""


def _found(value: T | None, sentence: str) -> T:
    if value is None:
        raise NotFound(sentence)
    return value


def _page(values: Iterable[T], cursor: Callable[[T], C], after: C, limit: int) -> Page[T, C]:
    later = sorted((value for value in values if cursor(value) > after), key=cursor)
    return cut_page(later[: page_limit(limit) + 1], limit, cursor)
