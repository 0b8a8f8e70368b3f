"""A guardian keeps one program of its node running: the plain class behind an actor of the Ray fleet, which knows no Ray."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.fleet.local import FleetStopped, LocalFleet, Program
from segments.clock import Clock
from segments.errors import KeepsightError, StartRefused

log = logging.getLogger(__name__)

TRY_AGAIN_S = 5.0
"""After a refusal: what refused (a configuration, an index without its schema) may have been mended meanwhile."""
LOCK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class NodeOrders:
    """What the configuration of a node says of its programs: the node's name, the programs, and a folder for their locks."""

    node: str
    programs: Sequence[Program]
    folder: Path


@dataclass(frozen=True, slots=True)
class GuardianReport:
    """How a program stands. `guardian_pid` and `pid` are processes of its node; `trouble` says in a sentence why it does not run, '' if it
    does; `programs` names all programs of the node, as its own configuration has them."""

    node: str
    program: str
    guardian_pid: int
    pid: int | None
    restarts: int
    trouble: str
    programs: tuple[str, ...]


class Guardian:
    """Keeps one program running, by name; the command is built here, on the node, from the node's own configuration.

    `orders` is asked before each start and may raise StartRefused. A guardian that died leaves a program behind that is still ending:
    the next one waits for it, by a lock that the program's process inherits.
    """

    def __init__(
        self, program: str, *, orders: Callable[[], NodeOrders], clock: Clock, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._program = program
        self._orders = orders
        self._clock = clock
        self._environment = without_ray(environment)
        self._fleet: LocalFleet | None = None
        self._told: NodeOrders | None = None
        self._restarts = 0
        self._trouble = "it has not been started yet"

    def report(self) -> GuardianReport:
        """See `GuardianReport`."""
        told, fleet = self._told, self._fleet
        return GuardianReport(
            node=told.node if told is not None else "",
            program=self._program,
            guardian_pid=os.getpid(),
            pid=fleet.pid(self._program) if fleet is not None else None,
            restarts=self._restarts + (fleet.restarts.get(self._program, 0) if fleet is not None else 0),
            trouble=self._trouble,
            programs=tuple(program.name for program in told.programs) if told is not None else (),
        )

    async def run(self) -> None:
        """Runs until cancelled; then the program has ended in order."""
        while True:
            try:
                await self._keep()
            except* FleetStopped:
                self._trouble = "it refuses to start; its own words are in the log of its node"
            except* KeepsightError as refused:
                self._trouble = "; ".join(str(error) for error in refused.exceptions)
            log.error("guardian.failed: %s: %s; tried again in %g s", self._program, self._trouble, TRY_AGAIN_S)
            self._restarts = self.report().restarts + 1
            self._fleet = None
            await self._clock.sleep(TRY_AGAIN_S)

    async def _keep(self) -> None:
        self._told = self._orders()
        program = next((each for each in self._told.programs if each.name == self._program), None)
        if program is None:
            raise StartRefused(f"the configuration of this node has no program {self._program}")
        self._trouble = "it waits for the process before it to end"
        async with self._alone(self._told.folder / f"{self._program}.lock") as lock:
            self._fleet = LocalFleet([program], clock=self._clock, environment=self._environment, inherited=(lock,))
            self._trouble = ""
            await self._fleet.run()

    @asynccontextmanager
    async def _alone(self, path: Path) -> AsyncIterator[int]:
        """A lock that lives as long as any process that has its descriptor: this one, or a program it started."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _locked(descriptor):
                await self._clock.sleep(LOCK_EVERY_S)
            yield descriptor
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def without_ray(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: nothing of Ray's, whose token opens the whole cluster."""
    return {name: value for name, value in environment.items() if not name.startswith("RAY_")}
