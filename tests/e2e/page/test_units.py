"""The page's own checks: types, and unit tests of its pure parts in Node."""

from __future__ import annotations

import subprocess

import pytest

from tests.servers.page import CONSOLE, built_console
from tests.servers.processes import require_program

pytestmark = pytest.mark.server


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_page_passes_its_own_checks(script: str) -> None:
    """Types hold, and time arithmetic, timeline, layout and picture times do what their tests say."""
    npm = require_program("npm", "npm")
    built_console()
    done = subprocess.run([npm, "run", script], cwd=CONSOLE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lock_file_names_no_registry() -> None:
    """Packages are locked by hash, and where they come from is left to whoever installs them."""
    lock = (CONSOLE / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert "resolved" not in lock
