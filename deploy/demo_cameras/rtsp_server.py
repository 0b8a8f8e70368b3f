"""A small RTSP server (RFC 2326) for the demo cameras: RTP over TCP on loopback, Digest login, sender reports."""

from __future__ import annotations

import asyncio
import contextlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from deploy.demo_cameras.encoder import SOUND_RATE_HZ
from deploy.demo_cameras.live_camera import LiveCamera
from deploy.demo_cameras.rtsp_login import Account, DigestLogin
from deploy.demo_cameras.rtsp_session import Session
from segments.clock import Clock
from segments.media import TIMESCALE, Codec

HOST = "127.0.0.1"
MAX_CONNECTIONS = 64
"""Further ones are closed at once."""
HEAD_BYTES = 8192
"""Longest head of a request; a longer one ends the connection."""
BODY_BYTES = 4096

_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
_INTERLEAVED = re.compile(r"RTP/AVP/TCP;.*interleaved=(\d{1,3})-(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    uri: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, without CSeq and Session."""

    status: str = "200 OK"
    headers: Sequence[tuple[str, str]] = ()
    body: str = ""


class BadRequest(Exception):
    """The connection speaks no RTSP that is known here, and is closed."""


class RtspServer:
    """Offers cameras as `rtsp://127.0.0.1:<port>/<camera id>`."""

    def __init__(self, cameras: Sequence[LiveCamera], account: Account, clock: Clock) -> None:
        self._cameras = {camera.camera.id: camera for camera in cameras}
        self._account = account
        self._clock = clock
        self._connections = 0

    async def listen(self, port: int) -> asyncio.Server:
        """Listens on loopback; port 0 takes a free one."""
        return await asyncio.start_server(self._connected, HOST, port, limit=HEAD_BYTES)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= MAX_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        session = Session(writer, self._clock)
        try:
            await self._serve(reader, writer, session)
        except (BadRequest, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._connections -= 1
            session.end()
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session) -> None:
        login = DigestLogin(self._account)
        while not session.ended:
            request = await read_request(reader)
            if request.method != "OPTIONS" and not login.lets_in(request.method, request.uri, request.headers.get("authorization", "")):
                answer = Answer("401 Unauthorized", [("WWW-Authenticate", challenge) for challenge in login.challenges])
            else:
                answer = self._answer(request, session)
            writer.write(_laid_out(request, answer, session))
            if request.method == "PLAY" and answer.status.startswith("200"):
                session.play()
            await writer.drain()

    def _answer(self, request: Request, session: Session) -> Answer:
        if request.method == "OPTIONS":
            return Answer(headers=[("Public", _METHODS)])
        name, _, track = urlsplit(request.uri).path.strip("/").partition("/")
        camera = self._cameras.get(name)
        if camera is None:
            return Answer("404 Not Found")
        match request.method:
            case "DESCRIBE":
                return Answer(headers=[("Content-Type", "application/sdp"), ("Content-Base", f"{request.uri}/")], body=describe(camera))
            case "SETUP":
                return _set_up(session, camera, track, request.headers.get("transport", ""))
            case "PLAY":
                info = session.prepare(request.uri.rstrip("/"))
                return Answer(headers=[("Range", "npt=now-"), ("RTP-Info", info)]) if info else Answer("455 Method Not Valid in This State")
            case "GET_PARAMETER":
                return Answer()
            case "TEARDOWN":
                session.end()
                return Answer()
            case _:
                return Answer("501 Not Implemented", [("Public", _METHODS)])


def _set_up(session: Session, camera: LiveCamera, track: str, transport: str) -> Answer:
    found = _INTERLEAVED.search(transport)
    if found is None:
        return Answer("461 Unsupported Transport")
    channel = int(found[1])
    if channel % 2 or int(found[2]) != channel + 1 or channel > 254:
        return Answer("400 Bad Request")
    if not session.set_up(camera, track, channel):
        return Answer("404 Not Found")
    return Answer(headers=[("Transport", f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}")])


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request, interleaved packets of the client (receiver reports) passed over; raises BadRequest."""
    while (first := await reader.readexactly(1)) == b"$":
        head = await reader.readexactly(3)
        await reader.readexactly(int.from_bytes(head[1:]))
    with contextlib.suppress(asyncio.LimitOverrunError):
        head = first + await reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("utf-8", "replace").strip().split("\r\n")
        fields = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        length = headers.get("content-length", "0")
        words = start.split(" ")
        if len(words) == 3 and words[2] == "RTSP/1.0" and length.isdecimal() and len(length) < 8 and int(length) <= BODY_BYTES:
            await reader.readexactly(int(length))
            return Request(words[0], words[1], headers)
    raise BadRequest


def _laid_out(request: Request, answer: Answer, session: Session) -> bytes:
    head = [f"RTSP/1.0 {answer.status}", f"CSeq: {request.headers.get('cseq', '0')}"]
    head += [f"{name}: {value}" for name, value in answer.headers]
    if session.id and request.method != "OPTIONS":
        head.append(f"Session: {session.id};timeout=60")
    if answer.body:
        head.append(f"Content-Length: {len(answer.body.encode())}")
    return "\r\n".join([*head, "", answer.body]).encode()


def describe(camera: LiveCamera) -> str:
    """The description (RFC 8866) of a camera's tracks: RFC 6184 part 8.2, RFC 7798 part 7.2, RFC 3640 part 4.1."""
    sets = [b64encode(unit).decode() for unit in camera.tracks.parameter_sets]
    lines = ["v=0", f"o=- 1 1 IN IP4 {HOST}", f"s={camera.camera.name}", f"c=IN IP4 {HOST}", "t=0 0", "a=control:*", "a=range:npt=now-"]
    lines += ["m=video 0 RTP/AVP 96", f"a=rtpmap:96 {camera.camera.codec.name}/{TIMESCALE}"]
    if camera.camera.codec is Codec.H264:
        profile = camera.tracks.parameter_sets[0][1:4].hex()
        lines.append(f"a=fmtp:96 packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={','.join(sets)}")
    else:
        names = ("sprop-vps", "sprop-sps", "sprop-pps")
        lines.append("a=fmtp:96 " + ";".join(f"{name}={text}" for name, text in zip(names, sets, strict=True)))
    lines.append("a=control:video")
    if config := camera.tracks.sound_config.hex():
        lines += ["m=audio 0 RTP/AVP 97", f"a=rtpmap:97 MPEG4-GENERIC/{SOUND_RATE_HZ}/1"]
        sizes = "sizelength=13;indexlength=3;indexdeltalength=3"
        lines.append(f"a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;{sizes};config={config}")
        lines.append("a=control:sound")
    return "\r\n".join([*lines, ""])
