"""Programs of one machine: started, watched, started again, ended in order. Real processes, a few lines each."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.fleet.child import REFUSED_TO_START, beside_parent, run_until_told
from deploy.fleet.local import FIRST_WAIT_S, LONGEST_WAIT_S, FleetStopped, LocalFleet, Program
from segments.errors import StartRefused, TryAgain
from tests.clocks import HandClock
from tests.fakes import until

ENDS_IN_ORDER = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + "." + sys.argv[2], "w").close()
time.sleep(60)
"""
SAYS_ENVIRONMENT = "import json, os, sys, time; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ))); time.sleep(60)"


def program(name: str, code: str, *arguments: str, trusted: bool = True, stage: int = 0) -> Program:
    return Program(name, [sys.executable, "-c", code, *arguments], trusted, stage)


@asynccontextmanager
async def running(fleet: LocalFleet) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(fleet.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def there(*paths: Path) -> None:
    """Until these files are there, with what they hold."""
    await until(lambda: all(path.exists() for path in paths), limit=10_000)


async def test_a_program_that_dies_is_started_again_with_growing_waits() -> None:
    """However often; the waits double up to their longest, and each start is counted."""
    clock = HandClock()
    fleet = LocalFleet([program("dies", "raise SystemExit(1)")], clock=clock)
    async with running(fleet):
        await until(lambda: fleet.restarts.get("dies", 0) >= 6, limit=20_000)

    expected = [min(FIRST_WAIT_S * 2**n, LONGEST_WAIT_S) for n in range(6)]
    assert clock.slept_s[:6] == pytest.approx(expected)


async def test_a_killed_program_is_back_as_another_process(tmp_path: Path) -> None:
    """And the others are not touched."""
    fleet = LocalFleet([program("one", "import time; time.sleep(60)"), program("two", "import time; time.sleep(60)")], clock=HandClock())
    async with running(fleet):
        await until(lambda: fleet.pid("one") and fleet.pid("two"), limit=10_000)
        first, other = fleet.pid("one"), fleet.pid("two")
        os.kill(first, signal.SIGKILL)
        await until(lambda: fleet.pid("one") not in (None, first), limit=10_000)

        assert fleet.pid("two") == other
        assert fleet.restarts == {"one": 1}


async def test_one_that_refuses_to_start_ends_the_fleet(tmp_path: Path) -> None:
    """Trying again would not help: the others are ended too, and the error says who it was, as a refusal."""
    log = tmp_path / "log"
    fleet = LocalFleet(
        [program("good", ENDS_IN_ORDER, str(log), "good"), program("bad", f"raise SystemExit({REFUSED_TO_START})")], clock=HandClock()
    )
    with pytest.raises(ExceptionGroup) as error:
        await asyncio.wait_for(fleet.run(), 20)

    assert error.group_contains(FleetStopped, match="bad refuses to start")
    assert issubclass(FleetStopped, StartRefused)


async def test_stages_end_in_reverse(tmp_path: Path) -> None:
    """Recorders seal what they have, then the uploader takes it up."""
    log = tmp_path / "log"
    names = [("uploader", 0), ("recorder-0", 1), ("recorder-1", 1), ("api", 1)]
    fleet = LocalFleet([program(name, ENDS_IN_ORDER, str(log), name, stage=stage) for name, stage in names], clock=HandClock())
    async with running(fleet):
        await there(*(Path(f"{log}.{name}") for name, _ in names))

    ended = log.read_text().split()
    assert set(ended[:3]) == {"recorder-0", "recorder-1", "api"}
    assert ended[3:] == ["uploader"]


async def test_one_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time; nothing of the fleet is left."""
    monkeypatch.setattr("deploy.fleet.local.STOP_LIMIT_S", 0.2)
    ready = tmp_path / "ready"
    code = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1], 'w').close(); time.sleep(60)"
    fleet = LocalFleet([program("deaf", code, str(ready))], clock=HandClock())
    async with running(fleet):
        await there(ready)
        pid = fleet.pid("deaf")

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_recorders_get_no_keys_in_their_environment(tmp_path: Path) -> None:
    """They read what strangers send: what they cannot see they cannot lose. A trusted program sees all."""
    environment = {
        **os.environ,
        "KEEPSIGHT_POOLS__MAIN__SECRET": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "RAY_AUTH_TOKEN": "hunter2",
    }
    files = [tmp_path / "trusted", tmp_path / "not"]
    fleet = LocalFleet(
        [program("a", SAYS_ENVIRONMENT, str(files[0])), program("b", SAYS_ENVIRONMENT, str(files[1]), trusted=False)],
        clock=HandClock(),
        environment=environment,
    )
    async with running(fleet):
        await until(lambda: all(path.exists() and path.stat().st_size for path in files), limit=10_000)

    seen = [json.loads(path.read_text()) for path in files]
    assert seen[0]["AWS_SECRET_ACCESS_KEY"] == "hunter2"
    assert "hunter2" not in seen[1].values()
    assert not any(name.startswith(("KEEPSIGHT", "AWS", "RAY")) for name in seen[1])
    assert seen[1]["PATH"] == os.environ["PATH"]


# --- what each child does around its work ---


async def refuse() -> None:
    raise StartRefused("the spool is in use")


async def refuse_in_groups() -> None:
    async with asyncio.TaskGroup() as outer:
        outer.create_task(_group())


async def _group() -> None:
    async with asyncio.TaskGroup() as inner:
        inner.create_task(refuse())
        inner.create_task(asyncio.sleep(10))


async def fault() -> None:
    raise ZeroDivisionError


async def away() -> None:
    raise TryAgain("the index does not answer")


async def mixed() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(refuse())
        tasks.create_task(fault())


async def told() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(10)


async def told_twice() -> None:
    """A second signal during the orderly end does not cut it short."""
    try:
        await told()
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.05)
        raise StartRefused("the end was reached")


async def done() -> None:
    pass


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (done, 0, []),
        (told, 0, []),
        (told_twice, 3, ["the end was reached"]),
        (refuse, 3, ["the spool is in use"]),
        (refuse_in_groups, 3, ["the spool is in use"]),
        (away, 1, ["the index does not answer"]),
        (fault, 1, [""]),
    ],
)
def test_how_a_program_ends(work, code: int, said: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """0 when told or done, 3 when it refuses to start (never to be tried again), 1 for any other error; our words have no traceback."""
    with caplog.at_level(logging.ERROR):
        assert run_until_told(work) == code

    assert [record.message.removeprefix("program.ended: ") for record in caplog.records] == said
    assert all(bool(record.exc_info) is (work is fault) for record in caplog.records)


def test_a_fault_beside_a_refusal_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    """It is started again: the fault may be all there was."""
    with caplog.at_level(logging.ERROR):
        assert run_until_told(mixed) == 1
    assert "the spool is in use" in caplog.text


async def test_work_goes_on_while_the_parent_lives_and_its_errors_come_through() -> None:
    """And a cancellation ends the work in order first."""
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    task = asyncio.create_task(beside_parent(work()))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert ended == [True]
    with pytest.raises(StartRefused):
        await beside_parent(refuse())
