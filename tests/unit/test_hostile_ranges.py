"""Ranges as somebody sends them who means no good: no answer is larger than the segment, and none is an error of ours."""

from __future__ import annotations

import hashlib

import pytest

from tests.api import Api
from tests.builders import a_row, a_run
from tests.faults.flood import RANGES

BODY = hashlib.shake_128(b"segment").digest(100_000)

MORE = (
    "bytes=",
    "bytes=-",
    "bytes=--1",
    "bytes=1-2-3",
    "bytes=0x10-",
    "bytes=+5-",
    "bytes=٣-",
    "bytes = 0 - 9",
    "items=0-9",
    "bytes=0-9;",
    "BYTES=0-9",
)


@pytest.mark.parametrize("header", [*RANGES, *MORE], ids=lambda header: header[:20])
async def test_hostile_ranges(header: str) -> None:
    """Several ranges and what is none give everything once; one that begins behind the end is a 416; all else is its slice."""
    api = Api()
    row = a_row(size=len(BODY), sha256=hashlib.sha256(BODY).hexdigest())
    await api.objects.put(row.key, BODY, sha256=row.sha256, attributes={})
    await api.index.put_run(a_run())
    await api.index.publish(row)
    path = f"cameras/{row.camera}/segments/{row.start_us}/{row.run}/{row.counter}.mp4"
    for address in (path, f"cameras/{row.camera}/runs/{row.run}/init.mp4"):
        whole = (await api.get(address)).content
        answer = await api.get(address, headers={"Range": header.encode()})
        assert answer.status_code in (200, 206, 416), answer.text
        assert len(answer.content) <= max(len(whole), 300)
        if answer.status_code == 200:
            assert answer.content == whole
        elif answer.status_code == 206:
            first, last = map(int, answer.headers["content-range"].partition("/")[0].removeprefix("bytes ").split("-"))
            assert answer.content == whole[first : last + 1]
        else:
            assert answer.headers["content-range"] == f"bytes */{len(whole)}"
