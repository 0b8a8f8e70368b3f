"""A gap of a camera that another site was to record says so, as exactly as takeovers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segments.clock import US_PER_S, iso
from segments.coverage import Facts, Gap, coverage
from segments.model import CameraState, Cause, Span, StateChange
from segments.takeover import ALONE, Standing, Taken, Takeover, recorded_elsewhere, write_taken, write_takeover
from tests.builders import NOON_US, a_camera, some_rows
from tests.unit.test_api_elsewhere import Two, put

NOW_US = NOON_US + 3600 * US_PER_S
MINUTE_US = 60 * US_PER_S
OURS = a_camera()
GUEST = replace(OURS, home="b")


def taken(**fields: object) -> Taken:
    """Of ours, from minute 2 on."""
    return replace(Taken("b", (), NOON_US + 2 * MINUTE_US), **fields)


def takeover(**fields: object) -> Takeover:
    """Of b's, from minute 2 on."""
    return replace(Takeover("b", (), NOON_US + 2 * MINUTE_US, "Li", "a flood", 7), **fields)


def test_ours_are_elsewhere_while_they_are_taken() -> None:
    """From then on, or until it ended; only the cameras it names."""
    since_us = NOON_US + 2 * MINUTE_US
    assert recorded_elsewhere(OURS, ALONE, NOW_US) == []
    assert recorded_elsewhere(OURS, Standing(taken={"b": taken()}), NOW_US) == [Span(since_us, NOW_US)]
    assert recorded_elsewhere(OURS, Standing(taken={"b": taken(ended_us=NOW_US - 1)}), NOW_US) == [Span(since_us, NOW_US - 1)]
    assert recorded_elsewhere(OURS, Standing(taken={"b": taken(cameras=("door",))}), NOW_US) == []


def test_those_of_others_are_elsewhere_but_while_we_have_taken_them_over() -> None:
    """Their home is where they are recorded."""
    since_us = NOON_US + 2 * MINUTE_US
    assert recorded_elsewhere(GUEST, ALONE, NOW_US) == [Span(0, NOW_US)]
    assert recorded_elsewhere(GUEST, Standing({"b": takeover()}), NOW_US) == [Span(0, since_us)]
    ended = Standing({"b": takeover(ended_us=NOW_US - 1)})
    assert recorded_elsewhere(GUEST, ended, NOW_US) == [Span(0, since_us), Span(NOW_US - 1, NOW_US)]
    assert recorded_elsewhere(GUEST, Standing({"b": takeover(cameras=("door",))}), NOW_US) == [Span(0, NOW_US)]


def test_it_goes_before_what_our_own_recorders_say_and_behind_what_was_deleted() -> None:
    """Also a recorder that said the camera was taken from it."""
    stopped = StateChange("gate", NOON_US, CameraState.STOPPED, Cause.DISABLED, "recorded by another site")
    span = Span(NOON_US, NOON_US + 3 * MINUTE_US)
    facts = Facts((), [stopped], 0, NOW_US, [Span(NOON_US, NOON_US + MINUTE_US)], [Span(NOON_US, NOON_US + 2 * MINUTE_US)])
    found = [(piece.end_us - NOON_US, piece.cause) for piece in coverage(span, facts) if isinstance(piece, Gap)]
    assert found == [(MINUTE_US, Cause.DELETED), (2 * MINUTE_US, Cause.ELSEWHERE), (3 * MINUTE_US, Cause.DISABLED)]


@pytest.mark.parametrize("known", [True, False])
async def test_the_timeline_says_so(known: bool) -> None:
    """Minutes 0 and 1 are here, then b records in our place; without the record (a control) nobody knows why there is nothing."""
    two = Two()
    await two.api.index.add_camera(OURS)
    await put(two.api, some_rows(2))
    if known:
        await write_taken(two.api.index, taken(), before=None)
    assert await two.spans(0, 180) == [(0, 120, ["home"]), (120, 180, "elsewhere" if known else "unknown")]


async def test_a_camera_that_was_given_back_is_elsewhere_again() -> None:
    """Its state says so, and since when, not what its recorder here said last; so does one of ours that another site has taken."""
    two = Two()
    for camera in (GUEST, replace(OURS, id="door")):
        await two.api.index.add_camera(camera)
        await two.api.index.put_state(StateChange(camera.id, NOON_US, CameraState.CONNECTING, Cause.DISABLED, "taken out"))
    await write_takeover(two.api.index, takeover(ended_us=NOW_US - 1), before=None)
    shown = {each["id"]: each["state"] for each in (await two.get("cameras")).json()["cameras"]}
    elsewhere = {"state": "stopped", "cause": "elsewhere", "since": iso(NOW_US - 1), "detail": ""}
    assert (shown["gate"], shown["door"]["cause"]) == (elsewhere, "disabled")
    await write_taken(two.api.index, taken(cameras=("door",)), before=None)
    assert (await two.get("cameras/door")).json()["state"]["cause"] == "elsewhere"


async def test_a_guest_that_was_never_recorded_here_is_elsewhere() -> None:
    """In its state, in its timeline and in the answer where there is no footage; while we record it, it is not."""
    two = Two()
    await two.api.index.add_camera(GUEST)
    assert (await two.get("cameras/gate")).json()["state"]["cause"] == "elsewhere"
    assert await two.spans(0, 180) == [(0, 180, "elsewhere")]
    await write_takeover(two.api.index, takeover(), before=None)
    assert await two.spans(0, 180) == [(0, 120, "elsewhere"), (120, 180, "unknown")]
