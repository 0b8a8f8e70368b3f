"""The rule broken on purpose: a service whose uploader removes the spool file, and only then puts object and row.

`python -m tests.faults.careless serve ...` takes the place of `keepsight serve ...`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import deploy.cli
import recorder.uploader
from deploy import programs, uploader_process
from segments.commit import commit

BEFORE_S = 1.0
COMMAND = (sys.executable, "-m", "tests.faults.careless")
_command_for = programs.command_for


async def remove_first(segment: Any, body: Any, **parts: Any) -> Any:
    """A commit as it must not be."""
    data = body.read_bytes()
    body.unlink()
    await asyncio.sleep(BEFORE_S)
    return await commit(segment, data, **parts)


def _another_uploader(command: Sequence[str], program: str, argument: Any) -> list[str]:
    """Of all programs only the uploader is another."""
    return [*command, program, argument] if program == "uploader" else _command_for(program, argument)


def serve_with(careless_commit: Any, command: Sequence[str]) -> int:
    """`serve`, or the uploader it starts by this command, with another commit."""
    if sys.argv[1] == "uploader":
        recorder.uploader.commit = careless_commit
        return uploader_process.main(sys.argv[2:])
    programs.command_for = partial(_another_uploader, command)
    return deploy.cli.main() or 0


if __name__ == "__main__":
    sys.exit(serve_with(remove_first, COMMAND))
