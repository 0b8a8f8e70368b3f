"""How long files and functions may be, and that nothing of a single machine is committed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from tests.house.tree import PACKAGES, modules, texts

FILE_LINES = 300
TEST_LINES = 400
FUNCTION_LINES = 70

LONGER: Mapping[str, str] = {"segments/ports.py": "all ports on one page, as they are read together"}
"""Files that may be longer, each with its reason."""

MACHINE_PATH = re.compile(r"(?<![\w.<>~-])/(?:work|root|tmp|home/\w+)/")
REGISTRY = re.compile(r"pypi\.(?:org|python)|pythonhosted|npm(?:js|mirror)\.(?:org|com)")
_HERE = "tests/house/test_files.py"


def too_long(name: str, text: str) -> Iterator[str]:
    """A file with more lines than its kind may have."""
    most = FILE_LINES if name.startswith(tuple(f"{folder}/" for folder in PACKAGES)) else TEST_LINES
    lines = text.count("\n")
    if lines > most and name not in LONGER:
        yield f"{name} has {lines} lines, at most {most}"


def long_functions(name: str, tree: ast.Module) -> Iterator[str]:
    """Functions with more lines than a function may have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{name}: {node.name} has {lines} lines, at most {FUNCTION_LINES}"


def of_a_machine(name: str, text: str) -> Iterator[str]:
    """Lines that name a folder of one machine, or the host of a package registry."""
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line) or REGISTRY.search(line):
            yield f"{name}:{number}: {line.strip()[:100]}"


def addresses_in_lock(name: str, text: str) -> Iterator[str]:
    """Lines of a lock file that say where a package is fetched from."""
    from_where = '"resolved"' if name.endswith(".json") else "://"
    yield from (f"{name}: {line.strip()[:100]}" for line in text.splitlines() if from_where in line)


def test_files_are_short() -> None:
    """Files of the packages have at most 300 lines, tests and measurements at most 400, unless they are named here with a reason."""
    found = [wrong for name, text in texts(".py", ".ts", under=(*PACKAGES, "tests", "bench")) for wrong in too_long(name, text)]
    assert found == []


def test_every_exception_is_needed() -> None:
    """A file that has become short enough is no exception any more, and each exception has its reason."""
    lengths = {name: text.count("\n") for name, text in texts(".py", ".ts")}
    assert [name for name, reason in LONGER.items() if not reason or lengths.get(name, 0) <= FILE_LINES] == []


def test_functions_are_short() -> None:
    """No function has more than 70 lines."""
    assert [wrong for name, tree in modules(*PACKAGES, "tests", "bench") for wrong in long_functions(name, tree)] == []


def test_nothing_of_one_machine_is_committed() -> None:
    """No file names a folder of somebody's machine or the host of a package registry."""
    assert [wrong for name, text in texts() if name != _HERE for wrong in of_a_machine(name, text)] == []


def test_locks_name_no_address() -> None:
    """Locked packages are known by their hashes, wherever they are fetched from."""
    locks = list(texts(".lock", "package-lock.json"))
    assert len(locks) >= 4
    assert [wrong for name, text in locks for wrong in addresses_in_lock(name, text)] == []


def test_long_files_and_functions_are_seen() -> None:
    """The negative control of both rules of length."""
    assert list(too_long("recorder/all.py", "\n" * 301))
    assert list(too_long("tests/unit/test_all.py", "\n" * 401))
    assert not list(too_long("tests/unit/test_all.py", "\n" * 301))
    assert list(long_functions("x.py", ast.parse("def f():\n" + "    x = 1\n" * 70)))
    assert not list(long_functions("x.py", ast.parse("def f():\n" + "    x = 1\n" * 69)))


@pytest.mark.parametrize("line", ["cd /work/main", "DATA=/root/x", "see /tmp/out.log", '"/home/anna/clips"', "https://pypi.org/simple"])
def test_paths_of_a_machine_are_seen(line: str) -> None:
    """The negative control: each of these lines is found."""
    assert list(of_a_machine("x.md", line))


@pytest.mark.parametrize("line", ["/var/lib/keepsight", "docs/work/plan", "tmp/x", "~/work/x", "spool/home/x/"])
def test_other_paths_may_be_named(line: str) -> None:
    """Paths of a product's installation and relative ones are no machine's."""
    assert not list(of_a_machine("x.md", line))


def test_addresses_in_locks_are_seen() -> None:
    """The negative control of the lock rule, for both forms of lock."""
    assert list(addresses_in_lock("requirements.lock", "--index-url https://example.org/simple"))
    assert list(addresses_in_lock("package-lock.json", '      "resolved": "https://example.org/x.tgz",'))
