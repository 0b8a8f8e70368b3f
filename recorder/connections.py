"""The recorders connected at the uploader's socket, and what each says; footage goes to the live edge, the rest to who shares work out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Protocol

from recorder.link import Counts, Durable, Hello, LeaseIs, Link, Message, Sealed, StateIs, TakeAway
from recorder.live import LiveEdge
from segments.clock import Clock
from segments.duty import Duty
from segments.errors import KeepsightError
from segments.model import Cause, Lease

log = logging.getLogger(__name__)

EARLY_KEPT = 8192
"""Of one duty's states; more than a recorder tells again."""
SILENT_LOOKS = 10
"""A recorder that has said nothing at so many looks in a row, half a second apart, stands still: it speaks each second. Looks are counted
and not seconds: after this process itself stood still, nobody was silent."""
UNCLAIMED_S = 10.0
"""A duty that a recorder goes on with and that is not held here so long after is done elsewhere."""


def end_process(pid: int) -> None:
    """Ends another process of this machine at once; one that is not seen from here is let be."""
    if pid not in (0, os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


@dataclass(slots=True, eq=False)
class ConnectedRecorder:
    """`claims` are duties it said it goes on with, by epoch, until it is settled who has them; `early` what it says of them meanwhile."""

    name: str
    link: Link
    since_ns: int
    claims: dict[Duty, int]
    early: defaultdict[Duty, list[StateIs]] = field(default_factory=lambda: defaultdict(list))
    counts: Counts | None = None
    silent_looks: int = 0

    def keep_early(self, state: StateIs) -> None:
        """A state of a duty that is still claimed."""
        if len(self.early[state.duty]) < EARLY_KEPT:
            self.early[state.duty].append(state)

    def settled(self, duty: Duty) -> list[StateIs]:
        """It has the duty: its claim is met. What it said of it early."""
        self.claims.pop(duty, None)
        return self.early.pop(duty, [])

    async def let_go(self, lease: Lease, linger_s: float, clock: Clock) -> None:
        """A duty is another's now: it goes on with it for so long and then ends it."""
        if linger_s > 0:
            self.link.send(LeaseIs(lease.duty, lease.epoch, linger_s + 1.0, answers=True))
            await clock.sleep(linger_s)
        self.link.send(TakeAway(lease.duty, lease.epoch, Cause.RECORDER_AWAY, "the cameras are another recorder's now"))

    def deny(self, duty: Duty) -> None:
        """Another has what it claims."""
        epoch = self.claims.pop(duty)
        self.early.pop(duty, None)
        self.link.send(TakeAway(duty, epoch, Cause.RECORDER_AWAY, "another recorder goes on"))


class Sharer(Protocol):
    """Who shares work out among recorders."""

    def joined(self, recorder: ConnectedRecorder) -> None:
        """It is connected and has greeted."""

    def gone(self, recorder: ConnectedRecorder) -> None:
        """Its connection ended."""

    def said(self, recorder: ConnectedRecorder, state: StateIs) -> None:
        """A camera's state, as it sees it."""


class Connections:
    """Serves the socket. `sealed` is called when a segment is, `end` with the process of a recorder that stands still."""

    def __init__(
        self, sharer: Sharer, *, live: LiveEdge, sealed: Callable[[], None], clock: Clock, end: Callable[[int], None] = end_process
    ) -> None:
        self._sharer = sharer
        self._live = live
        self._sealed = sealed
        self._clock = clock
        self._end = end
        self.recorders: list[ConnectedRecorder] = []

    def mind_claims(self, held: Container[Duty], answers_since_ns: int | None) -> None:
        """Recorders go on with what is not held here yet while the index does not answer (None), and a while after; then no more."""
        for recorder in self.recorders:
            for duty, epoch in list(recorder.claims.items()):
                if duty in held:
                    continue
                if answers_since_ns is None:
                    recorder.link.send(LeaseIs(duty, epoch, 0.0, answers=False))
                elif self._clock.monotonic_ns() - max(answers_since_ns, recorder.since_ns) > UNCLAIMED_S * 1e9:
                    recorder.deny(duty)

    def mind_silence(self) -> None:
        """A recorder that stands still (hung, or stopped) records nothing: it is ended, so that others go on and its fleet starts it anew.

        It is killed, since it may not hear anything else. What it had made durable is in its spool.
        """
        for recorder in self.recorders:
            recorder.silent_looks += 1
            if recorder.silent_looks == SILENT_LOOKS:
                log.error("recorder.hung: recorder %s says nothing any more; it is ended, and its cameras go to another", recorder.name)
                self._end(recorder.link.peer_pid)
                recorder.link.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One recorder's connection, from its hello to its end."""
        link = Link(reader, writer)
        try:
            hello = await link.receive()
            if isinstance(hello, Hello):
                await self._serve(ConnectedRecorder(hello.name, link, self._clock.monotonic_ns(), dict(hello.holds)))
        except KeepsightError as error:
            log.error("recorder.dropped: recorder connection dropped: %s", error)
        except asyncio.CancelledError:
            return  # the service stops; asyncio's own server would log this as an error
        finally:
            link.close()

    async def _serve(self, recorder: ConnectedRecorder) -> None:
        self.recorders.append(recorder)
        self._sharer.joined(recorder)
        try:
            while (message := await recorder.link.receive()) is not None:
                self._heard(recorder, message)
        finally:
            self.recorders.remove(recorder)
            self._sharer.gone(recorder)

    def _heard(self, recorder: ConnectedRecorder, message: Message) -> None:
        recorder.silent_looks = 0
        match message:
            case StateIs():
                self._sharer.said(recorder, message)
            case Durable():
                self._live.durable(message)
            case Sealed(camera, run, counter):
                self._live.closed(camera, run, counter)
                self._sealed()
            case Counts():
                recorder.counts = message
            case _:
                pass
