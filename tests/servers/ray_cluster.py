"""A Ray cluster on this machine: a head, with its state in Redis where that is wanted, and nodes in folders of their own.

Tokens are asked for. A node that is killed, stopped or ended is all of its processes: raylet, workers, and the programs below them.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from tests.servers.processes import Program, free_port, require, require_program

RAY = str(Path(sys.executable).with_name("ray"))
START_LIMIT_S = 90
_TRIES = 3
"""Ray gives its own processes 30 s: on a machine with much else to do a start may fail."""
_LITTLE = ["--disable-usage-stats", "--object-store-memory", "80000000", "--include-log-monitor", "false"]
_FREE_PORTS = ["--min-worker-port", "0", "--max-worker-port", "0", "--dashboard-agent-listen-port", "0"]


class RayCluster:
    """The head. `redis`: its state outlives it, so that `kill` and `start` play a head that is lost and comes back."""

    def __init__(self, *, redis: bool = False) -> None:
        require(Path(RAY).exists(), "Ray is not installed: pip install ray")
        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))  # names of sockets are at most 107 bytes long: pytest's folders are longer
        self._port = free_port()
        self._client = ["--ray-client-server-port", str(free_port())] if find_spec("grpc") else []  # else it has no such server
        self._redis_port = free_port() if redis else 0
        self._redis: Program | None = None
        self._head: Program | None = None
        self._starts = 0
        token = self._folder / "token"
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_enable_worker_prestart": "0",
            "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
        }

    @property
    def address(self) -> str:
        """Of the head."""
        return f"127.0.0.1:{self._port}"

    @property
    def folder(self) -> Path:
        """Where Ray keeps its sessions and logs."""
        return self._folder

    @property
    def token(self) -> str:
        """What callers must know."""
        return (self._folder / "token").read_text()

    def __enter__(self) -> Self:
        if self._redis_port:
            redis = require_program("redis-server", "redis-server")
            options = [
                "--port",
                str(self._redis_port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                str(self._folder),
            ]
            self._redis = Program([redis, *options])
            self._redis.wait_for(lambda: any("Ready to accept" in line for line in self._redis.log))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._redis is not None:
            self._redis.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Starts the head (again), at the same address."""
        for tries in range(_TRIES):
            try:
                self._start_head()
                return
            except RuntimeError:
                self.kill()
                if tries == _TRIES - 1:
                    raise

    def _start_head(self) -> None:
        self._starts += 1  # in a folder of its own: beside nodes of the same machine Ray takes an old one for a head that runs
        words = ["--head", "--block", "--port", str(self._port), "--num-cpus", "0", "--include-dashboard", "false"]
        places = ["--temp-dir", str(self._folder / f"h{self._starts}"), *self._client]
        environment = {**self.environment, **({"RAY_REDIS_ADDRESS": f"127.0.0.1:{self._redis_port}"} if self._redis_port else {})}
        self._head = Program([RAY, "start", *words, *places, *_LITTLE, *_FREE_PORTS], env=environment)
        self._head.wait_for(lambda: _says_started(self._head), limit_s=START_LIMIT_S)

    def kill(self) -> None:
        """The head is lost at once."""
        assert self._head is not None
        self._head.kill()

    def node_command(self, name: str) -> list[str]:
        """The command that joins a node that offers itself."""
        own = ["--num-cpus", "1", "--resources", json.dumps({"keepsight": 1}), "--temp-dir", str(self._folder / name)]
        return [RAY, "start", "--block", "--address", self.address, *own, *_LITTLE, *_FREE_PORTS]


class Machine:
    """All processes of one node, known by the node's folder: it stands in their environment, or on their command line."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._command = command
        self._folder = folder
        self.environment = {**environment, "KEEPSIGHT_SITE__FOLDER": str(folder)}
        """What its first process is started with the next time."""
        self._program: Program | None = None

    def start(self) -> None:
        """Starts its first process, on what its folder holds."""
        self._program = Program(self._command, env=self.environment)

    @property
    def log(self) -> str:
        """What its first process has said."""
        return "\n".join(self._program.log) if self._program is not None else ""

    @property
    def started(self) -> bool:
        """Whether Ray says that the node has joined."""
        assert self._program is not None
        return _says_started(self._program)

    def pids(self) -> dict[int, str]:
        """Its processes with their command lines."""
        mine = (f"KEEPSIGHT_SITE__FOLDER={self._folder}\0".encode(), f"{self._folder}/".encode())
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes()
                    if mine[0] in (entry / "environ").read_bytes() or mine[1] in words:
                        found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
        return found

    def pause(self) -> None:
        """Stops all its processes where they are (SIGSTOP), those too that are started meanwhile."""
        seen: set[int] = set()
        while new := self.pids().keys() - seen:
            self._signal(new, signal.SIGSTOP)
            seen |= new

    def resume(self) -> None:
        """Lets a paused node go on."""
        self._signal(self.pids(), signal.SIGCONT)

    def kill(self) -> None:
        """The node is lost: all its processes at one moment (SIGKILL)."""
        self.pause()
        self._signal(self.pids(), signal.SIGKILL)
        if self._program is not None:
            self._program.kill()
        end_s = time.monotonic() + 10
        while self.pids() and time.monotonic() < end_s:
            time.sleep(0.02)

    def end(self, limit_s: float = 40.0) -> None:
        """The node is shut down in order: its first process is told to (SIGTERM), and what is below it ends by itself."""
        if self._program is not None and self._program.returncode is None:
            os.kill(self._program.pid, signal.SIGTERM)
        end_s = time.monotonic() + limit_s
        while self.pids() and time.monotonic() < end_s:
            time.sleep(0.05)
        self.kill()

    def _signal(self, pids: Sequence[int] | Mapping[int, str] | set[int], number: signal.Signals) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _says_started(program: Program | None) -> bool:
    return program is not None and any("Ray runtime started" in line for line in program.log)
