"""Sessions: known to all processes, kept as a hash only, and ended when they should be."""

from __future__ import annotations

import asyncio

import pytest

from playback.identity.sessions import MOST_SESSIONS, SESSIONS, SessionLimits, Sessions
from segments.access import NOTHING, Role, Scope, Subject
from segments.clock import US_PER_S
from segments.stores.memory_index import MemoryIndex
from tests.api import StandingClock
from tests.builders import NOON_US

ANNA = Subject("user:anna", "Anna", "Police station 3", frozenset({Role.VIEWER}), Scope(areas=("a/b",), classes=(1,), cameras=("gate",)))
BEN = Subject("oidc:https://idp#7", "Ben", "", frozenset(), NOTHING)
LIMITS = SessionLimits(idle_s=600, lasts_s=3600)


class Place:
    """Two processes of the API on one index."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.clock = StandingClock(NOON_US)
        self.here = Sessions(self.index, self.clock, LIMITS)
        self.there = Sessions(self.index, self.clock, LIMITS)

    def after(self, seconds: float) -> None:
        self.clock.at_us += round(seconds * US_PER_S)


@pytest.fixture
def place() -> Place:
    return Place()


async def test_every_process_knows_a_session_and_forgets_it_at_once(place: Place) -> None:
    """What begins in one process opens the other, and is over in both when it is ended in one."""
    cookie = await place.here.begin(ANNA, "user")
    assert await place.there.subject(cookie) == ANNA
    await place.there.end(cookie)
    assert await place.here.subject(cookie) is None


async def test_only_the_hash_of_a_secret_is_kept(place: Place) -> None:
    """Who reads the index cannot be anybody."""
    cookie = await place.here.begin(ANNA, "user")
    secret = cookie.partition(".")[2]
    (record,) = await place.index.records(SESSIONS)
    assert len(secret) >= 43
    assert secret not in record.text
    for guess in (record.values["sessions"][0]["hash"], f"{record.id}.{record.values['sessions'][0]['hash']}", f"{record.id}.", "", "."):
        assert await place.here.subject(guess) is None


async def test_an_unused_session_ends_and_a_used_one_lasts_to_its_limit(place: Place) -> None:
    """Idle for ten minutes it is over; used each nine minutes it goes on, an hour at most."""
    unused, used = await place.here.begin(ANNA, "user"), await place.here.begin(ANNA, "user")
    for _ in range(6):
        place.after(540)
        assert await place.there.subject(used) == ANNA
    assert await place.here.subject(unused) is None
    place.after(360)
    assert await place.here.subject(used) is None


async def test_its_source_may_end_a_session_sooner(place: Place) -> None:
    """An identity provider's end counts, and its call for a logout ends its session and no other."""
    soon = await place.here.begin(BEN, "oidc", ends_us=place.clock.at_us + 60 * US_PER_S, foreign_id="s-1")
    late = await place.here.begin(BEN, "oidc", ends_us=place.clock.at_us + 7200 * US_PER_S, foreign_id="s-2")
    own = await place.here.begin(ANNA, "user")
    assert await place.there.end_of("s-2") == 1
    assert [await place.here.subject(cookie) for cookie in (soon, late, own)] == [BEN, None, ANNA]
    assert await place.there.end_of("") == 0
    place.after(61)
    assert await place.here.subject(soon) is None


async def test_who_a_subject_is_now_counts(place: Place) -> None:
    """A person who may not come in any more has no session, from that moment on."""
    known = [ANNA]

    async def now_of(subject: Subject) -> Subject | None:
        return next((each for each in known if each.id == subject.id), None)

    sessions = Sessions(place.index, place.clock, LIMITS, {"user": now_of})
    cookie = await sessions.begin(ANNA, "user")
    assert (await sessions.subject(cookie), await sessions.known(ANNA.id)) == (ANNA, ANNA)
    known.clear()
    assert (await sessions.subject(cookie), await sessions.known(ANNA.id)) == (None, None)


async def test_a_subject_has_so_many_sessions_and_not_more(place: Place) -> None:
    """One more ends the one used the longest ago; what is kept does not grow."""
    cookies = []
    for _ in range(MOST_SESSIONS + 3):
        cookies.append(await place.here.begin(ANNA, "user"))
        place.after(1)
    alive = [await place.here.subject(cookie) is not None for cookie in cookies]
    assert alive == [False] * 3 + [True] * MOST_SESSIONS
    await place.here.end_all(ANNA.id)
    assert await place.there.subject(cookies[-1]) is None


async def test_sessions_that_begin_at_once_all_begin(place: Place) -> None:
    """Several processes write the same record."""
    cookies = await asyncio.gather(*(each.begin(ANNA, "user") for each in (place.here, place.there) * 3))
    assert [await place.here.subject(cookie) for cookie in cookies] == [ANNA] * 6
