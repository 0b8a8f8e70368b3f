"""Walking through the chains of the register, checking them where they stand, and carrying them to another index."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Protocol

from segments.audit_check import AuditFault, Checked, Ties, line_or_none, ties_of
from segments.audit_line import Line, StoredLine, parse_line
from segments.clock import Clock
from segments.errors import BadInput, Conflict, DataDamaged, NotFound
from segments.patience import patiently
from segments.ports import ReadAudit, WriteAudit

PAGE_LINES = 500


class AuditTarget(ReadAudit, WriteAudit, Protocol):
    """Where lines are carried to."""


async def audit_chains_named(index: ReadAudit, name: str = "") -> Sequence[str]:
    """The names of all chains, in order; only this one if it is given. Raises NotFound if there is none of that name."""
    chains = await index.audit_chains()
    if name and name not in chains:
        raise NotFound(f"there is no chain {name!r} in the register; there is {', '.join(chains) or 'none yet'}")
    return [name] if name else chains


async def stored_behind(index: ReadAudit, chain: str, number: int, clock: Clock) -> AsyncIterator[Sequence[StoredLine]]:
    """The lines of a chain behind a number, in order, some at a time. A passing fault of the index is waited out (`patiently`)."""
    after: int | None = number
    while after is not None:
        page = await patiently(partial(index.audit_chain, chain, after=after, limit=PAGE_LINES), clock)
        yield page.items
        after = page.next


async def check_index(index: ReadAudit, clock: Clock) -> tuple[Checked, list[AuditFault]]:
    """Checks the whole register of an index, reading it twice: its ties first, then its lines."""
    chains = await index.audit_chains()
    ties: Ties = {}
    for chain in chains:
        async for page in stored_behind(index, chain, 0, clock):
            ties |= ties_of([line for one in page if (line := line_or_none(one.text)) is not None])
    check = Checked(ties)
    faults: list[AuditFault] = []
    for chain in sorted({*chains, *(chain for chain, _ in ties)}):
        async for page in stored_behind(index, chain, 0, clock):
            faults += [fault for one in page for fault in check.take(one.text, (chain, one.number))]
    return check, [*faults, *check.end()]


async def carry_chain(source: ReadAudit, target: AuditTarget, chain: str, clock: Clock) -> AsyncIterator[int]:
    """Carries the lines of a chain behind the last one of the target; tells how many were written, some at a time.

    Raises Conflict if the target has lines of its own in it, and DataDamaged for what is no line.
    """
    last = await patiently(partial(target.last_audit, chain), clock)
    if last is not None:
        there = (await patiently(partial(source.audit_chain, chain, after=last.number - 1, limit=1), clock)).items
        if not there or there[0] != StoredLine(last.number, last.text):
            raise Conflict(f"the register of the target has lines of its own in chain {chain}: copy into an index without a register")
    async for page in stored_behind(source, chain, last.number if last else 0, clock):
        for lines in _following(_parsed(chain, page)):
            await patiently(partial(target.put_audit, lines), clock)
            yield len(lines)


async def chain_sum(index: ReadAudit, chain: str, clock: Clock) -> tuple[int, str]:
    """How many lines a chain has, and the SHA-256 (hex) of them all."""
    count, digest = 0, hashlib.sha256()
    async for page in stored_behind(index, chain, 0, clock):
        count += len(page)
        digest.update("".join(f"{line.number} {line.text}\n" for line in page).encode())
    return count, digest.hexdigest()


def _parsed(chain: str, page: Sequence[StoredLine]) -> list[Line]:
    try:
        return [parse_line(line.text) for line in page]
    except BadInput as error:
        raise DataDamaged(f"chain {chain} of the register is damaged ({error}): see `keepsight audit verify`") from None


def _following(lines: Sequence[Line]) -> list[list[Line]]:
    """Stretches without a number left out."""
    found: list[list[Line]] = []
    for line in lines:
        if found and found[-1][-1].number + 1 == line.number:
            found[-1].append(line)
        else:
            found.append([line])
    return found
