"""Questions of planners in a process of their own: answered there, ended when they take too long, and handed no key."""

from __future__ import annotations

import sys

import pytest

from deploy.planner import ProcessPlanner
from segments.errors import BadInput, TryAgain


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
