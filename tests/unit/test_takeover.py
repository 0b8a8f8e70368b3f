"""Who records a camera, as pure decisions, and how takeovers are written down."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from segments.clock import US_PER_S
from segments.errors import Conflict, DataDamaged
from segments.record import new_record
from segments.stores.memory_index import MemoryIndex
from segments.takeover import (
    ALONE,
    EPOCHS_AHEAD,
    HANDOVER_US,
    HEARD_US,
    SILENT_US,
    TAKEN,
    TAKEOVER,
    WITNESS_HEARS_US,
    Answer,
    Silence,
    Standing,
    Taken,
    Takeover,
    Witness,
    after_a_while,
    after_answer,
    read_standing,
    read_taken,
    read_takeover,
    recorded_after,
    recorded_here,
    told_home,
    why_not_taken_over,
    write_taken,
    write_takeover,
)
from tests.builders import NOON_US, a_camera

AFTER_S = 300
AFTER_US = AFTER_S * US_PER_S


def a_takeover(**fields: Any) -> Takeover:
    """All cameras of harbour, since noon."""
    good: dict[str, Any] = {"site": "harbour", "cameras": (), "since_us": NOON_US, "by": "Lin", "reason": "fire", "after_epoch": 70}
    return Takeover(**good | fields)


def a_taken(**fields: Any) -> Taken:
    """All of ours, recorded by the hill since noon."""
    good: dict[str, Any] = {"site": "hill", "cameras": (), "since_us": NOON_US}
    return Taken(**good | fields)


def an_answer(**fields: Any) -> Answer:
    """The hill says that it records all of ours."""
    good: dict[str, Any] = {"cameras": (), "epoch": 9, "heard_us": NOON_US, "now_us": NOON_US}
    return Answer(**good | fields)


OURS, GUEST = a_camera("gate"), a_camera("quay", home="harbour")


# --- who records


def test_a_site_alone_records_its_own_and_no_others() -> None:
    """Without takeovers."""
    assert recorded_here(OURS, ALONE)
    assert not recorded_here(GUEST, ALONE)


def test_a_takeover_brings_its_cameras_and_no_others() -> None:
    """All of the site, or those that are named; and none once it has ended."""
    for takeover, expected in ((a_takeover(), True), (a_takeover(cameras=("quay",)), True), (a_takeover(cameras=("pier",)), False)):
        assert recorded_here(GUEST, Standing({"harbour": takeover})) is expected
        assert not recorded_here(GUEST, Standing({"harbour": replace(takeover, ended_us=NOON_US + 1)}))
    assert not recorded_here(replace(GUEST, home="island"), Standing({"harbour": a_takeover()}))
    assert recorded_here(OURS, Standing({"harbour": a_takeover()}))


def test_what_another_site_records_is_not_recorded_here() -> None:
    """Until it has ended; one site that does so is enough."""
    standing = Standing({}, {"hill": a_taken(cameras=("gate",)), "lake": a_taken(site="lake", ended_us=1)})
    assert not recorded_here(OURS, standing)
    assert recorded_here(a_camera("yard"), standing)
    assert recorded_here(OURS, Standing({}, {"hill": a_taken(ended_us=NOON_US)}))


def test_a_takeover_that_is_given_back_goes_on_until_it_ends() -> None:
    """The home site is told at once, and both record for a while."""
    given = a_takeover(given_back_us=NOON_US)
    assert recorded_here(GUEST, Standing({"harbour": given}))
    assert told_home(given) is None
    assert told_home(a_takeover(cameras=("quay",))) == ("quay",)
    assert told_home(None) is told_home(a_takeover(drill_until_us=1)) is told_home(a_takeover(ended_us=1)) is None


def test_epochs_are_above_those_of_the_other_site() -> None:
    """Of guests by the takeover, of ours by what was taken, ended or not."""
    standing = Standing({"harbour": a_takeover()}, {"hill": a_taken(ended_us=1, after_epoch=40), "lake": a_taken(after_epoch=50)})
    assert (recorded_after(GUEST, standing), recorded_after(OURS, standing), recorded_after(OURS, ALONE)) == (70, 50, 0)


@pytest.mark.parametrize(
    ("given_back", "heard", "expected"),
    [
        (HANDOVER_US - 1, 0, "goes on"),
        (HANDOVER_US, 0, "ended"),
        (HANDOVER_US, HEARD_US, "ended"),
        (HANDOVER_US, HEARD_US + 1, "stands again"),
    ],
)
def test_a_takeover_ends_only_while_its_home_is_there(given_back: int, heard: int, expected: str) -> None:
    """`given_back` and `heard`: so long ago. Else nobody would record: it stands again."""
    now_us = NOON_US + 10 * HANDOVER_US
    before = a_takeover(given_back_us=now_us - given_back)
    after = after_a_while(before, heard_us=now_us - heard, now_us=now_us)
    assert {"goes on": after == before, "ended": after.ended_us == now_us, "stands again": told_home(after) == ()}[expected]
    assert after_a_while(a_takeover(), heard_us=0, now_us=now_us) == a_takeover()


def test_a_drill_ends_by_itself() -> None:
    """Who held it may have died."""
    drill = a_takeover(drill_until_us=NOON_US + 5)
    assert after_a_while(drill, heard_us=0, now_us=NOON_US + 4) == drill
    assert after_a_while(drill, heard_us=0, now_us=NOON_US + 5).ended_us == NOON_US + 5


# --- the home site


def test_what_is_told_is_taken_and_given_back() -> None:
    """The first word counts, the same word changes nothing, another list is another takeover."""
    taken = after_answer("hill", None, an_answer())
    assert taken == a_taken(after_epoch=9 + EPOCHS_AHEAD)
    assert after_answer("hill", taken, an_answer(now_us=NOON_US + 9, heard_us=NOON_US + 9)) is taken
    fewer = after_answer("hill", taken, an_answer(cameras=["yard", "gate"]))
    assert fewer is not None
    assert fewer.cameras == ("gate", "yard")
    back = after_answer("hill", taken, an_answer(cameras=None, now_us=NOON_US + 9))
    assert back == replace(taken, ended_us=NOON_US + 9)
    assert after_answer("hill", back, an_answer(cameras=None, now_us=NOON_US + 10)) is back
    assert after_answer("hill", None, an_answer(cameras=None)) is None


def test_a_site_that_falls_silent_records_nothing_for_us() -> None:
    """It is believed for a while, then ours are recorded here; one that has never recorded any is nothing to us."""
    silent = an_answer(cameras=None, answered=False, now_us=NOON_US + SILENT_US - 1)
    assert after_answer("hill", a_taken(), silent) == a_taken()
    over = after_answer("hill", a_taken(), silent._replace(now_us=NOON_US + SILENT_US))
    assert over is not None
    assert (over.ended_us, over.after_epoch, "does not answer" in over.finding) == (NOON_US + SILENT_US, 9 + EPOCHS_AHEAD, True)
    assert after_answer("hill", None, silent) is None


# --- without a person


def a_witness(**fields: Any) -> Witness:
    """One that hears us, and has not heard the silent site."""
    good: dict[str, Any] = {"now_us": NOON_US, "heard_it_us": NOON_US - AFTER_US, "heard_us_us": NOON_US, "records": False}
    return Witness(**good | fields)


SILENT = Silence(heard_us=NOON_US - AFTER_US, asking_since_us=0, now_us=NOON_US)


def test_a_site_that_neither_we_nor_the_witness_hear_is_taken_over() -> None:
    """Both for long enough, each by its own clock."""
    assert why_not_taken_over(SILENT, a_witness(), after_s=AFTER_S) == ""
    hour_us = 3600 * US_PER_S
    far = Witness(NOON_US + hour_us, NOON_US + hour_us - AFTER_US, NOON_US + hour_us, records=False)
    assert why_not_taken_over(SILENT, far, after_s=AFTER_S) == ""


@pytest.mark.parametrize(
    ("silence", "witness", "why"),
    [
        (SILENT._replace(heard_us=NOON_US - AFTER_US + 1), a_witness(), "less than"),
        (SILENT._replace(asking_since_us=NOON_US - AFTER_US + 1), a_witness(), "less than"),
        (SILENT._replace(heard_us=0), a_witness(), "never heard"),
        (SILENT, None, "does not answer"),
        (SILENT, a_witness(heard_it_us=NOON_US - AFTER_US + 1), "the witness has heard it"),
        (SILENT, a_witness(heard_it_us=0), "never"),
        (SILENT, a_witness(heard_us_us=NOON_US - WITNESS_HEARS_US - 1), "has not heard us"),
        (SILENT, a_witness(records=True), "already"),
    ],
)
def test_any_doubt_leaves_it_to_a_person(silence: Silence, witness: Witness | None, why: str) -> None:
    """Each reason alone is enough."""
    assert why in why_not_taken_over(silence, witness, after_s=AFTER_S)


# --- as records


async def test_takeovers_are_read_back_whole() -> None:
    """Both kinds, every field, one by one and all together."""
    index = MemoryIndex()
    takeover = a_takeover(cameras=("quay",), drill_until_us=1, given_back_us=2, given_back_by="Lin", ended_us=3, finding="x")
    taken = a_taken(cameras=("gate",), ended_us=4, after_epoch=5, finding="y")
    assert (await read_takeover(index, "harbour"), await read_taken(index, "hill"), await read_standing(index)) == (None, None, ALONE)
    await write_takeover(index, takeover, before=None)
    await write_taken(index, taken, before=None)
    assert await read_standing(index) == Standing({"harbour": takeover}, {"hill": taken})
    assert (await read_takeover(index, "harbour"), await read_taken(index, "hill")) == (takeover, taken)


async def test_a_takeover_is_not_written_over_another() -> None:
    """Who has not seen the last one is refused, and changes nothing."""
    index = MemoryIndex()
    await write_takeover(index, a_takeover(), before=None)
    with pytest.raises(Conflict):
        await write_takeover(index, a_takeover(by="Wu"), before=None)
    with pytest.raises(Conflict):
        await write_takeover(index, a_takeover(by="Wu"), before=a_takeover(reason="flood"))
    await write_taken(index, a_taken(), before=None)
    with pytest.raises(Conflict):
        await write_taken(index, a_taken(), before=None)
    assert await read_takeover(index, "harbour") == a_takeover()


async def test_what_a_later_version_adds_is_left_out_and_what_is_damaged_does_not_count() -> None:
    """No record of another site's cameras keeps ours from being recorded."""
    index = MemoryIndex()
    await index.put_record(new_record(TAKEOVER, "harbour", {**asdict(a_takeover()), "weather": "rain"}))
    await index.put_record(new_record(TAKEN, "hill", {"cameras": []}))
    assert await read_standing(index) == Standing({"harbour": a_takeover()})
    with pytest.raises(DataDamaged, match="hill"):
        await read_taken(index, "hill")
