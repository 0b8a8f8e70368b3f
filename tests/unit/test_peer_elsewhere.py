"""Other sites asked for footage: what they say together, what one costs that hangs, and that no damaged bytes are passed on."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass, field, replace

import pytest

from replication import elsewhere
from replication.elsewhere import PIECE_US, QUESTIONS_AT_ONCE, REST_S, PeerElsewhere
from segments.errors import DataDamaged, KeepsightError, NotFound, Refused, TryAgain
from segments.model import Row, Run, Span
from tests.builders import NOON_US, a_row, a_run
from tests.clocks import HandClock
from tests.other_site import PIECE_BYTES, OtherSite

MINUTE_US = 60_000_000
SPAN = Span(NOON_US, NOON_US + MINUTE_US)
BODY = hashlib.shake_128(b"segment").digest(3 * PIECE_BYTES + 100)


@dataclass
class Sites:
    """Sites b and c, and what is seen of them from here."""

    b: OtherSite = field(default_factory=OtherSite)
    c: OtherSite = field(default_factory=OtherSite)
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.seen = PeerElsewhere({"b": self.b, "c": self.c}, self.clock)

    async def put(self, *sites: OtherSite, body: bytes = BODY, **fields: object) -> Row:
        """A segment at some of them."""
        row = a_row(size=len(body), sha256=hashlib.sha256(body).hexdigest(), **fields)
        for site in sites:
            await site.index.put_run(a_run(id=row.run, start_us=row.start_us))
            await site.index.publish(row)
            await site.objects.put(row.key, body, sha256=row.sha256, attributes={})
        return row

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> bytes:
        """Bytes as they come from elsewhere."""
        return b"".join([piece async for piece in self.seen.read(row, start, row.size if end is None else end)])


@pytest.fixture
def sites() -> Sites:
    return Sites()


async def test_rows_name_their_site(sites: Sites) -> None:
    """Each site's rows with their runs, under its name, in the place of the pool they lie in there."""
    row = await sites.put(sites.b, sites.c)
    said = await sites.seen.segments("gate", SPAN)

    assert {site: [one.pool for one, _ in found] for site, found in said.by_site.items()} == {"b": ["@b"], "c": ["@c"]}
    assert said.by_site["b"] == [(replace(row, pool="@b"), a_run())]
    assert not said.away
    assert (await sites.seen.row("gate", row.position)).pool == "@b"
    assert await sites.seen.run("gate", row.run) == a_run()


async def test_footage_is_by_site(sites: Sites) -> None:
    """A year is one question to each."""
    row = await sites.put(sites.c)
    said = await sites.seen.footage("gate", Span(NOON_US - 300 * 1440 * MINUTE_US, NOON_US + MINUTE_US))

    assert [(one.start_us, one.run) for one in said.by_site["c"]] == [(NOON_US, row.run)]
    assert said.by_site["b"] == []
    assert sites.b.asked == sites.c.asked == {"footage": 1}


