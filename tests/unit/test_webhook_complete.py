"""Whatever order rows and states appear in: each event is told at least once, and nothing that did not happen."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NamedTuple

import hypothesis
from hypothesis import strategies as st

from playback.webhooks.attempts import Answer
from segments.clock import US_PER_S
from segments.model import CameraState, StateChange
from tests.builders import NOON_US, a_camera, a_change, a_loss, a_row
from tests.webhook_site import LOOK_BACK_S, WebhookSite

LATE_S = LOOK_BACK_S - 300


class Appears(NamedTuple):
    """At `seen_s` after noon something shows in the index that was `late_s` earlier: a segment, or a change of state."""

    seen_s: int
    late_s: int
    what: str


APPEARS = st.builds(Appears, st.integers(0, 4 * 3600), st.integers(0, LATE_S), st.sampled_from(["row", "row", "records", "lost"]))
ANSWERS = st.lists(st.sampled_from([200, 200, 200, 0, 503, 500]), max_size=12)


def expected(story: list[Appears]) -> set[tuple[str, int]]:
    """The model: all segments, and each change of the states in their final order, by the plain rule."""
    told = {("segment.stored", one.seen_s - one.late_s) for one in story if one.what == "row"}
    states = {one.seen_s - one.late_s: one.what for one in story if one.what != "row"}
    before = None
    for at_s in sorted(states):
        now = states[at_s]
        if before and before != now:
            told.add(("gap.opened" if now == "lost" else "gap.closed", at_s))
        before = now
    return told


def told(site: WebhookSite) -> set[tuple[str, int]]:
    """What was taken, in the words of the model."""
    found = set()
    for message in site.receiver.took:
        moment = message.said["timestamp"].replace("Z", "+00:00")
        found.add((message.said["type"], round(datetime.fromisoformat(moment).timestamp()) - NOON_US // US_PER_S))
    return found


async def run(story: list[Appears], answers: list[int], *, new_place_every: int) -> WebhookSite:
    """Plays a story; after it the receiver takes everything."""
    site = WebhookSite()
    start_s = -LATE_S - 1
    await site.index.inner.add_camera(a_camera())
    await site.add(created_us=NOON_US + start_s * US_PER_S)
    waiting = list(answers)
    site.receiver.answers = lambda _: Answer(waiting.pop() if waiting else 200, connected=True)
    duty = site.duty()
    for step, moment_s in enumerate(range(0, 5 * 3600, 600)):
        if step % new_place_every == 0:
            duty = site.duty()
        for one in (each for each in story if moment_s - 600 < each.seen_s <= moment_s):
            await _show(site, one)
        await site.pass_by(duty, 600)
    await site.pass_by(site.duty(), 3600, rounds=8)
    return site


async def _show(site: WebhookSite, one: Appears) -> None:
    at_us = NOON_US + (one.seen_s - one.late_s) * US_PER_S
    if one.what == "row":
        await site.index.inner.publish(a_row(start_us=at_us))
    else:
        await site.index.inner.put_state(a_change(at_us=at_us) if one.what == "records" else a_loss(at_us=at_us))


def distinct(story: list[Appears]) -> list[Appears]:
    """One change of state at a moment: the index keeps the last write only."""
    return list({(one.seen_s - one.late_s, one.what == "row"): one for one in story}.values())


@hypothesis.settings(max_examples=30, deadline=None, derandomize=True, database=None)
@hypothesis.given(st.lists(APPEARS, max_size=14).map(distinct), ANSWERS, st.integers(1, 12))
def test_every_event_is_told(story: list[Appears], answers: list[int], new_place_every: int) -> None:
    """Against the model, with failures and places that begin anew: complete. What was told besides was so when it was told."""
    site = asyncio.run(run(story, answers, new_place_every=new_place_every))
    assert expected(story) <= told(site)
    assert {one for one in told(site) if one[0] == "segment.stored"} == {one for one in expected(story) if one[0] == "segment.stored"}


def test_an_event_that_is_left_out_is_seen() -> None:
    """The negative control: what comes later than the look-back is missing against the same model."""
    story = [Appears(600, 0, "row"), Appears(4 * 3600, LOOK_BACK_S + 3600, "row")]
    site = asyncio.run(run(story, [], new_place_every=100))
    assert expected(story) - told(site) == {("segment.stored", 4 * 3600 - LOOK_BACK_S - 3600)}


def test_the_model_knows_gaps() -> None:
    """The model's own words agree with the states it is about."""
    assert a_loss().state is not CameraState.RECORDING
    assert isinstance(a_change(), StateChange)
    assert expected([Appears(10, 0, "records"), Appears(20, 0, "lost"), Appears(30, 0, "records")]) == {
        ("gap.opened", 20),
        ("gap.closed", 30),
    }
