"""A real Cassandra 5.0 for tests: the jars of .parts (scripts/parts), on loopback, with a raw way in through the driver.

with CassandraServer(folder) as server:
    settings = await server.new_keyspace()   # CassandraSettings of an empty keyspace with our schema
    server.session                           # the driver's: the tests' back door
    server.kill(); server.start()            # a power cut, and the same folder again
    server.pause(); server.resume()          # SIGSTOP and SIGCONT
    server.nodetool("status")
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import ConstantReconnectionPolicy, WhiteListRoundRobinPolicy

from segments.stores.cassandra_schema import apply_schema
from segments.stores.cassandra_session import CassandraSettings
from tests.servers.processes import Program, free_port, require

LIB = Path(__file__).parents[2] / ".parts" / "cassandra-5.0.9" / "lib"
START_LIMIT_S = 180
SUPERUSER = ("cassandra", "cassandra")
"""The login every new Cassandra with passwords has."""

_BASE = "java.base/"
_OPENS = (
    *(_BASE + name for name in ("java.lang.module", "java.io", "java.lang.reflect", "java.lang", "java.util", "java.nio", "sun.nio.ch")),
    *(f"{_BASE}jdk.internal.{name}" for name in ("loader", "ref", "reflect", "math", "module", "util.jar")),
    "jdk.management/com.sun.management.internal",
    "jdk.compiler/com.sun.tools.javac",
)
_EXPORTS = (
    *(_BASE + name for name in ("jdk.internal.misc", "jdk.internal.ref", "sun.nio.ch", "java.lang.ref")),
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.attach/sun.tools.attach",
)
JVM = [
    *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS),
    *(f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS),
    "-Djdk.attach.allowAttachSelf=true",
    "-Dio.netty.tryReflectionSetAccessible=true",
]
"""What Cassandra's classes need of Java 17."""
_QUICK = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
_LOGBACK = """<configuration><statusListener class="ch.qos.logback.core.status.NopStatusListener"/>
 <appender name="A" class="ch.qos.logback.core.FileAppender"><file>${cassandra.logdir}/system.log</file>
  <encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder></appender>
 <root level="WARN"><appender-ref ref="A"/></root></configuration>
"""
_OPTIONS_FRAME = bytes.fromhex("040000000500000000")
_SUPPORTED = 0x06


@dataclass(frozen=True)
class Setup:
    """How a node is set up: what its log promises, whether it asks for a login, and its key and certificate for TLS (one PEM file).

    `quick_start` gives up speed for it: half the CPU of a start, and code that is never fully compiled.
    """

    commitlog_sync: str = "batch"
    login: bool = False
    pem: Path | None = None
    ca: Path | None = None
    heap_mb: int = 512
    quick_start: bool = True


@dataclass(frozen=True)
class Site:
    """Where a node listens and what ring it belongs to."""

    address: str = "127.0.0.1"
    datacenter: str = "datacenter1"
    cql_port: int = 0
    storage_port: int = 0
    seeds: tuple[str, ...] = ("127.0.0.1",)
    ring_delay_ms: int = 100


