"""Who may name whom: libraries at their own doors, adapters by deploy alone, and one place where a process ends itself."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT, imports, is_of, modules

ROUTED = ("hold", "receipt", "report", "rule", "state")
"""What retention has routes of."""
DOORS: Mapping[str, Collection[str]] = {
    "av": ("recorder/sources/libav.py", "recorder/sources/libav_tracks.py", "recorder/sound.py", "playback/snapshot.py", "deploy/demo"),
    "ray": ("deploy/fleet/",),
    "ffmpeg": ("deploy/ffmpeg_command.py",),
    "segments.stores": ("deploy/", "segments/stores/"),
    "obstore": ("segments/stores/",),
    "botocore": ("segments/stores/",),
    "minio": ("segments/stores/",),
    "cassandra": ("segments/stores/",),
    "sqlite3": ("segments/stores/",),
    "fastapi": ("playback/", "recorder/local_routes.py", "retention/asked.py", *(f"retention/{name}_routes.py" for name in ROUTED)),
    "typer": ("deploy/cli",),
    "unittest.mock": (),
}
"""What may be imported only in files whose path begins so."""

_EXITS = {"sys.exit", "os._exit", "exit", "quit", "SystemExit", "typer.Exit"}


def strangers(name: str, tree: ast.Module) -> Iterator[str]:
    """Imports that belong to other files."""
    imported = list(imports(tree))
    for library, doors in DOORS.items():
        found = any(is_of(each, library) for each in imported)
        if found and not name.startswith(tuple(doors)):
            yield f"{name} imports {library}, which only {', '.join(doors) or 'nobody'} may"


def is_entry_point(name: str, tree: ast.Module) -> bool:
    """The command line, and the modules of deploy that are started as programs."""
    tests = [ast.unparse(node.test) for node in tree.body if isinstance(node, ast.If)]
    return name.startswith("deploy/cli") or (name.startswith("deploy/") and "__name__ == '__main__'" in tests)


def exits(name: str, tree: ast.Module) -> Iterator[str]:
    """Places outside of the entry points where the process is ended."""
    if is_entry_point(name, tree):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call | ast.Raise):
            ends = node.func if isinstance(node, ast.Call) else node.exc
            if ends is not None and ast.unparse(ends).split("(")[0] in _EXITS:
                yield f"{name}:{node.lineno}: {ast.unparse(node)[:80]}"


def comes_from(package: str, folder: Path) -> bool:
    """Whether a top-level name is imported from this folder, and not from a package installed beside it."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve().is_relative_to(folder.resolve())


def test_libraries_are_met_at_their_doors() -> None:
    """PyAV, Ray, the stores' adapters and their libraries are imported in the files named for them; mocks in none."""
    assert [wrong for name, tree in modules(*PACKAGES) for wrong in strangers(name, tree)] == []


def test_only_entry_points_end_the_process() -> None:
    """Nothing but the command line and the programs' own ends may exit."""
    assert [wrong for name, tree in modules(*PACKAGES) for wrong in exits(name, tree)] == []


def test_packages_are_ours() -> None:
    """Each top-level name is our package, although others have published packages of such names."""
    assert [package for package in PACKAGES if not comes_from(package, ROOT)] == []


def test_a_package_of_others_is_seen() -> None:
    """The negative control: a name of the standard library does not come from our tree."""
    assert not comes_from("json", ROOT)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("recorder/session.py", "import av"),
        ("segments/verify.py", "from av.container import InputContainer"),
        ("playback/app.py", "from segments.stores.sqlite_index import open_sqlite_index"),
        ("playback/app.py", "import segments.stores"),
        ("deploy/cli.py", "import ray"),
        ("deploy/serve.py", "from unittest import mock"),
        ("deploy/serve.py", "def f():\n    from unittest.mock import Mock"),
    ],
)
def test_imports_at_the_wrong_door_are_seen(name: str, source: str) -> None:
    """The negative control: each of these imports is found, also inside of functions."""
    assert list(strangers(name, ast.parse(source)))


@pytest.mark.parametrize("source", ["sys.exit(1)", "raise SystemExit", "raise SystemExit(2)", "os._exit(0)", "raise typer.Exit(1)"])
def test_exits_are_seen(source: str) -> None:
    """The negative control: each way of ending a process is found outside of the entry points, and only there."""
    assert list(exits("recorder/runner.py", ast.parse(f"{source}\nif __name__ == '__main__': pass")))
    assert list(exits("deploy/serve.py", ast.parse(source)))
    assert not list(exits("deploy/cli.py", ast.parse(source)))