async def test_a_day_of_rows_is_asked_for_in_pieces(sites: Sites) -> None:
    """One that is slow to give a day is not one that hangs; what lies in two pieces comes once."""
    edge = await sites.put(sites.b, start_us=NOON_US + PIECE_US - MINUTE_US // 2)
    said = await sites.seen.segments("gate", Span(NOON_US, NOON_US + 12 * PIECE_US))

    assert [row.position for row, _ in said.by_site["b"]] == [edge.position]
    assert sites.b.asked["between"] == 12


async def test_one_that_hangs_costs_a_second_once(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others answer meanwhile, it is named, and is left alone until its rest is over."""
    monkeypatch.setattr(elsewhere, "ANSWER_S", 0.1)
    await sites.put(sites.c)
    sites.b.hangs = True
    took = []
    for _ in range(3):
        began_s = time.monotonic()
        said = await sites.seen.segments("gate", SPAN)
        took.append(time.monotonic() - began_s)
        assert (list(said.by_site), said.away) == (["c"], {"b"})
    assert sites.b.asked == {"between": 1}
    assert took[0] > 0.09
    assert max(took[1:]) < 0.09

    sites.clock.move(REST_S)
    await sites.seen.segments("gate", SPAN)
    assert sites.b.asked == {"between": 2}


async def test_control_without_its_rest_it_costs_that_each_time(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is the rest that the test above sees."""
    monkeypatch.setattr(elsewhere, "ANSWER_S", 0.1)
    monkeypatch.setattr(elsewhere, "REST_S", 0.0)
    sites.b.hangs = True
    began_s = time.monotonic()
    for _ in range(3):
        await sites.seen.segments("gate", SPAN)

    assert sites.b.asked == {"between": 3}
    assert time.monotonic() - began_s > 0.27


async def test_many_questions_wait_for_one_another(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """At one site so many are open and no more, whatever is asked here; those that wait wait no longer than for an answer."""
    monkeypatch.setattr(elsewhere, "ANSWER_S", 0.2)
    sites.b.hangs = True
    said = await asyncio.gather(*(sites.seen.segments("gate", SPAN) for _ in range(50)))

    assert sites.b.asked["between"] == QUESTIONS_AT_ONCE
    assert sites.c.asked["between"] == 50
    assert all(each.away == {"b"} for each in said)


async def test_a_site_that_is_asked_too_much_is_not_away(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers in time those that come to it; those that find no place do without it, and the next is asked as before."""
    monkeypatch.setattr(elsewhere, "ANSWER_S", 0.4)
    answer = sites.b._answer

    async def slowly(question: str) -> None:
        await answer(question)
        await asyncio.sleep(0.3)

    monkeypatch.setattr(sites.b, "_answer", slowly)
    said = await asyncio.gather(*(sites.seen.segments("gate", SPAN) for _ in range(3 * QUESTIONS_AT_ONCE)))
    assert QUESTIONS_AT_ONCE <= sum(not each.away for each in said) < len(said)
    assert not (await sites.seen.segments("gate", SPAN)).away


async def test_what_may_be_where_nobody_answers_is_not_nowhere(sites: Sites) -> None:
    """Not found if all say so; else to be asked for again."""
    missing = a_row(counter=9)
    for ask in (lambda: sites.seen.row("gate", missing.position), lambda: sites.seen.run("gate", "b-a-1-1")):
        sites.b.error = None
        sites.clock.move(REST_S)
        with pytest.raises(NotFound):
            await ask()
        sites.b.error = Refused("another key")
        with pytest.raises(TryAgain, match="at b"):
            await ask()


async def test_another_site_is_not_believed_what_it_was_not_asked(sites: Sites) -> None:
    """Rows of another camera, of another time, or of a run they do not come with are left out."""
    good = await sites.put(sites.b)
    run = a_run()
    wrong = [
        (replace(good, camera="barn", counter=1), replace(run, camera="barn")),
        (a_row(start_us=NOON_US - 600 * MINUTE_US), run),
        (replace(good, counter=2, run="b-a-7-7"), run),
    ]

    async def between(*_: object) -> list[tuple[Row, Run]]:
        return [(good, run), *wrong]

    sites.b.between = between
    said = await sites.seen.segments("gate", SPAN)

    assert [row.position for row, _ in said.by_site["b"]] == [good.position]


# --- bytes ---


@pytest.mark.parametrize(("start", "end"), [(0, len(BODY)), (5, 10), (PIECE_BYTES - 1, 2 * PIECE_BYTES + 1), (7, 7)])
async def test_bytes_come_from_the_site(sites: Sites, start: int, end: int) -> None:
    """All of a segment or a part of it, from the one that the row names."""
    row = replace(await sites.put(sites.b, sites.c), pool="@b")
    assert await sites.read(row, start, end) == BODY[start:end]
    assert sites.b.asked == {"read": 1}
    assert not sites.c.asked


async def test_a_row_that_was_told_of_is_not_asked_for_again(sites: Sites) -> None:
    """What a playlist names is known for its segments; until it turns out to be gone."""
    row = await sites.put(sites.b)
    await sites.seen.segments("gate", SPAN)
    known = await sites.seen.row("gate", row.position)
    assert sites.b.asked == {"between": 1}

    await sites.b.objects.delete([row.key])
    with pytest.raises(NotFound):
        await sites.read(known)
    await sites.seen.row("gate", row.position)
    assert sites.b.asked["between"] == 2


async def test_what_grows_is_looked_up_anew(sites: Sites) -> None:
    """A segment without hash may have become longer, or whole: its bytes are the same."""
    sealed = await sites.put(sites.b)
    row = replace(sealed, sha256="", pool="@b", size=1000)
    assert await sites.read(row, 0, 1000) == BODY[:1000]


async def test_the_next_site_has_what_one_has_lost(sites: Sites) -> None:
    """The object is gone at b, or b does not answer, or it stops in the middle: c goes on where b ended."""
    row = replace(await sites.put(sites.b, sites.c), pool="@b")
    await sites.b.objects.delete([row.key])
    assert await sites.read(row) == BODY
    sites.b.error = TryAgain("busy")
    assert await sites.read(row) == BODY


async def test_a_stream_that_stops_goes_on_from_the_next(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is doubled or left out, and the site that stopped rests."""
    monkeypatch.setattr(elsewhere, "STALLED_S", 0.05)
    row = replace(await sites.put(sites.b, sites.c), pool="@b")
    sites.b.stops_after = 2
    assert await sites.read(row) == BODY
    assert (await sites.seen.segments("gate", SPAN)).away == {"b"}


async def test_a_stream_goes_on_while_its_site_rests(sites: Sites) -> None:
    """Another question failed meanwhile: what comes well is not broken off."""
    row = replace(await sites.put(sites.b), pool="@b")
    reader = sites.seen.read(row, 0, row.size)
    came = await anext(reader)
    sites.b.error = TryAgain("busy")
    assert (await sites.seen.segments("gate", SPAN)).away == {"b"}
    assert b"".join([came, *[piece async for piece in reader]]) == BODY


def shorter(data: bytes) -> bytes:
    return data[:-1]


def longer(data: bytes) -> bytes:
    return data + b"x"


def other(data: bytes) -> bytes:
    return data[:-5] + b"other"


@pytest.mark.parametrize("spoil", [shorter, longer, other])
@pytest.mark.parametrize("size", [PIECE_BYTES // 2, len(BODY)])
async def test_damaged_bytes_are_never_passed_on_whole(sites: Sites, spoil: object, size: int) -> None:
    """Of another length or another hash: the last piece does not come, and the error says what is wrong."""
    row = replace(await sites.put(sites.b, body=BODY[:size]), pool="@b")
    sites.b.spoil = spoil
    came: list[bytes] = []

    async def take() -> None:
        async for piece in sites.seen.read(row, 0, row.size):
            came.append(piece)

    with pytest.raises(DataDamaged):
        await take()
    assert sum(map(len, came)) < row.size


@pytest.mark.parametrize("spoil", [shorter, longer])
async def test_a_part_of_another_length_is_not_passed_on_whole(sites: Sites, spoil: object) -> None:
    """A range cannot be hashed, but its length is known."""
    row = replace(await sites.put(sites.b), pool="@b")
    sites.b.spoil = spoil
    with pytest.raises(DataDamaged):
        await sites.read(row, 10, 20)


async def test_damage_at_one_is_no_damage_at_the_next(sites: Sites) -> None:
    """As long as nothing of it was passed on."""
    row = replace(await sites.put(sites.b, sites.c, body=BODY[:1000]), pool="@b")
    sites.b.spoil = other
    assert await sites.read(row) == BODY[:1000]


async def test_control_without_the_hash_damage_is_passed_on(sites: Sites) -> None:
    """A row without a hash says nothing of its bytes: so it is the hash that the tests above see."""
    sealed = await sites.put(sites.b)
    sites.b.spoil = other
    assert await sites.read(replace(sealed, sha256="", pool="@b")) != BODY


async def test_another_segment_in_its_place_is_another(sites: Sites) -> None:
    """The same position with another hash is not what was asked for."""
    row = await sites.put(sites.b)
    with pytest.raises(NotFound):
        await sites.read(replace(row, sha256="f" * 64))


async def test_one_damaged_object_is_not_the_site(sites: Sites) -> None:
    """b refuses to give what is not as long as its row says; it is asked for other things all the same."""
    row = replace(await sites.put(sites.b), pool="@b")
    await sites.b.objects.delete([row.key])
    await sites.b.objects.put(row.key, b"short", sha256=hashlib.sha256(b"short").hexdigest(), attributes={})
    with pytest.raises(DataDamaged):
        await sites.read(row)
    assert not (await sites.seen.segments("gate", SPAN)).away


async def test_what_is_served_instead_is_said_once(sites: Sites, caplog: pytest.LogCaptureFixture) -> None:
    """With the reason; for each segment, not for each request."""
    row = await sites.put(sites.c)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert b"".join([piece async for piece in sites.seen.instead(row, 0, 100, why="the pool lost it")]) == BODY[:100]
    assert [record.getMessage() for record in caplog.records] == [
        f"elsewhere.served: {row.key} is served from another site, since here the pool lost it"
    ]


async def test_what_still_grows_is_not_replaced(sites: Sites) -> None:
    """Without a hash nobody knows that it is the same; nobody is asked."""
    row = replace(await sites.put(sites.b), sha256="")
    with pytest.raises(NotFound):
        await anext(sites.seen.instead(row, 0, 10, why="it is lost"))
    assert not sites.b.asked


async def test_readers_are_counted(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many segments are read at one site at once; one more is told to come back, and a reader that hangs up makes room."""
    monkeypatch.setattr(elsewhere, "ANSWER_S", 0.05)
    row = replace(await sites.put(sites.b), pool="@b")
    readers = [sites.seen.read(row, 0, row.size) for _ in range(elsewhere.READS_AT_ONCE)]
    for reader in readers:
        await anext(reader)
    with pytest.raises(KeepsightError, match="already"):
        await sites.read(row)
    assert (await sites.seen.segments("gate", SPAN)).away == frozenset()

    await readers[0].aclose()
    assert await sites.read(row) == BODY
    for reader in readers[1:]:
        await reader.aclose()
