"""Starting real programs for tests: ready within a limit, their log kept, stopped exactly; and the one rule for what a machine lacks."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def require(part: T | None, sentence: str) -> T:
    """Gives `part` back if it is there.

    If not, the test fails in CI (CI=true) and is skipped elsewhere, with the sentence, which says what to install.
    """
    if part:
        return part
    if os.environ.get("CI") == "true":
        pytest.fail(f"a real part of this test is missing: {sentence}")
    pytest.skip(sentence)


def require_program(name: str, package: str) -> str:
    """The path of a program on PATH."""
    return require(shutil.which(name), f"{name} is not on PATH; install it: apt-get install {package}")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A loopback port nobody listens on now, and nobody is given while this process lives.

    It lies below those the kernel gives to outgoing connections, in a block only this process takes ports from.
    Prefer port 0 where a server can tell which one it got.
    """
    for port in _ports_of_this_process():
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"all {_BLOCK_PORTS} ports of this process are taken: something listens on and on, or was not ended")


_FIRST_PORT, _BLOCKS, _BLOCK_PORTS = 20_000, 60, 200  # Ray's workers are below, the kernel's own choices from 32768
_next_port = itertools.count()


def _ports_of_this_process() -> Iterator[int]:
    first = _first_port(os.getpid())
    return (first + next(_next_port) % _BLOCK_PORTS for _ in range(_BLOCK_PORTS))


@functools.cache
def _first_port(pid: int) -> int:
    """The first port of a block that belongs to this process until it ends: a lock says so, which a fork does not share."""
    folder = Path(tempfile.gettempdir(), f"keepsight-test-ports-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    for block in range(_BLOCKS):
        lock = os.open(folder / str((block + pid) % _BLOCKS), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _FIRST_PORT + (block + pid) % _BLOCKS * _BLOCK_PORTS
        os.close(lock)
    raise RuntimeError(f"{_BLOCKS} runs of these tests are going on at once; end some")


class Program:
    """A running child in a process group of its own, with its output in `log`."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | os.PathLike | None = None) -> None:
        self.command = list(command)
        self.log: list[str] = []
        self._process = subprocess.Popen(
            self.command,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._gone = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id, also of its group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def wait_for(self, ready: Callable[[], Any], *, limit_s: float = 30) -> Any:
        """Asks `ready` until it answers something true, and gives that back.

        Raises RuntimeError with the end of the log if the program ends or the limit passes first.
        """
        end = time.monotonic() + limit_s
        while not (answer := ready()):
            if self.returncode is not None or time.monotonic() > end:
                what = "ended" if self.returncode is not None else f"was not ready in {limit_s:g} s"
                raise RuntimeError(f"{self.command[0]} {what}; its log ends:\n" + "\n".join(self.log[-20:]))
            time.sleep(0.02)
        return answer

    def wait_for_line(self, start: str, *, limit_s: float = 30) -> str:
        """Waits for a line of output that begins with `start`; see `wait_for`."""
        return self.wait_for(lambda: next((line for line in self.log if line.startswith(start)), None), limit_s=limit_s)

    def kill(self) -> None:
        """Kills the whole group at once, as a power cut of the program would (SIGKILL)."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._gone = True
        self._reader.join(5)

    def stop(self, *, limit_s: float = 5) -> None:
        """Ends the group politely, then by force; fine if it has ended."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(limit_s)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if not self._gone:  # its number may belong to another group by now
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _read(self) -> None:
        with self._process.stdout as output:
            for line in output:
                self.log.append(line.rstrip("\n"))
