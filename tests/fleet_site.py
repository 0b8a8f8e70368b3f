"""A whole site of several nodes on this machine: Cassandra, a pool, an API, and nodes of a Ray cluster or without Ray.

async with FleetSite(folder, cassandra, ray=cluster) as site:
    site.add({"gate": url})
    await site.wait_for(lambda: site.is_recording("gate"))
    site.nodes["north"].kill()

Without Ray a node is the same programs below one parent: what happens among nodes does not need Ray, and starts quicker.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import inspect
import io
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

from deploy.programs import fleet_programs
from deploy.settings import load_settings
from segments.clock import US_PER_S
from tests.builders import at
from tests.servers.processes import Program
from tests.servers.ray_cluster import Machine, RayCluster
from tests.servers.safe_cassandra import SafeCassandra
from tests.service import KEEPSIGHT, moment

LIMIT_S = 60.0
_PLAIN_NODE = """
import asyncio
from deploy.fleet.child import run_until_told
from deploy.fleet.local import LocalFleet
from deploy.fleet.node_orders import node_orders
from segments.clock import SystemClock
run_until_told(lambda: LocalFleet(node_orders().programs, clock=SystemClock()).run())
"""


def quiet_port() -> int:
    """A loopback port nobody listens on, and none that the system gives away by itself: Ray takes dozens of those while nodes start."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(frozen=True)
class Gap:
    """Time without footage, and the cause that is given for it."""

    start_us: int
    end_us: int
    cause: str

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_us - self.start_us) / US_PER_S


