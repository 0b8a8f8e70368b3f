"""Webhooks as values: addresses that may be registered, signatures, cursors, and what follows from answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from ipaddress import ip_address, ip_network

import pytest

from playback.webhooks.address import Reach, pinned
from playback.webhooks.attempts import AWAY_WAITS_S, WAITS_S, Answer, Fate, away_wait_us, fate, wait_us
from playback.webhooks.cursor import MAX_MARKS, Cursor, Happening, cursor_of, cursor_values
from playback.webhooks.secret import BOTH_US, signing_secrets, with_new_secret
from playback.webhooks.signature import PREFIX, new_secret, signed_headers, verified
from playback.webhooks.standing import MAX_DEAD, DeadLetter, Letters
from playback.webhooks.subscription import EventType, Webhook, webhook_of, webhook_values
from segments.access import Scope
from segments.clock import US_PER_HOUR, US_PER_S
from segments.errors import BadInput, DataDamaged, Refused, TryAgain
from segments.record import new_record
from segments.secrets import Sealer
from tests.builders import NOON_US
from tests.webhook_site import SEALER

HOOK = Webhook("w1", "https://a.example.org/", (EventType.GAP_OPENED,), NOON_US, "user:li", Scope(areas=("harbour",), classes=(1,)))


# --- signatures


def test_a_signature_is_the_one_of_the_specification() -> None:
    """The example that libraries of the Standard Webhooks specification test themselves with."""
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_check_a_signature() -> None:
    """Computed anew from the three headers and the body; both secrets sign while one is replaced."""
    secrets = [new_secret(), new_secret()]
    headers = signed_headers("msg_1", 1_000, b"{}", secrets)
    for secret, said in zip(secrets, headers["webhook-signature"].split(" "), strict=True):
        key = base64.b64decode(secret.removeprefix(PREFIX))
        assert len(key) == 32
        assert said == "v1," + base64.b64encode(hmac.new(key, b"msg_1.1000.{}", hashlib.sha256).digest()).decode()
        assert verified(headers, b"{}", secret, now_s=1_200)


def test_what_is_forged_or_old_does_not_verify() -> None:
    """The negative control: another secret, another body, id or time, and a message sent again after five minutes."""
    secret = new_secret()
    headers = signed_headers("msg_1", 1_000, b"{}", [secret])
    assert not verified(headers, b"{}", new_secret(), now_s=1_000)
    assert not verified(headers, b"{ }", secret, now_s=1_000)
    assert not verified({**headers, "webhook-id": "msg_2"}, b"{}", secret, now_s=1_000)
    assert not verified({**headers, "webhook-timestamp": "1001"}, b"{}", secret, now_s=1_000)
    assert not verified(headers, b"{}", secret, now_s=1_301)
    assert not verified({}, b"{}", secret, now_s=1_000)


def test_a_secret_is_sealed_and_replaced() -> None:
    """It is in no record in the clear; for a day the old one signs beside the new; it opens with its key and its webhook only."""
    first, secret = with_new_secret(HOOK, SEALER, NOON_US)
    second, newer = with_new_secret(first, SEALER, NOON_US)
    third, newest = with_new_secret(second, SEALER, NOON_US)
    assert secret not in new_record("webhook", "w1", webhook_values(second)).text
    assert signing_secrets(second, SEALER, NOON_US + BOTH_US - 1) == [newer, secret]
    assert signing_secrets(second, SEALER, NOON_US + BOTH_US) == [newer]
    assert signing_secrets(third, SEALER, NOON_US) == [newest, newer]
    with pytest.raises(DataDamaged, match="make a new one"):
        signing_secrets(first, Sealer(b"1" * 32), NOON_US)


# --- records and addresses


def test_a_record_gives_the_webhook_back() -> None:
    """With scope, events and secrets."""
    webhook = with_new_secret(HOOK, SEALER, NOON_US)[0]
    assert webhook_of(new_record("webhook", "w1", webhook_values(webhook))) == webhook


@pytest.mark.parametrize(
    "url", ["https://a.example.org", "https://a.example.org:8443/x?y=1", "https://[2001:db8::1]/x", "https://10.0.0.7/"]
)
def test_addresses_that_may_be_registered(url: str) -> None:
    """By https, also inside the house."""
    assert Reach().checked(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example.org/",
        "http://127.0.0.1/",
        "ftp://a.example.org/",
        "https://user:secret@a.example.org/",
        "https:///x",
        "https://a.example.org:99999/",
        "https://a.example.org:0/",
        "https://a.example.org/#x",
        "https://a b/",
        "https://" + "a" * 3000,
        "gopher",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    """Nothing but https to a host, without a user and without a password; the refusal repeats nothing of it."""
    with pytest.raises(BadInput) as refused:
        Reach().checked(url)
    assert "secret" not in str(refused.value)


def test_http_is_taken_where_settings_say_so() -> None:
    """On this machine with `loopback`, elsewhere with `http`."""
    assert Reach(loopback=True).checked("http://127.0.0.1:8000/")
    assert Reach(http=True).checked("http://a.example.org/")
    with pytest.raises(BadInput):
        Reach(loopback=True).checked("http://a.example.org/")


INSIDE = ["127.0.0.1", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1", "64:ff9b::a00:1"]


@pytest.mark.parametrize("address", [*INSIDE, "224.0.0.1", "255.255.255.255", "100.100.100.200", "2002:7f00:1::"])
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    """Loopback, unspecified, link-local, metadata, multicast, mapped: also where another address of the name is fine."""

    async def resolver(host: str) -> list[str]:
        return ["93.184.216.34", address]

    with pytest.raises(Refused):
        await pinned("a.example.org", Reach(http=True), resolver)


async def test_a_name_is_pinned_to_what_was_looked_at() -> None:
    """The numeric address is what is connected to; a name without one is tried again; loopback and networks are settings."""

    async def resolver(host: str) -> list[str]:
        return {"a": ["10.0.0.7"], "b": ["127.0.0.1"]}.get(host, [])

    assert await pinned("a", Reach(), resolver) == ip_address("10.0.0.7")
    assert await pinned("b", Reach(loopback=True), resolver) == ip_address("127.0.0.1")
    with pytest.raises(TryAgain):
        await pinned("c", Reach(), resolver)
    with pytest.raises(Refused):
        await pinned("a", Reach(networks=(ip_network("192.168.0.0/16"),)), resolver)


# --- answers


def test_answers_and_their_fates() -> None:
    """2xx is told; who is not there or overloaded is away; a redirect and a refusal are the event's failure; 410 ends it."""
    assert [fate(Answer(status)) for status in (200, 204)] == [Fate.TOLD, Fate.TOLD]
    assert {fate(Answer(status)) for status in (429, 502, 503, 504)} == {Fate.AWAY}
    assert fate(Answer(0, "no connection", connected=False)) is Fate.AWAY
    assert {fate(Answer(status)) for status in (0, 301, 302, 400, 404, 413, 500)} == {Fate.FAILED}
    assert fate(Answer(410)) is Fate.GONE


