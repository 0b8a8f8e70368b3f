"""Messages over real sockets: pinned, no redirect followed, nothing of an answer read, in time."""

from __future__ import annotations

import time

import pytest

from playback.webhooks.address import Reach
from playback.webhooks.attempts import Fate, fate
from playback.webhooks.post import HttpPost
from playback.webhooks.rounds import Webhooks
from playback.webhooks.signature import verified
from playback.webhooks.subscription import EventType
from tests.builders import a_camera
from tests.webhook_site import LOOK_BACK_S, WebhookSite, http_receiver


@pytest.fixture
async def post():
    """Reaches this machine, and waits half a second."""
    one = HttpPost(Reach(loopback=True), timeout_s=0.5)
    yield one
    await one.close()


async def test_a_message_arrives_as_it_is(post) -> None:
    """Path, host, headers and body; its status comes back."""
    async with http_receiver() as receiver:
        answer = await post(f"http://localhost:{receiver.port}/hook?x=1", {"webhook-id": "msg_1"}, b'{"a":1}')
    (asked,) = receiver.asked
    assert (answer.status, asked.path, asked.body, asked.headers["webhook-id"]) == (204, "/hook?x=1", b'{"a":1}', "msg_1")
    assert (asked.headers["host"], asked.headers["content-type"]) == (f"localhost:{receiver.port}", "application/json")


async def test_a_redirect_is_not_followed(post) -> None:
    """Also not to where nothing forbids it: it is an answer like any other that is no yes."""
    async with http_receiver() as other, http_receiver() as receiver:
        receiver.answer = lambda _: f"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{other.port}/\r\ncontent-length: 0\r\n\r\n".encode()
        answer = await post(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
    assert (answer.status, fate(answer), other.asked) == (302, Fate.FAILED, [])


async def test_who_does_not_answer_is_given_up_in_time(post) -> None:
    """Nothing at all, nothing listening, and an answer without end, of which nothing is kept."""
    async with http_receiver() as receiver:
        receiver.answer = lambda _: None
        began = time.monotonic()
        silent = await post(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
        receiver.answer = lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + b"x" * 100_000
        endless = await post(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
    nobody = await post(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
    assert (silent.said, fate(silent)) == ("no answer within 0.5 s", Fate.FAILED)
    assert (endless.status, fate(nobody)) == (200, Fate.AWAY)
    assert time.monotonic() - began < 5


async def test_this_machine_is_reached_only_where_settings_say_so() -> None:
    """Without the setting no connection is made, by number or by name; with it the same message arrives (the control)."""
    async with http_receiver() as receiver:
        strict, lent = HttpPost(Reach(http=True)), HttpPost(Reach(http=True, loopback=True))
        for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"):
            refused = await strict(f"http://{host}:{receiver.port}/", {}, b"{}")
            assert (refused.status, refused.connected) == (0, False)
        assert receiver.connections == 0
        assert (await lent(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")).status == 204
        await strict.close()
        await lent.close()


async def test_a_name_that_changes_its_address_leads_nowhere() -> None:
    """The name is asked once for each message, and the connection goes to what was looked at then (DNS rebinding)."""
    async with http_receiver() as receiver:
        asked = 0

        async def resolver(host: str) -> list[str]:
            nonlocal asked
            asked += 1
            return ["127.0.0.1"] if asked == 1 else ["169.254.169.254"]

        post = HttpPost(Reach(http=True, loopback=True), resolver=resolver)
        first = await post(f"http://rebound.example.org:{receiver.port}/", {}, b"{}")
        second = await post(f"http://rebound.example.org:{receiver.port}/", {}, b"{}")
        await post.close()
    assert (first.status, second.connected, asked, receiver.connections) == (204, False, 2, 1)
    assert receiver.asked[0].headers["host"] == f"rebound.example.org:{receiver.port}"


async def test_a_slow_receiver_holds_up_nobody_else() -> None:
    """One that never answers waits for itself, while another is told at once, signed, over real sockets."""
    async with http_receiver() as slow, http_receiver() as quick:
        slow.answer = lambda _: None
        site = WebhookSite(post=HttpPost(Reach(loopback=True), timeout_s=1.0))
        for number in range(8):
            await site.index.inner.add_camera(a_camera(f"c{number}"))
            await site.publish(0, camera=f"c{number}")
        await site.add("slow", url=f"http://127.0.0.1:{slow.port}/", events=(EventType.SEGMENT_STORED,))
        secret = await site.add("quick", url=f"http://127.0.0.1:{quick.port}/", events=(EventType.SEGMENT_STORED,))
        site.clock.move(61)
        duty = Webhooks(site.means(), look_back_s=LOOK_BACK_S)
        await duty.look()
        began = time.monotonic()
        took: list[float] = []
        quick.answer = lambda _: took.append(time.monotonic() - began) or b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        await duty.tell()
        await site.post.close()
    assert len(took) == 8
    assert max(took) < 1.0
    assert len(slow.asked) == 8
    assert all(verified(one.headers, one.body, secret, now_s=site.clock.now_us() / 1e6) for one in quick.asked)
