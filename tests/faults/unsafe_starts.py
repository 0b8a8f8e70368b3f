"""Starts that must be refused (promise R25), each as an administrator would come to it, tried with the real program and real servers.

with Surroundings(folder) as around:
    for unsafe in UNSAFE:
        started = await around.start(await unsafe.arrange(around), around.folder / unsafe.name)
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2

from tests.certificates import Authority
from tests.servers.cassandra import CassandraServer, Setup
from tests.servers.pretenders import Rclone
from tests.servers.processes import Program, free_port
from tests.servers.ray_cluster import RayCluster
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.servers.safe_cassandra import SafeCassandra
from tests.servers.seaweedfs import SeaweedFs

KEEPSIGHT = [sys.executable, "-c", "from deploy.cli import main; main()"]
REFUSED = 3
LIMIT_S = 90.0
GOOD = "correct-horse-battery-staple"
UNSYNCHRONISED = """
import deploy.clock_sync
deploy.clock_sync.ClockSync.__call__ = lambda self: False
"""
"""The machine of the tests may have a clock that is right."""
WITHOUT_CHECKS = """
import deploy.pool_checks, deploy.safety, segments.secrets
async def nothing(*_):
    pass
deploy.safety.refuse = lambda problems: None
deploy.pool_checks.check_pools = nothing
segments.secrets.readable_by_others = lambda *_, **__: False
"""


@dataclass
class Start:
    """What is started: dotted keys of the configuration, an environment, the words of the command, and what is patched in its processes."""

    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ("serve",)
    patch: str = ""


@dataclass(frozen=True, slots=True)
class Unsafe:
    """A start that must be refused with a sentence in which `said` (a regular expression) is found; `number` is its place in the promise.

    `can_start`: without the check it would be a service that runs, which the control shows.
    """

    number: int
    name: str
    arrange: Callable[[Surroundings], Awaitable[Start]]
    said: str
    can_start: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """How a start went: the exit code of one that ended, whether it served, and all it said."""

    code: int | None
    served: bool
    log: str

    def refused_with(self, said: str) -> bool:
        """Whether it was refused for this reason, and nothing had been served."""
        return self.code == REFUSED and not self.served and re.search(said, self.log) is not None


class Surroundings:
    """Servers for the starts: Cassandra without login; one with a login, by TLS; a store, one that fakes; an authority."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for name in ("open", "login", "store", "faking"):
            (self.folder / name).mkdir(parents=True)
        self.authority = Authority(self.folder)
        self.certificate, self.key = self.authority.certify("node", "127.0.0.1")
        pem = self.folder / "server.pem"
        pem.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        self.store: S3Server = self._stack.enter_context(SeaweedFs(self.folder / "store"))
        self.faking: S3Server = self._stack.enter_context(Rclone(self.folder / "faking"))
        self.open = self._stack.enter_context(CassandraServer(self.folder / "open"))
        setup = Setup(login=True, pem=pem, ca=self.authority.ca_file)
        self.login = self._stack.enter_context(CassandraServer(self.folder / "login", setup))
        self.safe = SafeCassandra(self.login, self.folder / "login")
        self.safe.close_default_login()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def secret(self, name: str, text: str = GOOD, mode: int = 0o600) -> str:
        """The path of a secret file."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def bucket(self, server: S3Server, **changes: Any) -> dict[str, Any]:
        """The settings of a pool that is a bucket."""
        values = {"kind": "s3", "endpoint": f"http://127.0.0.1:{server.port}", "bucket": server.make_bucket(), "access_key_id": ACCESS_KEY}
        return {
            f"pools.main.{name}": value
            for name, value in {**values, "secret_file": self.secret("store.secret", SECRET_KEY), **changes}.items()
        }

    async def index(self) -> dict[str, Any]:
        """The settings of an empty index in the Cassandra with a login, by TLS."""
        section = await self.safe.new_section()
        return {f"index.{name}": value for name, value in section.items()} | {"index.ca_file": str(self.authority.ca_file)}

    def open_ray_cluster(self) -> str:
        """The address of a Ray cluster on this machine that asks for no token."""
        cluster = RayCluster()
        cluster.environment["RAY_AUTH_MODE"] = "disabled"
        return self._stack.enter_context(cluster).address

    def set_default_superuser(self, *, on: bool) -> None:
        """Whether everybody may log in as superuser, as in every Cassandra when it is new."""
        flag = str(on).lower()
        self.login.session.execute(f"ALTER ROLE cassandra WITH LOGIN = {flag} AND SUPERUSER = {flag}")

    async def start(self, start: Start, folder: Path, *, checks: bool = True) -> Started:
        """Starts, waits until it has ended or serves, and ends it; `checks` off takes the checks out of the program."""
        async with Running(start, folder, self, checks=checks) as running:
            await running.settled()
        return running.started


class Running:
    """A start under way; ended, with all its processes, when left."""

    def __init__(self, start: Start, folder: Path, around: Surroundings, *, checks: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.started = Started(None, served=False, log="")
        self._tls = start.settings.get("api.certificate_file") is not None
        self._trusted = ssl.create_default_context(cafile=str(around.authority.ca_file))
        self._start = start
        self._folder = folder
        self._checks = checks
        self._program: Program | None = None

    async def __aenter__(self) -> Self:
        good = {"spool.min_free_bytes": 1 << 20, "api.port": self.port, "internal.port": free_port(), "cameras.allow_loopback": True}
        if not {"api.host", "api.token_file"} & self._start.settings.keys():
            good["access.open"] = True
        config = self._folder / "keepsight.toml"
        values = {"site.folder": "data", **good, **self._start.settings}
        config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value is not None))
        patch = self._start.patch + ("" if self._checks else WITHOUT_CHECKS)
        environment = {"PYTHONPATH": self._patched(patch)} if patch else {}
        command = [*KEEPSIGHT, *self._start.words, "--config", str(config)]
        self._program = Program(command, env={**environment, **self._start.environment}, cwd=self._folder)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._program is not None
        await asyncio.to_thread(self._program.stop, limit_s=20)
        self.started = Started(self.started.code, self.started.served, "\n".join(self._program.log))

    async def settled(self) -> None:
        """Waits until it has ended by itself, or serves."""
        assert self._program is not None
        end_s = time.monotonic() + LIMIT_S
        while time.monotonic() < end_s and self._program.returncode is None and not await self.serves():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        self.started = Started(self._program.returncode, await self.serves(), "")

    async def serves(self) -> bool:
        """Whether its API answers."""
        return (await self.get("/health")) == {"status": "ok"}

    async def get(self, path: str) -> Any:
        """The answer of a route; None if there is none."""
        scheme = "https" if self._tls else "http"
        headers = {"Authorization": f"Bearer {GOOD}", "Host": "localhost"}
        async with httpx2.AsyncClient(trust_env=False, verify=self._trusted, headers=headers) as client:
            try:
                return (await client.get(f"{scheme}://127.0.0.1:{self.port}/api/v1{path}")).raise_for_status().json()
            except httpx2.HTTPError:
                return None

    def _patched(self, patch: str) -> str:
        """A folder whose `sitecustomize` every Python process runs first."""
        patches = self._folder / "patches"
        patches.mkdir(exist_ok=True)
        (patches / "sitecustomize.py").write_text(patch)
        return str(patches)


# --- the starts ---


def _simply(**settings: Any) -> Callable[[Surroundings], Awaitable[Start]]:
    async def arrange(_: Surroundings) -> Start:
        return Start({key.replace("__", "."): value for key, value in settings.items()})

    return arrange


async def ray_without_a_token(around: Surroundings) -> Start:
    """This machine is told to use Ray without one."""
    settings = {"fleet.kind": "ray", "clock.require_sync": False, **await around.index()}
    return Start(settings, {"RAY_AUTH_MODE": "disabled"}, ("fleet", "start"))


async def a_cluster_without_tokens(around: Surroundings) -> Start:
    """This machine has one, and the cluster does not ask for it."""
    start = await ray_without_a_token(around)
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": GOOD}
    return Start(start.settings | {"fleet.address": around.open_ray_cluster()}, environment, start.words)


async def cassandra_without_a_login(around: Surroundings) -> Start:
    """Whoever reaches it may write; our schema is there."""
    settings = await around.open.new_keyspace()
    index = {"hosts": ["127.0.0.1"], "port": settings.port, "datacenter": settings.datacenter, "keyspace": settings.keyspace}
    return Start({"index.kind": "cassandra", **{f"index.{name}": value for name, value in index.items()}})


async def cassandra_with_its_default_superuser(around: Surroundings) -> Start:
    """It has a role of ours too, but `cassandra` with the password `cassandra` still works."""
    settings = await around.index()
    around.set_default_superuser(on=True)
    return Start(settings)


async def cassandra_without_tls(around: Surroundings) -> Start:
    """At an address of the network."""
    return Start({**await around.index(), "index.hosts": [_own_address()], "index.ca_file": None})


async def a_store_without_tls(around: Surroundings) -> Start:
    """At an address of the network."""
    return Start(around.bucket(around.store, endpoint=f"http://{_own_address()}:{around.store.port}"))


async def a_default_secret(around: Surroundings) -> Start:
    """The token of a manual."""
    return Start({"api.token_file": around.secret("default.token", "changeme")})


async def a_short_key(around: Surroundings) -> Start:
    """The key between processes, of nine letters."""
    return Start({"internal.key_file": around.secret("short.key", "ninechars")})


async def a_secret_others_can_read(around: Surroundings) -> Start:
    """Like every file an editor makes."""
    return Start({"api.token_file": around.secret("open.token", GOOD, 0o644)})


async def a_spool_others_can_enter(around: Surroundings) -> Start:
    """A folder that was there before."""
    spool = around.folder / "open-spool"
    spool.mkdir(exist_ok=True)
    spool.chmod(0o755)
    return Start({"spool.folder": str(spool)})


async def a_pool_that_fakes(around: Surroundings) -> Start:
    """A store that takes conditional puts and overwrites all the same."""
    return Start(around.bucket(around.faking))


async def a_file_from_the_future(around: Surroundings) -> Start:
    """The embedded index of a newer program."""
    start = Start({"index.path": str(around.folder / "future.sqlite")})
    if not Path(start.settings["index.path"]).exists():
        await around.start(start, around.folder / "present")
        with sqlite3.connect(start.settings["index.path"]) as index:
            index.execute("INSERT INTO schema_step (number) VALUES (9999)")
        index.close()
    return start


async def a_keyspace_from_the_future(around: Surroundings) -> Start:
    """The index in Cassandra of a newer program."""
    settings = await around.index()
    keyspace = settings["index.keyspace"]
    around.login.session.execute(f"INSERT INTO {keyspace}.schema_step (site, number, holder, done) VALUES (0, 9999, uuid(), true)")
    return Start(settings)


async def an_unsynchronised_clock(_: Surroundings) -> Start:
    """On a machine that must have a right one."""
    return Start({"clock.require_sync": True}, patch=UNSYNCHRONISED)


UNSAFE = (
    Unsafe(3, "default-superuser", cassandra_with_its_default_superuser, r"still has its default superuser", can_start=True),
    Unsafe(1, "ray-without-token", ray_without_a_token, r"RAY_AUTH_MODE=token"),
    Unsafe(1, "ray-cluster-without-tokens", a_cluster_without_tokens, r"the Ray cluster at \S+ lets in whoever comes"),
    Unsafe(2, "cassandra-without-login", cassandra_without_a_login, r"lets in whoever comes.*index\.user", can_start=True),
    Unsafe(4, "cassandra-without-tls", cassandra_without_tls, r"Cassandra at \S+ would be without TLS: set index\.ca_file"),
    Unsafe(5, "store-without-tls", a_store_without_tls, r"pool main at \S+ would be without TLS: set pools\.main\.endpoint"),
    Unsafe(6, "default-secret", a_default_secret, r"one that everybody knows.*api\.token_file", can_start=True),
    Unsafe(6, "short-key", a_short_key, r"fewer than 16 characters.*internal\.key_file", can_start=True),
    Unsafe(7, "open-secret", a_secret_others_can_read, r"can be read by others.*chmod 600", can_start=True),
    Unsafe(7, "open-spool", a_spool_others_can_enter, r"chmod 700"),
    Unsafe(
        8, "open-api", _simply(api__host="0.0.0.0", access__open=True), r"leave access\.open out, or bind to 127\.0\.0\.1", can_start=True
    ),
    Unsafe(8, "open-nodes", _simply(internal__host="0.0.0.0"), r"internal\.certificate_file.*internal\.plain", can_start=True),
    Unsafe(9, "faking-pool", a_pool_that_fakes, r"does not do what this configuration needs: create-only", can_start=True),
    Unsafe(10, "future-file", a_file_from_the_future, r"newer program"),
    Unsafe(10, "future-keyspace", a_keyspace_from_the_future, r"newer program"),
    Unsafe(12, "unsynchronised-clock", an_unsynchronised_clock, r"set clock\.require_sync = false", can_start=True),
)
"""All but the second service on a spool (11), which needs a first one: `second_on_a_spool`."""


async def second_on_a_spool(around: Surroundings) -> tuple[Started, bool]:
    """(11) A second service on the spool of one that runs; how its start went, and whether the first one still serves."""
    spool = {"spool.folder": str(around.folder / "one-spool")}
    async with Running(Start(spool), around.folder / "first", around) as first:
        await first.settled()
        second = await around.start(Start(spool), around.folder / "second")
        return second, await first.serves()


async def safe_start(around: Surroundings) -> Start:
    """All of it as it should be: index with a login by TLS, a real store, API and internal routes by TLS, a token."""
    names = {"api.certificate_file": around.certificate, "api.key_file": around.key, "internal.certificate_file": around.certificate}
    names |= {"internal.certificate_key_file": around.key, "internal.ca_file": around.authority.ca_file}
    files = {name: str(path) for name, path in names.items()}
    return Start({**await around.index(), **around.bucket(around.store), **files, "api.token_file": around.secret("good.token")})


async def embedded_start(folder: Path, around: Surroundings) -> Started:
    """Without any configuration file, in an empty folder; only the ports are told, since those of the defaults may be taken."""
    folder.mkdir()
    port = free_port()
    environment = {"KEEPSIGHT_API__PORT": str(port), "KEEPSIGHT_INTERNAL__PORT": str(free_port())}
    program = Program([*KEEPSIGHT, "serve"], env=environment, cwd=folder)
    running = Running(Start(), folder / "unused", around)
    running.port, running._program = port, program
    try:
        await running.settled()
    finally:
        await running.__aexit__()
    return running.started


def _own_address() -> str:
    """An address of this machine that is not loopback, else one that is nobody's: the start is refused before it is tried."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "192.0.2.1"
