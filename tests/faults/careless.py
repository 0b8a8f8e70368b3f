"""The rule broken on purpose: a service whose uploader removes the spool file, and only then puts object and row.

`python -m tests.faults.careless serve ...` in the place of `keepsight`.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import Any

import deploy.cli
import deploy.serve
import recorder.uploader
from deploy import processes
from recorder.recorder_orders import command_for

BEFORE_S = 1.0


async def remove_first(segment: Any, path: Any, **parts: Any) -> Any:
    """A commit as it must not be."""
    data = path.read_bytes()
    path.unlink()
    await asyncio.sleep(BEFORE_S)
    return await keeping_commit(segment, data, **parts)
