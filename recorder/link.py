"""The local socket between a recorder and its uploader: what they say to each other, and how it is framed.

A message is one line of JSON, `[name, {fields}]`: at most 4 MiB from a recorder, 64 MiB to it (all its cameras are one message). The
socket lies in a folder only its owner can enter; still a recorder reads what strangers send, so what it says is checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from recorder.session import RunAbout
from segments.duty import LANE_OF, Duty, parse_duty
from segments.errors import BadInput, DataDamaged
from segments.keys import CAMERA_ID, parse_run
from segments.model import Camera, CameraState, Cause, Fragment, Sound, StateChange, Transport

MAX_MESSAGE_BYTES = 4 << 20
"""Of what a recorder says."""
MAX_ASSIGN_BYTES = 64 << 20
"""Of what it is told: some ten thousand cameras."""
_LAST_WORDS_S = 2.0


class Holding(NamedTuple):
    """A duty a recorder is at, and the epoch it records it in."""

    duty: Duty
    epoch: int


@dataclass(frozen=True, slots=True)
class Hello:
    """A recorder names itself and what it goes on with; nothing after a start."""

    name: str
    holds: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class AssignedCamera:
    """A camera to record, with the credential that only travels here."""

    camera: Camera
    user: str
    password: str

    @property
    def stream(self) -> tuple[object, ...]:
        """What decides how it is recorded: a new name or area is no reason to end a run."""
        camera = self.camera
        return camera.url, camera.sound, camera.transport, camera.trust_clock, self.user, self.password

    def __repr__(self) -> str:
        return f"AssignedCamera({self.camera.id!r})"


@dataclass(frozen=True, slots=True)
class Assign:
    """All cameras of a duty, and the epoch to record them in; replaces what was assigned of this duty before. Its lane is its kind's."""

    site: str
    duty: Duty
    epoch: int
    cameras: tuple[AssignedCamera, ...]


@dataclass(frozen=True, slots=True)
class TakeAway:
    """The duty is another's: its cameras end here, for this cause. A later epoch than this one is not meant."""

    duty: Duty
    epoch: int
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class LeaseIs:
    """The lease has so long to run. `answers`: the index answers, so that somebody else could be given the duty when it ends."""

    duty: Duty
    epoch: int
    left_s: float
    answers: bool


@dataclass(frozen=True, slots=True)
class StateIs:
    """A camera's state changed, as this duty records it."""

    duty: Duty
    camera: str
    at_us: int
    state: CameraState
    cause: Cause | None
    detail: str

    @property
    def change(self) -> StateChange:
        """As it is written down."""
        return StateChange(self.camera, self.at_us, self.state, self.cause, self.detail)


@dataclass(frozen=True, slots=True)
class Durable:
    """These fragments of an open segment have become durable (all of them after a reconnect)."""

    camera: str
    run: str
    counter: int
    start_us: int
    end_us: int
    about: RunAbout
    fragments: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment is sealed and may be uploaded. Only a hint: the spool is also looked through."""

    camera: str
    run: str
    counter: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Fragments written since this recorder started that are not durable yet, and those that are; how the spool stands; and how long the
    group sync before this word took."""

    buffered: int
    durable: int
    spool_full: bool
    sync_s: float = 0.0


Message = Hello | Assign | TakeAway | LeaseIs | StateIs | Durable | Sealed | Counts
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Hello, Assign, TakeAway, LeaseIs, StateIs, Durable, Sealed, Counts)}


def encode(message: Message) -> bytes:
    """One line."""
    return json.dumps([type(message).__name__, _plain(message)], default=_plain, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line; raises DataDamaged for anything else."""
    try:
        name, values = json.loads(line)
        kind = _KINDS[name]
        if "duty" in values:
            values["duty"] = parse_duty(values["duty"])
        if kind is Hello:
            values["holds"] = tuple(Holding(parse_duty(duty), int(epoch)) for duty, epoch in values["holds"])
        elif kind is Assign:
            values["cameras"] = tuple(_assigned(item) for item in values["cameras"])
        elif kind is TakeAway:
            values["cause"] = Cause(values["cause"])
        elif kind is Durable:
            values["fragments"] = tuple(Fragment(*item) for item in values["fragments"])
            values["about"] = RunAbout(**{**values["about"], "notes": tuple(values["about"]["notes"])})
        elif kind is StateIs:
            values["state"] = CameraState(values["state"])
            values["cause"] = Cause(values["cause"]) if values["cause"] is not None else None
        message: Message = kind(**{field.name: values[field.name] for field in fields(kind)})
        _check_names(message)
        return message
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, BadInput):
        raise DataDamaged("a message on the recorder's socket cannot be read") from None


class Link:
    """One end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: Message) -> None:
        """Queues a message; a peer that does not read for 64 MiB loses the connection."""
        if self._writer.transport.get_write_buffer_size() > MAX_ASSIGN_BYTES:
            self._writer.transport.abort()
        elif not self._writer.is_closing():
            self._writer.write(encode(message))

    async def receive(self) -> Message | None:
        """The next message; None when the other end is gone."""
        try:
            line = await self._reader.readline()
        except (ConnectionError, ValueError):
            return None
        return decode(line) if line.endswith(b"\n") else None

    @property
    def peer_pid(self) -> int:
        """The process at the other end (unix(7), SO_PEERCRED); 0 if this machine does not see it."""
        other = self._writer.get_extra_info("socket")
        pid, _, _ = struct.unpack("3i", other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        return int(pid)

    def close(self) -> None:
        """Closes this end."""
        self._writer.close()

    async def close_said(self) -> None:
        """Closes this end when all that was sent is on its way, or after 2 s."""
        self._writer.close()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._writer.wait_closed()


async def connect(path: str) -> Link:
    """A recorder's end; raises OSError while no uploader listens."""
    with _short(Path(path)) as short:
        return Link(*await asyncio.open_unix_connection(short, limit=MAX_ASSIGN_BYTES))


async def listen(path: Path, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> asyncio.Server:
    """The uploader's end: a socket in a folder only its owner can enter, in place of one left by a process before."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    with _short(path) as short:
        return await asyncio.start_unix_server(serve, short, limit=MAX_MESSAGE_BYTES)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Another name of a path: that of a socket may be 107 bytes long (unix(7)), a folder's may be longer."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _plain(value: object) -> object:
    """A message or a part of one as JSON knows it; duties by their names."""
    if isinstance(value, Duty):
        return str(value)
    assert is_dataclass(value)
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _check_names(message: Message) -> None:
    """Names that become paths must be names, and what is recorded a duty of recording; raises BadInput."""
    if isinstance(message, Assign | TakeAway | LeaseIs | StateIs) and message.duty.kind not in LANE_OF:
        raise BadInput(f"{message.duty} is no recording")
    if isinstance(message, StateIs | Durable | Sealed) and CAMERA_ID.fullmatch(message.camera) is None:
        raise BadInput("no camera id")
    if isinstance(message, Durable | Sealed):
        parse_run(message.run)


def _assigned(item: dict[str, Any]) -> AssignedCamera:
    camera = dict(item["camera"])
    camera["tags"] = tuple(camera["tags"])
    camera["sound"] = Sound(camera["sound"])
    camera["transport"] = Transport(camera["transport"])
    return AssignedCamera(Camera(**camera), item["user"], item["password"])
