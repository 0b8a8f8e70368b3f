"""The ports: one ability each, in our words, with our errors (segments/errors.py).

Shaped after S3 and Cassandra: create-only puts, eventual lists, partitions of a camera-day or camera-month, pages with cursors,
conditional writes. Every adapter inherits the contract suite in tests/contract. All ports are async and raise TryAgain (or Unknown),
Refused or NotFound.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from segments.audit_line import AuditPlace, Line, StoredLine
from segments.digest import Mark
from segments.duty import Duty, Place, Placing
from segments.model import Batch, BatchState, Camera, Footage, Lease, Partition, PartitionKind, Row, RowPosition, Run, Span, StateChange
from segments.receipt import Receipt
from segments.record import Record
from segments.usage import DayUsage, PackedHistory, UsageSum

T = TypeVar("T")
C = TypeVar("C")

Body = bytes | Path
"""What a put stores: bytes, or a file of this machine whose content does not change meanwhile."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T, C]):
    """Part of a listing, in the listing's order; `next` is the cursor of the next page, None at the end."""

    items: Sequence[T]
    next: C | None


# --- objects ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store says of an object. `sha256` (hex) is the hash given at its put, empty if it was put by others without one."""

    key: str
    size: int
    version: str
    sha256: str
    attributes: Mapping[str, str]


class ListedObject(NamedTuple):
    """One entry of a listing."""

    key: str
    size: int


class PutObject(Protocol):
    """Create-only puts."""

    async def put(self, key: str, body: Body, *, sha256: str, attributes: Mapping[str, str]) -> str:
        """Stores an object that survives a power cut and returns its version id ('' where the store has none).

        Never overwrites: raises Conflict if the key is taken, whatever its content. The store refuses bytes that are not of this SHA-256
        (hex): DataDamaged. After TryAgain or Unknown the object may be there.
        """


