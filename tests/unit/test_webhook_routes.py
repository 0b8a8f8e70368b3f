"""`/webhooks`: made, shown without its secret, tried, given another secret, removed; dead letters sent again or dropped."""

from __future__ import annotations

import json

import pytest

from playback.webhooks.attempts import Answer
from playback.webhooks.signature import verified
from playback.webhooks.standing import DeadLetter, change_letters
from segments.audit import Action
from tests.api import Api
from tests.unit.test_acts_of_routes import Kept
from tests.webhook_site import Receiver

WANTED = {
    "url": "https://platform.example.org/hook",
    "events": ["segment.stored"],
    "scope": {"areas": ["harbour"]},
    "note": "harbour office",
}
LETTER = DeadLetter("msg_" + "0" * 32, "segment.stored", "gate", 0, '{"x":1}', 8, "answered 400", 0)


def an_api() -> Api:
    """With a receiver that takes everything."""
    return Api(receiver=Receiver())


async def test_a_secret_is_shown_once() -> None:
    """In the answer that makes it; not in a list, not of one, and not in the index."""
    api = an_api()
    async with api.client() as client:
        made = (await client.post("webhooks", json=WANTED)).json()
        listed, one = (await client.get("webhooks")).text, (await client.get(f"webhooks/{made['id']}")).json()
    assert made["secret"].startswith("whsec_")
    assert made["secret"] not in listed
    assert one == {name: value for name, value in made.items() if name != "secret"}
    assert (one["scope"]["areas"], one["events"], one["paused"], one["dead"]) == (["harbour"], ["segment.stored"], "", 0)
    assert all(made["secret"] not in record.text for record in await api.index.records("webhook"))


async def test_a_webhook_is_tried() -> None:
    """With a signed message of its own type; what came back is said."""
    api = an_api()
    async with api.client() as client:
        made = (await client.post("webhooks", json=WANTED)).json()
        tried = (await client.post(f"webhooks/{made['id']}/test")).json()
        api.receiver.answers = lambda _: Answer(404)
        refused = (await client.post(f"webhooks/{made['id']}/test")).json()
    message = api.receiver.came[0]
    assert (tried, refused) == (
        {"taken": True, "said": "answered 200"} | {"said": "answered 204"},
        {"taken": False, "said": "answered 404"},
    )
    assert message.said["type"] == "webhook.test"
    assert verified(message.headers, message.body, made["secret"], now_s=api.clock.now_us() / 1e6)


async def test_a_new_secret_signs_beside_the_old_one() -> None:
    """Both verify for a day."""
    api = an_api()
    async with api.client() as client:
        made = (await client.post("webhooks", json=WANTED)).json()
        newer = (await client.post(f"webhooks/{made['id']}/secret")).json()
        await client.post(f"webhooks/{made['id']}/test")
    message, now_s = api.receiver.came[0], api.clock.now_us() / 1e6
    assert newer["secret"] != made["secret"]
    assert all(verified(message.headers, message.body, secret, now_s=now_s) for secret in (made["secret"], newer["secret"]))


async def test_dead_letters_are_sent_again_or_dropped() -> None:
    """Taken it is one no more; refused it stays; its body and id are what they were."""
    api = an_api()
    async with api.client() as client:
        made = (await client.post("webhooks", json=WANTED)).json()
        path = f"webhooks/{made['id']}/dead"
        await change_letters(api.index, made["id"], lambda letters: letters.plus(LETTER).plus(LETTER._replace(id="msg_" + "1" * 32)))
        assert [one["said"] for one in (await client.get(path)).json()["dead"]] == ["answered 400", "answered 400"]
        api.receiver.answers = lambda _: Answer(500)
        assert (await client.post(f"{path}/{LETTER.id}/retry")).json() == {"taken": False, "said": "answered 500"}
        api.receiver.answers = lambda _: Answer(200)
        assert (await client.post(f"{path}/{LETTER.id}/retry")).json()["taken"]
        assert (await client.delete(f"{path}/msg_{'1' * 32}")).status_code == 204
        assert (await client.get(path)).json() == {"dead": [], "dropped": 0}
        assert (await client.post(f"{path}/{LETTER.id}/retry")).status_code == 404
    assert (api.receiver.came[0].id, api.receiver.came[0].body) == (LETTER.id, b'{"x":1}')


async def test_a_removed_webhook_is_gone() -> None:
    """Its address, secrets and dead letters are in the index no more."""
    api = an_api()
    async with api.client() as client:
        made = (await client.post("webhooks", json=WANTED)).json()
        await change_letters(api.index, made["id"], lambda letters: letters.plus(LETTER))
        assert (await client.delete(f"webhooks/{made['id']}")).status_code == 204
        assert (await client.get("webhooks")).json() == {"webhooks": []}
        for method, path in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/test"),
            ("POST", "/secret"),
            ("POST", "/resumption"),
            ("GET", "/dead"),
        ):
            assert (await client.request(method, f"webhooks/{made['id']}{path}")).status_code == 404
    (record,) = await api.index.records("webhook")
    assert (json.loads(record.text)["url"], json.loads(record.text)["secrets"]) == ("", [])
    assert "msg_" not in (await api.index.records("webhook-dead"))[0].text


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://platform.example.org/"},
        {"url": "https://user:pass@platform.example.org/"},
        {"events": []},
        {"events": ["webhook.test"]},
        {"events": ["coffee.ready"]},
        {"scope": {"areas": [""]}},
        {"more": 1},
    ],
)
async def test_bad_webhooks_are_refused(change: dict[str, object]) -> None:
    """As bad input, and nothing is made."""
    api = an_api()
    async with api.client() as client:
        answer = await client.post("webhooks", json=WANTED | change)
        assert (answer.status_code, (await client.get("webhooks")).json()) == (422, {"webhooks": []})


async def test_there_are_not_many_webhooks() -> None:
    """One more than the limit is a conflict."""
    api = an_api()
    async with api.client() as client:
        answers = [(await client.post("webhooks", json=WANTED)).status_code for _ in range(33)]
    assert answers == [201] * 32 + [409]


async def test_changes_are_in_the_register_once() -> None:
    """Made, tried, given another secret, sent again, dropped, resumed and removed: each leaves one act, a look none of a change."""
    api, register = an_api(), Kept()
    async with api.client(register=register) as client:
        made = (await client.post("webhooks", json=WANTED)).json()
        path = f"webhooks/{made['id']}"
        await change_letters(api.index, made["id"], lambda letters: letters.plus(LETTER).plus(LETTER._replace(id="msg_" + "1" * 32)))
        for what in ("test", "secret", "resumption", f"dead/{LETTER.id}/retry"):
            await client.post(f"{path}/{what}")
        await client.get(path)
        await client.delete(f"{path}/dead/msg_{'1' * 32}")
        await client.delete(path)
    done = [act.what for act in register.acts if act.action is Action.CHANGE]
    wanted = ["add webhook", "test webhook", "new secret", "resume webhook", "retry dead letter", "drop dead letter", "delete webhook"]
    assert done == wanted
    assert all(made["secret"] not in repr(act) for act in register.acts)
