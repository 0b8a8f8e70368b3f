"""What things are called, and that each says what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import EnumType, StrEnum
from pathlib import PurePath

import segments.model
from tests.house.tree import PACKAGES, ROOT, committed, modules

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "base"}
GLOSSARY = "docs/reference/glossary.md"

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def empty_names(name: str) -> Iterator[str]:
    """A module or folder whose name says nothing."""
    yield from (f"{name}: {part!r} says nothing" for part in PurePath(name).with_suffix("").parts if part in EMPTY_NAMES)


def without_purpose(name: str, tree: ast.Module) -> Iterator[str]:
    """A module that does not begin with a docstring of what it is for."""
    if not (ast.get_docstring(tree) or "").strip():
        yield f"{name} does not say what it is for"


def undocumented(name: str, tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Public classes, functions and methods without a docstring; those of private classes are private."""
    for node in tree.body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield f"{name}:{node.lineno}: {node.name} does not say what it promises"
            if isinstance(node, ast.ClassDef):
                yield from undocumented(name, node)


def silent_tests(name: str, tree: ast.Module) -> Iterator[str]:
    """Tests that do not say in a sentence what they show."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            said = ast.get_docstring(node) or ""
            if not said.endswith("."):
                yield f"{name}:{node.lineno}: {node.name} does not say in a sentence what it shows"


def words_of(module: object) -> Iterator[str]:
    """All values of a module's enumerations: what users see."""
    for kind in vars(module).values():
        if isinstance(kind, EnumType) and issubclass(kind, StrEnum):
            yield from (str(member) for member in kind)


def unexplained(words: Iterator[str], glossary: str) -> list[str]:
    """Words that the glossary does not have as `word`."""
    return [word for word in words if f"`{word}`" not in glossary]


def test_names_say_something() -> None:
    """No module or folder is called utils, helpers, manager or common."""
    assert [wrong for name in committed() if name.endswith((".py", ".ts")) for wrong in empty_names(name)] == []


def test_every_module_says_what_it_is_for() -> None:
    """Every module of the packages begins with a docstring."""
    assert [wrong for name, tree in modules(*PACKAGES) for wrong in without_purpose(name, tree)] == []


def test_everything_public_says_what_it_promises() -> None:
    """Every public class, function and method of the packages has a docstring."""
    assert [wrong for name, tree in modules(*PACKAGES) for wrong in undocumented(name, tree)] == []


def test_every_test_says_its_behaviour() -> None:
    """Every test has a docstring that ends as a sentence does."""
    assert [wrong for name, tree in modules("tests") for wrong in silent_tests(name, tree)] == []


def test_the_glossary_has_every_word_users_see() -> None:
    """Every state, cause and choice of the model is explained in the glossary."""
    assert unexplained(words_of(segments.model), (ROOT / GLOSSARY).read_text()) == []


def test_broken_rules_of_names_are_seen() -> None:
    """The negative control: one bad example of each rule."""
    tree = ast.parse("class Run:\n    def end(self): pass\n    def _own(self): pass\ndef begin(): pass\n")

    assert list(empty_names("recorder/utils.py"))
    assert list(empty_names("deploy/common/words.py"))
    assert list(without_purpose("x.py", tree))
    assert [line.split(": ")[1].split()[0] for line in undocumented("x.py", tree)] == ["Run", "end", "begin"]
    assert list(silent_tests("x.py", ast.parse("def test_it(): pass")))
    assert list(silent_tests("x.py", ast.parse('def test_it():\n    """It works"""')))
    assert unexplained(words_of(segments.model), "`recording`")
