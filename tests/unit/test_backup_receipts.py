"""Receipts of backups: written once, shared by all that come after, whole again in a restore, and mended where they are lost."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from deploy import backup_objects, backup_receipts
from deploy.backup import opened_backup
from deploy.backup_objects import BackupCard, fetch
from deploy.restore import planned
from deploy.wiring import Stores
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import BadInput, Conflict, DataDamaged, NotFound
from segments.receipt import Receipt, checked
from segments.stores.memory_index import MemoryIndex
from tests.backup_site import Site, a_site
from tests.retention_builders import a_receipt

CHAIN = "sweep.0-of-1"


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """With a chain of ten receipts beside its others; three of them fill a file."""
    monkeypatch.setattr(backup_receipts, "FILE_BYTES", 2 * len(a_receipt().text) + 100)
    made = await a_site(tmp_path)
    await go_on(made.index, 10)
    return made


async def go_on(index: MemoryIndex, count: int, rule: str = "by rule") -> None:
    """Adds receipts to the chain."""
    last = await index.last_receipt(CHAIN)
    for _ in range(count):
        last = a_receipt(chain=CHAIN, number=last.number + 1 if last else 1, previous=last.digest if last else "", rule=rule)
        await index.put_receipt(last)


async def receipts_in(index: MemoryIndex) -> list[Receipt]:
    """All of the chain."""
    return list((await index.receipt_chain(CHAIN)).items)


async def in_pieces(site: Site, card: BackupCard) -> list[int]:
    """The numbers of the chain's receipts that the backup's own pieces have."""
    file = site.folder / f"{card.name}.pieces"
    await fetch(site.objects, card, file, site.clock)
    async with opened_backup(file) as (index, _):
        return [receipt.number for receipt in (await index.receipt_chain(CHAIN)).items]


def of_chain(card: BackupCard) -> list[int]:
    """Where the files of the chain end."""
    return [file.last for file in card.receipts if file.chain == CHAIN]


async def test_receipts_are_written_once(site: Site) -> None:
    """Each backup adds files for what is new and has the same ones before; its own pieces have the rest, and the last of the files."""
    first = await site.backup()
    assert of_chain(first) == [3, 6, 9]
    assert await in_pieces(site, first) == [9, 10]
    await go_on(site.index, 3)
    second = await site.backup()
    assert of_chain(second) == [3, 6, 9, 12]
    assert second.receipts[: len(first.receipts)] == first.receipts
    assert await in_pieces(site, second) == [12, 13]
    assert first.contents["receipts"] == second.contents["receipts"] - 3


async def test_a_file_is_an_export(site: Site) -> None:
    """Its lines can be checked by anybody."""
    card = await site.backup()
    lines = [line for file in card.receipts for line in gzip.decompress(await site.objects.get(file.key)).decode().splitlines()]
    assert list(checked(lines)) == (await receipts_in(site.index))[:9]


async def test_all_receipts_come_back(site: Site) -> None:
    """From an old backup and from a new one, when those between are gone by their number: what they share stays."""
    site.settings = site.settings.model_copy(update={"replication": site.settings.replication.model_copy(update={"backup_keep": 2})})
    for _ in range(4):
        await go_on(site.index, 2)
        last = await site.backup()
    assert of_chain(last) == [3, 6, 9, 12, 15]
    target = MemoryIndex()
    await site.restored(target)
    assert await receipts_in(target) == await receipts_in(site.index)


async def test_the_pieces_alone_are_no_backup(site: Site) -> None:
    """Fetched by hand, without the files beside them: refused, for receipts would be lost in silence."""
    card = await site.backup()
    await fetch(site.objects, card, site.folder / "alone.sqlite", site.clock)
    with pytest.raises(BadInput, match="before number 9"):
        await planned(site.folder / "alone.sqlite", MemoryIndex(), site.settings, site.clock)


async def spoil(site: Site, key: str) -> None:
    """A bit flips in an object."""
    data = await site.objects.get(key)
    spoiled = data[:-1] + bytes([data[-1] ^ 1])
    await site.objects.delete([key])
    await site.objects.put(key, spoiled, sha256=backup_objects._sha256(spoiled), attributes={})


async def test_a_file_that_is_lost_is_written_anew(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """One that is missing with the next backup, and one that is damaged within a month; restored all is there, and the others are kept."""
    first = await site.backup()
    await site.objects.delete([first.receipts[1].key])
    with pytest.raises(NotFound):
        await site.laid_out(first.name)
    second = await site.backup()
    assert [one == other for one, other in zip(first.receipts, second.receipts, strict=True)] == [True, False, True]
    assert first.receipts[1].key in caplog.text
    await spoil(site, second.receipts[0].key)
    with pytest.raises(DataDamaged, match="receipts of backups"):
        await site.laid_out(second.name)
    for _ in range(backup_receipts.READ_AGAIN_DAYS):
        site.clock.move(US_PER_DAY // US_PER_S)
        last = await site.backup()
    assert [one == other for one, other in zip(second.receipts, last.receipts, strict=True)] == [False, True, True]
    target = MemoryIndex()
    await site.restored(target)
    assert await receipts_in(target) == await receipts_in(site.index)


async def test_a_chain_that_went_on_otherwise_is_written_otherwise(site: Site) -> None:
    """After a restore from an old backup the numbers are given again; files of before are not taken for those of now."""
    old = await site.backup()
    await go_on(site.index, 6)
    lost = await site.backup()
    target = MemoryIndex()
    await site.restored(target, await site.laid_out(old.name))
    await go_on(target, 6, rule="another rule")
    site.index, site.stores = target, Stores(target, site.stores.pools)
    now = await site.backup()
    assert of_chain(now) == of_chain(lost) == [3, 6, 9, 12, 15]
    assert [one == other for one, other in zip(lost.receipts, now.receipts, strict=True)] == [True, True, True, False, False]
    again = MemoryIndex()
    await site.restored(again)
    assert await receipts_in(again) == await receipts_in(target)


async def test_control_files_that_are_not_looked_at_bring_the_wrong_receipts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the comparing with the index is for."""
    monkeypatch.setattr(backup_receipts.SharedReceipts, "_is_ours", _yes)
    old = await site.backup()
    await go_on(site.index, 6)
    await site.backup()
    target = MemoryIndex()
    await site.restored(target, await site.laid_out(old.name))
    await go_on(target, 6, rule="another rule")
    site.index, site.stores = target, Stores(target, site.stores.pools)
    await site.backup()
    again = MemoryIndex()
    with pytest.raises(Conflict, match="another receipt"):
        await site.restored(again)


async def _yes(*_: object) -> bool:
    return True
