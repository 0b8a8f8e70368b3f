"""Every kind of record that our code writes is one that a copy of an index carries."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

import pytest

from retention.belongings import FORMERLY
from retention.policy_record import POLICIES
from segments.hold import HOLDS
from segments.record import KINDS
from tests.house.tree import PACKAGES, modules


def written_kinds(path: str, tree: ast.Module) -> Iterator[str]:
    """The kinds a module gives to `new_record`: texts, or constants it has or imports. Any other argument is an AssertionError."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "new_record":
            continue
        match call.args[0]:
            case ast.Constant(value=str(kind)):
                yield kind
            case ast.Name(id=name):
                kind = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name, None)
                assert isinstance(kind, str), f"{path}:{call.lineno}: name the kind of the record by a constant of the module"
                yield kind
            case other:
                pytest.fail(f"{path}:{call.lineno}: {ast.unparse(other)} is no constant")


def test_every_kind_is_carried() -> None:
    """A kind that is missing in `KINDS` would be lost when an index moves."""
    written = {(path, kind) for path, tree in modules(*PACKAGES) for kind in written_kinds(path, tree)}
    assert {POLICIES, HOLDS, FORMERLY} <= {kind for _, kind in written}
    assert [where for where in sorted(written) if where[1] not in KINDS] == []


def test_a_kind_is_seen() -> None:
    """The control: the reading finds a constant and a text, and refuses what it cannot know."""
    source = 'new_record(HOLDS, "h1", {})\nnew_record("odd", "x", {})'
    assert list(written_kinds("segments/hold.py", ast.parse(source))) == ["hold", "odd"]
    with pytest.raises(AssertionError, match="constant of the module"):
        list(written_kinds("segments/hold.py", ast.parse("new_record(kind, name, {})")))
