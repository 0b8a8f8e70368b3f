"""A small ext4 disk in a file, whose power can be cut: what was not flushed when it happens is gone. Needs root.

The cut is ext4's shutdown call without a flush of the log (EXT4_IOC_SHUTDOWN, fs/ext4/ext4.h): from then on the file system writes nothing.
It models lost pages and an unfinished journal, not a disk whose own cache lies.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2
SIZE_BYTES = 256 << 20


def need_root(*programs: str) -> None:
    """Skips where we are not root or a program is missing; in CI that is a failure."""
    missing = [name for name in programs if shutil.which(name) is None]
    if os.geteuid() == 0 and not missing:
        return
    reason = f"needs root and {', '.join(programs)}" + (f"; missing: {', '.join(missing)}" if missing else "")
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class LoopDisk:
    """Mounted while the context lasts, at `folder`."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "disk"
        self._image = place / "disk.img"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self._image.touch()
        os.truncate(self._image, SIZE_BYTES)
        _run("mkfs.ext4", "-q", "-F", "-b", "4096", str(self._image))
        self._mount()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._unmount()

    def cut_power(self) -> int:
        """Cuts, and answers the monotonic time in nanoseconds just before: what was promised up to then must be kept."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            before_ns = time.monotonic_ns()
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)
        return before_ns

    def restore_power(self) -> None:
        """Mounts the disk again as it is; nobody may have a file of it open."""
        self._unmount()
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", "-t", "ext4", str(self._image), str(self.folder))

    def _unmount(self) -> None:
        _run("umount", str(self.folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
