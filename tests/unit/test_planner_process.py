"""Questions of planners in a process of their own: answered there, ended when they take too long, and handed no key."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from deploy.capacity_process import allowed_bytes
from deploy.planner import ProcessPlanner
from segments.clock import day_of
from segments.errors import BadInput, DataDamaged, TryAgain
from segments.stores.sqlite_index import open_sqlite_index
from segments.usage import UsageSum
from tests.builders import NOON_US, a_camera, a_run


def saying(program: str, limit_s: float = 10) -> ProcessPlanner:
    """One whose program is these lines."""
    return ProcessPlanner("-", (sys.executable, "-S", "-c", program), limit_s)


async def test_a_question_is_worked_out_by_the_program() -> None:
    """The real one, with a shipped plan and with a question that is wrong."""
    wanted = {"plan": "province", "files": {}, "year": 2020, "site": ""}
    found = await ProcessPlanner("-").answer("plan", wanted)
    assert {one["figure"]: one["likely"] for one in found["figures"]}["cameras"] > 300_000
    with pytest.raises(BadInput, match="there is no plan `none`"):
        await ProcessPlanner("-").answer("plan", wanted | {"plan": "none"})


async def test_a_question_about_the_installation_is_worked_out_from_its_configuration(tmp_path: Path) -> None:
    """It reads the index that the configuration names."""
    config = tmp_path / "keepsight.toml"
    config.write_text(f'[site]\nfolder = "{tmp_path}"\n')
    index = await open_sqlite_index(tmp_path / "index.sqlite")
    await index.add_camera(a_camera())
    await index.put_run(a_run())
    await index.put_usage("gate", day_of(NOON_US), {"main": UsageSum(7, 700)})
    await index.close()
    asked = {"by": ["area"], "depth": 0, "days": 3, "until": day_of(NOON_US).isoformat(), "limit": 10}
    found = await ProcessPlanner(str(config)).answer("usage", asked)
    assert [(line["segments"], line["recorded_bytes"]) for line in found["lines"]] == [(7, 700)]


async def test_a_question_that_nobody_waits_for_any_more_is_ended(tmp_path: Path) -> None:
    """With whoever asked it."""
    said = tmp_path / "pid"
    asking = asyncio.create_task(
        saying(f"import os, time; open({str(said)!r}, 'w').write(f'{{os.getpid()}}.'); time.sleep(60)").answer("plan", {})
    )
    while not (said.exists() and said.read_text().endswith(".")):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(ProcessLookupError):
        os.kill(int(said.read_text()[:-1]), 0)


@pytest.mark.parametrize(("name", "raised"), [("BadInput", BadInput), ("DataDamaged", DataDamaged), ("StartRefused", TryAgain)])
async def test_errors_of_ours_are_raised_here(name: str, raised: type[Exception]) -> None:
    """With their sentence; those that are no answer to a question are passing faults."""
    with pytest.raises(raised, match="as it is"):
        await saying(f"import json; print(json.dumps({{'error': '{name}', 'said': 'as it is'}}))").answer("plan", {})


async def test_what_takes_too_long_is_ended() -> None:
    """And says what to do."""
    with pytest.raises(BadInput, match=r"takes longer than 0\.2 s: ask for less"):
        await saying("import time; time.sleep(60)", 0.2).answer("plan", {})


async def test_a_process_without_an_answer_is_a_passing_fault() -> None:
    """Such as one that had too little memory."""
    with pytest.raises(TryAgain, match="without an answer"):
        await saying("raise SystemExit(1)").answer("plan", {})


async def test_no_key_of_the_environment_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What works out texts of strangers knows none."""
    monkeypatch.setenv("KEEPSIGHT_API__TOKEN", "secret")
    found = await saying("import json, os; print(json.dumps({'answer': sorted(os.environ)}))").answer("plan", {})
    assert "PATH" in found
    assert [name for name in found if name.startswith("KEEPSIGHT")] == []


async def test_a_question_that_takes_more_memory_than_it_may_is_ended() -> None:
    """Here less than Python and its libraries take."""
    program = "import sys; from deploy import capacity_process as p; p.TEXTS_BYTES = 16 << 20; sys.exit(p.main(sys.argv[1:]))"
    with pytest.raises(TryAgain, match="without an answer"):
        await ProcessPlanner("-", (sys.executable, "-c", program)).answer(
            "plan", {"plan": "province", "files": {}, "year": None, "site": ""}
        )


@pytest.mark.parametrize(("said", "allowed"), [(None, 900), ("max", 900), ("1200", 400), ("90000", 900)])
def test_a_container_is_not_filled(tmp_path: Path, said: str | None, allowed: int) -> None:
    """A third of it at most: two questions and the API have room."""
    if said is not None:
        (tmp_path / "memory.max").write_text(f"{said}\n")
    assert allowed_bytes(900, tmp_path / "memory.max") == allowed
