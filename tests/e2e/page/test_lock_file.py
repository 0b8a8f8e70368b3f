"""The page's package: what its lock file says."""

from __future__ import annotations

from tests.servers.page import CONSOLE


def test_the_lock_file_names_no_registry() -> None:
    """Packages are locked by hash, and where they come from is left to whoever installs them."""
    lock = (CONSOLE / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert "resolved" not in lock