class CassandraServer:
    """One node in `folder`; a context manager that leaves nothing behind."""

    def __init__(self, folder: Path, setup: Setup | None = None, site: Site | None = None) -> None:
        require(LIB.is_dir() and shutil.which("java"), f"Java 17 or {LIB} is missing; run scripts/parts")
        self._folder = folder / "cassandra"
        self._setup = setup or Setup()
        wanted = site or Site()
        self.site = replace(wanted, cql_port=wanted.cql_port or free_port(), storage_port=wanted.storage_port or free_port())
        self._jmx_port = free_port()
        self._program: Program | None = None
        self._cluster: Cluster | None = None
        self._session: Session | None = None
        self._numbers = itertools.count()
        self._login = SUPERUSER

    def __enter__(self) -> Self:
        self._lay_out()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- what tests ask for

    @property
    def folder(self) -> Path:
        """Where all its files lie."""
        return self._folder

    @property
    def port(self) -> int:
        """Where it takes CQL."""
        return self.site.cql_port

    @property
    def session(self) -> Session:
        """The driver's own session of this node, made when first asked for."""
        if self._session is None:
            self._session = self._connected()
        return self._session

    def settings(self, keyspace: str, **fields: Any) -> CassandraSettings:
        """How to reach a keyspace."""
        good: dict[str, Any] = {"hosts": (self.site.address,), "port": self.port, "datacenter": self.site.datacenter, "keyspace": keyspace}
        if self._setup.login:
            good |= {"user": self._login[0], "password": self._login[1]}
        if self._setup.ca:
            good["tls"] = ssl.create_default_context(cafile=str(self._setup.ca))
        return CassandraSettings(**good | fields)

    async def new_keyspace(self) -> CassandraSettings:
        """An empty keyspace of our schema; it goes with the server."""
        settings = self.settings(f"site_{next(self._numbers)}")
        await apply_schema(settings, {self.site.datacenter: 1})
        return settings

    def empty(self, keyspace: str) -> None:
        """Empties the tables of a keyspace of our schema: a quarter of the time a new one takes. Epochs begin at 1 again."""
        # asked of the server: what the driver knows of a keyspace may be a moment behind one that another session made
        tables = self.session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [keyspace])
        for table in [row.table_name for row in tables]:
            if table not in ("schema_step", "epoch") and self.session.execute(f"SELECT * FROM {keyspace}.{table} LIMIT 1").one():
                self.session.execute(f"TRUNCATE {keyspace}.{table}")
        self.session.execute(f"UPDATE {keyspace}.epoch SET highest = 0 WHERE site = 0 IF highest != 0")

    def nodetool(self, *words: str) -> str:
        """What Cassandra's own tool prints."""
        folder = self._folder
        own = [f"-Duser.home={folder}", f"-Dcassandra.logdir={folder}/log", f"-Dlogback.configurationFile=file:{folder}/logback.xml"]
        tool = ["java", *JVM, *_QUICK, "-Xmx128m", *own, "-cp", f"{LIB}/*", "org.apache.cassandra.tools.NodeTool"]
        command = [*tool, "-h", "127.0.0.1", "-p", str(self._jmx_port), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def knows_others(self) -> bool:
        """Whether it has met another node."""
        return self.session.execute("SELECT peer FROM system.peers_v2").one() is not None

    def log_in_as(self, user: str, password: str) -> None:
        """From now on the back door and `settings` use this login."""
        self._close_back_door()
        self._login = (user, password)

    # --- life and death

    def start(self) -> None:
        """Starts it on what its folder holds and waits until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Starts it without waiting."""
        # Root may pin the whole heap, which takes three times the memory.
        unpinned = ["setpriv", "--bounding-set", "-ipc_lock"] if os.geteuid() == 0 and shutil.which("setpriv") else []
        folder = self._folder
        own = {
            "java.io.tmpdir": folder / "tmp",
            "cassandra-foreground": "yes",
            "cassandra.storagedir": folder,
            "cassandra.logdir": folder / "log",
            "cassandra.triggers_dir": folder / "triggers",
            "cassandra.config": f"file:{folder}/cassandra.yaml",
            "cassandra-rackdc.properties": f"file:{folder}/rackdc.properties",
            "logback.configurationFile": f"file:{folder}/logback.xml",
            "cassandra.jmx.local.port": self._jmx_port,
            "cassandra.skip_wait_for_gossip_to_settle": 0,
            "cassandra.superuser_setup_delay_ms": 0,
            "cassandra.ring_delay_ms": self.site.ring_delay_ms,
            "cassandra.shutdown_announce_in_ms": 0,
        }
        heap = [f"-Xms{self._setup.heap_mb}m", f"-Xmx{self._setup.heap_mb}m", "-XX:+ExitOnOutOfMemoryError"]
        jamm = f"-javaagent:{next(LIB.glob('jamm-*.jar'))}"
        words = [*JVM, *(_QUICK if self._setup.quick_start else []), *heap, jamm, *(f"-D{name}={value}" for name, value in own.items())]
        daemon = ["java", *words, "-cp", f"{LIB}/*", "org.apache.cassandra.service.CassandraDaemon"]
        self._program = Program([*unpinned, *daemon], cwd=folder)

    def wait(self) -> None:
        """Waits until it takes CQL (and, with passwords, knows its superuser)."""
        self._program.wait_for(self._answers, limit_s=START_LIMIT_S)
        if self._setup.login:
            self._program.wait_for(self._knows_its_superuser, limit_s=30)

    def kill(self) -> None:
        """Ends it at once, as a power cut would (SIGKILL)."""
        self._program.kill()

    def pause(self) -> None:
        """Stops the process where it is, all its threads, before this returns; its sockets stay open."""
        os.killpg(self._program.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._program.pid, os.WSTOPPED | os.WNOWAIT)  # on a busy machine a thread may run on for a while

    def resume(self) -> None:
        """Lets a paused one go on."""
        os.killpg(self._program.pid, signal.SIGCONT)

    def end(self) -> None:
        """The back door is closed and the server killed; its folder stays."""
        self._close_back_door()
        if self._program is not None:
            self._program.kill()

    # --- inside

    def _lay_out(self) -> None:
        names = ("data", "commitlog", "saved_caches", "hints", "triggers", "log", "tmp")
        for name in names:
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "logback.xml").write_text(_LOGBACK)
        (self._folder / "rackdc.properties").write_text(f"dc={self.site.datacenter}\nrack=rack1\n")
        (self._folder / "cassandra.yaml").write_text(json.dumps(self._yaml()))  # JSON is YAML

    def _yaml(self) -> dict[str, Any]:
        seeds = ",".join(f"{address}:{self.site.storage_port}" for address in self.site.seeds)
        folders = {f"{name}_directory": str(self._folder / name) for name in ("commitlog", "saved_caches", "hints")}
        yaml: dict[str, Any] = {
            "cluster_name": "keepsight-tests",
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "GossipingPropertyFileSnitch",
            "num_tokens": 1,
            "listen_address": self.site.address,
            "rpc_address": self.site.address,
            "storage_port": self.site.storage_port,
            "native_transport_port": self.site.cql_port,
            "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider", "parameters": [{"seeds": seeds}]}],
            "data_file_directories": [str(self._folder / "data")],
            **folders,
            "commitlog_sync": self._setup.commitlog_sync,
            "commitlog_segment_size": "8MiB",
            "storage_compatibility_mode": "NONE",
            "auto_snapshot": False,
            "memtable_allocation_type": "heap_buffers",
            "disk_access_mode": "standard",
            "column_index_size": "4KiB",
        }
        if self._setup.commitlog_sync == "periodic":
            yaml["commitlog_sync_period"] = "10s"
        if self._setup.login:
            yaml |= {
                "authenticator": {"class_name": "PasswordAuthenticator"},
                "authorizer": {"class_name": "CassandraAuthorizer"},
                "role_manager": {"class_name": "CassandraRoleManager"},
            }
        if self._setup.pem:
            factory = {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"}
            options = {"enabled": True, "optional": False, "ssl_context_factory": factory, "keystore": str(self._setup.pem)}
            yaml["client_encryption_options"] = options
        return yaml

    def _answers(self) -> bool:
        """Whether an OPTIONS frame (CQL protocol 4.1.2) is answered; a bare connection would be logged as an error."""
        try:
            with socket.create_connection((self.site.address, self.port), timeout=2) as plain, ExitStack() as stack:
                line: socket.socket = plain
                if self._setup.pem:
                    context = ssl.create_default_context(cafile=str(self._setup.ca))
                    line = stack.enter_context(context.wrap_socket(plain, server_hostname=self.site.address))
                line.sendall(_OPTIONS_FRAME)
                return line.recv(9)[4:5] == bytes((_SUPPORTED,))
        except OSError:
            return False

    def _close_back_door(self) -> None:
        if self._cluster is not None:
            self._cluster.shutdown()
            self._cluster = self._session = None

    def _knows_its_superuser(self) -> bool:
        try:
            return self.session is not None
        except NoHostAvailable:
            time.sleep(0.2)
            return False

    def _connected(self) -> Session:
        profile = ExecutionProfile(WhiteListRoundRobinPolicy([self.site.address]), request_timeout=30)
        self._cluster = Cluster(
            [self.site.address],
            port=self.port,
            protocol_version=5,
            auth_provider=PlainTextAuthProvider(*self._login) if self._setup.login else None,
            ssl_context=ssl.create_default_context(cafile=str(self._setup.ca)) if self._setup.ca else None,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            reconnection_policy=ConstantReconnectionPolicy(1, max_attempts=None),
        )
        try:
            return self._cluster.connect()
        except NoHostAvailable:
            self._cluster.shutdown()
            raise


@contextmanager
def two_data_centres(folder: Path) -> Iterator[tuple[CassandraServer, CassandraServer]]:
    """Two nodes, `east` on 127.0.0.1 and `west` on 127.0.0.2, that know each other."""
    # One after the other: two that start at once do not always find each other.
    base = Site(cql_port=free_port(), storage_port=free_port())
    places = (
        replace(base, datacenter="east"),
        replace(base, datacenter="west", address="127.0.0.2", ring_delay_ms=_MEETING_MS),
    )
    with ExitStack() as stack:
        east, west = (stack.enter_context(CassandraServer(folder / place.datacenter, Setup(heap_mb=384), place)) for place in places)
        end_s = time.monotonic() + START_LIMIT_S
        while not (east.knows_others() and west.knows_others()):
            assert time.monotonic() < end_s, "the data centres did not find each other"
            time.sleep(0.2)
        yield east, west


_MEETING_MS = 3000
"""How long a second node listens before it joins; with less it may find nobody."""
