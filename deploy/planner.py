"""Works questions of planners out in a process of their own each, which is ended when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segments.errors import BadInput, TryAgain

LIMIT_S = 60.0
"""How long one question is worked on."""
NICENESS = 5
"""After the API itself, which is after recorders."""
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TZ", "LANG", "HOME")
"""What is handed on of the environment: none of its keys."""


@dataclass(frozen=True, slots=True)
class ProcessPlanner:
    """See `playback.planning.planner.Planner`. `command` starts the program that reads a question and writes its answer."""

    command: Sequence[str] = (sys.executable, "-m", "deploy.capacity_process")
    limit_s: float = LIMIT_S

    async def answer(self, question: str, asked: Mapping[str, Any]) -> Any:
        """See `Planner`; raises TryAgain where the process ended without an answer."""
        process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"POLARS_MAX_THREADS": "1"},
            preexec_fn=None,
        )
        try:
            async with asyncio.timeout(self.limit_s):
                said, _ = await process.communicate(json.dumps({"question": question, "asked": asked}).encode())
        except TimeoutError:
            raise BadInput(
                f"this takes longer than {self.limit_s:g} s: ask for less at once, or `keepsight capacity` on the command line"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if process.returncode:
            raise TryAgain(f"the process that works out plans ended without an answer ({process.returncode}); the log of the API says why")
        answer = json.loads(said)
        if "wrong" in answer:
            raise BadInput(answer["wrong"])
        return answer["answer"]
