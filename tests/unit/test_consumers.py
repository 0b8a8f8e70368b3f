"""Limits and metering per consumer, over the routes: what is answered, with which header fields, how fast, and what is counted."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest

from playback.app import PREFIX, create_app
from playback.consumers.allowance import QUOTA, UNLIMITED, Allowance, quota_id, quota_values
from playback.consumers.bucket import Bucket
from playback.consumers.delivered import seconds_of_bytes, seconds_of_file, span_of_bytes
from playback.consumers.metering import Metering, kept
from playback.consumers.rate_fields import OverQuota
from playback.consumers.streams import ACTIVE_S, NEAR_US, Streams
from playback.consumers.usage import Used
from playback.file_parts import ByteRange
from playback.identity.entrance import Entrance
from playback.identity.known_cameras import KnownCameras
from playback.identity.sessions import Sessions
from playback.sensitive.checks import RecordedConsents
from playback.sensitive.consent import approved
from playback.sensitive.consent import asked as asked_for
from playback.sensitive.declared import Declaration, Kind
from playback.sensitive.kept import ask, declare
from playback.services import Services
from segments.access import Role
from segments.audit import Action
from segments.clock import US_PER_DAY, US_PER_HOUR, US_PER_S, day_of
from segments.errors import BadInput, TryAgain
from segments.model import Fragment, Row, Span
from segments.record import Record, new_record
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera, a_row, a_run
from tests.clocks import HandClock
from tests.people import People, bearer, person

ONE, TWO = person("one", Role.PLATFORM), person("two", Role.PLATFORM)
AUDITOR = person("auditor", Role.AUDITOR)


@dataclass
class Site:
    """The application with a recorded camera, asked by two platforms and an auditor."""

    client: httpx2.AsyncClient
    services: Services
    clock: HandClock
    rows: list[Row]

    async def get(self, path: str, who: str = "one", **options: Any) -> httpx2.Response:
        return await self.client.get(path, headers=bearer(who) | options.pop("headers", {}), **options)

    async def bytes_of(self, row: Row, who: str = "one", **headers: str) -> httpx2.Response:
        return await self.get(f"cameras/{row.camera}/segments/{row.start_us}/{row.run}/{row.counter}.mp4", who, headers=headers)

    async def usage(self, who: str = "one") -> dict[str, Any]:
        found = (await self.get("me/usage", who)).json()["used"]
        return found[0] if found else {}


FRAGMENTS, SIZE = 10, 100_000
ROW = a_row(
    size=1000 + FRAGMENTS * SIZE,
    end_us=NOON_US + FRAGMENTS * 2 * US_PER_S,
    fragments=tuple(Fragment(1000 + n * SIZE, SIZE, 500, 900_000 + n * 180_000, 180_000) for n in range(FRAGMENTS)),
)
"""A segment of ten fragments of 2 s."""


@asynccontextmanager
async def site(allowance: Allowance = UNLIMITED, index: MemoryIndex | None = None) -> AsyncIterator[Site]:
    """A site where everybody may do so much, with a segment in each of three hours."""
    index, objects, clock = index or MemoryIndex(), MemoryObjects(), HandClock(NOON_US + 4 * US_PER_HOUR)
    await index.add_camera(a_camera("gate"))
    await index.put_run(a_run())
    rows = []
    for hour in range(3):
        shift_us = hour * US_PER_HOUR
        row = replace(ROW, start_us=ROW.start_us + shift_us, end_us=ROW.end_us + shift_us, counter=hour, key=f"gate/hour-{hour}.mp4")
        body = bytes(row.size)
        rows.append(replace(row, sha256=hashlib.sha256(body).hexdigest()))
        await objects.put(row.key, body, sha256=rows[-1].sha256, attributes={})
        await index.publish(rows[-1])
    access = Entrance([People(ONE, TWO, AUDITOR)], Sessions(index, clock), KnownCameras(index, clock))
    services = Api(index=index, objects=objects).services(clock=clock, access=access, allowance=allowance)
    transport = httpx2.ASGITransport(app=create_app(services), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://keepsight{PREFIX}/") as client:
        yield Site(client, services, clock, rows)


async def test_requests_over_the_rate() -> None:
    """Twice the rate may come at once; then 429 with the fields of the draft, until time has passed. Another consumer is not touched."""
    async with site(Allowance(5, 0, 0, 0, 0)) as here:
        answers = [await here.get("cameras") for _ in range(10)]
        assert [one.status_code for one in answers] == [200] * 10
        assert answers[3].headers["ratelimit-policy"] == '"requests";q=10;w=2'
        assert answers[3].headers["ratelimit"] == '"requests";r=6;t=1'
        refused = await here.get("cameras")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["ratelimit"] == '"requests";r=0;t=1'
        assert refused.json()["detail"] == "you may send 5 requests a second"
        assert (await here.get("cameras", "two")).status_code == 200
        here.clock.move(0.2)
        assert (await here.get("cameras")).status_code == 200


async def test_sensitive_bytes() -> None:
    """Of a segment that reaches beyond its consent only the fragments within are given, with a playlist before or without."""
    async with site() as here:
        index, clock, row = here.services.index, here.clock, here.rows[0]
        await declare(index, Declaration(Kind.CAMERA, "gate", "a school", "boss", clock.now_us()))
        services = replace(here.services, consents=RecordedConsents(index, clock))
        here.client._transport = httpx2.ASGITransport(app=create_app(services), raise_app_exceptions=False)
        assert (await here.bytes_of(row)).json()["type"] == "urn:keepsight:problem:needs-reason"
        span = Span(row.start_us, row.start_us + 2 * US_PER_S)
        consent = asked_for(ONE, Action.VIEW, ["gate"], span, reason="case 7", now_us=clock.now_us(), number="0" * 16)
        await ask(index, approved(consent, TWO, clock.now_us(), 1))
        clock.move(2)
        for _ in range(2):
            assert (await here.bytes_of(row, Range=f"bytes=1000-{1000 + SIZE - 1}")).status_code == 206
            assert (await here.bytes_of(row, Range=f"bytes={1000 + 8 * SIZE}-")).status_code == 403
            assert (await here.bytes_of(row, "two", Range=f"bytes=1000-{1000 + SIZE - 1}")).status_code == 403
            playlist = await here.get("cameras/gate/hls/media.m3u8", params=asked(0, 2))
            assert playlist.status_code == 200


async def test_without_access_nobody_is_a_consumer() -> None:
    """Where no access is controlled these limits hold for nobody, and what is asked is counted as `open`."""
    api = Api()
    async with api.client(allowance=Allowance(1, 1, 1, 1, 1)) as client:
        answers = [await client.get("cameras") for _ in range(5)]
        assert {one.status_code for one in answers} == {200}
        assert "ratelimit" not in answers[0].headers
        used = (await client.get("metering")).json()["used"]
        assert [(one["consumer"], one["requests"]) for one in used] == [("open", 6)]


async def test_streams_at_once() -> None:
    """A second place of a camera is a second stream; one that is not asked for any more makes room after half a minute."""
    async with site(Allowance(0, 1, 0, 0, 0)) as here:
        assert (await here.bytes_of(here.rows[0])).status_code == 200
        assert (await here.bytes_of(here.rows[0], Range="bytes=0-9")).status_code == 206
        refused = await here.bytes_of(here.rows[1])
        assert (refused.status_code, refused.headers["ratelimit"]) == (429, '"streams";r=0;t=30')
        assert refused.headers["ratelimit-policy"] == '"streams";q=1;qu="streams"'
        assert (await here.bytes_of(here.rows[1], "two")).status_code == 200
        here.clock.move(ACTIVE_S)
        assert (await here.bytes_of(here.rows[1])).status_code == 200


def test_a_stream_moves_with_its_player() -> None:
    """Piece after piece is one stream for hours; other cameras and far places are others."""
    streams = Streams()
    for minute in range(300):
        assert streams.join("gate", minute * 60 * US_PER_S, 1, minute * 10**9) is not None
    assert streams.join("yard", 0, 1, 300 * 10**9) is None
    assert streams.join("gate", 299 * 60 * US_PER_S + NEAR_US + 1, 1, 300 * 10**9) is None
    assert streams.join("gate", 0, 0, 300 * 10**9) is not None


async def test_bandwidth_paces_and_then_refuses() -> None:
    """A long answer takes the time its bytes take; while five seconds of it are on their way, nothing new of footage is given."""
    async with site(Allowance(0, 0, 100_000, 0, 0)) as here:
        began_us = here.clock.now_us()
        answer = await here.bytes_of(here.rows[0])
        assert len(answer.content) == ROW.size
        assert (here.clock.now_us() - began_us) / US_PER_S == pytest.approx(ROW.size / 100_000 - 1, abs=0.1)
        account = await here.services.consumers.account(ONE.id)
        account.bytes.take(600_000, here.clock.monotonic_ns())
        refused = await here.bytes_of(here.rows[0])
        assert (refused.status_code, refused.headers["ratelimit"]) == (429, '"bytes";r=0;t=1')
        assert (await here.get("cameras")).status_code == 200
        here.clock.move(2)
        assert (await here.bytes_of(here.rows[0], Range="bytes=0-9")).status_code == 206


async def test_timeline_days() -> None:
    """Days of timeline are a budget of a minute; more than it holds is never answered at once."""
    async with site(Allowance(0, 0, 0, 0, 31)) as here:
        month = asked(-29 * 86_400, 86_400)
        assert (await here.get("cameras/gate/timeline", params=month)).status_code == 200
        refused = await here.get("cameras/gate/timeline", params=month)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "57")
        here.clock.move(57)
        assert (await here.get("cameras/gate/timeline", params=month)).status_code == 200


async def test_export_hours_of_a_day() -> None:
    """Jobs count before they begin; over the hours of a UTC day nothing is counted, and at midnight all is free again."""
    async with site(Allowance(0, 0, 0, 2, 0)) as here:
        consumers = here.services.consumers
        await consumers.export(ONE.id, 3600)
        with pytest.raises(OverQuota, match="2 hours of footage a day") as refused:
            await consumers.export(ONE.id, 3601)
        assert refused.value.headers["Retry-After"] == str(8 * 3600)
        await consumers.export(ONE.id, 3600)
        await consumers.export(TWO.id, 7200)
        here.clock.move(8 * 3600)
        await consumers.export(ONE.id, 7200)


async def test_export_hours_are_shared_by_processes() -> None:
    """What another process wrote counts here too."""
    async with site(Allowance(0, 0, 0, 2, 0)) as here:
        other = Metering(here.services.index, here.clock)
        other.used(ONE.id).exported_s = 7000
        await other.flush()
        with pytest.raises(OverQuota):
            await here.services.consumers.export(ONE.id, 3600)
        await here.services.consumers.export(ONE.id, 100)


async def test_a_quota_for_one() -> None:
    """A quota changes what it names for one consumer, in two seconds; a limit there is not, or less than nothing, is refused."""
    async with site(Allowance(5, 7, 0, 0, 0)) as here:
        assert (await here.get("me/limits")).json()["requests_per_s"] == 5
        record = new_record(QUOTA, quota_id(ONE.id), quota_values(ONE.id, {"requests_per_s": 50}, "boss"))
        await here.services.index.put_record(record)
        here.clock.move(2)
        found = (await here.get("me/limits")).json()
        assert (found["requests_per_s"], found["streams"]) == (50, 7)
        assert (await here.get("me/limits", "two")).json()["requests_per_s"] == 5
        for wrong in ({"cameras": 1.0}, {"streams": -1.0}):
            with pytest.raises(BadInput):
                quota_values(ONE.id, wrong, "boss")


async def test_what_is_counted() -> None:
    """Requests, bytes as sent, and the seconds of the fragments that were in them; problems are no footage."""
    async with site() as here:
        await here.bytes_of(here.rows[0])
        await here.bytes_of(here.rows[1], Range=f"bytes=1000-{1000 + 2 * SIZE + SIZE // 2 - 1}")
        await here.bytes_of(here.rows[1], Range="bytes=99999999-")
        used = await here.usage()
        assert (used["requests"], used["refused"]) == (4, 0)
        assert used["played_bytes"] == ROW.size + 2 * SIZE + SIZE // 2
        assert used["played_s"] == pytest.approx(20 + 5)
        assert used["exported_bytes"] == 0


async def test_who_may_see_it() -> None:
    """An auditor sees all; a platform only what is its own."""
    async with site() as here:
        await here.get("cameras")
        assert (await here.get("metering")).status_code == 403
        assert {one["consumer"] for one in (await here.get("metering", "auditor")).json()["used"]} == {ONE.id, AUDITOR.id}
        assert {one["consumer"] for one in (await here.get("me/usage")).json()["used"]} == {ONE.id}
        assert (await here.get("metering", "auditor", params={"from": "2026-01-02", "to": "2026-01-01"})).status_code == 422


async def test_a_client_that_leaves_half_way() -> None:
    """What it took is counted, not what was asked."""
    async with site() as here:
        here.services.consumers._default = Allowance(0, 0, 100_000, 0, 0)
        taken = 0

        async def send(message: dict[str, Any]) -> None:
            nonlocal taken
            taken += len(message.get("body", b""))
            if taken >= 300_000:
                raise OSError("the client is gone")

        row = here.rows[0]
        path = f"{PREFIX}/cameras/gate/segments/{row.start_us}/{row.run}/{row.counter}.mp4"
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "http_version": "1.1"}
        headers = {"headers": [(b"authorization", b"Bearer one"), (b"host", b"keepsight")], "client": ("192.0.2.1", 1), "scheme": "http"}
        with pytest.raises(OSError, match="gone"):
            await create_app(here.services)(scope | headers, receive, send)
        used = await here.usage()
        assert 200_000 <= used["played_bytes"] < 300_000
        assert 3.5 < used["played_s"] < 6


async def receive() -> dict[str, Any]:
    """A client that says nothing more."""
    return {"type": "http.request", "body": b"", "more_body": False}


class Away(MemoryIndex):
    """An index that can be away."""

    away = False

    async def put_record(self, record: Record) -> None:
        if self.away:
            raise TryAgain("the index does not answer")
        await super().put_record(record)


async def test_metering_survives() -> None:
    """What is written again changes nothing; what cannot be written is written later; a process that ends writes its last minute."""
    index, clock = Away(), HandClock(NOON_US)
    one, two, day = Metering(index, clock), Metering(index, clock), day_of(NOON_US)
    async with kept(one, clock):
        one.used("a").requests = 3
    two.used("a").add(Used(4, 1, 2.5, 10))
    await two.flush()
    await two.flush()
    index.away = True
    two.used("a").requests += 1
    with pytest.raises(TryAgain):
        await two.flush()
    index.away = False
    assert (await Metering(index, clock).of_day(day))["a"] == Used(7, 1, 2.5, 10)
    await two.flush()
    assert (await Metering(index, clock).of_day(day))["a"] == Used(8, 1, 2.5, 10)
    clock.move(US_PER_DAY / US_PER_S)
    two.used("a").requests += 1
    await two.flush()
    assert (await two.of_day(day))["a"].requests == 8
    assert (await two.of_day(day_of(clock.now_us())))["a"].requests == 1


def test_seconds_of_bytes() -> None:
    """All ranges that make a segment hold its seconds, however it is cut; and what has no fragment holds none."""
    for step in (1, 999, 12_345, SIZE, ROW.size):
        parts = [(at, min(at + step, ROW.size)) for at in range(0, ROW.size, step)] if step > 1 else [(0, 1), (1, ROW.size)]
        assert sum(seconds_of_bytes(ROW, start)(end - start) for start, end in parts) == pytest.approx(20)
    assert seconds_of_bytes(ROW, 0)(1000) == 0
    assert span_of_bytes(ROW, 0, 500) == Span(ROW.start_us, ROW.start_us + 1)
    assert span_of_bytes(ROW, 1000 + SIZE, 1000 + 2 * SIZE) == Span(ROW.start_us + 2 * US_PER_S, ROW.start_us + 4 * US_PER_S)


def test_seconds_of_a_file() -> None:
    """Of a head there are none; of each segment as much of its time as of its bytes, wherever a range begins."""
    parts = [ByteRange(ROW, 1000, ROW.size), ByteRange(ROW, 1000, 1000 + 5 * SIZE)]
    whole_s = (10 + 5) * SIZE * 20 / ROW.size
    assert seconds_of_file(500, parts, 0)(500) == 0
    assert seconds_of_file(500, parts, 0)(500 + 15 * SIZE) == pytest.approx(whole_s)
    assert seconds_of_file(500, parts, 500 + 12 * SIZE)(99 * SIZE) == pytest.approx(whole_s / 5)
    assert seconds_of_file(500, [], 0)(500) == 0


def test_a_bucket_owes() -> None:
    """More may be taken than is there; it is paid back at the rate, and never more is held than its most."""
    bucket = Bucket(10, 20, 0)
    bucket.take(50, 0)
    assert (bucket.left(0), bucket.wait_s(0, 0), bucket.wait_s(5, 0)) == (-30, 3, 3.5)
    assert bucket.left(3 * 10**9) == 0
    assert bucket.left(100 * 10**9) == 20
    assert bucket.left(99 * 10**9) == 20
