"""Canaries of the tests of hostile input: inner services and files that nothing may touch, and a list of what was touched."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import shutil
import struct
import sys
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

_IN_OPEN = 0x20
_EVENT = struct.Struct("iIII")
_OPEN_BARELY = """
import sys, threading, time, av
def open_barely(url):
    try:
        av.open(url, timeout=(2, 2)).close()
    except Exception:
        pass
threads = [threading.Thread(target=open_barely, args=(url,), daemon=True) for url in sys.stdin.read().split("\\0")]
for number, thread in enumerate(threads):
    thread.start()
    if number >= 32:
        threads[number - 32].join(3)
for thread in threads[-32:]:
    thread.join(1)
"""


class Canaries:
    """Listeners on loopback addresses where no camera of the tests lives, a socket in the file system, and files that libav could play.

    `hits` names each touch. `places` has the words that hostile inputs use for them: `{two}`, `{three}`, `{six}` are inner services by
    address, `{other}` is one on the camera's own address, `{...port}` their ports; `{udp}` a port of 127.0.0.2; `{file}`, `{sock}` paths.
    """

    def __init__(self, clip: Path, folder: Path) -> None:
        self.hits: list[str] = []
        self.places: dict[str, str] = {}
        self._folder = Path(mkdtemp(prefix="inner-", dir=folder))
        self._file = shutil.copy(clip, self._folder / "canary.ts")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for name, host in (("two", "127.0.0.2"), ("three", "127.0.0.3"), ("six", "::1"), ("other", "127.0.0.1")):
            server = await self._stack.enter_async_context(await asyncio.start_server(self._listener(name), host, 0))
            port = server.sockets[0].getsockname()[1]
            self.places |= {name: f"[{host}]:{port}" if ":" in host else f"{host}:{port}", f"{name}port": str(port)}
        inner = self._folder / "canary.sock"
        await self._stack.enter_async_context(await asyncio.start_unix_server(self._listener("sock"), inner))
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self.hits), local_addr=("127.0.0.2", 0))
        self._stack.callback(udp.close)
        self.places |= {"udp": str(udp.get_extra_info("sockname")[1]), "file": str(self._file), "sock": str(inner)}
        self._watch_files()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _listener(self, name: str):
        async def hit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.hits.append(name)
            writer.close()

        return hit

    def _watch_files(self) -> None:
        """Each opening of a file in the folder is a hit (Linux' inotify(7))."""
        libc = ctypes.CDLL(None, use_errno=True)
        number = libc.inotify_init1(os.O_NONBLOCK)
        if number < 0 or libc.inotify_add_watch(number, os.fsencode(self._folder), _IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "files cannot be watched")
        loop = asyncio.get_running_loop()
        loop.add_reader(number, self._take_openings, number)
        self._stack.callback(os.close, number)
        self._stack.callback(loop.remove_reader, number)

    def _take_openings(self, number: int) -> None:
        data, at = os.read(number, 1 << 16), 0
        while at < len(data):
            *_, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0").decode()
            at += _EVENT.size + length
            self.hits.append(f"opened {name or 'the folder'}")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, hits: list[str]) -> None:
        self._hits = hits

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._hits.append("udp")


class Peer:
    """A hostile camera that is no RTSP server: says something to whoever comes, or answers requests by their path; then hangs up."""

    def __init__(self, places: Mapping[str, str], says: bytes, pages: Mapping[str, bytes]) -> None:
        self._places = places
        self._says = says
        self._pages = pages

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        places = {**self._places, "port": str(self.port)}
        self._says, self._pages = filled(self._says, places), filled(self._pages, places)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self._says:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1].decode()
                writer.write(self._pages.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
            writer.write(self._says)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def filled(value: Any, places: Mapping[str, str]) -> Any:
    """A text, bytes, or a collection of them with the words in braces replaced; unknown words stay."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: places.get(found[1], found[0]), value)
    if isinstance(value, bytes):
        return filled(value.decode("latin-1"), places).encode("latin-1")
    if isinstance(value, Mapping):
        return {key: filled(each, places) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return tuple(filled(each, places) for each in value)
    return value


async def open_barely(urls: Iterable[str]) -> None:
    """The control: libav opens each URL as it comes, without any of our rules, in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OPEN_BARELY, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(120):
            await child.communicate("\0".join(urls).encode())
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
