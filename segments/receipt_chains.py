"""Walking through chains of receipts: which there are, and all that is in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial

from segments.clock import Clock
from segments.errors import NotFound
from segments.patience import patiently
from segments.ports import ReadReceipts
from segments.receipt import Receipt

PAGE_RECEIPTS = 50
"""A receipt of a whole day may have some hundred kB."""


async def chains_named(index: ReadReceipts, name: str = "") -> Sequence[str]:
    """The names of all chains, in order; only this one if it is given. Raises NotFound if there is none of that name."""
    chains = await index.receipt_chains()
    if name and name not in chains:
        raise NotFound(f"there is no chain of receipts {name!r}; there is {', '.join(chains) or 'none yet'}")
    return [name] if name else chains


async def receipts_of(index: ReadReceipts, chains: Iterable[str], clock: Clock, *, after: int = 0) -> AsyncIterator[Receipt]:
    """Chain by chain the receipts behind a number, in order."""
    for chain in chains:
        async for page in receipts_behind(index, chain, after, clock):
            for receipt in page:
                yield receipt


async def receipts_behind(index: ReadReceipts, chain: str, number: int, clock: Clock) -> AsyncIterator[Sequence[Receipt]]:
    """The receipts of a chain behind a number, in order, some at a time. A passing fault of the index is waited out (`patiently`)."""
    after: int | None = number
    while after is not None:
        page = await patiently(partial(index.receipt_chain, chain, after=after, limit=PAGE_RECEIPTS), clock)
        yield page.items
        after = page.next
