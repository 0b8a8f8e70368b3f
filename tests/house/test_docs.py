"""The documents are true: links lead somewhere, configurations load, every command and every key is described, versions agree."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel

from capacity.plan_file import read_plan
from deploy.cli import app
from deploy.settings import CassandraIndexSettings, FilePool, S3Pool, Settings, SqliteIndexSettings, load_settings
from deploy.site_sections import OtherSiteSettings
from segments.errors import BadInput, StartRefused
from tests.house.tree import PACKAGES, ROOT, texts

COMMAND_LINE = "docs/reference/command-line.md"
CONFIGURATION = "docs/reference/configuration.md"

MADE_LATER = {"docs/promises.md"}
"""Files that a command of the project makes: `make promises` writes the table of the long measurements."""

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(rf"(?<![\w./<])(?:{'|'.join(PACKAGES)}|docs|tests|bench|scripts)/[\w./-]+\.(?:py|md|ts|sql|png|toml)\b")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


def dead_links(name: str, text: str, root: Path = ROOT) -> Iterator[str]:
    """Links to files that are not there; addresses of the web are not followed."""
    for target in _LINK.findall(text):
        path = target.partition("#")[0]
        if path and "://" not in target and not (root / name).parent.joinpath(path).exists():
            yield f"{name}: {target}"


def dead_paths(name: str, text: str, root: Path = ROOT) -> Iterator[str]:
    """Paths of the project's tree, named in words, that are not there."""
    yield from (f"{name}: {path}" for path in _PATH.findall(text) if path not in MADE_LATER and not (root / path).exists())


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [block for kind, block in _FENCE.findall(text) if kind == language]


def command_words(text: str) -> Iterator[str]:
    """What is written as a command of ours: lines of shell blocks, and inline code."""
    lines = [line.strip() for block in blocks(text, "sh") for line in block.splitlines()]
    yield from (line for line in [*lines, *_CODE.findall(text)] if re.match(r"keepsight |make ", line))


def commands(command: Any, path: str = "keepsight") -> Iterator[tuple[str, Any]]:
    """All commands below this one (a click command, or a group of them), by the words they are called with."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from commands(child, f"{path} {name}")


def undescribed_commands(text: str) -> Iterator[str]:
    """Commands without a heading of their own, and options that are not named below it."""
    sections = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE))
    for path, command in commands(typer.main.get_command(app)):
        if path not in sections:
            yield path
            continue
        options = [param.opts[0] for param in command.params if param.param_type_name == "option" and param.name != "config"]
        yield from (f"{path} {option}" for option in options if f"`{option}" not in sections[path])


@cache
def known_words() -> tuple[frozenset[str], frozenset[str]]:
    """Our commands, and the targets of the Makefile."""
    known = frozenset(path for path, _ in commands(typer.main.get_command(app)))
    return known, frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def wrong_commands(name: str, text: str) -> Iterator[str]:
    """Commands in a document that there are not."""
    known, targets = known_words()
    for line in command_words(text):
        program, first, second, third = (*line.split(), "", "", "")[:4]
        words = (f"keepsight {first}", f"keepsight {first} {second}", f"keepsight {first} {second} {third}")
        fine = first in targets if program == "make" else not known.isdisjoint(words)
        groups = {path.split()[1] for path in known}
        if not fine and not (program == "keepsight" and (first.startswith("-") or (first in groups and not second))):
            yield f"{name}: {line}"


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All keys of the settings with their defaults, as `section.name`."""
    for name, field in model.model_fields.items():
        if name == "pools":
            for pool in (FilePool, S3Pool):
                yield from keys(pool, "pools.NAME.")
        elif name == "index":
            for index in (SqliteIndexSettings, CassandraIndexSettings):
                yield from keys(index, "index.")
        elif name == "sites":
            yield from keys(OtherSiteSettings, "sites.NAME.")
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{field.alias or name}", field.default