def test_waits_grow_and_end() -> None:
    """Eight tries over some hours, then none; an address that is away is tried for ever, ten minutes apart."""
    waits = [wait_us(attempts, 0) for attempts in range(1, 8)]
    assert waits == sorted(waits, key=lambda one: one or 0)
    assert wait_us(8, 0) is None
    assert 3 < sum(WAITS_S) / 3600 < 5
    assert away_wait_us(1, 0) == AWAY_WAITS_S[0] * US_PER_S
    assert away_wait_us(100, 1) == 720 * US_PER_S


def test_dead_letters_are_bounded() -> None:
    """The newest hundred are kept, each once; of the others it is known how many there were."""
    letters = Letters()
    for number in range(MAX_DEAD + 5):
        letters = letters.plus(DeadLetter(f"m{number}", "t", "gate", 0, "{}", 8, "answered 400", 0))
    assert (letters.kept[0].id, letters.kept[-1].id, len(letters.kept), letters.dropped) == ("m5", "m104", MAX_DEAD, 5)
    assert letters.plus(letters.kept[0]).dropped == 5
    assert [one.id for one in letters.without("m6").kept][:2] == ["m5", "m7"]


# --- cursors


def test_a_cursor_knows_what_was_told() -> None:
    """In any order; what lies before its watermark counts as told."""
    cursor = Cursor(100).told(Happening(120, "b"))
    assert cursor.untold([Happening(130, "c"), Happening(120, "b"), Happening(110, "a"), Happening(99, "z")]) == [(110, "a"), (130, "c")]
    assert cursor_of(cursor_values(cursor)) == cursor


def test_a_watermark_never_passes_what_is_untold() -> None:
    """It moves to the horizon, forgets the marks behind it, and stops before what still waits."""
    cursor = Cursor(100).told(Happening(120, "b")).told(Happening(300, "d"))
    assert cursor.moved([], 200) == Cursor(200, {"d": 300})
    assert cursor.moved([Happening(110, "a")], 200).watermark_us == 110
    assert cursor.moved([], 50) == cursor


def test_marks_are_bounded() -> None:
    """Where more is remembered than the limit, the watermark passes the oldest."""
    cursor = Cursor(0, {str(at): at for at in range(MAX_MARKS + 10)})
    moved = cursor.moved([], 0)
    assert (moved.watermark_us, len(moved.marks)) == (10, MAX_MARKS)


def test_tries_are_counted_of_one_event() -> None:
    """A head that fails again counts on; another one begins at one."""
    one, other = Happening(1, "a"), Happening(2, "b")
    cursor = Cursor(0).failed(one, 5).failed(one, US_PER_HOUR)
    assert cursor.head == ("a", 2, US_PER_HOUR) or (cursor.head and (cursor.head.mark, cursor.head.attempts) == ("a", 2))
    assert cursor.failed(other, 9).head.attempts == 1
    assert cursor.told(one).head is None
