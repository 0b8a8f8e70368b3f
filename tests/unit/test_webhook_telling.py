"""What webhooks are told, and when: complete, in order, at least once, whatever dies, fails or comes late."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from playback.exports.job import EXPORT, Form, Item, Job, Result, State, job_values
from playback.webhooks import sources, telling
from playback.webhooks.attempts import Answer
from playback.webhooks.signature import verified
from playback.webhooks.standing import read_letters, read_standing, read_webhook
from playback.webhooks.subscription import EventType
from segments.access import Scope
from segments.clock import US_PER_S
from segments.hold import HOLDS, hold_values
from segments.record import new_record
from tests.builders import NOON_US, a_camera, a_change, a_loss
from tests.fakes import Died
from tests.retention_builders import a_hold
from tests.webhook_site import Message, WebhookSite


async def a_site(**fields: object) -> WebhookSite:
    """With the camera `gate` and the webhook `w1`."""
    site = WebhookSite()
    await site.index.inner.add_camera(a_camera())
    await site.add(**fields)
    return site


async def test_what_happened_is_told_once_and_in_order() -> None:
    """A segment, a gap that opens and closes, and a hold; nothing is told again, and never what was before the webhook."""
    site = await a_site()
    await site.publish(-300, 0, 60)
    for change in (a_change(), a_loss(at_us=NOON_US + 70 * US_PER_S), a_change(at_us=NOON_US + 90 * US_PER_S)):
        await site.index.inner.put_state(change)
    await site.index.inner.put_record(new_record(HOLDS, "h1", hold_values(a_hold(placed_us=NOON_US + 80 * US_PER_S))))
    duty = site.duty()
    await site.pass_by(duty, rounds=3)

    assert site.receiver.told("segment") == [f"segment.stored 2026-03-14T12:0{minute}:00.000Z" for minute in (0, 1)]
    assert site.receiver.told("gap") == ["gap.opened 2026-03-14T12:01:10.000Z", "gap.closed 2026-03-14T12:01:30.000Z"]
    assert site.receiver.told("hold") == ["hold.placed 2026-03-14T12:01:20.000Z"]
    assert len({message.id for message in site.receiver.came}) == len(site.receiver.came) == 5


async def test_a_message_says_what_happened_and_is_signed() -> None:
    """Id, type, time, site, camera and data, without a link; its signature verifies with the secret that was shown once."""
    site = WebhookSite()
    await site.index.inner.add_camera(a_camera())
    secret = await site.add()
    await site.publish(0)
    await site.pass_by(site.duty())
    (message,) = site.receiver.came

    assert message.said["id"] == message.id
    assert (message.said["type"], message.said["camera"], message.said["site"]) == ("segment.stored", "gate", "home")
    assert message.said["data"]["to"] == "2026-03-14T12:01:00.000Z"
    assert b"://" not in message.body
    assert verified(message.headers, message.body, secret, now_s=site.clock.now_us() / 1e6)


async def test_only_what_was_asked_for_is_told() -> None:
    """Its events, of the cameras of its scope and of the scope of who made it."""
    site = await a_site(events=(EventType.SEGMENT_STORED,), scope=Scope(areas=("harbour",)), within=Scope(classes=(1,)))
    for name, area, camera_class in (("crane", "harbour/east", 1), ("shed", "harbour", 3), ("tower", "town", 1)):
        await site.index.inner.add_camera(a_camera(name, area=area, camera_class=camera_class))
    for camera in ("gate", "crane", "shed", "tower"):
        await site.publish(0, camera=camera)
        await site.index.inner.put_state(a_change(camera=camera))
        await site.index.inner.put_state(a_loss(camera=camera, at_us=NOON_US + 1))
    await site.pass_by(site.duty())
    assert [message.said["camera"] for message in site.receiver.took] == ["crane"]


async def test_a_hold_is_told_to_whom_its_cameras_belong() -> None:
    """Who may not know a camera learns neither of it nor of a hold on nothing else."""
    site = await a_site(scope=Scope(cameras=("gate",)))
    for number, cameras in enumerate([("gate", "vault"), ("vault",)]):
        await site.index.inner.put_record(new_record(HOLDS, f"h{number}", hold_values(a_hold(id=f"h{number}", cameras=cameras))))
    await site.pass_by(site.duty())
    assert [message.said["data"]["cameras"] for message in site.receiver.took] == [["gate"]]


async def test_an_export_is_told_when_it_is_ready() -> None:
    """Once, and to whom all of its cameras belong; what waits, failed or went is not."""
    site = await a_site(scope=Scope(cameras=("gate",)))
    for number, (camera, state) in enumerate(
        [("gate", State.DONE), ("vault", State.DONE), ("gate", State.RUNNING), ("gate", State.FAILED)]
    ):
        bare = Job(f"job{number}", "key:1", "", "", "", NOON_US, (Item(camera, 0, 1),), Form.ZIP, state=state, ended_us=NOON_US + 1)
        await site.index.inner.put_record(new_record(EXPORT, bare.id, job_values(replace(bare, result=Result(3, "ab", 3, 1)))))
    await site.pass_by(site.duty(), rounds=2)
    assert [(one.said["type"], one.said["data"]["export"], one.said["data"]["bytes"]) for one in site.receiver.came] == [
        ("export.ready", "job0", 3)
    ]


async def test_footage_that_comes_late_is_told() -> None:
    """A segment older than others that were told, and one of the day before, within the look-back."""
    site = await a_site(created_us=NOON_US - 10 * 3600 * US_PER_S)
    duty = site.duty()
    await site.publish(0, 120)
    await site.pass_by(duty)
    await site.publish(60, -3600)
    await site.pass_by(duty)
    assert len(site.receiver.took) == 4


async def test_a_cursor_without_look_back_loses_what_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: with a watermark that follows the newest, the late segment is never told."""
    monkeypatch.setattr(sources.CameraSource, "look_back_us", property(lambda _: 0, lambda *_: None), raising=False)
    site = await a_site(created_us=NOON_US - 10 * 3600 * US_PER_S)
    duty = site.duty()
    await site.publish(0, 120)
    await site.pass_by(duty, 3600)
    await site.publish(60)
    await site.pass_by(duty, 61, rounds=5)
    assert len(site.receiver.took) == 2


