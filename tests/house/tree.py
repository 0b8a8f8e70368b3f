"""The project's own files, as the house rules read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("segments", "recorder", "retention", "replication", "playback", "capacity", "deploy")


@cache
def committed() -> tuple[str, ...]:
    """Paths of all files that are or would be committed, from the project's root."""
    ask = ("git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(ask, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return tuple(sorted(name for name in listed if (ROOT / name).is_file()))


def texts(*endings: str, under: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Path and text of the committed files with these endings (none: of all text files) below these folders (none: everywhere)."""
    for name in committed():
        if name.endswith(endings or ("",)) and (not under or name.startswith(tuple(f"{folder}/" for folder in under))):
            data = (ROOT / name).read_bytes()
            if b"\0" not in data:
                yield name, data.decode()


def modules(*under: str) -> Iterator[tuple[str, ast.Module]]:
    """Path and syntax tree of the Python files below these folders."""
    for name, text in texts(".py", under=under):
        yield name, ast.parse(text)


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names a module imports; `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_of(name: str, package: str) -> bool:
    """Whether a dotted name is this package or lies in it."""
    return name == package or name.startswith(f"{package}.")
