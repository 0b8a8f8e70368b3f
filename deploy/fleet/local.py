"""The local fleet: uploader, recorders and API as child processes of this machine, started, watched and started again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.fleet.child import REFUSED_TO_START
from segments.clock import Clock
from segments.errors import StartRefused

log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 2.0
"""Short: while a recorder is away its cameras are not recorded."""
STEADY_S = 5.0
STOP_LIMIT_S = 20.0
_ENVIRONMENT_OF_ALL = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "LD_PRELOAD", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Program:
    """A child: its name, its command, and whether it may see the whole environment (recorders may not: it can hold keys).

    Programs of the same stage end together, those of a higher stage first.
    """

    name: str
    command: Sequence[str]
    trusted: bool
    stage: int = 0


class LocalFleet:
    """Keeps programs running, in the order of their stages; stops them in the reverse order."""

    def __init__(
        self, programs: Sequence[Program], *, clock: Clock, environment: Mapping[str, str] = os.environ, inherited: Sequence[int] = ()
    ) -> None:
        """`inherited`: descriptors of ours that the programs get too, as locks that they hold as long as they live."""
        self._programs = programs
        self._clock = clock
        self._environment = environment
        self._inherited = inherited
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = False
        self.restarts: dict[str, int] = {}

    def pid(self, name: str) -> int | None:
        """The process id of a running program."""
        process = self._running.get(name)
        return None if process is None else process.pid

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Runs until cancelled, or until a program refuses to start for a reason that will not go away (FleetStopped)."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for program in self._programs:
                    tasks.create_task(self._keep(program))
                ready()
        finally:
            await asyncio.shield(self._stop())

    async def _keep(self, program: Program) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping:
            started_ns = self._clock.monotonic_ns()
            process = await self._start(program)
            code = await process.wait()
            self._running.pop(program.name, None)
            if self._stopping:
                return
            if code == REFUSED_TO_START:
                raise FleetStopped(f"{program.name} refuses to start; its own words are above")
            steady = self._clock.monotonic_ns() - started_ns > STEADY_S * 1e9
            wait_s = FIRST_WAIT_S if steady else wait_s
            self.restarts[program.name] = self.restarts.get(program.name, 0) + 1
            log.error("program.restarted: %s ended with code %s; started again in %.1f s", program.name, code, wait_s)
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _start(self, program: Program) -> asyncio.subprocess.Process:
        environment = self._environment
        if not program.trusted:
            environment = {name: environment[name] for name in _ENVIRONMENT_OF_ALL if name in environment}
        process = await asyncio.create_subprocess_exec(
            *program.command, env=environment, stdin=asyncio.subprocess.DEVNULL, start_new_session=True, pass_fds=self._inherited
        )
        self._running[program.name] = process
        return process

    async def _stop(self) -> None:
        self._stopping = True
        for stage in sorted({program.stage for program in self._programs}, reverse=True):
            await asyncio.gather(*(self._end(program.name) for program in self._programs if program.stage == stage))

    async def _end(self, name: str) -> None:
        process = self._running.get(name)
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
        except TimeoutError:
            log.error("program.killed: %s does not stop; it is killed", name)
            process.kill()
            await process.wait()


class FleetStopped(StartRefused):
    """A program of the fleet refuses to start, and would again."""
