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

from segments.errors import BadInput, DataDamaged, KeepsightError, Refused, TryAgain

OF_TEXTS = frozenset({"plan", "comparison", "explanation"})
"""Questions that need nothing of the installation."""
_ERRORS: Mapping[str, type[KeepsightError]] = {each.__name__: each for each in (BadInput, DataDamaged, Refused, TryAgain)}
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TZ", "LANG", "HOME")
"""What these are handed on of the environment: none of its keys."""


@dataclass(frozen=True, slots=True)
class ProcessPlanner:
    """See `playback.planning.planner.Planner`. `config` is that of the installation (a path, or `-`).

    `command` starts the program that takes a configuration, reads a question, writes its answer and ends.
    """

    config: str
    command: Sequence[str] = (sys.executable, "-m", "deploy.capacity_process")
    limit_s: float = 60.0

    async def answer(self, question: str, asked: Mapping[str, Any]) -> Any:
        """See `Planner`; raises TryAgain where the process ended without an answer."""
        of_texts = question in OF_TEXTS
        environment = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT or not of_texts}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self.command, "-" if of_texts else self.config, stdin=pipe, stdout=pipe, env=environment | {"POLARS_MAX_THREADS": "2"}
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
            raise TryAgain(f"what works this out ended without an answer ({process.returncode}): the log of the API says why")
        answer = json.loads(said)
        if "error" in answer:
            raise _ERRORS.get(answer["error"], TryAgain)(answer["said"])
        return answer["answer"]
