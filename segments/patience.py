"""Long readings: repeating what fails in passing, and a few things at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from segments.clock import Clock
from segments.errors import TryAgain

T = TypeVar("T")
R = TypeVar("R")

TRIES = 7
FIRST_WAIT_S = 0.2


async def patiently(work: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """What `work` gives, tried up to seven times with growing waits (about 13 s in all) on TryAgain; the last error is raised.

    Only for work that may be done twice.
    """
    trying = AsyncRetrying(
        retry=retry_if_exception_type(TryAgain),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=FIRST_WAIT_S) + wait_random(0, FIRST_WAIT_S),
        sleep=clock.sleep,
        reraise=True,
    )
    return await trying(work)


async def some_at_once(work: Callable[[T], Awaitable[R]], things: Iterable[T], at_once: int) -> list[R]:
    """What `work` gives for each, in their order, never more than `at_once` being worked on; the first error ends all and is raised."""
    places = asyncio.Semaphore(at_once)

    async def one(thing: T) -> R:
        async with places:
            return await work(thing)

    try:
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(one(thing)) for thing in things]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in working]
