"""Commands that change something are in the register, each of them: who, what, and that it failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from deploy.cli import app
from segments.errors import TryAgain
from tests.command_line import Keepsight

LOOKS = {
    *("audit export", "audit search", "audit verify", "audit who-saw", "backup list", "camera list", "camera show", "camera test"),
    *(
        "capacity backtest",
        "capacity compare",
        "capacity forecast",
        "capacity history",
        "capacity plan",
        "capacity report",
        "capacity usage",
        "config check",
        "doctor",
        "export",
        "exports list",
        "exports show",
    ),
    *("exports verify", "fleet status", "hold list", "hold report", "hold show", "key list", "metering", "play", "pools", "pools probe"),
    *("quota list", "receipts export", "receipts list", "receipts verify", "report retention", "retention dry-run", "retention explain"),
    *("retention policy history", "retention policy plan", "retention policy show", "retention pressure", "retention status"),
    *("retention tiers", "schema status", "scrub status", "sensitive list", "site lag", "site list", "site report", "site show", "status"),
    *("timeline", "user list", "user show", "verify", "webhook list"),
}
EXCEPTIONS = {
    "api": "a program, whose routes register",
    "backup make": "a copy beside what it copies",
    "demo": "a site of its own, which goes with it",
    "drill": "its takeover stands in its report and in the sites' records",
    "fleet start": "programs, no footage and no access",
    "fleet stop": "programs, no footage and no access",
    "index copy": "what it writes is another index, with the same register",
    "index rebuild": "makes again what the pools say",
    "pools count": "counts again what the index says",
    "restore": "refuses an index that holds anything; the register comes back with it",
    "schema apply": "before it there is no register",
    "scrub run": "checks; what it heals is as it was",
    "serve": "a program, whose routes register",
}
ELSEWHERE = {
    *("capacity place", "hold approve", "hold extend", "hold lift", "hold place", "quota set", "sensitive add", "sensitive remove"),
    *("site give-back", "site take-over", "retention clock accept", "retention policy withdraw"),
}
"""Registered, and tried in tests of their own, as they need more than an empty site."""
DONE: dict[str, tuple[list[str], int, str]] = {
    "camera add": (["door", "rtsp://192.0.2.11/1"], 0, "added camera door"),
    "camera set": (["door", "name=North"], 0, "changed name of camera door"),
    "camera import": (["FILE"], 0, "imported 1 cameras"),
    "camera remove": (["door"], 0, "removed camera door"),
    "user add": (["anna", "--role", "viewer", "--everything"], 0, "added user anna"),
    "user set": (["anna", "--unit", "north"], 0, "changed unit of user anna"),
    "user password": (["anna"], 0, "gave user anna another password"),
    "user disable": (["anna"], 0, "disabled user anna"),
    "user remove": (["anna", "--yes"], 0, "removed user anna"),
    "key add": (["platform", "--everything"], 0, "made an API key for platform"),
    "key revoke": (["nokey"], 2, "revoked API key nokey"),
    "retention start": (["--approver", "Wu", "--review", "2099-01-31", "--yes"], 0, "started retention"),
    "retention policy apply": (["--set", "classes.1=", "--reason", "new", "--yes"], 0, "wrote retention policy 2"),
    "webhook add": (["https://platform.example.org/hook"], 0, "made a webhook"),
    "webhook test": (["none"], 2, "tried webhook none"),
    "webhook secret": (["none"], 2, "replaced the secret of webhook none"),
    "webhook resume": (["none"], 2, "resumed webhook none"),
    "webhook dead": (["none", "--drop", "m1"], 2, "dropped dead letter m1 of webhook none"),
    "webhook remove": (["none", "--yes"], 2, "removed webhook none"),
    "exports cancel": (["none"], 2, "ended export none"),
    "fleet drain": (["north"], 2, "emptied node north"),
    "fleet resume": (["north"], 2, "let node north take part again"),
}
"""How each is called here, what it ends with, and what the register says of it."""


def commands(group: Any, before: str = "") -> Iterator[str]:
    """All that can be called."""
    for name, command in group.commands.items():
        path = f"{before}{name}"
        if not isinstance(command, click.Group) and not hasattr(command, "commands"):
            yield path
            continue
        if getattr(command, "invoke_without_command", False):
            yield path
        yield from commands(command, f"{path} ")


def test_every_command_is_told_apart() -> None:
    """One that only looks, one that is registered, or an exception with its reason: a new command has to be one of them."""
    found = set(commands(typer.main.get_command(app)))
    declared = [*LOOKS, *EXCEPTIONS, *ELSEWHERE, *DONE]
    assert len(declared) == len(set(declared))
    assert found == set(declared)


def test_commands_that_change_something_are_acts(tmp_path: Path) -> None:
    """In order, before they are done; what failed is there once more, and no password is."""
    keepsight = Keepsight(tmp_path)
    (tmp_path / "more.csv").write_text("id,url\nyard,rtsp://192.0.2.12/1\n")
    for command, (words, code, _) in DONE.items():
        keepsight(*command.split(), *(str(tmp_path / "more.csv") if word == "FILE" else word for word in words), code=code)
    acts = keepsight.json("audit", "search")
    changes = [(act["what"], act["outcome"]) for act in acts if act["action"] == "change"]
    wanted = []
    for _, code, what in DONE.values():
        wanted += [(what, "done")] + ([(what, "failed")] if code else [])
    assert changes == wanted


def test_what_cannot_be_written_down_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends as one whose index does not answer, and the camera is not there."""

    async def away(*_: object) -> None:
        raise TryAgain("the register is away")

    keepsight = Keepsight(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr("deploy.cli_acts.ChainRegister.write", away)
        keepsight.refused("camera", "add", "door", "rtsp://192.0.2.11/1", code=4)
        keepsight.refused("user", "add", "anna", "--administrator", code=4)
    assert keepsight.cameras() == []
    assert keepsight.json("user", "list") == []
