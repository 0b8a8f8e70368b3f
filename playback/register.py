"""The register as one process writes it: acts that come together are written together, in order, behind the last line of its chain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from segments.audit import Act
from segments.audit_line import Line, Tie, lines_behind, tie_behind
from segments.clock import US_PER_HOUR, US_PER_S, Clock
from segments.errors import Conflict, KeepsightError, TryAgain
from segments.ports import ReadAudit, WriteAudit

GROUP_LINES = 200
"""Most acts of one write."""
MAX_WAITING = 2_000
"""Acts that wait to be written; one more is TryAgain, and what was asked is not done."""
TRIES = 5
"""So often a group is written anew behind what others have written to the chain meanwhile."""
TIE_EVERY_US = US_PER_HOUR
TIE_AGAIN_S = 60.0

log = logging.getLogger(__name__)


class AuditIndex(WriteAudit, ReadAudit, Protocol):
    """What the register is written to."""


class ChainRegister:
    """See `segments.audit.Register`. Belongs to one event loop.

    The chain goes on over the process's life. Where two processes write to one chain, each reads on when the other was faster. After a
    write of which it is not known what became of it, the end of the chain is read again: the act may stand there though its request was
    refused, and nothing is ever done that does not stand there.
    """

    def __init__(self, index: AuditIndex, chain: str, clock: Clock) -> None:
        self._index = index
        self._chain = chain
        self._clock = clock
        self._waiting: deque[tuple[Act, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._last: Line | None = None
        self._known = False
        self._tied_us = 0
        self._tied: dict[str, Tie] = {}

    async def write(self, act: Act) -> None:
        """See `Register`."""
        if len(self._waiting) >= MAX_WAITING:
            raise TryAgain(f"{MAX_WAITING} acts wait to be written into the register: nothing is shown or done that it does not have")
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((act, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def tie(self) -> None:
        """Names the last lines of the other chains in this one, where they have gone on; raises as the index does."""
        ends = [await self._index.last_audit(chain) for chain in await self._index.audit_chains() if chain != self._chain]
        ties = [Tie(end.chain, end.number, end.digest) for end in ends if end is not None]
        changed = [tie for tie in ties if self._tied.get(tie.chain) != tie]
        if changed:
            async with self._writing:
                await self._behind_the_last(lambda last: [tie_behind(self._chain, last, self._clock.now_us(), changed)])
            self._tied |= {tie.chain: tie for tie in changed}
        self._tied_us = self._clock.now_us()
        if self._last is not None:
            log.info("audit.tied: chain %s has %d lines, the last is %s", self._chain, self._last.number, self._last.digest)

    async def run(self) -> None:
        """Ties the chains together each hour, until cancelled."""
        while True:
            try:
                await self.tie()
            except KeepsightError as error:
                log.warning("audit.not-tied: %s", error)
                await self._clock.sleep(TIE_AGAIN_S)
            else:
                await self._clock.sleep(TIE_EVERY_US / US_PER_S)

    async def close(self) -> None:
        """Waits until what is under way is written."""
        if self._writer is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(self._writer)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(GROUP_LINES, len(self._waiting)))]
                await self._write_group([act for act, _ in group], [written for _, written in group])
        finally:
            self._writer = None

    async def _write_group(self, acts: Sequence[Act], written: Sequence[asyncio.Future[None]]) -> None:
        failed: Exception | None = None
        try:
            async with self._writing:
                await self._behind_the_last(lambda last: lines_behind(self._chain, last, acts))
        except Exception as error:  # noqa: BLE001 - each who waits is told
            failed = error
        for future in written:
            if future.done():
                continue
            if failed is None:
                future.set_result(None)
            else:
                future.set_exception(_said(failed))

    async def _behind_the_last(self, lines_of: _Lines) -> None:
        """Writes lines behind the end of the chain, wherever that is by now."""
        for _ in range(TRIES):
            if not self._known:
                self._last = await self._index.last_audit(self._chain)
                self._known = True
            lines = lines_of(self._last)
            self._known = False
            try:
                await self._index.put_audit(lines)
            except Conflict:
                continue
            self._last, self._known = lines[-1], True
            return
        raise TryAgain(f"other processes are faster in writing chain {self._chain} of the register: give each node its own name")


class _Lines(Protocol):
    def __call__(self, last: Line | None) -> Sequence[Line]: ...


def _said(error: Exception) -> Exception:
    """A passing fault says what it keeps from being done; each who waits has an exception of its own."""
    if isinstance(error, TryAgain):
        return TryAgain(f"this cannot be written into the register now, and so is not done: {error}")
    return error
