"""Whether a Cassandra lets in whoever comes, or its default superuser: asked by the first frames of its protocol, without the driver.

Native protocol v4 (Cassandra's `native_protocol_v4.spec`, sections 2 and 4): STARTUP is answered with READY where no login is asked for,
else with AUTHENTICATE, and the answer to that with AUTH_SUCCESS or ERROR.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from enum import StrEnum

LIMIT_S = 4.0
"""For the whole conversation; a login costs Cassandra about half a second (bcrypt)."""

_HEADER = struct.Struct(">BBhBi")  # version and direction, flags, stream, opcode, length of the body
_MAX_BODY_BYTES = 1 << 16
_STARTUP, _READY, _AUTHENTICATE, _AUTH_RESPONSE, _AUTH_SUCCESS = 0x01, 0x02, 0x03, 0x0F, 0x10
_DEFAULT_LOGIN = b"\0cassandra\0cassandra"


class Login(StrEnum):
    """What a server does with somebody it does not know."""

    OPEN = "open"
    """It asks for no login at all."""
    DEFAULT = "default"
    """Its default superuser, with the password everybody knows, may log in."""
    CLOSED = "closed"
    AWAY = "away"
    """It did not answer, or not in this protocol: nothing is known."""


async def asked_login(host: str, port: int, tls: ssl.SSLContext | None) -> Login:
    """Asks one server; never raises for what the server does."""
    try:
        async with asyncio.timeout(LIMIT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
            try:
                return await _ask(reader, writer)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        return Login.AWAY


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Login:
    name, version = b"CQL_VERSION", b"3.0.0"
    opcode = await _exchange(reader, writer, _STARTUP, struct.pack(">HH11sH5s", 1, len(name), name, len(version), version))
    if opcode == _READY:
        return Login.OPEN
    if opcode != _AUTHENTICATE:
        return Login.AWAY
    opcode = await _exchange(reader, writer, _AUTH_RESPONSE, struct.pack(">i", len(_DEFAULT_LOGIN)) + _DEFAULT_LOGIN)
    return Login.DEFAULT if opcode == _AUTH_SUCCESS else Login.CLOSED


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opcode: int, body: bytes) -> int:
    """Sends a frame and reads the answer; returns its opcode, raises ValueError if it is no frame of this protocol."""
    writer.write(_HEADER.pack(0x04, 0, 0, opcode, len(body)) + body)
    version, _, _, answer, length = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if version != 0x84 or not 0 <= length <= _MAX_BODY_BYTES:
        raise ValueError("no answer of this protocol")
    await reader.readexactly(length)
    return int(answer)
