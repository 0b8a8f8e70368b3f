"""A scripted RTSP camera of the tests: good as it starts, spoiled by one quirk at a time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.rtp_builders import PICTURE_TICKS, PPS, SPS, Packets, fu_a, idr, inter

VIDEO = (
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={b64encode(SPS).decode()},{b64encode(PPS).decode()}\r\n"
)
LAW = "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
PICTURES = 10


def some_pictures(count: int = PICTURES, *, channel: int = 0, first_stamp: int = 1_000_000, sets: bool = True) -> list[bytes]:
    """Frames of a key frame and some pictures behind it."""
    packets = Packets(channel=channel)
    for n in range(count):
        payloads = fu_a(inter(300, fill=n)) if n else [*([SPS, PPS] if sets else []), *fu_a(idr(300))]
        packets.unit(payloads, first_stamp + n * PICTURE_TICKS)
    return packets.frames


@dataclass
class Asked:
    """One request as it came."""

    method: str
    uri: str
    headers: Mapping[str, str]


@dataclass
class QuirkCamera:
    """Each field is one habit of real cameras; the defaults are good ones. Used as an async context manager.

    `base`: the header that names the base URL and its value ({url} is the one asked for). `controls`: of session, video, sound.
    `answers`: what to answer a method with instead ({cseq} is filled in; b'' is silence). `login`: user, password and the challenges
    of a camera that wants them. `before_play`: frames sent before PLAY is answered. `then`: 'wait', 'close' or 'reset' after the media.
    """

    sdp: str = VIDEO
    base: tuple[str, str] | None = ("Content-Base", "{url}/")
    controls: Sequence[str] = ("*", "trackID=1", "trackID=2")
    session: str = "12345678;timeout=60"
    transports: Sequence[str] = ("RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP/TCP;unicast;interleaved=2-3")
    public: str = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
    rtp_info: str | None = None
    end_of_line: str = "\r\n"
    spell: Callable[[str], str] = str
    answers: Mapping[str, bytes] = field(default_factory=dict)
    before_each_answer: bytes = b""
    before_play: Sequence[bytes] = ()
    media: Sequence[bytes] = field(default_factory=some_pictures)
    pause_s: float = 0.0
    then: str = "wait"
    login: tuple[str, str, Sequence[str]] | None = None
    renew_nonce_after: int = 0
    tls: ssl.SSLContext | None = None

    asked: list[Asked] = field(default_factory=list, init=False)
    replies: list[bytes] = field(default_factory=list, init=False)
    closed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    def url(self, path: str = "live", login: str = "") -> str:
        """Where it is."""
        return f"{'rtsps' if self.tls else 'rtsp'}://{login}127.0.0.1:{self.port}/{path}"

    def of(self, method: str) -> list[Asked]:
        """Requests of one method, in order."""
        return [asked for asked in self.asked if asked.method == method]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"RTSP"):
                    self.replies.append(head)
                    continue
                asked = self._read(head)
                self.asked.append(asked)
                if asked.method == "PLAY" and self.before_play:
                    writer.write(b"".join(self.before_play))
                writer.write(self._answer(asked))
                await writer.drain()
                if asked.method == "PLAY" and "PLAY" not in self.answers and (not self.login or self._knows(asked)):
                    self._tasks.add(asyncio.ensure_future(self._play(writer)))
        self.closed.set()
        _close(writer)

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for frame in self.media:
                writer.write(frame)
                await asyncio.sleep(self.pause_s)
            await writer.drain()
        if self.then == "close":
            _close(writer)
        elif self.then == "reset":
            writer.transport.abort()

    def _read(self, head: bytes) -> Asked:
        first, *lines = head.decode(errors="replace").split("\r\n")
        if first.count(" ") != 2:
            raise ConnectionAbortedError("this is no RTSP request")
        method, uri, _ = first.split(" ")
        return Asked(method, uri, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)})

    def _answer(self, asked: Asked) -> bytes:
        if asked.method in self.answers:
            return self.answers[asked.method].replace(b"{cseq}", asked.headers["cseq"].encode())
        if self.login and asked.method != "OPTIONS" and not self._knows(asked):
            challenges = [("WWW-Authenticate", challenge.replace("{nonce}", self._nonce)) for challenge in self.login[2]]
            return self._message(asked, "401 Unauthorized", challenges)
        headers, body = [("Session", self.session)] if self.session else [], b""
        match asked.method:
            case "OPTIONS":
                headers = [("Public", self.public)]
            case "DESCRIBE":
                body = self._description()
                headers = [("Content-Type", "application/sdp"), ("Content-Length", str(len(body)))]
                if self.base:
                    headers.append((self.base[0], self.base[1].format(url=asked.uri)))
            case "SETUP":
                headers.append(("Transport", self.transports[len(self.controls) > 2 and asked.uri.endswith(self.controls[2])]))
            case "PLAY" if self.rtp_info:
                headers.append(("RTP-Info", self.rtp_info))
        return self.before_each_answer + self._message(asked, "200 OK", headers, body)

    def _message(self, asked: Asked, status: str, headers: Sequence[tuple[str, str]], body: bytes = b"") -> bytes:
        lines = [
            f"RTSP/1.0 {status}",
            *(f"{self.spell(name)}: {value}" for name, value in [("CSeq", asked.headers["cseq"]), *headers]),
            "",
            "",
        ]
        return self.end_of_line.join(lines).encode() + body

    def _description(self) -> bytes:
        head = f"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=cam\r\nt=0 0\r\na=control:{self.controls[0]}\r\n"
        sections = [f"m={section}" for section in self.sdp.split("m=")[1:]]
        return (
            head + "".join(f"{section}a=control:{control}\r\n" for section, control in zip(sections, self.controls[1:], strict=False))
        ).encode()

    @property
    def _nonce(self) -> str:
        """A new one after so many requests."""
        return f"nonce{len(self.asked) // self.renew_nonce_after if self.renew_nonce_after else 0}"

    def _knows(self, asked: Asked) -> bool:
        """Whether the request carries the right credential, computed anew after the RFCs."""
        user, password, _ = self.login
        header = asked.headers.get("authorization", "")
        if header.startswith("Basic "):
            return header == "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        given = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', header)}
        if given.get("nonce") != self._nonce or given.get("uri") != asked.uri:
            return False
        name = given.get("algorithm", "MD5").replace("-", "").lower()
        secret = hashlib.new(name, f"{user}:{given['realm']}:{password}".encode()).hexdigest()
        request = hashlib.new(name, f"{asked.method}:{asked.uri}".encode()).hexdigest()
        middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth" if "qop" in given else given["nonce"]
        return given["response"] == hashlib.new(name, f"{secret}:{middle}:{request}".encode()).hexdigest()


def _close(writer: asyncio.StreamWriter) -> None:
    """Once: of a TLS transport that is closed twice Python 3.11.2 forgets the connection, which is never closed then."""
    if not writer.is_closing():
        writer.close()
