"""Backups in a pool: a file in pieces, and behind them a card that says that all of them are there.

    _keepsight/backup/<site>/<moment>.sqlite.<number>   the pieces, in order
    _keepsight/backup/<site>/<moment>.json              the card, put last: what has none is no backup

No camera can be called `_keepsight`, so nothing of it is taken for footage. Older receipts lie beside (deploy/backup_receipts.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from segments.clock import Clock, to_datetime
from segments.errors import BadInput, DataDamaged, NotFound, TryAgain
from segments.keys import OUR_FOLDER
from segments.patience import patiently
from segments.ports import ListedObject, ListObjects, ObjectVersion, PutObject, ReadObject, Versions

PIECE_BYTES = 64 << 20
"""One piece is in memory at a time; a put takes 1 GiB at most, and the receipts of a large site are more."""
MOST_KEYS = 1000
_SUFFIX = ".json"
_NAME = re.compile(r"\d{8}T\d{6}Z")


class BackupObjects(PutObject, ReadObject, ListObjects, Versions, Protocol):
    """What backups need of a pool."""


@dataclass(frozen=True, slots=True)
class ReceiptFile:
    """Receipts of a `chain` up to number `last`, whose text has the SHA-256 `digest`, as an object that backups share."""

    chain: str
    last: int
    digest: str
    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BackupCard:
    """A backup in a pool. `pieces`: their SHA-256, in order; `contents`: how many cameras, records and the like are in it.

    `receipts`: the files that have the receipts which are not in the pieces; `size_bytes` is without them.
    """

    name: str
    site: str
    made_us: int
    size_bytes: int
    pieces: tuple[str, ...]
    contents: Mapping[str, int]
    receipts: tuple[ReceiptFile, ...] = ()

    @property
    def key(self) -> str:
        """The key of its card."""
        return f"{_folder(self.site)}{self.name}{_SUFFIX}"

    def piece_key(self, number: int) -> str:
        """The key of a piece."""
        return f"{_folder(self.site)}{self.name}.sqlite.{number:05d}"


def backup_name(made_us: int) -> str:
    """Of a backup that is made at a moment."""
    return f"{to_datetime(made_us):%Y%m%dT%H%M%SZ}"


async def put_backup(objects: PutObject, file: Path, draft: BackupCard) -> BackupCard:
    """Puts a file, piece by piece, and then its card, whose size and pieces are not known before; create-only.

    Raises Conflict if there is one of that second.
    """
    pieces: list[str] = []
    with file.open("rb") as opened:
        while data := await asyncio.to_thread(opened.read, PIECE_BYTES):
            pieces.append(_sha256(data))
            await objects.put(draft.piece_key(len(pieces) - 1), data, sha256=pieces[-1], attributes={})
    card = replace(draft, size_bytes=file.stat().st_size, pieces=tuple(pieces))
    text = json.dumps(asdict(card), ensure_ascii=False, sort_keys=True).encode()
    await objects.put(card.key, text, sha256=_sha256(text), attributes={})
    return card


async def backups(objects: BackupObjects, site: str, clock: Clock) -> list[BackupCard]:
    """All backups of a site that are whole, by their cards, the oldest first; a card that cannot be read is DataDamaged."""
    return [await _card(objects, key, clock) async for key in _keys(objects, site, clock) if key.endswith(_SUFFIX)]


async def newest_backup(objects: BackupObjects, site: str, clock: Clock) -> BackupCard | None:
    """The newest whose card can be read, None if there is none."""
    for key in sorted([key async for key in _keys(objects, site, clock) if key.endswith(_SUFFIX)], reverse=True):
        with contextlib.suppress(DataDamaged, NotFound):
            return await _card(objects, key, clock)
    return None


async def backup_named(objects: BackupObjects, site: str, name: str, clock: Clock) -> BackupCard:
    """One of them: by its name, by its key, or `latest`. Raises NotFound, and BadInput for what is no name."""
    if name == "latest":
        found = await backups(objects, site, clock)
        if not found:
            raise NotFound(f"there is no backup of site {site} in this pool")
        return found[-1]
    short = name.removeprefix(_folder(site)).removesuffix(_SUFFIX)
    if _NAME.fullmatch(short) is None:
        raise BadInput(f"{name!r} names no backup: give `latest`, a name of `keepsight backup list`, or a file")
    return await _card(objects, f"{_folder(site)}{short}{_SUFFIX}", clock)


async def fetch(objects: ReadObject, card: BackupCard, file: Path, clock: Clock) -> None:
    """Writes a backup into a new file. Raises DataDamaged for bytes that are not those that were put, NotFound for a missing piece."""
    with file.open("xb") as opened:
        for number, sha256 in enumerate(card.pieces):
            data = await patiently(partial(objects.get, card.piece_key(number)), clock)
            if _sha256(data) != sha256:
                raise DataDamaged(f"{card.piece_key(number)!r} of the backup {card.name} is damaged; take another one")
            await asyncio.to_thread(_write, opened, data)
    if file.stat().st_size != card.size_bytes:
        raise DataDamaged(f"the backup {card.name} has {file.stat().st_size} bytes, and should have {card.size_bytes}; take another one")


async def prune(objects: BackupObjects, *, site: str, keep: int, clock: Clock) -> Mapping[str, str]:
    """Removes all but the newest `keep` backups, in all versions; returns the reason by key of what the pool does not let go."""
    keys = [key async for key in _keys(objects, site, clock)]
    doomed = superfluous(keys, keep)
    found: list[ObjectVersion] = []
    for key in doomed:
        found += [each async for each in objects.versions(key) if each.key == key]
    refused: dict[str, str] = {}
    for start in range(0, len(found), MOST_KEYS):
        some = [(each.key, each.version) for each in found[start : start + MOST_KEYS]]
        refused |= {key: reason for (key, _), reason in (await objects.delete_versions(some)).items()}
    return refused


def superfluous(keys: Iterable[str], keep: int) -> list[str]:
    """What of a site's backups goes: all that is older than the newest `keep` whole ones, cards first. Pure.

    What was begun and never became whole goes with its time: it may be another's that is being put just now.
    """
    by_name: dict[str, list[str]] = {}
    for key in keys:
        by_name.setdefault(_name_of(key), []).append(key)
    whole = sorted(name for name, own in by_name.items() if _has_card(own))
    if len(whole) <= keep:
        return []
    doomed = [key for name, own in by_name.items() if name < whole[-keep] for key in own]
    return sorted(doomed, key=lambda key: (not key.endswith(_SUFFIX), key))


# --- keys ---


def _folder(site: str) -> str:
    return f"{OUR_FOLDER}backup/{site}/"


def _name_of(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]


def _has_card(keys: Collection[str]) -> bool:
    return any(key.endswith(_SUFFIX) for key in keys)


async def listed_below(objects: ListObjects, prefix: str, clock: Clock) -> AsyncIterator[ListedObject]:
    """All objects whose keys begin so."""
    cursor: str | None = ""
    while cursor is not None:
        page = await patiently(partial(objects.list, prefix, after=cursor), clock)
        for listed in page.items:
            yield listed
        cursor = page.next


async def _keys(objects: ListObjects, site: str, clock: Clock) -> AsyncIterator[str]:
    async for listed in listed_below(objects, _folder(site), clock):
        yield listed.key


async def _card(objects: ReadObject, key: str, clock: Clock) -> BackupCard:
    data = await patiently(partial(objects.get, key), clock)
    try:
        values = json.loads(data)
        receipts = tuple(ReceiptFile(**each) for each in values.get("receipts", ()))
        return BackupCard(**values | {"pieces": tuple(values["pieces"]), "receipts": receipts})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise DataDamaged(f"{key!r}, the card of a backup, cannot be read; take another backup") from None


def _write(opened: BinaryIO, data: bytes) -> None:
    try:
        opened.write(data)
        opened.flush()
    except OSError as error:
        raise TryAgain(f"a backup cannot be written to {opened.name} ({error.strerror})") from None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
