"""All promises: `python -m bench.promises R7 [--full]` runs one, `--table` writes docs/promises.md from the kept results."""

from __future__ import annotations

import json
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

from bench.promise import RESULTS

MODULES = {path.stem.removeprefix("promise_").upper(): f"bench.{path.stem}" for path in sorted(Path(__file__).parent.glob("promise_*.py"))}
"""Where each promise is measured: promise_r7.py measures R7."""

TABLE = Path(__file__).parent.parent / "docs" / "promises.md"

_HEAD = """# Promises, as measured

Each row was measured by `make promise P=<row> FULL=1`, whose last line it is; `make promise P=<row>` runs its short form in about a minute.
*At most* is the rate that so many trials without a failure exclude with 95 % confidence (3/N). *Control*: the same measurement with the
rule broken on purpose must go red. A gate that is not met is listed as not met.

| promise | gate | measured | N | peer | ratio | at most | control | met | machine | commit |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def run(promise: str, arguments: list[str]) -> None:
    """Runs a promise's program in this process; raises SystemExit, with a sentence if there is none, and where it broke off."""
    module = MODULES.get(promise.upper())
    if module is None:
        sys.exit(f"there is no promise {promise}; there are: {', '.join(MODULES)}")
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)  # a program that gives work to other processes is found by them
    except Exception as error:  # noqa: BLE001 - whatever it is: its last steps say more than ours and asyncio's
        traceback.print_exception(error, limit=-4)
        sys.exit(1)


def write_table() -> None:
    """Writes the table from the kept results of the full forms."""
    results = [json.loads(path.read_text()) for path in RESULTS.glob("*.json")]
    TABLE.write_text(_HEAD + "".join(map(_row, sorted(results, key=_order))))


def _order(result: dict[str, Any]) -> tuple[bool, int]:
    """Speed first, then reliability, each in order of its number."""
    name = result["promise"]
    return name[0] != "S", int("".join(filter(str.isdigit, name)))


def _row(result: dict[str, Any]) -> str:
    cells = [
        result["promise"],
        result["gate"],
        f"{result['value']:g} {result['unit']}",
        f"{result['n']:,}",
        *(_figure(result[name]) for name in ("peer", "ratio", "bound95")),
        result["control"] or "",
        "yes" if result["met"] else "**no**",
        result["machine"],
        result["commit"],
    ]
    return f"| {' | '.join(cells)} |\n"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def main() -> None:
    """See the module."""
    match sys.argv[1:]:
        case ["--table"]:
            write_table()
        case [promise, *arguments]:
            run(promise, arguments)
        case _:
            sys.exit(f"usage: python -m bench.promises ({' | '.join(MODULES)}) [--full], or --table")


if __name__ == "__main__":
    main()
