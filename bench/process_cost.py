"""What processes have used so far, as the kernel counts it: CPU time, bytes written, and memory by proportional share (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_USER, _SYSTEM = 11, 12
"""Places of utime and stime in /proc/PID/stat, counted behind the name in brackets, which may hold anything."""


class Usage(NamedTuple):
    """CPU seconds of all threads, in user and kernel mode, and bytes given to write(2); sockets' bytes do not count."""

    user_s: float
    system_s: float
    written_bytes: int

    @property
    def cpu_s(self) -> float:
        """Both modes together."""
        return self.user_s + self.system_s

    def since(self, earlier: Usage) -> Usage:
        """What was used in between."""
        return Usage(self.user_s - earlier.user_s, self.system_s - earlier.system_s, self.written_bytes - earlier.written_bytes)


def usage(pids: Iterable[int]) -> Usage:
    """The sum over these processes; raises FileNotFoundError if one is gone, for then a figure would be too small."""
    stats = [cpu_ticks(_PROC / str(pid) / "stat") for pid in pids]
    written = [_field(_PROC / str(pid) / "io", "wchar") for pid in pids]
    return Usage(sum(user for user, _ in stats) * _TICK_S, sum(system for _, system in stats) * _TICK_S, sum(written))


def thread_cpu_s(pid: int) -> dict[int, float]:
    """CPU seconds of each living thread of a process by its id; the main thread's is the process's."""
    return {int(task.name): sum(cpu_ticks(task / "stat")) * _TICK_S for task in (_PROC / str(pid) / "task").iterdir()}


def pss_bytes(pids: Iterable[int]) -> int:
    """Memory of these processes, each page divided by the number of those that share it."""
    return sum(_field(_PROC / str(pid) / "smaps_rollup", "Pss") for pid in pids) * 1024


def cpu_ticks(stat: Path) -> tuple[int, int]:
    """User and system time of a stat file, in clock ticks."""
    fields = stat.read_text().rpartition(")")[2].split()
    return int(fields[_USER]), int(fields[_SYSTEM])


def _field(file: Path, name: str) -> int:
    """The number behind `name:`; raises ValueError if it is not there."""
    for line in file.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise ValueError(f"{file} says nothing of {name}")
