"""What commands change is written into the register first, in the name of who is said to do it, or of this system's user."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from deploy.cli_frame import who, with_stores
from deploy.settings import Settings
from deploy.wiring import Stores
from playback.register import AuditIndex, ChainRegister
from playback.sensitive.acting import done
from segments.access import Subject
from segments.audit import Act, Action
from segments.clock import SystemClock
from segments.errors import BadInput
from segments.model import Span

T = TypeVar("T")


def changing(
    settings: Settings,
    what: str,
    work: Callable[[Stores], Awaitable[T]],
    *,
    by: str = "",
    reason: str = "",
    cameras: Sequence[str] = (),
) -> T:
    """As `with_stores`, for work that changes something: a command that cannot write it down changes nothing, and ends."""
    act = act_of_command(_doer(by), Action.CHANGE, what, cameras=cameras, reason=reason)
    return with_stores(settings, lambda stores: registered_act(settings, stores.index, act, lambda: work(stores)))


def _doer(by: str) -> str:
    """In a container this system's user may have a number only."""
    try:
        return who(by)
    except BadInput:
        return f"uid {os.getuid()}"


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
