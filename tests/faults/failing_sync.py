"""Runs `tests.faults.sync_driver` with its k-th sync failing, and judges what it acknowledged (promise R4)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.spool_folder import check_spool
from tests.faults.acknowledged import REPO


def build_shim(folder: Path) -> Path:
    """Compiles the shim; skips where there is no C compiler, which in CI is a failure."""
    compiler = shutil.which("cc")
    if compiler is None:
        reason = "needs a C compiler (cc) for the shim that makes syncs fail"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library), str(source), "-ldl"], check=True, timeout=60
    )
    return library


def drive(shim: Path, folder: Path, kind: str, fails_at: int, *, rounds: int, retry: bool = False) -> list[str]:
    """What was wrong in one run; empty if the rule was kept. Raises LookupError if the run had fewer syncs than `fails_at`."""
    check_spool(folder, min_free_bytes=0)
    log = folder.with_suffix(".log")
    environment = os.environ | {"LD_PRELOAD": str(shim), "KEEPSIGHT_SYNC_FAILS": str(fails_at), "KEEPSIGHT_SYNC_LOG": str(log)}
    command = [sys.executable, "-m", "tests.faults.sync_driver", str(folder), kind, str(rounds), *(["retry"] if retry else [])]
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        return [f"the driver ended with {done.stderr[-500:]}"]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return _wrong(told, [line.split() for line in log.read_text().splitlines()])


def _wrong(told: list[dict[str, list[int]]], syncs: list[list[str]]) -> list[str]:
    at = next((n for n, sync in enumerate(syncs) if sync[2] == "failed"), None)
    if at is None:
        raise LookupError(f"only {len(syncs)} syncs")
    kind = syncs[at][0]
    wrong = []
    failed_round = next((n for n, each in enumerate(told) if each["failed"]), None)
    if failed_round is None:
        return [f"{kind} {at + 1} failed, and no round said so"]
    failed = set(told[failed_round]["failed"])
    later = [inode for each in told[failed_round:] for inode in each["acknowledged"] + each["sealed"]]
    if told[failed_round]["acknowledged"] or failed & set(later):
        wrong.append(f"files {failed & set(later) or later} acknowledged after {kind} {at + 1} failed")
    again = {int(sync[1]) for sync in syncs[at + 1 :] if sync[0] == "fdatasync"} & failed
    if again:
        wrong.append(f"files {again} synced again after {kind} {at + 1} failed")
    if failed_round < len(told) - 1 and not told[-1]["acknowledged"]:
        wrong.append("nothing was acknowledged in new segments afterwards")
    return wrong
