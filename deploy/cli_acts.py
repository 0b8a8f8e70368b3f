"""What commands change about access is written into the register too, in the name of this system's user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from deploy.settings import Settings
from deploy.wiring import Stores
from playback.register import AuditIndex, ChainRegister
from playback.sensitive.acting import done
from segments.access import Subject
from segments.audit import Act, Action
from segments.clock import SystemClock
from segments.model import Span

T = TypeVar("T")


async def registered(settings: Settings, stores: Stores, person: str, what: str, reason: str, work: Callable[[], Awaitable[T]]) -> T:
    """Does what the words say, once it is written down; raises TryAgain, and does nothing, if it cannot be."""
    clock = SystemClock()
    register = ChainRegister(stores.index, f"command.{settings.node_name}", clock)
    try:
        return await done(register, act_of_command(person, Action.CHANGE, what, reason=reason), work)
    finally:
        await register.close()


def act_of_command(
    person: str, action: Action, what: str, *, cameras: Sequence[str] = (), span: Span | None = None, reason: str = ""
) -> Act:
    """What somebody does on the command line, now."""
    who = Subject(f"command:{person}", person)
    return Act(SystemClock().now_us(), who, action, what, tuple(cameras), span, reason, "command line")


async def registered_act(settings: Settings, index: AuditIndex, act: Act, work: Callable[[], Awaitable[T]]) -> T:
    """Does what an act says, as `registered` does."""
    register = ChainRegister(index, f"command.{settings.node_name}", SystemClock())
    try:
        return await done(register, act, work)
    finally:
        await register.close()
