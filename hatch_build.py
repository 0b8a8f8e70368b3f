"""Builds the page into the wheel: with npm, else without the page, unless KEEPSIGHT_CONSOLE=require says that it must be there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Runs `npm ci` and `vite build` in playback/console; editable installs serve whatever was built there."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's signature)
        """Called by hatchling before each build."""
        if version == "editable":
            return
        try:
            self._build(Path(self.root) / "playback" / "console")
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            if os.environ.get("KEEPSIGHT_CONSOLE") == "require":
                raise RuntimeError("the page must be built (KEEPSIGHT_CONSOLE=require): this wants npm of Node 20.19 or newer") from error
            self.app.display_warning(f"the page is not built ({error}); unless an earlier build is there, the API serves without it")

    def _build(self, console: Path) -> None:
        npm = shutil.which("npm") or "npm"
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=console, check=True)
        subprocess.run([npm, "run", "build"], cwd=console, check=True)
