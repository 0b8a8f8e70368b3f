"""API keys: shown once, kept as a hash, over at their end, shut at once when revoked."""

from __future__ import annotations

import pytest

from playback.identity.api_keys import API_KEYS, ApiKeys, KeyOrder
from segments.access import Role, Scope
from segments.clock import US_PER_DAY
from segments.errors import BadInput, NotFound
from segments.stores.memory_index import MemoryIndex
from tests.api import StandingClock
from tests.builders import NOON_US

SCOPE = Scope(areas=("a",), classes=(2,))


class Place:
    """Two processes of the API on one index."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.clock = StandingClock(NOON_US)
        self.here, self.there = ApiKeys(self.index, self.clock), ApiKeys(self.index, self.clock)

    def order(self, days: float = 30) -> KeyOrder:
        return KeyOrder("Traffic", "Unit 7", frozenset({Role.PLATFORM}), SCOPE, self.clock.at_us + round(days * US_PER_DAY), "Anna")


async def test_a_key_opens_everywhere_as_who_it_was_made_for() -> None:
    """With its name, unit, roles and scope, in every process."""
    place = Place()
    key, text = await place.here.add(place.order())
    subject = await place.there.subject(text)
    assert subject == await place.there.known(f"key:{key.id}")
    assert subject is not None
    assert (subject.name, subject.unit, subject.roles, subject.scope) == ("Traffic", "Unit 7", {Role.PLATFORM}, SCOPE)


async def test_only_the_hash_of_its_secret_is_kept() -> None:
    """What is read from the index opens nothing, nor does anything near the key."""
    place = Place()
    key, text = await place.here.add(place.order())
    secret = text.split("_", 2)[2]
    (record,) = await place.index.records(API_KEYS)
    assert secret not in record.text
    assert secret not in repr(key)
    for guess in (f"ks_{key.id}_{record.values['hash'][:43]}", text[:-1], f"{text}x", text.upper(), f"ks_{'0' * 12}_{secret}", "ks__", ""):
        assert await place.here.subject(guess) is None


async def test_a_revoked_key_opens_nothing_at_once() -> None:
    """In the other process too, and for what acts for it later; revoking again changes nothing."""
    place = Place()
    key, text = await place.here.add(place.order())
    revoked = await place.there.revoke(key.id, by="Ben")
    assert (await place.here.subject(text), await place.here.known(f"key:{key.id}")) == (None, None)
    assert (await place.here.revoke(key.id, by="Eve")).revoked_by == revoked.revoked_by == "Ben"
    with pytest.raises(NotFound, match="there is no key 000000000000"):
        await place.here.revoke("0" * 12, by="Ben")


async def test_a_key_is_over_at_its_end() -> None:
    """To the microsecond."""
    place = Place()
    key, text = await place.here.add(place.order())
    place.clock.at_us = key.ends_us - 1
    assert await place.here.subject(text) is not None
    place.clock.at_us = key.ends_us
    assert await place.here.subject(text) is None


@pytest.mark.parametrize("days", [0, -1, 365.1, 4000])
async def test_a_key_without_a_fit_end_is_not_made(days: float) -> None:
    """It has one, later than now and within a year."""
    place = Place()
    with pytest.raises(BadInput, match="365 days"):
        await place.here.add(place.order(days))
    assert await place.here.keys() == []
