"""Backups of all that is not footage: cameras, sealed passwords, records, receipts, usage's history and epochs, as one SQLite index file.

Footage describes itself: its rows and runs are made anew from the pools (segments/rebuild.py). The key of the camera passwords is in no
backup: who finds one cannot open a password.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from deploy.backup_objects import BackupCard, BackupObjects, ReceiptFile, backup_name, fetch, newest_backup, prune, put_backup
from deploy.backup_receipts import SharedReceipts, receipt_at
from deploy.settings import Settings
from deploy.usage_report import REPORTS as USAGE_REPORTS
from deploy.wiring import Stores, make_folder
from playback.exports.job import EXPORT
from playback.identity.oidc_bearers import BEARERS
from playback.identity.sessions import SESSIONS
from playback.sensitive.consent import CONSENT
from replication.copy_values import COPY
from replication.lag_record import COPY_LAG
from replication.scrub_progress import SCRUB
from replication.site_record import SITE
from segments.clock import US_PER_DAY, US_PER_HOUR, US_PER_S, Clock
from segments.errors import BadInput, Conflict, NotFound, StartRefused
from segments.index_copy import BUT_FOOTAGE, CopySource, copy_index
from segments.index_read import ORDER, ReadIndex, archive_of, records_of
from segments.model import PartitionKind
from segments.ports import Index, Partitions, Records
from segments.receipt import Receipt
from segments.record import KINDS, new_record
from segments.shards import CAMERA_BUCKETS
from segments.stores.sqlite_check import check_file
from segments.stores.sqlite_index import open_sqlite_index
from segments.takeover import TAKEN, TAKEOVER

BACKUPS = "backup"
"""The kind of the records: `this` in a backup, `last` and `restored` in an index."""
OF_THE_MOMENT = frozenset(
    {BACKUPS, "sweep-clock", COPY, COPY_LAG, TAKEOVER, TAKEN, SITE, SCRUB, SESSIONS, BEARERS, CONSENT, EXPORT, USAGE_REPORTS}
)
"""Records that say nothing elsewhere or later: they are in no backup, and what one has of them is not restored.

How far copies and the scrub are would pass over what the restored index lacks. Who records for whom is asked of the other sites before
anything is recorded; a takeover that was given back meanwhile must not stand again, nor a session that has
ended, nor a consent that was withdrawn. What is known to be
damaged is carried: it is looked at again each hour.
"""
CARRIED = frozenset(KINDS) - OF_THE_MOMENT
_THIS = "this"
_LAST = "last"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a backup says of itself. `id` tells it from all others; `camera_key`: the fingerprint of the key its passwords are sealed with,
    '' if there was none.
    """

    id: str
    site: str
    made_us: int
    version: str
    camera_key: str


@dataclass(frozen=True, slots=True)
class LastBackup:
    """When this site wanted its first backup, and made its last one (0: never): its name, pool and size."""

    since_us: int
    made_us: int = 0
    name: str = ""
    pool: str = ""
    size_bytes: int = 0


class CountedIndex(ReadIndex, Protocol):
    """What is read to count."""

    async def last_receipt(self, chain: str) -> Receipt | None:
        """See `WriteReceipts`."""


# --- making one ---


async def make_backup(settings: Settings, stores: Stores, clock: Clock) -> BackupCard:
    """Puts a backup into the pool of the settings, reads it back, and then removes those that are too many.

    Raises BadInput if no pool is set, DataDamaged if what is read back is not what was put, and as the stores do.
    """
    pool = settings.replication.backup_pool
    if not pool:
        raise BadInput("there is no pool for backups: set replication.backup_pool, or write one to a file with --to")
    objects = stores.pools[pool]
    with working_folder(settings, clock) as folder:
        file, made_us = folder / "backup.sqlite", clock.now_us()
        site, name = settings.site.name, backup_name(made_us)
        before = await newest_backup(objects, site, clock)
        sharing = SharedReceipts(site, name, made_us, stores.index, objects, clock)
        receipts = await sharing.files(before.receipts if before else ())
        contents = await write_backup(file, settings, stores.index, clock, shared=receipts)
        card = await put_backup(objects, file, BackupCard(name, site, made_us, 0, (), contents, receipts))
        await fetch(objects, card, folder / "read-back.sqlite", clock)
    log.info("backup.made: %s in pool %s, %d bytes", card.name, pool, card.size_bytes)
    await _note(stores.index, made_us, LastBackup(made_us, made_us, card.name, pool, card.size_bytes))
    await _prune(objects, settings, clock)
    return card


async def write_backup(
    file: Path, settings: Settings, index: CopySource, clock: Clock, *, shared: Sequence[ReceiptFile] = ()
) -> dict[str, int]:
    """Writes a new SQLite index file (0600) with all but footage, whole when this returns; gives what is in it.

    Receipts that these files have are left out, but for the last one of each chain's.
    """
    target = await open_sqlite_index(file, synced=False)  # nobody reads it before it is whole
    try:
        for chain, number in {each.chain: each.last for each in shared}.items():
            await target.put_receipt(await receipt_at(index, chain, number))  # a copy goes on behind what is there
        await copy_index(index, target, clock, so_far=BUT_FOOTAGE, kinds=CARRIED)
        contents = await contents_of(target, clock)
        origin = Origin(uuid4().hex, settings.site.name, clock.now_us(), version("keepsight"), camera_key(settings))
        await target.put_record(new_record(BACKUPS, _THIS, asdict(origin)))
    finally:
        await target.close()  # what is in SQLite's log goes into the file then
    if file.with_name(f"{file.name}-wal").exists():
        raise Conflict(f"{file} is open elsewhere: it is not whole; make another backup")
    return contents


