"""The command line: exit codes a script may rely on, and errors that are one sentence on stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from tests.command_line import PASSWORD, URL, Keepsight


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """`serve` sets up the logs of its process, which here is that of the tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    return Keepsight(tmp_path)


# --- cameras ---


def test_a_camera_through_its_life(keepsight: Keepsight) -> None:
    """Added, listed, shown, changed, removed; the password is sealed and in no answer."""
    keepsight("camera", "add", "gate", URL, "name=门口", "class=1", "area=harbour/east")
    shown = keepsight.json("camera", "show", "gate")
    assert (shown["id"], shown["name"], shown["class"], shown["area"], shown["credential"], shown["state"]) == (
        "gate",
        "门口",
        1,
        "harbour/east",
        True,
        None,
    )
    assert shown["url"] == "rtsp://192.0.2.10:554/1"
    assert keepsight.credential("gate") == PASSWORD

    added_us = shown["added_us"]
    keepsight("camera", "set", "gate", "name=North gate", "sound=omit", "enabled=no", "class=2")
    shown = keepsight.json("camera", "show", "gate")
    assert (shown["name"], shown["sound"], shown["enabled"], shown["class"]) == ("North gate", "omit", False, 2)
    assert (shown["area"], shown["added_us"], shown["credential"]) == ("harbour/east", added_us, True)
    keepsight("camera", "set", "gate", "url=rtsp://root:other@192.0.2.11/2")
    assert keepsight.credential("gate") == "other"

    assert "North gate" in keepsight("camera", "list").stdout
    assert keepsight.json("camera", "list", "--area", "harbour")[0]["id"] == "gate"
    assert keepsight.json("camera", "list", "--area", "town") == keepsight.json("camera", "list", "--class", "3") == []
    keepsight("camera", "remove", "gate")
    assert keepsight.cameras() == []
    assert keepsight.credential("gate") is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["camera", "show", "nobody"], "nobody"),
        (["camera", "remove", "nobody"], "nobody"),
        (["camera", "set", "nobody", "name=x"], "nobody"),
        (["camera", "test", "nobody"], "nobody"),
        (["camera", "set", "gate"], "nothing to set"),
        (["camera", "set", "gate", "colour=red"], "'colour' is not one of the values"),
        (["camera", "set", "gate", "name"], "write NAME=VALUE"),
        (["camera", "set", "gate", "class=9"], "class: '9'"),
        (["camera", "set", "gate", "pool=none"], "pool: 'none' is not one of the configured pools main"),
        (["camera", "add", "gate", URL], "already"),
        (["camera", "add", "../x", URL], "id: '../x'"),
        (["camera", "add", "door", f"gopher://admin:{PASSWORD}@192.0.2.1/"], "must begin with one of"),
        (["camera", "import", "/no/such/file"], "cannot be read"),
        (["verify", "--from", "yesterday"], "'yesterday' is no day"),
        (["verify", "--pool", "none"], "pool 'none' is not configured"),
        (["index", "rebuild", "--pool", "none"], "pool 'none' is not configured"),
        (["export", "gate", "x.mp4", "--from", "then"], "'then' is no time"),
        (["export", "gate", "x.mp4", "--from", "2026-03-14T13:00:00Z", "--to", "2026-03-14T12:00:00Z"], "does not lie before"),
        (["export", "gate", "x.mp4", "--from", "2026-03-14T13:00:00Z", "--to", "2026-03-16T12:00:00Z"], "has no footage"),
        (["export", "gate", "x.mp4"], "has no footage"),
        (["timeline", "gate", "--from", "then"], "'then' is no time"),
        (["play", "gate", "--at", "then"], "'then' is no time"),
    ],
)
def test_wrong_input_is_2(keepsight: Keepsight, words: list[str], said: str) -> None:
    """One sentence says what was wrong; nothing was changed."""
    keepsight("camera", "add", "gate", URL)

    assert said in keepsight.refused(*words, code=2)
    assert keepsight.cameras() == ["gate"]


@pytest.mark.parametrize("words", [["camera"], ["frobnicate"], ["camera", "list", "--class", "7"], ["camera", "add"], ["verify", "deep"]])
def test_wrong_usage_is_2(words: list[str]) -> None:
    """What the command line itself refuses has the same code."""
    assert CliRunner().invoke(app, words).exit_code == 2


COMMANDS = [
    ["camera", "add", "gate", URL],
    ["camera", "list"],
    ["camera", "show", "gate"],
    ["camera", "test", "gate"],
    ["camera", "set", "gate", "name=x"],
    ["camera", "remove", "gate"],
    ["camera", "import", "-"],
    ["timeline", "gate"],
    ["play", "gate"],
    ["export", "gate", "x.mp4"],
    ["status"],
    ["verify"],
    ["index", "rebuild"],
    ["config", "check"],
    ["doctor"],
    ["serve"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_wrong_configuration_is_3_for_every_command(keepsight: Keepsight, words: list[str]) -> None:
    """It names the file and the key."""
    keepsight.configure("[site]\nname = '!'\n")

    sentence = keepsight.refused(*words, code=3)
    assert "site.name" in sentence
    assert str(keepsight.config) in sentence


WITHOUT_INDEX = ("timeline", "play", "status", "serve", "doctor")
"""They ask the running service, or say what is wrong among other things."""


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] not in WITHOUT_INDEX], ids=" ".join)
def test_an_index_that_cannot_be_used_is_3(keepsight: Keepsight, words: list[str]) -> None:
    """The reason is said in a sentence; a file that is no index is left as it is."""
    index = keepsight.folder / "keepsight-data" / "index.sqlite"
    index.parent.mkdir()
    index.write_bytes(b"nothing that SQLite knows, but as long as one of its pages" * 200)

    assert str(index) in keepsight.refused(*words, code=3, text="id,url\ngate,rtsp://192.0.2.1/\n")


def test_serve_refuses_as_its_parts_do(keepsight: Keepsight, caplog: pytest.LogCaptureFixture) -> None:
    """A spool open to others: 3, with the words in the log."""
    spool = keepsight.folder / "keepsight-data" / "spool"
    spool.mkdir(parents=True)
    spool.chmod(0o777)

    result = CliRunner().invoke(app, ["serve", "--config", str(keepsight.config)])

    assert result.exit_code == 3
    assert "Traceback" not in result.output


def test_config_check_is_0_or_3(keepsight: Keepsight) -> None:
    """It looks at all that a start looks at, and starts nothing."""
    assert "is right" in keepsight("config", "check").stdout
    spool = keepsight.folder / "keepsight-data" / "spool"
    spool.chmod(0o755)
    assert "chmod 700" in keepsight.refused("config", "check", code=3)