@pytest.mark.parametrize("calls", range(1, 16))
async def test_who_dies_between_message_and_cursor_sends_it_again(calls: int) -> None:
    """Whatever call of the index is the last one: all is told in the end, and what comes twice has the same id."""
    site = await a_site()
    await site.publish(0, 60, 120)
    site.index.life.calls_left = calls
    with contextlib.suppress(BaseExceptionGroup, Died):
        await site.pass_by(site.duty())
    site.index.life.calls_left = None
    await site.pass_by(site.duty(), rounds=2)
    assert set(site.receiver.told()) == {f"segment.stored 2026-03-14T12:0{minute}:00.000Z" for minute in range(3)}
    assert len({message.id for message in site.receiver.took}) == 3


async def test_one_of_two_places_stops_where_the_other_has_told() -> None:
    """Whoever lost the lease without knowing writes no cursor over a newer one; the same message comes twice, with one id."""
    site = await a_site()
    ours, theirs = site.duty(), site.duty()
    await site.pass_by(ours)
    await site.pass_by(theirs)
    for each in (60, 120):
        await site.publish(each)
        await site.pass_by(theirs)
    with pytest.raises(BaseExceptionGroup):
        await site.pass_by(ours)
    await site.pass_by(ours, rounds=2)
    assert len(site.receiver.came) == 4
    assert len({message.id for message in site.receiver.came}) == 2


async def test_a_receiver_that_is_away_for_hours_gets_everything() -> None:
    """It is tried with one message at a time, ever more seldom; nothing dies; all comes in order when it is back."""
    site = await a_site(events=(EventType.SEGMENT_STORED,))
    site.receiver.answers = lambda _: Answer(0, "no connection", connected=False)
    duty = site.duty()
    await site.publish(*range(0, 6 * 3600, 600))
    await site.pass_by(duty, 10, rounds=6 * 360)
    tried = len(site.receiver.came)
    assert 30 < tried < 60
    assert (await read_standing(site.index, "w1")).said == "no connection"
    assert (await read_letters(site.index, "w1")).kept == ()

    site.receiver.answers = lambda _: Answer(200)
    await site.pass_by(duty, 60, rounds=15)
    assert site.receiver.told() == sorted(site.receiver.told())
    assert len(site.receiver.took) == 36
    assert (await read_standing(site.index, "w1")).failing_since_us == 0