async def _prune(objects: BackupObjects, settings: Settings, clock: Clock) -> None:
    left = await prune(objects, site=settings.site.name, keep=settings.replication.backup_keep, clock=clock)
    if left:
        key, reason = min(left.items())
        log.warning("backup.left: %d objects of old backups cannot be removed, %s the first of them: %s", len(left), key, reason)


async def _note(records: Records, since_us: int, last: LastBackup) -> None:
    """Of two that note at once, one stands."""
    values = asdict(last)
    try:
        present = await records.record(BACKUPS, _LAST)
        record = present.changed(values | {"since_us": present.values["since_us"]})
    except NotFound:
        record = new_record(BACKUPS, _LAST, values | {"since_us": since_us})
    try:
        await records.put_record(record)
    except Conflict:
        return


async def last_backup(records: Records) -> LastBackup | None:
    """What is known of the last one; None if none was ever wanted."""
    try:
        return LastBackup(**(await records.record(BACKUPS, _LAST)).values)
    except NotFound:
        return None


async def wanted_since(records: Records, now_us: int) -> LastBackup:
    """The same, noted as wanted from now on if nothing is known."""
    last = await last_backup(records)
    if last is None:
        last = LastBackup(now_us)
        await _note(records, now_us, last)
    return last


def due_us(last: LastBackup, settings: Settings) -> int:
    """When the next one is due."""
    return last.made_us + settings.replication.backup_every_h * US_PER_HOUR if last.made_us else last.since_us


# --- reading one ---


@asynccontextmanager
async def opened_backup(file: Path) -> AsyncIterator[tuple[Index, Origin]]:
    """A backup as an index, and what it says of itself; nothing of `file` is promised to stay as it was.

    Raises DataDamaged for a file that is damaged or no index, StartRefused for one of a newer program, and BadInput for an index that is
    no backup.
    """
    await asyncio.to_thread(check_file, file)
    index = await open_sqlite_index(file)
    try:
        try:
            origin = Origin(**(await index.record(BACKUPS, _THIS)).values)
        except NotFound:
            raise BadInput(f"{file.name} is an index, but no backup: nothing says of which site it is and when it was made") from None
        yield index, origin
    finally:
        await index.close()


async def contents_of(index: CountedIndex, clock: Clock) -> dict[str, int]:
    """How many cameras, passwords, records, months of usage, receipts and lines of the register there are."""
    cameras = passwords = 0
    for bucket in range(CAMERA_BUCKETS):
        kinds = [kind for kind, _ in await archive_of(index, bucket, clock)]
        cameras += kinds.count("camera")
        passwords += kinds.count("credential")
    records = sum([len(await records_of(index, kind, clock)) for kind in sorted(CARRIED)])
    receipts = sum([last.number for chain in await index.receipt_chains() if (last := await index.last_receipt(chain))])
    acts = sum([line.number for chain in await index.audit_chains() if (line := await index.last_audit(chain))])
    months = len(await index.usage_history_months())
    return {"cameras": cameras, "passwords": passwords, "records": records, "usage months": months, "receipts": receipts, "acts": acts}


async def partitions_of(index: Partitions, kind: PartitionKind, most: int = 0) -> int:
    """How many partitions of a kind there are; with `most`, no further than that."""
    count, after = 0, ""
    while True:
        page = await index.partitions(kind, after=after, limit=most or 1000)
        count += len(page.items)
        if page.next is None or (most and count >= most):
            return count
        after = page.next


async def holds_footage(index: Partitions) -> bool:
    """Whether anything of footage is in an index, or on its way out of it."""
    return any([await partitions_of(index, kind, 1) for kind in ORDER])


def camera_key(settings: Settings) -> str:
    """The fingerprint of the key the camera passwords are sealed with; '' while there is none. It tells nothing of the key."""
    try:
        key = settings.camera_key_path.read_bytes().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StartRefused(f"the key of the camera passwords {settings.camera_key_path} cannot be read ({error.strerror})") from None
    return hashlib.sha256(b"keepsight camera key\n" + key).hexdigest()[:16]


@contextmanager
def working_folder(settings: Settings, clock: Clock) -> Iterator[Path]:
    """A folder of our own (0700), removed at the end; those that dead processes left a day ago are removed, too."""
    make_folder("site.folder", settings.site.folder)
    for left in settings.site.folder.glob("backup-*"):
        with contextlib.suppress(FileNotFoundError):
            if left.is_dir() and left.stat().st_mtime * US_PER_S < clock.now_us() - US_PER_DAY:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=settings.site.folder, prefix="backup-") as folder:
        yield Path(folder)
