"""toxiproxy, a TCP proxy whose faults are switched while connections live, over its HTTP API.

with Toxiproxy() as toxiproxy:
    proxy = toxiproxy.before(port_of_the_server)      # connect to 127.0.0.1, proxy.port
    with proxy.fault("latency", latency=200): ...     # a toxic of the name, on the way down; see toxiproxy's own documentation
    with proxy.lost_answers(): ...                    # requests arrive, answers never come
    with proxy.cut_uploads(1 << 20): ...              # connections close after so many bytes up
    proxy.down(); proxy.up()                          # refuses connections; the port stays the same
"""

from __future__ import annotations

import contextlib
import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.servers.processes import Program, free_port, require

PROGRAM = Path(__file__).parents[2] / ".parts" / "bin" / "toxiproxy"


class Toxiproxy:
    """The running program; one for many proxies. A context manager."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        program = require(PROGRAM if PROGRAM.exists() else None, "toxiproxy is not there; run: scripts/parts")
        self._port = free_port()
        self._program = Program([str(program), "-host", "127.0.0.1", "-port", str(self._port)])
        self._program.wait_for(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._program.kill()

    def before(self, server_port: int) -> Proxy:
        """A new proxy of a server on loopback, without a fault."""
        name = f"proxy-{next(self._numbers)}"
        made = self.ask("POST", "/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{server_port}"})
        return Proxy(self, name, int(made["listen"].rpartition(":")[2]))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the API; raises urllib.error.HTTPError with what it answered."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _answers(self) -> bool:
        try:
            return bool(self.ask("GET", "/version"))
        except (OSError, urllib.error.URLError):
            return False


class Proxy:
    """One proxy; see the module."""

    def __init__(self, toxiproxy: Toxiproxy, name: str, port: int) -> None:
        self._toxiproxy = toxiproxy
        self._path = f"/proxies/{name}"
        self._listen = f"127.0.0.1:{port}"
        self.port = port

    @contextlib.contextmanager
    def fault(self, kind: str, *, up: bool = False, **attributes: int) -> Iterator[None]:
        """A toxic of this kind for as long as the context lasts; `up`: from client to server."""
        toxic = {"name": kind, "type": kind, "stream": "upstream" if up else "downstream", "attributes": attributes}
        self._toxiproxy.ask("POST", f"{self._path}/toxics", toxic)
        try:
            yield
        finally:
            self._toxiproxy.ask("DELETE", f"{self._path}/toxics/{kind}")

    def lost_answers(self) -> contextlib.AbstractContextManager[None]:
        """What the server says is dropped; connections stay open."""
        return self.fault("timeout", timeout=0)

    def cut_uploads(self, after_bytes: int) -> contextlib.AbstractContextManager[None]:
        """Connections close when the client has sent so much."""
        return self.fault("limit_data", up=True, bytes=after_bytes)

    def down(self) -> None:
        """Closes all connections and refuses new ones."""
        self._toxiproxy.ask("POST", self._path, {"enabled": False, "listen": self._listen})

    def up(self) -> None:
        """Listens again."""
        self._toxiproxy.ask("POST", self._path, {"enabled": True, "listen": self._listen})