class FleetSite:
    """See the module. `index_ports`: by node, a port in the place of Cassandra's own (a proxy's); `ray`: a cluster to be a fleet of."""

    def __init__(
        self,
        folder: Path,
        cassandra: SafeCassandra,
        *,
        names: Sequence[str] = ("north", "south"),
        ray: RayCluster | None = None,
        index_ports: Mapping[str, int] | None = None,
        **settings: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.pool = folder / "pool"
        self.spool = folder / "spools"
        """Of all nodes, each in a folder of its name."""
        self.config = folder / "keepsight.toml"
        self.nodes: dict[str, Machine] = {}
        self.internal_ports = {name: quiet_port() for name in names}
        self._cassandra = cassandra
        self._ray = ray
        self._index_ports = index_ports or {}
        self._settings = settings
        self._api_port = quiet_port()
        self._api: Program | None = None
        self._client: httpx2.AsyncClient | None = None

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs that every node has, by the configuration."""
        return fleet_programs(load_settings(self.config, {}))

    async def __aenter__(self) -> Self:
        try:
            await self.prepare()
            await asyncio.to_thread(self.start)
            await self.wait_for(self._answers)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def prepare(self) -> None:
        """Writes the configuration, and makes an index of its own: what is there before the first start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._write_config()
        self.nodes = {name: self._machine(name) for name in self.internal_ports}

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes.values():
            await asyncio.to_thread(node.kill)
        if self._api is not None:
            self._api.kill()
        if self._client is not None:
            await self._client.aclose()

    async def end(self) -> None:
        """All nodes are shut down in order, one after the other."""
        for node in self.nodes.values():
            await asyncio.to_thread(node.end)

    def start(self) -> None:
        """Starts nodes and API, and the fleet in the Ray cluster."""
        for node in self.nodes.values():
            node.start()
        self._api = Program([*KEEPSIGHT, "api", "--config", str(self.config)], env=self._environment("office"))
        if self._ray is not None:
            end_s = time.monotonic() + LIMIT_S
            while not all(node.started for node in self.nodes.values()) and time.monotonic() < end_s:
                time.sleep(0.05)
            self.must("fleet", "start")

    # --- asking ---

    async def api(self, path: str) -> Any:
        """The JSON of a route under /api/v1; raises httpx2.HTTPError for anything but an answer of 200."""
        answer = await self._http().get(f"http://127.0.0.1:{self._api_port}/api/v1{path}")
        answer.raise_for_status()
        return answer.json()

    async def is_recording(self, *cameras: str) -> bool:
        """Whether the last word about all these cameras is that they are recorded."""
        states = [(await self.api(f"/cameras/{camera}"))["state"]["state"] for camera in cameras]
        return states == ["recording"] * len(cameras)

    async def spans(self, camera: str, start_us: int, end_us: int) -> list[dict[str, Any]]:
        """The timeline."""
        return (await self.api(f"/cameras/{camera}/timeline?from={moment(start_us)}&to={moment(end_us)}"))["spans"]

    async def footage(self, camera: str, start_us: int, end_us: int) -> list[tuple[int, int]]:
        """Spans of footage, exact to the millisecond, what lies in spools included."""
        spans = await self.spans(camera, start_us, end_us)
        return [(at(span["from"]), at(span["to"])) for span in spans if span["kind"] == "footage"]

    async def gaps(self, camera: str, start_us: int, end_us: int) -> list[Gap]:
        """The time without footage."""
        spans = await self.spans(camera, start_us, end_us)
        return [Gap(at(span["from"]), at(span["to"]), span["cause"]) for span in spans if span["kind"] == "gap"]

    async def live(self, camera: str) -> list[dict[str, Any]]:
        """What all uploaders that answer say of the camera in their spools: acknowledged fragments only."""
        return [segment for name in self.nodes for segment in await self._live_of(name, camera)]

    async def live_bytes(self, row: Mapping[str, Any], start: int, end: int) -> bytes:
        """Acknowledged bytes of a segment of `live`, from the node that has them; b'' if it has gone meanwhile."""
        place = f"/live/{row['camera']}/{row['start_us']}/{row['run']}/{row['counter']}?start={start}&end={end}"
        for name in self.nodes:
            with contextlib.suppress(httpx2.HTTPError):
                return (await self._of_node(name, place)).content
        return b""

    async def _live_of(self, name: str, camera: str) -> list[dict[str, Any]]:
        with contextlib.suppress(httpx2.HTTPError):
            return (await self._of_node(name, f"/live/{camera}")).json()
        return []

    async def _of_node(self, name: str, path: str) -> httpx2.Response:
        key = (self.folder / "keys" / "internal").read_text()
        address = f"http://127.0.0.1:{self.internal_ports[name]}{path}"
        answer = await self._http().get(address, headers={"Authorization": f"Bearer {key}"}, timeout=2)
        answer.raise_for_status()
        return answer

    def _http(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=10, trust_env=False)
        return self._client

    async def records_since(self, since_us: int, *cameras: str) -> bool:
        """Whether a second of each camera that was taken since is durable."""
        now_us = time.time_ns() // 1000
        for camera in cameras:
            spans = await self.footage(camera, since_us, max(now_us, since_us + US_PER_S))
            if not any(end_us > since_us + US_PER_S for _, end_us in spans):
                return False
        return True

    def holder(self, duty: str) -> str | None:
        """Which place holds a duty, as `keepsight fleet status` says."""
        found = [line["holder"] for line in self.status()["duties"] if line["duty"] == duty]
        return found[0] if found else None

    def status(self) -> dict[str, Any]:
        """What `keepsight fleet status` says."""
        done = self.keepsight("fleet", "status", "--json")
        try:
            return json.loads(done.stdout) if done.stdout else {"programs": [], "places": [], "duties": []}
        except ValueError:
            raise AssertionError(f"no JSON: {done.stdout}\n{done.stderr}") from None

    def place(self, name: str) -> dict[str, Any]:
        """A place, as `keepsight fleet status` shows it; empty if there is none."""
        return next((place for place in self.status()["places"] if place["name"] == name), {})

    async def wait_for(self, condition: Callable[[], Any], limit_s: float = LIMIT_S) -> float:
        """Asks until the condition (plain, or awaited) holds; returns the seconds it took. Raises RuntimeError with what the nodes say."""
        started_s = time.monotonic()
        while time.monotonic() - started_s < limit_s:
            with contextlib.suppress(httpx2.HTTPError, KeyError):
                answer = condition()
                if await answer if inspect.isawaitable(answer) else answer:
                    return time.monotonic() - started_s
            await asyncio.sleep(0.1)
        raise RuntimeError(f"not so within {limit_s:g} s; the logs end:\n{self.logs()}")

    def logs(self, lines: int = 25) -> str:
        """The end of what nodes and API have said."""
        texts = {name: self.log(name) for name in self.nodes} | {"api": "\n".join(self._api.log) if self._api else ""}
        return "\n".join(f"--- {name}\n" + "\n".join(text.splitlines()[-lines:]) for name, text in texts.items())

    def log(self, name: str) -> str:
        """All that a node's programs have said."""
        if self._ray is None:
            return self.nodes[name].log
        files = {file.resolve() for file in (self._ray.folder / name).glob("session_*/logs/worker-*.err")}
        return "\n".join(file.read_text(errors="replace") for file in sorted(files))

    # --- doing ---

    def keepsight(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command of `keepsight`, as an administrator of the site does on a machine beside its nodes."""
        command = [*KEEPSIGHT, *arguments, "--config", str(self.config)]
        environment = self._environment("office")
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=180, check=False, env=environment)

    def add(self, cameras: Mapping[str, str | Mapping[str, str]]) -> None:
        """Puts cameras into the archive: a URL, or values of the archive, by id."""
        lines = [{"id": id_, **({"url": values} if isinstance(values, str) else values)} for id_, values in cameras.items()]
        names = list(dict.fromkeys(name for line in lines for name in line))
        text = io.StringIO()
        table = csv.DictWriter(text, names, restval="")
        table.writeheader()
        table.writerows(lines)
        self.must("camera", "import", "-", text=text.getvalue())

    def must(self, *arguments: str, text: str | None = None) -> str:
        """Runs a command that has to succeed; its output."""
        done = self.keepsight(*arguments, text=text)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # --- parts ---

    def _machine(self, name: str) -> Machine:
        command = self._ray.node_command(name) if self._ray is not None else [sys.executable, "-c", _PLAIN_NODE]
        return Machine(command, self.folder / name, self._environment(name))

    def _environment(self, name: str) -> dict[str, str]:
        own = {
            "KEEPSIGHT_CONFIG": str(self.config),
            "KEEPSIGHT_NODE__NAME": name,
            "KEEPSIGHT_SITE__FOLDER": str(self.folder / name),
            "KEEPSIGHT_SPOOL__FOLDER": str(self.spool / name),
            "KEEPSIGHT_INTERNAL__PORT": str(self.internal_ports.get(name) or quiet_port()),
            "KEEPSIGHT_INDEX__PORT": str(self._index_ports.get(name, self._cassandra.server.port)),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "KEEPSIGHT_"))}
        return inherited | own | (self._ray.environment if self._ray is not None else {})

    async def _answers(self) -> bool:
        places = {place["name"] for place in (await asyncio.to_thread(self.status))["places"]}
        return await self.api("/cameras") is not None and self.nodes.keys() <= places

    async def _write_config(self) -> None:
        keys = self.folder / "keys"
        keys.mkdir(mode=0o700)
        for name, text in {"cameras": secrets.token_hex(32), "internal": secrets.token_urlsafe(32)}.items():
            (keys / name).write_text(text)
            (keys / name).chmod(0o600)
        fleet = {"kind": "ray", "address": self._ray.address} if self._ray is not None else {"kind": "local", "lease_s": 2.5}
        sections: dict[str, dict[str, Any]] = {
            "site": {"name": "town"},
            "spool": {"min_free_bytes": 1 << 20},
            "index": await self._cassandra.new_section(),
            "pools.main": {"kind": "files", "folder": str(self.pool)},
            "api": {"port": self._api_port},
            "access": {"open": True},
            "internal": {"key_file": str(keys / "internal")},
            "fleet": {**fleet, "recorders": 1, "shards": 4},
            "clock": {"require_sync": False},
            "recording": {"segment_s": 5, "silence_s": 3},
            "cameras": {"allow_loopback": True, "networks": [], "key_file": str(keys / "cameras")},
        }
        for name, values in self._settings.items():
            sections[name] = {**sections.get(name, {}), **values}
        lines = [
            f"[{name}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items()) for name, values in sections.items()
        ]
        self.config.write_text("\n\n".join(lines) + "\n")


def _table(name: str, values: Mapping[str, Any]) -> str:
    """A section of TOML whose values are JSON's."""
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
