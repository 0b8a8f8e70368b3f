"""What commands change about access is written into the register too, in the name of this system's user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from deploy.settings import Settings
from deploy.wiring import Stores
from playback.register import ChainRegister
from playback.sensitive.acting import done
from segments.access import Subject
from segments.audit import Act, Action
from segments.clock import SystemClock

T = TypeVar("T")


async def registered(settings: Settings, stores: Stores, person: str, what: str, reason: str, work: Callable[[], Awaitable[T]]) -> T:
    """Does what the words say, once it is written down; raises TryAgain, and does nothing, if it cannot be."""
    clock = SystemClock()
    register = ChainRegister(stores.index, f"command.{settings.node_name}", clock)
    try:
        who = Subject(f"command:{person}", person)
        return await done(register, Act(clock.now_us(), who, Action.CHANGE, what, reason=reason, source="command line"), work)
    finally:
        await register.close()
