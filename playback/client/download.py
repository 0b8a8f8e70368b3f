"""A file from the service to the disk: resumed where it broke off, and only under its name when it is whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import httpx2

from playback.client.errors import Damaged, NoAnswer
from playback.client.http import Http

Progress = Callable[[int, int], None]
"""Called with the bytes there are and the bytes there will be."""
TRIES = 5
"""So often in a row a download is resumed that brings nothing new."""


async def download(http: Http, path: str, to: Path, progress: Progress, *, hashed: bool) -> Path:
    """Fetches a file into `to`. What was fetched before lies beside it as `.part`, and is gone on with if it is of the same file (ETag).
    `hashed`: the ETag is its SHA-256.

    Raises Damaged if what came has not the length or hash it should have, NoAnswer if it breaks off again and again.
    """
    part, tag = to.with_name(f"{to.name}.part"), to.with_name(f"{to.name}.part.etag")
    idle = 0
    while True:
        before = _length(part)
        try:
            etag, size = await _fetch(http, path, (part, tag), progress)
        except (httpx2.HTTPError, NoAnswer) as error:
            idle = 0 if _length(part) > before else idle + 1
            if idle == TRIES:
                raise NoAnswer(f"{to.name} broke off again and again ({type(error).__name__})") from None
            await asyncio.sleep(0.2 * 2**idle)
            continue
        if _length(part) != size:
            _forget(part, tag)
            raise Damaged(f"{to.name} has not the {size} bytes it should have: fetch it again")
        if hashed:
            await asyncio.to_thread(_check, part, tag, etag.strip('"'))
        part.replace(to)
        tag.unlink(missing_ok=True)
        return to


async def _fetch(http: Http, path: str, files: tuple[Path, Path], progress: Progress) -> tuple[str, int]:
    """One answer, appended to what there is if it goes on with it; the ETag and the size of the whole."""
    part, tag = files
    known, whole = _known(tag)
    begun = _length(part) if known else 0
    if known and begun == whole:
        return known, whole  # it was whole when we were interrupted
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begun}-", "If-Range": known} if begun else {})
    async with http.stream("GET", path, headers=headers) as answer:
        etag = answer.headers.get("etag", "")
        begun = begun if answer.status_code == 206 and etag == known else 0
        size = begun + int(answer.headers.get("content-length", "0"))
        tag.write_text(f"{etag}\n{size}")
        with part.open("ab" if begun else "wb") as file:
            async for piece in answer.aiter_raw():
                file.write(piece)
                progress(file.tell(), size)
            file.flush()
            os.fsync(file.fileno())
        return etag, size


def _known(tag: Path) -> tuple[str, int]:
    """ETag and size of the file that was begun; '' if there is none."""
    etag, _, size = tag.read_text().partition("\n") if tag.is_file() else ("", "", "")
    return (etag, int(size)) if etag and size.isdecimal() else ("", 0)


def _check(part: Path, tag: Path, wanted: str) -> None:
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        _forget(part, tag)
        raise Damaged(f"{part.name} has not the SHA-256 {wanted}: fetch it again")


def _forget(part: Path, tag: Path) -> None:
    part.unlink(missing_ok=True)
    tag.unlink(missing_ok=True)


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
