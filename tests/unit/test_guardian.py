"""A guardian of one program: kept running, alone on its node, with nothing of Ray's. Real processes, a few lines each."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.fleet.child import REFUSED_TO_START
from deploy.fleet.guardian import TRY_AGAIN_S, Guardian, NodeOrders
from deploy.fleet.local import Program
from segments.clock import SystemClock
from segments.errors import StartRefused
from tests.clocks import HandClock
from tests.fakes import until

SLEEPS = "import time; time.sleep(60)"
SAYS_ENVIRONMENT = "import json, os, sys, time; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ))); time.sleep(60)"
ENDS_WITH_ITS_PARENT = """
import asyncio, pathlib, sys
from deploy.fleet.child import beside_parent, run_until_told
async def main():
    pathlib.Path(sys.argv[1]).touch()
    try:
        await asyncio.sleep(60)
    finally:
        pathlib.Path(sys.argv[2]).touch()
run_until_told(lambda: beside_parent(main()))
"""
GUARDS = """
import asyncio, json, pathlib, sys
from deploy.fleet.guardian import Guardian, NodeOrders
from deploy.fleet.local import Program
from segments.clock import SystemClock
program = Program("uploader", [sys.executable, "-c", *json.loads(sys.argv[2])], True)
orders = NodeOrders("north", [program], pathlib.Path(sys.argv[1]))
asyncio.run(Guardian("uploader", orders=lambda: orders, clock=SystemClock()).run())
"""


def program(code: str, *arguments: str, name: str = "uploader", trusted: bool = True) -> Program:
    return Program(name, [sys.executable, "-c", code, *arguments], trusted)


def orders(folder: Path, *programs: Program) -> Callable[[], NodeOrders]:
    """What the node says: it is called `north`."""
    return lambda: NodeOrders("north", programs, folder)


@asynccontextmanager
async def running(guardian: Guardian) -> AsyncIterator[Guardian]:
    task = asyncio.create_task(guardian.run())
    try:
        yield guardian
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_program_is_kept_running(tmp_path: Path) -> None:
    """A killed program is another process soon, and its report says node, process and restarts, and what other programs the node has."""
    guardian = Guardian("uploader", orders=orders(tmp_path, program(SLEEPS), program(SLEEPS, name="recorder-0")), clock=HandClock())
    async with running(guardian):
        await until(lambda: guardian.report().pid, limit=10_000)
        first = guardian.report()
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: guardian.report().pid not in (None, first.pid), limit=10_000)

        assert (first.node, first.program, first.trouble, first.restarts) == ("north", "uploader", "", 0)
        assert first.programs == ("uploader", "recorder-0")
        assert guardian.report().restarts == 1


async def test_cancelled_it_ends_its_program(tmp_path: Path) -> None:
    """The program is gone when the guardian is."""
    guardian = Guardian("uploader", orders=orders(tmp_path, program(SLEEPS)), clock=SystemClock())
    async with running(guardian):
        await until(lambda: guardian.report().pid, limit=10_000)
        pid = guardian.report().pid

    assert not Path(f"/proc/{pid}").exists()


async def test_a_configuration_that_is_refused_is_tried_again(tmp_path: Path) -> None:
    """The report says why in the meantime; when it is mended the program runs."""
    answers = [StartRefused("site.folder: no such disk"), NodeOrders("north", [program(SLEEPS)], tmp_path)]
    clock, said = HandClock(), []

    def ask() -> NodeOrders:
        said.append(guardian.report().trouble)
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return answer

    guardian = Guardian("uploader", orders=ask, clock=clock)
    async with running(guardian):
        await until(lambda: guardian.report().pid, limit=10_000)

    assert said[1] == "site.folder: no such disk"
    assert guardian.report().trouble == ""
    assert clock.slept_s[0] == TRY_AGAIN_S


async def test_a_program_that_refuses_to_start_is_tried_again(tmp_path: Path) -> None:
    """Its refusal is the report's trouble, and every start is counted."""
    guardian = Guardian("uploader", orders=orders(tmp_path, program(f"raise SystemExit({REFUSED_TO_START})")), clock=HandClock())
    async with running(guardian):
        await until(lambda: guardian.report().restarts >= 3, limit=20_000)

        assert guardian.report().node == "north"


async def test_a_program_the_node_does_not_have_is_trouble(tmp_path: Path) -> None:
    """As when the number of recorders was lowered."""
    guardian = Guardian("recorder-7", orders=orders(tmp_path, program(SLEEPS)), clock=SystemClock())
    async with running(guardian):
        await until(lambda: "no program recorder-7" in guardian.report().trouble, limit=10_000)


async def test_programs_see_nothing_of_ray(tmp_path: Path) -> None:
    """Ray's token opens the whole cluster: even a trusted program does not get it; its own settings it does."""
    environment = {**os.environ, "RAY_AUTH_TOKEN": "opens-all", "RAY_ADDRESS": "x:1", "KEEPSIGHT_NODE__NAME": "north"}
    said = tmp_path / "environment"
    told = orders(tmp_path, program(SAYS_ENVIRONMENT, str(said)))
    async with running(Guardian("uploader", orders=told, clock=SystemClock(), environment=environment)):
        await until(lambda: said.exists() and said.read_text(), limit=10_000)

    seen = json.loads(said.read_text())
    assert [name for name in seen if name.startswith("RAY_")] == []
    assert seen["KEEPSIGHT_NODE__NAME"] == "north"


async def test_it_waits_for_the_process_before_it(tmp_path: Path) -> None:
    """Nothing is started while the lock is held by a process that the guardian before left behind."""
    left = holding(tmp_path / "uploader.lock")
    guardian = Guardian("uploader", orders=orders(tmp_path, program(SLEEPS)), clock=SystemClock())
    async with running(guardian):
        await until(lambda: "process before it" in guardian.report().trouble, limit=10_000)
        assert guardian.report().pid is None
        left.kill()
        left.wait()
        await until(lambda: guardian.report().pid, limit=10_000)


async def test_a_killed_guardian_takes_its_program_along_in_order(tmp_path: Path) -> None:
    """SIGKILL of the guardian: the program ends in order, at once, and only then the next guardian starts it again."""
    began, ended = tmp_path / "began", tmp_path / "ended"
    child = [ENDS_WITH_ITS_PARENT, str(began), str(ended)]
    first = guard(tmp_path, child)
    await _there(began)
    first.kill()
    first.wait()
    killed_s = time.monotonic()
    await _there(ended)

    assert time.monotonic() - killed_s < 0.8  # it looks for its parent each second; the kernel's word is quicker


def holding(path: Path) -> subprocess.Popen[bytes]:
    """A process that has inherited a lock."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.Popen([sys.executable, "-c", SLEEPS], pass_fds=[lock.fileno()])


def guard(folder: Path, child: Sequence[str]) -> subprocess.Popen[bytes]:
    """A guardian in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", GUARDS, str(folder), json.dumps(child)])


async def _there(path: Path) -> None:
    async with asyncio.timeout(20):
        while not path.exists():  # noqa: ASYNC110 - a file tells no event
            await asyncio.sleep(0.01)