async def test_a_receiver_that_is_away_for_days_is_paused() -> None:
    """Then nothing is sent any more; resumed, it goes on with what lies at most a week back."""
    site = await a_site(events=(EventType.SEGMENT_STORED,))
    await site.publish(0)
    site.receiver.answers = lambda _: Answer(503)
    duty = site.duty()
    await site.pass_by(duty, 900, rounds=4 * 74)
    paused = len(site.receiver.came)
    await site.pass_by(duty, 900, rounds=8)
    assert "nothing was taken since" in (await read_webhook(site.index, "w1")).pause
    assert len(site.receiver.came) == paused

    site.receiver.answers = lambda _: Answer(200)
    await site.change("w1", pause="")
    await site.pass_by(duty, rounds=2)
    assert len(site.receiver.took) == 1


async def test_who_wants_nothing_any_more_is_paused_at_once() -> None:
    """410 (Gone) is the receiver's own word."""
    site = await a_site()
    await site.publish(0, 60)
    site.receiver.answers = lambda _: Answer(410)
    await site.pass_by(site.duty(), rounds=3)
    assert len(site.receiver.came) == 1
    assert "410" in (await read_webhook(site.index, "w1")).pause


async def test_what_is_refused_becomes_a_dead_letter() -> None:
    """Eight tries over hours, with the same id; then its camera goes on, others never waited."""
    site = await a_site(events=(EventType.SEGMENT_STORED,))
    await site.index.inner.add_camera(a_camera("yard"))
    await site.publish(0, 60)
    await site.publish(0, 60, camera="yard")

    def refuses(message: Message) -> Answer:
        bad = (message.said["camera"], message.said["timestamp"][14:16]) == ("gate", "00")
        return Answer(400 if bad else 200)

    site.receiver.answers = refuses
    duty = site.duty()
    await site.pass_by(duty)
    assert [message.said["camera"] for message in site.receiver.took] == ["yard", "yard"]
    await site.pass_by(duty, 60, rounds=300)
    (letter,) = (await read_letters(site.index, "w1")).kept
    assert (letter.camera, letter.attempts, letter.said) == ("gate", 8, "answered 400")
    assert len([message for message in site.receiver.came if message.id == letter.id]) == 8
    assert [message.said["camera"] for message in site.receiver.took] == ["yard", "yard", "gate"]


async def test_tries_are_counted_over_processes() -> None:
    """A new place goes on where the one before was: it does not begin with eight tries again."""
    site = await a_site(events=(EventType.SEGMENT_STORED,))
    await site.publish(0)
    site.receiver.answers = lambda _: Answer(500)
    for _ in range(12):
        await site.pass_by(site.duty(), 3 * 3600)
    assert len(site.receiver.came) == 8


async def test_a_removed_webhook_is_told_nothing() -> None:
    """Nor is one whose secret does not open, and that holds up nobody else."""
    site = await a_site(events=(EventType.SEGMENT_STORED,))
    await site.publish(0)
    await site.change("w1", removed_us=1)
    await site.pass_by(site.duty())
    assert site.receiver.came == []


async def test_at_most_four_messages_are_under_way() -> None:
    """To one webhook, however many cameras it is told of."""
    site = await a_site(events=(EventType.SEGMENT_STORED,))
    for number in range(12):
        await site.index.inner.add_camera(a_camera(f"c{number}"))
        await site.publish(0, camera=f"c{number}")
    under_way, most = set[str](), 0

    async def post(url: str, headers: dict[str, str], body: bytes) -> Answer:
        nonlocal most
        under_way.add(headers["webhook-id"])
        most = max(most, len(under_way))
        for _ in range(5):
            await site.clock.sleep(0)
        under_way.discard(headers["webhook-id"])
        return Answer(200)

    site.post = post
    await site.pass_by(site.duty())
    assert most == telling.AT_ONCE
