"""How every promise's program reads its arguments and reports its result."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Form:
    """Which form of a promise runs: the short one of a minute, or the full one whose figure is published."""

    full: bool

    @property
    def name(self) -> str:
        """`short` or `full`."""
        return "full" if self.full else "short"


def read_form(description: str | None) -> Form:
    """Reads `--full` from the command line; FULL=1 in the environment means the same."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="the long form, whose result is kept and published")
    return Form(parser.parse_args().full or os.environ.get("FULL") == "1")


def bound95(n: int) -> float:
    """The rate that `n` trials without a failure exclude with 95 % confidence: the rule of three, 3/n."""
    return 3 / n


def report(
    *,
    promise: str,
    form: str,
    n: int,
    value: float,
    unit: str,
    gate: str,
    met: bool,
    peer: float | None = None,
    ratio: float | None = None,
    bound95: float | None = None,
    control: Literal["red", "green"] | None = None,
) -> dict[str, Any]:
    """Prints the result as the last line, one JSON object; the full form's is kept in bench/results for the table.

    A promise whose negative control stayed green is not met, whatever was measured.
    """
    result = {
        "promise": promise,
        "form": form,
        "n": n,
        "value": value,
        "unit": unit,
        "peer": peer,
        "ratio": ratio,
        "gate": gate,
        "bound95": bound95,
        "control": control,
        "met": met and control != "green",
        "machine": machine(),
        "commit": commit(),
    }
    if form == "full":
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{promise}.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    print(json.dumps(result, ensure_ascii=False), flush=True)
    return result


def machine() -> str:
    """The size of this machine in a few words, without its name."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, Linux {platform.release().split('-')[0]} {platform.machine()}"


def commit() -> str:
    """The commit that was measured, with a + if files differ from it; `unknown` outside of a checkout."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