class ReadObject(Protocol):
    """Reads by range."""

    async def head(self, key: str) -> ObjectInfo:
        """Its facts without its bytes; raises NotFound."""

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` to `end` (excluded; None: to its end); raises NotFound.

        A range past the end is cut; an empty one gives b''.
        """

    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The same in pieces of some MiB, for long ranges."""


class ListObjects(Protocol):
    """Listings, in order of key; eventual: an object put a moment ago may be missing."""

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Page[ListedObject, str]:
        """Objects whose key starts with `prefix` and is greater than `after`."""


class DeleteObjects(Protocol):
    """Removal. Its callers in the product are the door out, and healing, which puts good bytes in the place of damaged ones (ADR 0029)."""

    async def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Removes up to 1,000 objects; a missing one counts as removed. Returns reason by key for those that were refused."""


class ObjectVersion(NamedTuple):
    """One version of an object, or the mark of a deletion (size 0); `version` is '' where the store has none."""

    key: str
    version: str
    size: int


class Versions(Protocol):
    """All that a store keeps, older versions and marks of deletions included. The callers of its removal are those of `DeleteObjects`."""

    def versions(self, prefix: str) -> AsyncIterator[ObjectVersion]:
        """All versions of all objects whose key starts with `prefix`, in no order; an object that is there when it begins is not missed."""

    async def delete_versions(self, doomed: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Removes up to 1,000 versions, by key and version, for good and without leaving a mark; a missing one counts as removed.

        Returns the reason by key and version for those that were refused.
        """


class LegalHolds(Protocol):
    """Legal holds in the store itself (S3 Object Lock): such a version cannot be removed by anybody."""

    async def set_legal_hold(self, key: str, version: str, held: bool) -> None:
        """Sets or lifts it (idempotent). Raises NotFound, and Refused where the pool has no locks."""

    async def legal_hold(self, key: str, version: str) -> bool:
        """Whether it is set; raises as `set_legal_hold` does."""


class SignLinks(Protocol):
    """Links that open one object without a login, for a short time."""

    async def link(self, key: str, version: str, seconds: int, range_header: str | None = None) -> str | None:
        """An address that gives the bytes of this object, ranges too, for so many seconds; whether it is there is not asked.

        With `range_header` it gives this range alone, to a request whose Range header is the very same text. None where the pool has no
        links. Whoever has a link can use it: it is as good as the bytes.
        """


class ObjectStore(PutObject, ReadObject, ListObjects, DeleteObjects, Versions, LegalHolds, SignLinks, Protocol):
    """All abilities of a pool; callers ask for the least they need."""


# --- footage in the index ----------------------------------------------------------------------------------------------


WRITE_LIMIT_S = 10.0
"""A row that is published becomes visible within so long of the call, or never, whatever the call answers."""


class WriteRows(Protocol):
    """Rows in. Called by segments/commit.py, the index rebuild, where a deletion is taken back, and by healing. See `WRITE_LIMIT_S`."""

    async def publish(self, row: Row) -> None:
        """Writes a row (idempotent; the newest write of a key wins); it survives a power cut when this returns."""

    async def publish_many(self, rows: Sequence[Row]) -> None:
        """The same for up to some thousand rows of one camera-day."""


class ReadRows(Protocol):
    """Rows out, a camera-day at a time."""

    async def rows(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        """Rows of a camera-day in order of (start, run, counter), those greater than `after`."""

    async def row(self, camera: str, position: RowPosition) -> Row:
        """One row; raises NotFound."""

    async def footage(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Footage, RowPosition]:
        """The rows of a camera-day as `rows` gives them, without what only playing them needs: a fifth of the work."""

    async def marks(self, camera: str, day: date, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Mark, RowPosition]:
        """The same of what comparing them with those of another site needs."""


class Runs(Protocol):
    """Runs, listed in each camera-month in which they have footage."""

    async def put_run(self, run: Run) -> None:
        """Writes a run and lists it in every UTC month from its start to its last moment (idempotent).

        `last_us` never moves back and an ended run stays ended, whatever order puts come in.
        """

    async def run(self, camera: str, run_id: str) -> Run:
        """One run; raises NotFound."""

    async def runs(self, camera: str, month: date, *, after: str = "", limit: int = 1000) -> Page[Run, str]:
        """Runs with footage in the UTC month whose first day is `month`, in order of a cursor text that begins with their start."""


class States(Protocol):
    """Changes of the cameras' states, by camera-month."""

    async def put_state(self, change: StateChange) -> None:
        """Writes a change (idempotent by camera and moment; the last write wins)."""

    async def states(self, camera: str, month: date, *, after_us: int = -1, limit: int = 1000) -> Page[StateChange, int]:
        """Changes of a camera in a UTC month in order of time, those later than `after_us`."""

    async def state_before(self, camera: str, at_us: int) -> StateChange | None:
        """The last change at or before a moment, however long ago; None if there was none."""


class Batches(Protocol):
    """Deletion batches by camera-day."""

    async def batch(self, camera: str, day: date) -> Batch | None:
        """The batch of a camera-day, None if there is none; linearizable with `put_batch`."""

    async def put_batch(self, batch: Batch, *, expect: BatchState | None) -> None:
        """Writes the batch if its present state is `expect` (None: there is none); else Conflict."""

    async def forget_batch(self, camera: str, day: date, *, expect: BatchState) -> None:
        """Removes the batch if its present state is `expect`; else Conflict."""


class BatchRows(Protocol):
    """The rows of a batch, in a table of the batch's key: those of another batch of the same camera-day are never mixed in."""

    async def put_batch_rows(self, batch: Batch, rows: Sequence[Row]) -> None:
        """Adds rows to a batch (idempotent); they survive a power cut when this returns."""

    async def batch_rows(self, batch: Batch, *, after: RowPosition | None = None, limit: int = 1000) -> Page[Row, RowPosition]:
        """Rows of a batch in order of position, those greater than `after`."""

    async def remove_batch_rows(self, batch: Batch) -> None:
        """Removes all rows of a batch; fine if there are none."""


class Unpublish(Protocol):
    """Rows out. The door out is its only caller."""

    async def unpublish(self, batch: Batch, positions: Sequence[RowPosition] | None) -> None:
        """Takes these rows of a LISTED batch's camera-day out of the index (None: all of them), as they were at its `listed_us`.

        What was published after that moment stays, also where it was there before and is published again; so a call for a batch that was
        given back meanwhile does no harm, however late it arrives. Idempotent.
        """


class Partitions(Protocol):
    """Which partitions there are: for those who go through a whole index. Nothing that users wait for needs it."""

    async def partitions(self, kind: PartitionKind, *, after: str = "", limit: int = 1000) -> Page[Partition, str]:
        """Partitions that hold something of this kind, each once, in an order of the index's own, those behind a page's cursor.

        Eventual: one that is made or emptied meanwhile may be missing or be listed. A cursor stays good.
        """


class Usage(Protocol):
    """What camera-days keep, summed by pool: counted from rows, so that a count may be repeated at any time, by anyone."""

    async def row_sums(self, camera: str, day: date) -> Mapping[str, UsageSum]:
        """The rows of a camera-day, summed by pool."""

    async def put_usage(self, camera: str, day: date, sums: Mapping[str, UsageSum]) -> None:
        """Writes the sums of a camera-day in place of those before; none: nothing of it is kept (idempotent)."""

    async def usage(self, month: date, bucket: int) -> Sequence[DayUsage]:
        """All sums of a UTC month, of the cameras of a bucket (segments/shards.py), in order of camera, day and pool."""

    async def usage_months(self) -> Sequence[date]:
        """The first days of the months there are sums of, in order; a month that was emptied may be listed."""


class UsageHistory(Protocol):
    """What was recorded by day: it outlives the footage and its sums, and nothing can count it again. Linearizable."""

    async def usage_history(self, month: date, bucket: int) -> PackedHistory:
        """The history of a UTC month, of the cameras of a bucket; of revision 0 where there is none."""

    async def put_usage_history(self, history: PackedHistory) -> None:
        """Writes revision n if the present one is n - 1; else Conflict. Idempotent. Up to some MiB."""

    async def usage_history_months(self) -> Sequence[date]:
        """The first days of the months there is history of, in order."""


class WriteReceipts(Protocol):
    """Receipts in. The door out is its only caller."""

    async def put_receipt(self, receipt: Receipt) -> None:
        """Adds a receipt to its chain, for good; raises Conflict if another one has its number there. Idempotent. Never overwrites."""

    async def last_receipt(self, chain: str) -> Receipt | None:
        """The one of the highest number in a chain, None if it has none; never an older one than a call before has shown."""


class ReadReceipts(Protocol):
    """What was deleted."""

    async def receipts(self, camera: str, month: date) -> Sequence[Receipt]:
        """Receipts of the camera-days of a UTC month, in order of day, chain and number."""

    async def receipt_chain(self, chain: str, *, after: int = 0, limit: int = 100) -> Page[Receipt, int]:
        """Receipts of a chain in order of number, those greater than `after`."""

    async def receipt_chains(self) -> Sequence[str]:
        """The names of all chains, in order."""

    async def deleted(self, camera: str, month: date) -> Sequence[Span]:
        """When there was footage that receipts of a UTC month's camera-days name, joined, in order; far cheaper than `receipts`."""


class WriteAudit(Protocol):
    """The register in. Nothing takes a line out again or changes it."""

    async def put_audit(self, lines: Sequence[Line]) -> None:
        """Adds up to 1,000 lines that follow each other in one chain, for good: all of them or none.

        They survive a power cut when this returns. Raises Conflict if another line has one of their numbers. Idempotent; never overwrites.
        """


class ReadAudit(Protocol):
    """The register out: chain by chain for those who check it, by day or by camera for those who look for something.

    The latter raises DataDamaged where a line is not as it was written.
    """

    async def last_audit(self, chain: str) -> Line | None:
        """The line of the highest number in a chain, None if it has none; never an older one than a call before has shown."""

    async def audit_chain(self, chain: str, *, after: int = 0, limit: int = 100) -> Page[StoredLine, int]:
        """Lines of a chain as they are stored, in order of number, those greater than `after`; whatever has become of their texts."""

    async def audit_chains(self) -> Sequence[str]:
        """The names of all chains, in order."""

    async def audit_of_day(self, day: date, *, after: AuditPlace | None = None, limit: int = 100) -> Page[Line, AuditPlace]:
        """Acts done on a UTC day in order of place, those behind `after`."""

    async def audit_of_camera(
        self, camera: str, month: date, *, after: AuditPlace | None = None, limit: int = 100
    ) -> Page[Line, AuditPlace]:
        """Acts on a camera that were done in the UTC month whose first day is `month`, in order of place, those behind `after`."""


class Records(Protocol):
    """Small documents that people's decisions are kept in (policies, holds), each with a revision. Linearizable."""

    async def put_record(self, record: Record) -> None:
        """Writes a record of revision n if the present one is of n - 1 (1: there is none); else Conflict. Idempotent."""

    async def remove_record(self, record: Record) -> None:
        """Removes a record if it is still of this revision, else Conflict; fine if it is gone. For what need not be proved later."""

    async def record(self, kind: str, record_id: str) -> Record:
        """One record; raises NotFound."""

    async def records(self, kind: str) -> Sequence[Record]:
        """All records of a kind, in order of id."""


# --- cameras --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CameraFilter:
    """What a camera listing is narrowed to: a class, and an area path with all areas below it. Empty: all cameras."""

    camera_class: int | None = None
    area: str = ""


ALL_CAMERAS = CameraFilter()


class Cameras(Protocol):
    """The camera archive."""

    async def add_camera(self, camera: Camera) -> None:
        """Adds a camera; raises Conflict if the id is taken (a removed camera's id is free again)."""

    async def set_camera(self, camera: Camera) -> None:
        """Replaces a camera that is there; raises NotFound."""

    async def remove_camera(self, camera_id: str) -> None:
        """Takes a camera out of the archive; its footage stays. Raises NotFound."""

    async def camera(self, camera_id: str) -> Camera:
        """One camera; raises NotFound."""

    async def cameras(self, only: CameraFilter = ALL_CAMERAS, *, after: str = "", limit: int = 1000) -> Page[Camera, str]:
        """Cameras in order of id, those with an id greater than `after`."""


class Credentials(Protocol):
    """Sealed users and passwords of cameras; only the uploader opens them."""

    async def put_credential(self, camera_id: str, sealed: bytes) -> None:
        """Writes or replaces."""

    async def credential(self, camera_id: str) -> bytes | None:
        """The sealed credential, None if the camera has none."""

    async def remove_credential(self, camera_id: str) -> None:
        """Removes it; fine if there is none."""


class CameraChanges(Protocol):
    """The archive by buckets (segments/shards.py), for those who follow it: they read again only what has changed."""

    async def camera_stamps(self) -> Mapping[int, str]:
        """For each bucket that was ever written to a text that differs after every change of a camera or a credential in it.

        A change is visible in its bucket before its stamp is.
        """

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """All cameras of a bucket, in order of id."""

    async def credentials_in(self, bucket: int) -> Mapping[str, bytes]:
        """The sealed credentials of a bucket, by camera."""


# --- duties ------------------------------------------------------------------------------------------------------------


class Leases(Protocol):
    """Leases of duties. Linearizable; epochs rise over the whole site and none is given twice.

    When a lease may be taken is not the index's to know: that is `segments.lease_watch`, by the taker's own monotonic clock.
    """

    async def acquire(self, duty: Duty, holder: str, *, seen: Lease | None, now_us: int, ttl_us: int) -> Lease | None:
        """Takes the duty in a new epoch if its lease is still as `seen` (same epoch, renewals and `free`; None: there was none).

        None if it is not: look again. After Unknown the duty may be ours: read `lease`.
        """

    async def renew(self, lease: Lease, *, now_us: int, ttl_us: int) -> Lease | None:
        """Prolongs the lease if this epoch still is the duty's, however long ago it ran out; None if it was lost or given back."""

    async def release(self, lease: Lease, *, now_us: int) -> None:
        """Gives the lease back (`free`) if this epoch still is the duty's."""

    async def lease(self, duty: Duty) -> Lease | None:
        """The present lease of a duty, kept or not; never an older one than any call before on this index has shown."""

    async def spend_epochs(self, through: int) -> None:
        """Gives no epoch up to this one any more: an index made anew must not hand out epochs that are in keys already."""


class Places(Protocol):
    """Where duties can be done, and where they should be."""

    async def put_place(self, place: Place) -> None:
        """Writes what a place says of itself; its `draining` is not touched."""

    async def remove_place(self, name: str) -> None:
        """Forgets a place and its placings; fine if there is none."""

    async def places(self) -> Sequence[Place]:
        """All places that were ever heard of and not removed, in order of name."""

    async def set_draining(self, name: str, draining: bool) -> None:
        """An administrator's wish; raises NotFound."""

    async def put_placing(self, placing: Placing) -> None:
        """Writes a placing, in place of the one of the same duty and place if there is one."""

    async def remove_placing(self, placing: Placing) -> None:
        """Removes the placing of this duty and place; fine if there is none."""

    async def placings(self, place: str) -> Sequence[Placing]:
        """All placings of a place, in order."""


class Index(
    WriteRows,
    ReadRows,
    Runs,
    States,
    Batches,
    BatchRows,
    Unpublish,
    Partitions,
    Usage,
    UsageHistory,
    WriteReceipts,
    ReadReceipts,
    WriteAudit,
    ReadAudit,
    Records,
    Cameras,
    Credentials,
    CameraChanges,
    Leases,
    Places,
    Protocol,
):
    """All abilities of an index; callers ask for the least they need."""

    async def close(self) -> None:
        """Lets go of connections and threads."""
