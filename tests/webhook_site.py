"""Webhooks under test: an index with faults, a clock one moves, and receivers that are a list, or a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from playback.webhooks.address import Reach
from playback.webhooks.attempts import Answer
from playback.webhooks.post import Post
from playback.webhooks.rounds import Webhooks
from playback.webhooks.secret import with_new_secret
from playback.webhooks.subscription import ASKABLE, WEBHOOKS, Webhook, webhook_values
from playback.webhooks.telling import Means
from segments.clock import US_PER_S
from segments.record import new_record
from segments.secrets import Sealer
from tests.builders import NOON_US, a_row
from tests.clocks import HandClock
from tests.fakes import SwitchedIndex

SEALER = Sealer(bytes(32))
LOOK_BACK_S = 7200


class Message(NamedTuple):
    """One message as it came."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Takes what comes; `answers` says with what."""

    answers: Callable[[Message], Answer] = lambda _: Answer(204)
    came: list[Message] = field(default_factory=list)
    took: list[Message] = field(default_factory=list)

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `Post`."""
        message = Message(url, headers, body)
        self.came.append(message)
        await asyncio.sleep(0)
        answer = self.answers(message)
        if answer.status < 300 and answer.status:
            self.took.append(message)
        return answer

    def told(self, kind: str = "") -> list[str]:
        """What was taken, as `type at` texts, in order."""
        return [f"{one.said['type']} {one.said['timestamp']}" for one in self.took if one.said["type"].startswith(kind)]


@dataclass
class WebhookSite:
    """A site with one webhook by default."""

    index: SwitchedIndex = field(default_factory=SwitchedIndex)
    clock: HandClock = field(default_factory=HandClock)
    receiver: Receiver = field(default_factory=Receiver)
    post: Post | None = None

    def means(self) -> Means:
        return Means(self.index, SEALER, self.post or self.receiver, Reach(), self.clock, "home")

    def duty(self) -> Webhooks:
        """A place that begins anew."""
        return Webhooks(self.means(), look_back_s=LOOK_BACK_S)

    async def pass_by(self, duty: Webhooks, seconds: float = 61, rounds: int = 1) -> None:
        """So many rounds, each after some time."""
        for _ in range(rounds):
            self.clock.move(seconds)
            await duty.look()
            await duty.tell()

    async def add(self, webhook_id: str = "w1", **fields: Any) -> str:
        """A webhook for everything; its secret."""
        good: dict[str, Any] = {"url": "https://receiver.example.org/hook", "events": ASKABLE, "created_by": "user:li"}
        bare = Webhook(webhook_id, **good | {"created_us": self.clock.now_us()} | fields)
        webhook, secret = with_new_secret(bare, SEALER, self.clock.now_us())
        await self.index.inner.put_record(new_record(WEBHOOKS, webhook_id, webhook_values(webhook)))
        return secret

    async def change(self, webhook_id: str, **fields: Any) -> None:
        record = await self.index.inner.record(WEBHOOKS, webhook_id)
        await self.index.inner.put_record(record.changed({**record.values, **fields}))

    async def publish(self, *after_s: float, camera: str = "gate") -> None:
        """Rows that begin so many seconds after noon."""
        for each in after_s:
            await self.index.inner.publish(a_row(camera=camera, start_us=NOON_US + round(each * US_PER_S), counter=round(each)))


class Asked(NamedTuple):
    """One request a real server got."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """A real server; `answer` gives the bytes of a whole answer, None: none at all."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], bytes | None] = lambda _: b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            asked = Asked(first.split(" ")[1], headers, await reader.readexactly(int(headers.get("content-length", "0"))))
            self.asked.append(asked)
            answer = self.answer(asked)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def http_receiver() -> AsyncIterator[HttpReceiver]:
    """A receiver on loopback."""
    receiver = HttpReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()


def without_secrets(webhook: Webhook) -> Webhook:
    """A webhook to compare with."""
    return replace(webhook, secrets=())
