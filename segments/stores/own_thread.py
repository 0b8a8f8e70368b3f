"""Blocking calls in threads of their own, which do not keep the process from ending while the other side hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def in_own_thread(work: Callable[[], T]) -> T:
    """What `work` gives or raises. Cancelled, it is no longer waited for, and goes on."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - handed on to who awaits it
            future.set_exception(error)

    Thread(target=run, name="s3-call", daemon=True).start()
    return await asyncio.wrap_future(future)
