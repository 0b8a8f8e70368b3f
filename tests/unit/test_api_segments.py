"""The bytes of segments: ranges, where they come from, and what happens when they are gone."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from playback.segment_bytes import PIECE_BYTES
from segments.errors import NotFound, TryAgain
from segments.model import Row
from tests.api import Api
from tests.builders import INIT, a_row, a_run

BODY = bytes(range(256)) * 40
LARGE = hashlib.shake_128(b"large").digest(PIECE_BYTES + 1000)


async def stored(body: bytes = BODY, **fields: object) -> tuple[Api, Row]:
    """A segment of these bytes in the pool and the index."""
    api = Api()
    row = a_row(size=len(body), sha256=hashlib.sha256(body).hexdigest(), **fields)
    await api.objects.put(row.key, body, sha256=row.sha256, attributes={})
    await api.index.put_run(a_run())
    await api.index.publish(row)
    return api, row


def path(row: Row) -> str:
    """Where a row's bytes are served."""
    return f"cameras/{row.camera}/segments/{row.start_us}/{row.run}/{row.counter}.mp4"


@pytest.mark.parametrize("body", [BODY, LARGE])
async def test_a_whole_segment(body: bytes) -> None:
    """Without a range all bytes come, with their length, and their hash as ETag."""
    api, row = await stored(body)
    answer = await api.get(path(row))
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["etag"] == f'"{hashlib.sha256(body).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("body", [BODY, LARGE])
@pytest.mark.parametrize(("asked", "start", "end"), [("bytes=100-199", 100, 200), ("bytes=-50", -50, None), ("bytes=7-", 7, None)])
async def test_one_range(body: bytes, asked: str, start: int, end: int | None) -> None:
    """206 with exactly the bytes of the range, and where they lie."""
    api, row = await stored(body)
    answer = await api.get(path(row), headers={"Range": asked})
    wanted = body[start:end]
    first = start % len(body)
    assert (answer.status_code, answer.content) == (206, wanted)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(body)}"
    assert answer.headers["content-length"] == str(len(wanted))


async def test_several_ranges_are_answered_with_everything() -> None:
    """A client that asks for many ranges gets the whole once, so that no request can ask for more than that."""
    api, row = await stored()
    answer = await api.get(path(row), headers={"Range": "bytes=0-1,5-6,0-"})
    assert (answer.status_code, answer.content) == (200, BODY)


async def test_a_range_behind_the_end_is_416() -> None:
    """The problem says how long the segment is."""
    api, row = await stored()
    answer = await api.get(path(row), headers={"Range": f"bytes={len(BODY)}-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(BODY)}")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("same", "status"), [(True, 206), (False, 200)])
async def test_if_range_holds_only_for_the_same_bytes(same: bool, status: int) -> None:
    """A range for another ETag is answered with everything."""
    api, row = await stored()
    etag = f'"{row.sha256}"' if same else '"other"'
    assert (await api.get(path(row), headers={"Range": "bytes=0-9", "If-Range": etag})).status_code == status


@pytest.mark.parametrize("body", [BODY, LARGE])
async def test_an_object_that_is_gone_is_said_so(body: bytes) -> None:
    """404 `footage is gone` where the row is there and the object is not, small or streamed."""
    api, row = await stored(body)
    await api.objects.delete([row.key])
    answer = await api.get(path(row))
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:keepsight:problem:footage-gone")
    assert row.key in answer.json()["detail"]


async def test_a_segment_that_never_was_is_not_found() -> None:
    """404 of the other kind where there is no row."""
    api, row = await stored()
    answer = await api.get(path(replace(row, counter=9)))
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:keepsight:problem:not-found")


async def test_an_object_shorter_than_its_row_is_damage() -> None:
    """502 instead of fewer bytes than were promised."""
    api, row = await stored()
    await api.index.publish(replace(row, size=row.size + 10))
    assert (await api.get(path(row))).status_code == 502


async def test_an_unknown_pool_is_named() -> None:
    """502 names the pool that this service was not given."""
    api, row = await stored(pool="attic")
    answer = await api.get(path(row))
    assert answer.status_code == 502
    assert "attic" in answer.json()["detail"]


class FailingObjects:
    """A pool that gives one piece of a stream, then fails; `get` fails at once."""

    def __init__(self, error: Exception, pieces: int) -> None:
        self.error, self.pieces = error, pieces

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        raise self.error

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        for _ in range(self.pieces):
            yield b"x" * 1000
        raise self.error


@pytest.mark.parametrize("body", [BODY, LARGE])
async def test_a_pool_that_is_busy_is_503(body: bytes) -> None:
    """A passing fault before the first byte says when to come back."""
    api, row = await stored(body)
    api.objects = FailingObjects(TryAgain("busy"), 0)
    answer = await api.get(path(row))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_a_pool_that_fails_in_the_middle_breaks_the_answer_off() -> None:
    """The client sees that bytes are missing: never a short answer that looks whole."""
    api, row = await stored(LARGE)
    api.objects = FailingObjects(TryAgain("busy"), 1)
    answer = await api.get(path(row))
    assert len(answer.content) < int(answer.headers["content-length"])


async def test_the_init_of_a_run_comes_from_the_index() -> None:
    """ftyp and moov as they were recorded, also by range; an unknown run is 404."""
    api, _ = await stored()
    answer = await api.get("cameras/gate/runs/home-a-1-1/init.mp4")
    assert (answer.content, answer.headers["content-type"]) == (INIT, "video/mp4")
    part = await api.get("cameras/gate/runs/home-a-1-1/init.mp4", headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, INIT[4:8], f"bytes 4-7/{len(INIT)}")
    assert (await api.get("cameras/gate/runs/home-a-9-9/init.mp4")).status_code == 404


def growing(api: Api, size: int = 5000) -> Row:
    """A segment in the spool of which so many bytes are durable."""
    row = a_row(size=size, sha256="", pool="")
    api.live.found = [(row, a_run())]
    api.live.bytes_of[row.position] = BODY[:size]
    return row


async def test_the_live_edge_is_served_at_the_same_address() -> None:
    """A growing segment is read from the spool: ranges of it as always, without an end that is known and without an ETag."""
    api = Api()
    row = growing(api)
    answer = await api.get(path(row), headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content, answer.headers["content-range"]) == (206, BODY[10:20], "bytes 10-19/*")
    assert "etag" not in answer.headers
    assert (await api.get("cameras/gate/runs/home-a-1-1/init.mp4")).content == INIT


async def test_a_segment_that_leaves_the_spool_meanwhile_comes_from_the_pool() -> None:
    """Between the look and the read a segment may be indexed and its spool file removed: the bytes come all the same."""
    api, row = await stored()
    index = api.index

    class LateIndex:
        looks = 0

        async def row(self, *position: object) -> Row:
            self.looks += 1
            if self.looks == 1:
                raise NotFound("not yet")
            return await index.row(*position)

    api.index = LateIndex()
    api.live.found = [(replace(row, pool="", sha256=""), a_run())]
    assert (await api.get(path(row))).content == BODY


async def test_what_is_stored_and_not_indexed_is_read_from_the_pool() -> None:
    """A row of the live edge that names its pool has no bytes in the spool any more."""
    api, row = await stored()
    other = Api(objects=api.objects)
    other.live.found = [(row, a_run())]
    assert (await other.get(path(row))).content == BODY


async def test_with_the_recording_side_away_the_unknown_is_503() -> None:
    """Whether a segment is still in a spool cannot be said then: come back later."""
    api = Api()
    row = growing(api)
    api.live.away = True
    assert (await api.get(path(row))).status_code == 503
