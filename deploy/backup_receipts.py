"""Receipts of backups: the older ones lie in files of their own, which all later backups share. No such file is ever removed.

    _keepsight/receipts/<site>/<chain>/<number of its last>.<backup it was made with>.jsonl.gz

A file is a stretch of a chain as `keepsight receipts export` writes it, compressed. A receipt names the one before it by its SHA-256: if
the last one of a file is that of the index, so are all before it. After a restore a chain may go on with others than before the loss;
files that are not the index's any more are left out then.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from deploy.backup_objects import BackupCard, BackupObjects, ReceiptFile, listed_below
from segments.clock import US_PER_DAY, Clock
from segments.errors import BadInput, DataDamaged, NotFound
from segments.keys import OUR_FOLDER
from segments.patience import patiently
from segments.ports import ReadObject, ReadReceipts
from segments.receipt import Receipt, parse_receipt
from segments.receipt_chains import receipts_of
from segments.stores.sqlite_index import open_sqlite_index

FILE_BYTES = 32 << 20
"""A file ends with the receipt that reaches so much text. What comes behind the last file, always the last receipt of a chain, is in the
backup itself."""
READ_AGAIN_DAYS = 30
"""Within so many days each file is read again, some with each backup."""

log = logging.getLogger(__name__)


class _Stretch(NamedTuple):
    """Receipts that follow each other, as lines, and the last of them."""

    lines: Sequence[str]
    last: Receipt


@dataclass(frozen=True, slots=True)
class SharedReceipts:
    """The receipt files of a backup that is being made: of a site, under a name, at a moment."""

    site: str
    name: str
    made_us: int
    index: ReadReceipts
    objects: BackupObjects
    clock: Clock

    async def files(self, before: Sequence[ReceiptFile]) -> tuple[ReceiptFile, ...]:
        """Those of the backup before that still hold, and new ones; each chain's in order. What is missing or damaged is written anew."""
        sizes = {listed.key: listed.size async for listed in listed_below(self.objects, f"{OUR_FOLDER}receipts/{self.site}/", self.clock)}
        found: list[ReceiptFile] = []
        for chain in await self.index.receipt_chains():
            found += await self._of_chain(chain, [file for file in before if file.chain == chain], sizes)
        return tuple(found)

    async def _of_chain(self, chain: str, known: list[ReceiptFile], sizes: Mapping[str, int]) -> list[ReceiptFile]:
        while known and not await self._is_ours(known[-1]):
            known.pop()
        files: list[ReceiptFile] = []
        last = 0
        for file in known:
            if await self._is_good(file, sizes):
                files.append(file)
            else:
                log.warning("backup.receipts-lost: %s is missing or damaged; what was in it is written anew", file.key)
                files += [await self._put(stretch) async for stretch in self._stretches(chain, last, file.last)]
            last = file.last
        return files + [await self._put(stretch) async for stretch in self._stretches(chain, last)]

    async def _is_ours(self, file: ReceiptFile) -> bool:
        try:
            return (await receipt_at(self.index, file.chain, file.last)).digest == file.digest
        except NotFound:
            return False

    async def _is_good(self, file: ReceiptFile, sizes: Mapping[str, int]) -> bool:
        """By its size, and when it is its turn by its bytes."""
        if sizes.get(file.key) != file.size_bytes:
            return False
        if (zlib.crc32(file.key.encode()) + self.made_us // US_PER_DAY) % READ_AGAIN_DAYS:
            return True
        try:
            await _fetched(file, self.objects, self.clock)
        except (NotFound, DataDamaged):
            return False
        return True

    async def _stretches(self, chain: str, after: int, last: int = 0) -> AsyncIterator[_Stretch]:
        """The receipts behind a number, cut where a file is full; up to `last`, or (0) as far as files become full and more comes."""
        lines: list[str] = []
        size, before = 0, None
        async for receipt in receipts_of(self.index, [chain], self.clock, after=after):
            if before is not None and size >= FILE_BYTES:
                yield _Stretch(lines, before)
                lines, size = [], 0
            lines.append(f"{receipt.text}\n")
            size, before = size + len(lines[-1]), receipt
            if receipt.number == last:
                yield _Stretch(lines, receipt)
                return

    async def _put(self, stretch: _Stretch) -> ReceiptFile:
        """As a file, read back."""
        data, last = await asyncio.to_thread(_packed, stretch.lines), stretch.last
        key = f"{OUR_FOLDER}receipts/{self.site}/{last.chain}/{last.number:012}.{self.name}.jsonl.gz"
        file = ReceiptFile(last.chain, last.number, last.digest, key, len(data), hashlib.sha256(data).hexdigest())
        await self.objects.put(key, data, sha256=file.sha256, attributes={})
        await _fetched(file, self.objects, self.clock)
        return file


async def receipt_at(index: ReadReceipts, chain: str, number: int) -> Receipt:
    """One receipt; raises NotFound."""
    found = (await index.receipt_chain(chain, after=number - 1, limit=1)).items
    if not found or found[0].number != number:
        raise NotFound(f"there is no receipt {number} in chain {chain}")
    return found[0]


async def bring_receipts(card: BackupCard, objects: ReadObject, file: Path, clock: Clock) -> None:
    """Puts what is in a backup's receipt files into it as it was fetched: so it is whole. Raises DataDamaged, NotFound."""
    if not card.receipts:
        return
    index = await open_sqlite_index(file, synced=False)
    try:
        for each in card.receipts:
            for receipt in _unpacked(await _fetched(each, objects, clock), each.key):
                await index.put_receipt(receipt)
    finally:
        await index.close()


async def refuse_part(index: ReadReceipts) -> None:
    """Raises BadInput for a backup whose receipts do not begin with the first: that they lie in files of the pool only its card says."""
    for chain in await index.receipt_chains():
        first = (await index.receipt_chain(chain, limit=1)).items[0].number
        if first != 1:
            raise BadInput(
                f"the receipts of chain {chain} before number {first} are not in this file but beside it in the pool: restore it from "
                f"there by its name, or write one to a file with `keepsight backup make --to`"
            )


async def _fetched(file: ReceiptFile, objects: ReadObject, clock: Clock) -> bytes:
    data = await patiently(partial(objects.get, file.key), clock)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise DataDamaged(f"{file.key!r}, receipts of backups, is damaged; put its bytes back, or restore a backup without it")
    return data


def _packed(lines: Sequence[str]) -> bytes:
    return gzip.compress("".join(lines).encode(), mtime=0)


def _unpacked(data: bytes, key: str) -> Iterator[Receipt]:
    try:
        yield from map(parse_receipt, gzip.decompress(data).decode().removesuffix("\n").split("\n"))
    except (OSError, EOFError, zlib.error, ValueError, BadInput) as error:
        raise DataDamaged(f"{key!r} has no receipts that can be read ({error})") from None
