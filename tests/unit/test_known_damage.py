"""Segments that are known to be damaged here are not served from here: another site's bytes, or an error that names them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from playback.segment_bytes import read
from segments.damage import KNOWN_FOR_S, KnownDamage, damaged_of, note_damage
from segments.errors import DataDamaged
from tests.builders import NOON_US, a_camera
from tests.fakes import SwitchedIndex
from tests.unit.test_api_elsewhere import LARGE, Two, path, stored


@pytest.fixture
async def two() -> Two:
    """Our site and b."""
    made = Two()
    await made.api.index.add_camera(a_camera())
    return made


class SpoiltObjects:
    """A pool that gives as many bytes as it should, with one of them changed."""

    def __init__(self, body: bytes) -> None:
        self.body = body[:100] + bytes([body[100] ^ 1]) + body[101:]

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        return self.body[start:end]

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        yield self.body[start:end]


@pytest.mark.parametrize("body", [LARGE[:5000], LARGE])
@pytest.mark.parametrize("asked_range", [None, "bytes=10-"])
async def test_known_damage_is_not_served(two: Two, body: bytes, asked_range: str | None) -> None:
    """An object of the right size with other bytes, named in the index: all of it comes from b, ranges too, which no hash would show."""
    row, headers = await stored(two, body), {"Range": asked_range} if asked_range else {}
    two.api.objects = SpoiltObjects(body)
    await note_damage(two.api.index, [damaged_of(row, "its SHA-256 is another", NOON_US)])
    assert (await two.get(path(row), headers=headers)).content == (body[10:] if asked_range else body)
    assert two.b.asked["read"] == 1


async def test_control_damage_that_nobody_named_is_served(two: Two) -> None:
    """A range of an object that is spoilt comes as it is: what the index names is what makes the difference."""
    row = await stored(two, LARGE[:5000])
    two.api.objects = SpoiltObjects(LARGE[:5000])
    assert (await two.get(path(row), headers={"Range": "bytes=10-"})).content != LARGE[10:5000]


async def test_known_damage_that_no_site_makes_good_is_an_error_that_names_it(two: Two) -> None:
    """With no other site, or none that has it: 502 with the segment's key, not bytes that are not what was recorded."""
    row = await stored(two, LARGE[:5000])
    await note_damage(two.api.index, [damaged_of(row, "its SHA-256 is another", NOON_US)])
    await two.b.objects.delete([row.key])
    alone = two.api.services(damage=KnownDamage(two.api.index, two.clock))
    with pytest.raises(DataDamaged, match="known to be damaged"):
        await read(alone, row, 0, 10)
    answer = await two.get(path(row))
    assert (answer.status_code, answer.json()["type"]) == (502, "urn:keepsight:problem:data-damaged")
    assert row.key in answer.json()["detail"]


async def test_known_damage_is_asked_for_once_in_a_while(two: Two) -> None:
    """A hundred reads, at once too, cost one question of the index; what is named, or named no more, counts ten seconds later."""
    row, asked = await stored(two, LARGE[:5000]), list[str]()
    index = SwitchedIndex(two.api.index)
    index.before = asked.append
    two.damage = KnownDamage(cast("Any", index), two.clock)
    assert not any(await asyncio.gather(*(two.damage.has(row) for _ in range(100))))
    await note_damage(two.api.index, [damaged_of(row, "a bit flipped", NOON_US)])
    assert (not await two.damage.has(row), asked) == (True, ["record"])
    two.clock.move(KNOWN_FOR_S)
    assert await two.damage.has(row)
    index.away = True
    two.clock.move(KNOWN_FOR_S)
    assert await two.damage.has(row), "what was known stays so while the index is away"
