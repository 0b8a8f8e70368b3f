"""Receipts in Cassandra: texts that lie anywhere, and chains that say which of them count.

A text is written plainly under its own digest, so no two can overwrite each other; then the digest takes its number in the chain by a
conditional write. A text whose number another has taken, or whose writer died before, is never shown.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from datetime import date

from segments.errors import Conflict, DataDamaged, Unknown
from segments.model import Span
from segments.patience import some_at_once
from segments.ports import Page
from segments.receipt import Receipt, digest_of, joined_spans, parse_receipt
from segments.stores.cassandra_session import CassandraSession
from segments.stores.partitions import cut_page, page_limit

PAGE_RECEIPTS = 10_000
"""Numbers of a chain that lie in one partition; never changed once receipts are written."""
PART_BYTES = 1 << 20
READS_AT_ONCE = 8
_NO_PAGE = 1 << 62
"""Above all pages."""

_PUT_PART = "INSERT INTO receipt (chain, number, digest, part, body) VALUES (?, ?, ?, ?, ?)"
_PARTS = "SELECT body FROM receipt WHERE chain = ? AND number = ? AND digest = ?"
_REMOVE_PARTS = "DELETE FROM receipt WHERE chain = ? AND number = ? AND digest = ?"
_LIST = "INSERT INTO receipt_of_month (camera, month, day, chain, number, digest, spans) VALUES (?, ?, ?, ?, ?, ?, ?)"
_UNLIST = "DELETE FROM receipt_of_month WHERE camera = ? AND month = ? AND day = ? AND chain = ? AND number = ? AND digest = ?"
_OF_MONTH = "SELECT chain, number, digest FROM receipt_of_month WHERE camera = ? AND month = ?"
_SPANS = "SELECT spans FROM receipt_of_month WHERE camera = ? AND month = ?"

_TAKE = "INSERT INTO receipt_chain (chain, page, number, digest) VALUES (?, ?, ?, ?) IF NOT EXISTS"
_TAKEN = "SELECT digest FROM receipt_chain WHERE chain = ? AND page = ? AND number = ?"
_BEHIND = "SELECT number, digest FROM receipt_chain WHERE chain = ? AND page = ? AND number > ? LIMIT ?"
_LAST = "SELECT number, digest FROM receipt_chain WHERE chain = ? AND page = ? ORDER BY number DESC LIMIT 1"

_PUT_PAGE = "INSERT INTO receipt_page (site, chain, page) VALUES (0, ?, ?)"
_PAGE_BEFORE = "SELECT page FROM receipt_page WHERE site = 0 AND chain = ? AND page < ? LIMIT 1"
_PAGES_FROM = "SELECT page FROM receipt_page WHERE site = 0 AND chain = ? AND page >= ?"
_CHAINS = "SELECT chain FROM receipt_page WHERE site = 0 GROUP BY chain"

_Link = tuple[int, bytes]
"""A number and a digest."""


class CassandraReceipts:
    """See `WriteReceipts` and `ReadReceipts` in segments/ports.py."""

    _session: CassandraSession
    _listed_pages: set[tuple[str, int]]

    # --- in

    async def put_receipt(self, receipt: Receipt) -> None:
        """See `WriteReceipts`. Unknown only where it cannot be told whether it was written or not."""
        text = receipt.text
        digest = bytes.fromhex(digest_of(text))
        await self._lay_down(receipt, text, digest)
        await self._list_page(receipt.chain, receipt.number // PAGE_RECEIPTS)
        if not await self._take(receipt.chain, receipt.number, digest):
            await self._clear_away(receipt, digest)
            raise Conflict(f"chain {receipt.chain} has another receipt {receipt.number}")

    async def last_receipt(self, chain: str) -> Receipt | None:
        """See `WriteReceipts`: that of the last page that has any."""
        page = _NO_PAGE
        while found := await self._session.read(_PAGE_BEFORE, (chain, page)):
            page = found[0][0]
            last = await self._session.read_serial(_LAST, (chain, page))
            if last:
                return await self._receipt(chain, last[0])
        return None

    async def _lay_down(self, receipt: Receipt, text: str, digest: bytes) -> None:
        """The text, and its place among those of its camera."""
        body = zlib.compress(text.encode())
        for part, first in enumerate(range(0, len(body), PART_BYTES)):
            values = (receipt.chain, receipt.number, digest, part, body[first : first + PART_BYTES])
            await self._session.write(_PUT_PART, values)
        await self._session.write(_LIST, (*_place(receipt, digest), [tuple(span) for span in receipt.spans]))

    async def _clear_away(self, receipt: Receipt, digest: bytes) -> None:
        """What was laid down under a number that another has; it can never count."""
        await self._session.write(_UNLIST, _place(receipt, digest))
        await self._session.write(_REMOVE_PARTS, (receipt.chain, receipt.number, digest))

    async def _list_page(self, chain: str, page: int) -> None:
        """Once a process; before anything is in it, so that whoever looks for the last receipt looks there."""
        if (chain, page) not in self._listed_pages:
            await self._session.write(_PUT_PAGE, (chain, page))
            self._listed_pages.add((chain, page))

    async def _take(self, chain: str, number: int, digest: bytes) -> bool:
        """Whether the number is this digest's."""
        place = (chain, number // PAGE_RECEIPTS, number)
        lost: Unknown | None = None
        try:
            if await self._session.compare_and_set(_TAKE, (*place, digest)):
                return True
        except Unknown as error:
            lost = error
        found = await self._session.read_serial(_TAKEN, place)
        if not found and lost is not None:
            raise lost
        return bool(found and found[0][0] == digest)

    # --- out

    async def receipts(self, camera: str, month: date) -> Sequence[Receipt]:
        """See `ReadReceipts`."""
        links = await self._session.read(_OF_MONTH, (camera, month))
        found = await some_at_once(lambda link: self._counting(*link), links, READS_AT_ONCE)
        return [receipt for receipt in found if receipt is not None]

    async def receipt_chain(self, chain: str, *, after: int = 0, limit: int = 100) -> Page[Receipt, int]:
        """See `ReadReceipts`."""
        wanted = page_limit(limit) + 1
        links: list[_Link] = []
        pages = await self._session.read(_PAGES_FROM, (chain, (after + 1) // PAGE_RECEIPTS))
        for (page,) in reversed(pages):
            links += [(number, digest) for number, digest in await self._session.read(_BEHIND, (chain, page, after, wanted - len(links)))]
            if len(links) == wanted:
                break
        cut = cut_page(links, limit, lambda link: link[0])
        return Page(await some_at_once(lambda link: self._receipt(chain, link), cut.items, READS_AT_ONCE), cut.next)

    async def receipt_chains(self) -> Sequence[str]:
        """See `ReadReceipts`; a chain whose first receipt was never written is left out."""
        chains = [chain for (chain,) in await self._session.read(_CHAINS)]
        begun = await some_at_once(lambda chain: self.receipt_chain(chain, limit=1), chains, READS_AT_ONCE)
        return [chain for chain, page in zip(chains, begun, strict=True) if page.items]

    async def deleted(self, camera: str, month: date) -> Sequence[Span]:
        """See `ReadReceipts`. A receipt whose writer died in the middle of it counts here: what it names is gone."""
        found = await self._session.read(_SPANS, (camera, month))
        return joined_spans(Span(*span) for (spans,) in found for span in spans or ())

    async def _counting(self, chain: str, number: int, digest: bytes) -> Receipt | None:
        """A receipt, if its chain knows it."""
        taken, receipt = await asyncio.gather(
            self._session.read(_TAKEN, (chain, number // PAGE_RECEIPTS, number)), self._receipt(chain, (number, digest))
        )
        return receipt if taken and taken[0][0] == digest else None

    async def _receipt(self, chain: str, link: _Link) -> Receipt:
        """Raises DataDamaged unless its text is there and has its digest."""
        number, digest = link
        body = b"".join(part for (part,) in await self._session.read(_PARTS, (chain, number, digest)))
        try:
            text = zlib.decompress(body).decode()
        except (zlib.error, UnicodeDecodeError):
            text = ""
        if digest_of(text) != digest.hex():
            raise DataDamaged(f"the index has no whole receipt {number} of chain {chain}: run `nodetool repair`")
        return parse_receipt(text)


def _place(receipt: Receipt, digest: bytes) -> tuple[object, ...]:
    """Its key in its camera's month."""
    return (receipt.camera, receipt.day.replace(day=1), receipt.day, receipt.chain, receipt.number, digest)
