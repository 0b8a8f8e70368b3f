"""What all commands share: the configuration, exit codes, JSON where a script reads, sentences where a person does."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.settings import Settings, load_settings
from deploy.wiring import Stores, open_stores
from segments.clock import from_datetime
from segments.errors import BadInput, Conflict, DataDamaged, KeepsightError, NotFound, StartRefused

T = TypeVar("T")

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

DEFAULT_CONFIG = Path("keepsight.toml")


class Exit(IntEnum):
    """Exit codes that scripts may rely on."""

    DONE = 0
    FINDINGS = 1
    """It ran, and what it looked at is not as it should be."""
    BAD_INPUT = 2
    REFUSED = 3
    NO_ANSWER = 4


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="KEEPSIGHT_CONFIG", help="Configuration file (TOML); ./keepsight.toml if it is there, else defaults."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
By = Annotated[str, typer.Option("--by", help="Who does this; default: this system's user.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept for good.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
CameraId = Annotated[str, typer.Argument(help="The camera's id.")]


def config_path(given: Path | None) -> Path | None:
    """The configuration to use: the one given, else ./keepsight.toml where it exists, else none (defaults)."""
    return given if given is not None else DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None


def settings_of(given: Path | None) -> Settings:
    """The settings of a command; ends the command with a sentence if they are wrong."""
    return guarded(lambda: load_settings(config_path(given), os.environ))


def with_stores(settings: Settings, work: Callable[[Stores], Awaitable[T]]) -> T:
    """Runs work on the opened index and pools."""

    async def whole() -> T:
        async with open_stores(settings) as stores:
            return await work(stores)

    return guarded(lambda: asyncio.run(whole()))


def guarded(work: Callable[[], T]) -> T:
    """Runs work; an error of ours becomes one sentence on stderr and an exit code."""
    try:
        return work()
    except KeepsightError as error:
        fail(str(error), code_of(error))


def code_of(error: KeepsightError) -> Exit:
    """The exit code an error ends with."""
    match error:
        case BadInput() | NotFound() | Conflict():
            return Exit.BAD_INPUT
        case StartRefused():
            return Exit.REFUSED
        case DataDamaged():
            return Exit.FINDINGS
        case _:
            return Exit.NO_ANSWER


def fail(sentence: str, code: Exit) -> NoReturn:
    """Ends the command with a sentence."""
    err.print(f"keepsight: {sentence}", style="red", markup=False, highlight=False)
    raise typer.Exit(code)


def who(by: str) -> str:
    """The person who is named, else this system's user; raises BadInput if it has no name."""
    try:
        return by.strip() or getpass.getuser()
    except (KeyError, OSError):
        raise BadInput("this system's user has no name: say who does this with --by") from None


def must_confirm(question: str, *, yes: bool) -> None:
    """Asks on stderr unless `yes` is given; ends the command if the answer is not yes."""
    try:
        agreed = yes or typer.confirm(question, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        fail("nothing was changed: answer with y, or say --yes", Exit.BAD_INPUT)


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def moment_us(text: str) -> int:
    """A moment as users write it: RFC 3339 with a zone, or without one in this machine's own time; raises BadInput."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no time: write it as 2026-01-31T08:00:00Z, or 2026-01-31T08:00 for this machine's own time") from None
    return from_datetime(moment if moment.tzinfo is not None else moment.astimezone())


def day_of_text(text: str) -> date:
    """A day as users write it; raises BadInput."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no day; write it as 2027-01-31") from None


class shown:  # noqa: N801 - used like a function
    """A line of progress on stderr while long work goes on."""

    def __init__(self, what: str) -> None:
        self._progress = Progress(
            TextColumn(what), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn(), console=err, transient=True
        )
        self._task = self._progress.add_task(what, total=None, said="")

    def __enter__(self) -> Callable[[str], None]:
        self._progress.start()
        return lambda said: self._progress.update(self._task, said=said)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
