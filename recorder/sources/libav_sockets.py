"""Ending a read that is blocked inside libav: the TCP socket it opened itself is found among this process's files and shut down."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from recorder.address import PinnedAddress


class LibavSocket:
    """The one connection that libav opens to a peer between `__init__` and `opened`.

    Where several were opened to the same peer at that moment it cannot be told apart: then `shut` does nothing, and the reading thread
    ends by libav's own time limit.
    """

    _claimed: ClassVar[set[int]] = set()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, peer: PinnedAddress) -> None:
        self._peer = (str(peer.address), peer.port)
        self._before = {inode for _, inode in self._connections()}
        self._inode = 0

    def opened(self) -> None:
        """Libav has connected: remembers its socket."""
        with self._lock:
            new = {inode for _, inode in self._connections()} - self._before - self._claimed
            if len(new) == 1:
                self._inode = new.pop()
                self._claimed.add(self._inode)

    def shut(self) -> None:
        """Shuts the connection down; libav's read returns at once. May be called by any thread."""
        if not self._inode:
            self.opened()  # it hangs between connecting and playing
        for number, inode in self._connections():
            if inode == self._inode:
                with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as same:
                    same.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Libav has closed it."""
        with self._lock:
            self._claimed.discard(self._inode)

    def _connections(self) -> Iterator[tuple[int, int]]:
        """File number and inode of this process's connections to the peer."""
        for file in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(file.readlink()).startswith("socket:"):
                    with socket.socket(fileno=os.dup(int(file.name))) as same:
                        if same.getpeername()[:2] == self._peer:
                            yield int(file.name), os.fstat(same.fileno()).st_ino