def undescribed_keys(text: str) -> Iterator[str]:
    """Keys without a line of their own in the table, and lines that tell another default."""
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([^|]*) \|", text, re.MULTILINE))
    for key, default in keys(Settings):
        if key not in rows:
            yield key
        elif isinstance(default, bool | int | float | str) and default != "" and f"`{_toml(default)}`" not in rows[key]:
            yield f"{key}: the default is {_toml(default)}"


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def bad_configurations(text: str, folder: Path) -> Iterator[str]:
    """TOML blocks that the service, or the planner of capacity, would refuse."""
    for block in blocks(text, "toml"):
        path = folder / "keepsight.toml"
        path.write_text(block)
        try:
            read_plan(path) if re.search(r"^plan = ", block, re.MULTILINE) else load_settings(path, {})
        except (StartRefused, BadInput) as error:
            yield str(error)


def wrong_version(changelog: str, version: str) -> str:
    """The newest version the change log names, if it is not this one."""
    named = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    return "" if named[:1] == [version] else str(named[:1])


def _documents() -> Iterable[tuple[str, str]]:
    return list(texts(".md"))


def test_links_lead_somewhere() -> None:
    """Every link of a document that leads into the project leads to a file."""
    assert [wrong for name, text in _documents() for wrong in dead_links(name, text)] == []


def test_named_paths_are_there() -> None:
    """Every path of the tree that a document or the code names is there."""
    named = [(name, text) for name, text in texts(".md", ".py", ".ts") if not name.startswith("tests/house/")]
    assert [wrong for name, text in named for wrong in dead_paths(name, text)] == []


def test_configurations_load(tmp_path: Path) -> None:
    """Every configuration that a document shows is taken by the service as it stands."""
    shown = [text for _, text in _documents() if blocks(text, "toml")]
    assert len(shown) >= 3
    assert [wrong for text in shown for wrong in bad_configurations(text, tmp_path)] == []


def test_every_command_is_described() -> None:
    """The reference of the command line has every command with all of its options."""
    assert list(undescribed_commands((ROOT / COMMAND_LINE).read_text())) == []


def test_named_commands_exist() -> None:
    """Every command that a document shows is one of ours, and every make target is in the Makefile."""
    assert [wrong for name, text in _documents() for wrong in wrong_commands(name, text)] == []


def test_every_key_is_described() -> None:
    """The reference of the configuration has every key, with its default."""
    assert list(undescribed_keys((ROOT / CONFIGURATION).read_text())) == []


def test_both_languages_show_the_same_commands() -> None:
    """The English and the Chinese first page tell the reader to type the same."""
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    assert _typed(english) == _typed(chinese)


def _typed(text: str) -> list[str]:
    """The lines of shell blocks without comments."""
    return [line.partition("#")[0].rstrip() for block in blocks(text, "sh") for line in block.splitlines() if not line.startswith("#")]


def test_the_change_log_names_the_version() -> None:
    """The newest version of the change log is the package's."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert wrong_version((ROOT / "CHANGELOG.md").read_text(), version) == ""


def test_untrue_documents_are_seen(tmp_path: Path) -> None:
    """The negative control: one bad example of each rule."""
    reference = (ROOT / COMMAND_LINE).read_text()
    table = (ROOT / CONFIGURATION).read_text()

    assert list(dead_links("README.md", "see [this](docs/nowhere.md)"))
    assert list(dead_paths("README.md", "see `segments/nowhere.py`"))
    assert list(bad_configurations("```toml\n[api]\nprot = 1\n```\n", tmp_path))
    assert list(undescribed_commands(reference.replace("### `keepsight verify`", ""))) == ["keepsight verify"]
    assert list(undescribed_commands(reference.replace("`--dry-run", ""))) == ["keepsight camera import --dry-run"]
    assert list(undescribed_keys(table.replace("| `api.port` |", "|"))) == ["api.port"]
    assert list(undescribed_keys(table.replace("`8480`", "`8000`"))) == ["api.port: the default is 8480"]
    assert wrong_version("## [0.2.0]", "0.1.0")


@pytest.mark.parametrize("text", ["`keepsight record`", "```sh\nkeepsight camera shoot gate\n```\n", "`make coffee`"])
def test_commands_that_are_none_are_seen(text: str) -> None:
    """The negative control: commands nobody can type are found in blocks and in words."""
    assert list(wrong_commands("README.md", text))
