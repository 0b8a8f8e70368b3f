"""What pyproject.toml asks for is locked: a machine that installs the locks has all that is imported."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.house.tree import ROOT

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def name_of(requirement: str) -> str:
    """The package of a requirement, as locks spell it."""
    found = _NAME.match(requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def missing(wanted: list[str], lock: str) -> set[str]:
    """What is asked for and not in a lock."""
    return {name_of(each) for each in wanted} - {name_of(line) for line in lock.splitlines() if "==" in line and line[0] not in " #-"}


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", ["build"]),
        ("requirements-dev.lock", ["build", "dev", "fuzz"]),
        ("requirements-cluster.lock", ["build", "cluster"]),
    ],
)
def test_all_that_is_asked_for_is_locked(lock: str, extras: list[str]) -> None:
    """The extras of each lock, and what everybody needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    assert missing(wanted, (ROOT / lock).read_text()) == set()


def test_what_is_not_locked_is_found() -> None:
    """The control: a package that was added and not locked."""
    assert missing(["Av>=18", "mat_plot.lib>=3"], "av==18.0.0 \\\n    --hash=x\n") == {"mat-plot-lib"}
