"""What every program of a fleet does around its own work: it ends in order when it is told to, or when its parent is gone."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
from collections.abc import Awaitable, Callable

from segments.errors import KeepsightError, StartRefused

log = logging.getLogger(__name__)

REFUSED_TO_START = 3
"""Exit code of a program that will not start however often it is tried."""
PARENT_CHECK_S = 1.0
_PR_SET_PDEATHSIG = 1


def run_until_told(main: Callable[[], Awaitable[None]]) -> int:
    """Runs a program until it ends or SIGTERM or SIGINT cancels it; the exit code. What refuses the start is said in one sentence."""

    async def whole() -> None:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _cancel_once, task)
        await main()

    try:
        asyncio.run(whole())
    except asyncio.CancelledError:
        return 0
    except KeepsightError as error:
        return _said([error])
    except ExceptionGroup as group:
        return _said(_leaves(group))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is logged, and the fleet starts the program again
        return _said([error])
    return 0


def _cancel_once(task: asyncio.Task[None]) -> None:
    """The second Ctrl-C of an impatient user must not break the orderly end the first one began."""
    if not task.cancelling():
        task.cancel()


def _leaves(group: ExceptionGroup) -> list[Exception]:
    return [leaf for one in group.exceptions for leaf in (_leaves(one) if isinstance(one, ExceptionGroup) else [one])]


def _said(errors: list[Exception]) -> int:
    """Logs what ended the program, errors of ours in their own words; the exit code."""
    for error in errors:
        log.error("program.ended: %s", error, exc_info=None if isinstance(error, KeepsightError) else error)
    return REFUSED_TO_START if all(isinstance(error, StartRefused) for error in errors) else 1


async def beside_parent(work: Awaitable[None]) -> None:
    """Does the work, and ends it in order when the parent dies: a new fleet finds spool, socket and ports free.

    The kernel tells at once (prctl(2)); a parent that died before it was asked to is noticed within a second.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    working = asyncio.ensure_future(work)
    try:
        while os.getppid() == parent:
            done, _ = await asyncio.wait((working,), timeout=PARENT_CHECK_S)
            if done:
                return working.result()
        log.error("program.orphaned: the process that started this one is gone; it ends")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
