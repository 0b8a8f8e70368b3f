"""The socket between a recorder and its uploader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.link import (
    MAX_MESSAGE_BYTES,
    Assign,
    AssignedCamera,
    Counts,
    Durable,
    Hello,
    Holding,
    LeaseIs,
    Link,
    Message,
    Sealed,
    StateIs,
    TakeAway,
    connect,
    decode,
    encode,
    listen,
)
from recorder.session import RunAbout
from segments.duty import Duty
from segments.errors import DataDamaged
from segments.model import CameraState, Cause, Sound, Transport
from tests.builders import CODECS, NOON_US, RUN, a_camera, some_fragments

A = Duty("record-a")
ABOUT = RunAbout(NOON_US, CODECS, 1920, 1080, ("无声",))
DURABLE = Durable("gate", RUN, 0, NOON_US, NOON_US + 4_000_000, ABOUT, some_fragments(2))
CAMERA = AssignedCamera(a_camera(name="门", sound=Sound.OMIT, transport=Transport.LIBAV, tags=("a", "b")), "admin", "correct horse")
MESSAGES: list[Message] = [
    Hello("home-recorder-0", ()),
    Hello("home-recorder-0", (Holding(A, 7), Holding(Duty("record-b", 3, 8), 9))),
    Assign("home", A, 7, (CAMERA, AssignedCamera(a_camera("door", latitude=None, tags=()), "", ""))),
    TakeAway(A, 7, Cause.RECORDER_AWAY, "it moved"),
    LeaseIs(A, 7, 14.5, answers=True),
    StateIs(A, "gate", NOON_US, CameraState.RECORDING, None, ""),
    StateIs(A, "gate", NOON_US, CameraState.WAITING, Cause.CAMERA_AWAY, "connection refused"),
    DURABLE,
    Sealed("gate", RUN, 3),
    Counts(2, 500, spool_full=True),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_comes_back(message: Message) -> None:
    """One line each, whatever it holds."""
    line = encode(message)

    assert decode(line) == message
    assert line.count(b"\n") == 1


def test_a_password_is_in_no_text() -> None:
    """An assigned camera that lands in a log shows its id only."""
    assert "horse" not in repr(MESSAGES[2])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null",
        b"{}",
        b"[]",
        b'["Hello"]',
        b'["Hello", {}]',
        b'["Nobody", {}]',
        b'["Durable", []]',
        b'["StateIs", {"duty": "record-a.0-of-1", "camera": "gate", "at_us": 1, "state": "flying", "cause": null, "detail": ""}]',
        b'["TakeAway", {"duty": "record-a.3-of-2", "epoch": 1, "cause": "recorder-away", "detail": ""}]',
        b'["TakeAway", {"duty": "sweep.0-of-1", "epoch": 1, "cause": "recorder-away", "detail": ""}]',
        b'["Hello", {"name": "x", "holds": [["record-a", 1]]}]',
        b'["Hello", {"name": "x", "holds": [["record-a.0-of-1", "many"]]}]',
        b"\xff\xfe",
        b"[" * 5_000,
    ],
)
def test_anything_else_is_damage(line: bytes) -> None:
    """A line that is no message is named so, and raises nothing else."""
    with pytest.raises(DataDamaged):
        decode(line)


@pytest.mark.parametrize(
    "message",
    [
        replace(DURABLE, camera="../../etc"),
        replace(DURABLE, camera=""),
        replace(DURABLE, run="../../other"),
        Sealed("gate/..", RUN, 0),
        Sealed("gate", "..", 0),
        StateIs(A, "/", NOON_US, CameraState.RECORDING, None, ""),
    ],
)
def test_names_that_are_no_names_are_damage(message: Message) -> None:
    """A recorder reads what strangers send; a camera or run of its messages becomes a path in its uploader."""
    with pytest.raises(DataDamaged):
        decode(encode(message))


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[tuple[Link, Link]]:
    """Both ends: the uploader's, the recorder's."""
    accepted: asyncio.Future[Link] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(Link(reader, writer))

    server = await asyncio.start_unix_server(accept, folder / "s", limit=MAX_MESSAGE_BYTES)
    recorder = await connect(str(folder / "s"))
    uploader = await accepted
    try:
        yield uploader, recorder
    finally:
        uploader.close()
        recorder.close()
        server.close()


async def test_messages_arrive_in_order(tmp_path: Path) -> None:
    """All kinds, one after another."""
    async with pair(tmp_path) as (uploader, recorder):
        for message in MESSAGES:
            recorder.send(message)

        assert [await uploader.receive() for _ in MESSAGES] == MESSAGES


async def test_the_end_is_none_also_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """A peer that dies while it writes leaves half a line, which nobody reads."""
    async with pair(tmp_path) as (uploader, recorder):
        recorder._writer.write(encode(MESSAGES[0])[:-5])
        recorder.close()

        assert await uploader.receive() is None


async def test_last_words_arrive(tmp_path: Path) -> None:
    """What was sent before an orderly close is received."""
    async with pair(tmp_path) as (uploader, recorder):
        for message in MESSAGES:
            recorder.send(message)
        await recorder.close_said()

        assert [await uploader.receive() for _ in MESSAGES] == MESSAGES
        assert await uploader.receive() is None


async def test_a_recorder_that_says_too_much_at_once_is_dropped(tmp_path: Path) -> None:
    """A line over 4 MiB ends the connection and not the uploader."""
    async with pair(tmp_path) as (uploader, recorder):
        recorder._writer.write(b"x" * (3 * MAX_MESSAGE_BYTES))

        assert await uploader.receive() is None


async def test_thousands_of_cameras_are_one_message(tmp_path: Path) -> None:
    """More than 4 MiB of cameras reach the recorder."""
    cameras = tuple(AssignedCamera(a_camera(f"camera-{n}"), "admin", "x" * 40) for n in range(10_000))
    assert len(encode(Assign("home", A, 1, cameras))) > MAX_MESSAGE_BYTES
    async with pair(tmp_path) as (uploader, recorder):
        uploader.send(Assign("home", A, 1, cameras))

        assert await recorder.receive() == Assign("home", A, 1, cameras)


async def test_a_peer_that_never_reads_loses_the_connection(tmp_path: Path) -> None:
    """What waits for it stays below a limit."""
    big = StateIs(A, "gate", NOON_US, CameraState.WAITING, Cause.CAMERA_AWAY, "x" * (1 << 20))
    async with pair(tmp_path) as (uploader, recorder):
        for _ in range(100):
            recorder.send(big)
        waiting = recorder._writer.transport.get_write_buffer_size()

        assert recorder._writer.is_closing()
        assert waiting < 70 << 20
        assert uploader is not None


def test_only_what_decides_the_stream_counts_as_the_stream() -> None:
    """A new name is no other stream; a new address, password or setting of sound is."""
    one = AssignedCamera(a_camera(), "admin", "a")

    assert one.stream == AssignedCamera(a_camera(name="new", area="x", tags=(), tier="other"), "admin", "a").stream
    others = [
        replace(one, password="b"),
        replace(one, camera=a_camera(url="rtsp://192.0.2.11/")),
        replace(one, camera=a_camera(sound=Sound.OMIT)),
    ]
    assert all(one.stream != other.stream for other in others)


def test_json_of_no_message_holds_what_it_should_not() -> None:
    """A link speaks JSON lines: no pickles."""
    assert json.loads(encode(MESSAGES[0])) == ["Hello", {"name": "home-recorder-0", "holds": []}]


async def test_the_folder_of_a_socket_may_have_a_long_name(tmp_path: Path) -> None:
    """A socket lies where the configuration says, however long that path is; a socket left by a dead process is in nobody's way."""
    path = tmp_path / ("folder-" * 20) / "run" / "uploader.sock"

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode(Hello("there", ())))
        writer.close()

    for _ in range(2):
        server = await listen(path, answer)
        link = await connect(str(path))
        assert await link.receive() == Hello("there", ())
        link.close()
        server.close()
