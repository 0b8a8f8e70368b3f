"""Starting and stopping programs for tests, and the rule for what a machine lacks."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.servers.processes import Program, require

_SLEEPER = "import subprocess, sys; child = subprocess.Popen(['sleep', '60']); print('ready', child.pid, flush=True); child.wait()"


def _gone(pid: int) -> bool:
    """Whether a process has ended; a reaped or zombie child of another counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_program_is_ended_with_its_children(how):
    """Neither the program nor what it started lives on, and ours does."""
    program = Program([sys.executable, "-c", _SLEEPER])
    child = int(program.wait_for_line("ready").split()[1])
    getattr(program, how)()
    end = time.monotonic() + 5
    while not _gone(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert (_gone(program.pid), _gone(child), os.getpgrp() != program.pid) == (True, True, True)
    program.stop()  # again is fine


def test_a_program_that_ends_early_is_reported_with_its_log():
    """The error holds what the program said last."""
    program = Program([sys.executable, "-c", "print('no port to be had'); raise SystemExit(3)"])
    with pytest.raises(RuntimeError, match=r"ended.*\n.*no port to be had"):
        program.wait_for_line("ready")
    program.stop()
    assert program.returncode == 3


def test_a_program_that_is_never_ready_meets_the_limit():
    """Waiting ends by its limit."""
    program = Program([sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(RuntimeError, match=r"was not ready in 0\.1 s"):
        program.wait_for_line("ready", limit_s=0.1)
    program.stop()


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_part_fails_in_ci_and_skips_elsewhere(monkeypatch, ci, outcome):
    """The same sentence is told both ways."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="install it: apt-get install x"):
        require(None, "install it: apt-get install x")
    assert require("there", "") == "there"
