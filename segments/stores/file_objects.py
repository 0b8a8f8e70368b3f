"""Objects in a folder of this machine: the embedded pool, as durable as its disk."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from segments.clock import Clock
from segments.errors import Conflict, NotFound, Refused, TryAgain
from segments.ports import Body, ListedObject, ObjectInfo, ObjectVersion, Page
from segments.stores.file_pool import FilePool
from segments.stores.object_rules import check_delete, check_key, check_page, check_put, check_range

T = TypeVar("T")

PIECE_BYTES = 4 << 20
_THREADS = 4
"""So that a reader does not wait behind the syncs of a put, and several seeks of a disk can be asked for at once."""
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP}
_NO_LOCKS = "legal hold of {!r}: a folder has no locks; use a pool whose bucket was made with Object Lock"


class FileObjects:
    """An `ObjectStore` over a folder; several processes of one machine may use it at once.

    Raises TryAgain where the disk is full or fails (what was begun is undone), Refused where rights are missing.
    """

    def __init__(self, root: Path, *, clock: Clock) -> None:
        self._pool = FilePool(root, now_us=clock.now_us())
        self._threads = ThreadPoolExecutor(_THREADS, "file-objects")

    async def put(self, key: str, body: Body, *, sha256: str, attributes: Mapping[str, str]) -> str:
        """See `PutObject`. There are no versions. Also Conflict: `key` is a folder of other keys, or lies under an object."""
        kept = check_put(key, sha256, attributes)
        await self._run(f"put of {key!r}", lambda: self._pool.put(key, body, sha256, kept), under_object=Conflict)
        return ""

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""
        check_key(key)
        return await self._run(f"head of {key!r}", lambda: self._pool.head(key))

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `ReadObject`."""
        return b"".join([piece async for piece in self.stream(key, start, end)])

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `ReadObject`."""
        check_key(key)
        check_range(start, end)
        what = f"get of {key!r}"
        descriptor = await self._run(what, lambda: self._pool.open(key))
        try:
            while piece := await self._run(what, partial(_read, descriptor, start, end)):
                yield piece
                start += len(piece)
        finally:
            os.close(descriptor)

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Page[ListedObject, str]:
        """See `ListObjects`."""
        check_page(after, limit)
        items = await self._run(f"list of {prefix!r}", lambda: list(islice(self._pool.walk(prefix, after), limit)))
        return Page(items, items[-1].key if len(items) == limit else None)

    async def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `DeleteObjects`."""
        check_delete(keys)
        return await self._run(f"delete of {len(keys)} objects", lambda: self._pool.delete(keys))

    async def versions(self, prefix: str) -> AsyncIterator[ObjectVersion]:
        """See `Versions`. The only one of an object is ''."""
        after: str | None = ""
        while after is not None:
            page = await self.list(prefix, after=after)
            for key, size in page.items:
                yield ObjectVersion(key, "", size)
            after = page.next

    async def delete_versions(self, doomed: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """See `Versions`."""
        check_delete([key for key, _ in doomed])
        refused = await self.delete([key for key, version in doomed if not version])
        return {(key, ""): reason for key, reason in refused.items()}

    async def set_legal_hold(self, key: str, version: str, held: bool) -> None:  # noqa: ARG002 - all are refused alike
        """See `LegalHolds`."""
        check_key(key)
        raise Refused(_NO_LOCKS.format(key))

    async def legal_hold(self, key: str, version: str) -> bool:  # noqa: ARG002 - as above
        """See `LegalHolds`."""
        check_key(key)
        raise Refused(_NO_LOCKS.format(key))

    async def link(self, key: str, version: str, seconds: int, range_header: str | None = None) -> None:
        """See `SignLinks`."""

    def close(self) -> None:
        """Lets go of the threads, when what they are at is done."""
        self._threads.shutdown()

    async def _run(self, what: str, work: Callable[[], T], *, under_object: type[Conflict | NotFound] = NotFound) -> T:
        with _ours(what, under_object):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _read(descriptor: int, start: int, end: int | None) -> bytes:
    return os.pread(descriptor, PIECE_BYTES if end is None else max(0, min(PIECE_BYTES, end - start)), start)


@contextmanager
def _ours(what: str, under_object: type[Conflict | NotFound]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"{what}: there is no such object") from None
    except (NotADirectoryError, IsADirectoryError, FileExistsError):
        raise under_object(f"{what}: an object and a folder want the same name") from None
    except OSError as error:
        kind = Refused if error.errno in _REFUSED else TryAgain
        raise kind(f"{what}: {error.strerror}") from None
