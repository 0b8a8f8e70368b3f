"""What one process of the API does at once, so that nobody can wear it out: what is over the limits is answered with 429.

Two of them: requests, until their answers are sent, and *costly* ones (playlists, timelines, snapshots) while they are worked on. Each is
counted in all and for one client. A client is an address, of IPv6 the /64 it lies in: that much is given to one household.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playback.problems import TooMuch, refusal

TURN_S = 2.0
"""How long a costly request waits for its turn."""

STALLED_S = 60.0
"""A client that takes none of its answer for so long is cut off: it would keep its place for ever."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once: requests in all and of one client, costly ones worked on, and costly ones of one client that also may wait.

    `plans` are questions of planners, which are worked out in processes of their own.
    """

    requests: int = 256
    requests_per_client: int = 64
    costly: int = 4
    costly_per_client: int = 16
    plans: int = 2

    @property
    def turns_per_client(self) -> int:
        """How many costly requests of one client are worked on: half, so that others still get their turn."""
        return max(1, self.costly // 2)


@dataclass
class _Client:
    """What a client has under way."""

    turns: asyncio.Semaphore
    requests: int = 0
    costly: int = 0


@dataclass
class Traffic:
    """What is under way in this process."""

    limits: Limits
    requests: int = 0
    _clients: dict[str, _Client] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(self.limits.costly)

    @asynccontextmanager
    async def request(self, name: str) -> AsyncIterator[None]:
        """While a request of this client is answered; raises TooMuch."""
        if self.requests >= self.limits.requests:
            raise TooMuch(f"this service answers {self.limits.requests} requests at once and not more")
        client = self._clients.setdefault(name, _Client(asyncio.Semaphore(self.limits.turns_per_client)))
        if client.requests >= self.limits.requests_per_client:
            raise TooMuch(f"this service answers {self.limits.requests_per_client} requests of one client at once and not more")
        self.requests += 1
        client.requests += 1
        try:
            yield
        finally:
            self.requests -= 1
            client.requests -= 1
            if not client.requests:
                del self._clients[name]

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """While a costly request of this client, already counted as a request, is worked on; raises TooMuch if its turn does not come."""
        client = self._clients[name]
        if client.costly >= self.limits.costly_per_client:
            raise TooMuch(f"this service works on {self.limits.costly_per_client} costly requests of one client at once and not more")
        client.costly += 1
        try:
            async with _in_turn(client.turns, self._turns):
                yield
        finally:
            client.costly -= 1


@asynccontextmanager
async def _in_turn(own: asyncio.Semaphore, common: asyncio.Semaphore) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(TURN_S):
            await own.acquire()
            try:
                await common.acquire()
            except BaseException:
                own.release()
                raise
    except TimeoutError:
        raise TooMuch(f"this service has more to do than it can in {TURN_S:g} s") from None
    try:
        yield
    finally:
        common.release()
        own.release()


class RequestLimits:
    """Counts requests until their answers are sent, refuses those over the limits, and cuts stalled clients off. `free` paths pass."""

    def __init__(self, app: ASGIApp, traffic: Traffic, free: frozenset[str]) -> None:
        self._app = app
        self._traffic = traffic
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"] in self._free:
            await self._app(scope, receive, send)
            return
        try:
            async with self._traffic.request(client_of(scope)):
                await self._app(scope, receive, _cutting_off(send))
        except TooMuch as error:
            await refusal(error)(scope, receive, send)
        except _StalledError:
            return  # the server closes a connection whose answer ends too early


class _StalledError(Exception):
    """The client takes nothing."""


def _cutting_off(send: Send) -> Send:
    async def sent(message: Message) -> None:
        try:
            async with asyncio.timeout(STALLED_S):
                await send(message)
        except TimeoutError:
            raise _StalledError from None

    return sent


def client_of(scope: MutableMapping[str, Any]) -> str:
    """Who asks: the address of the other end, as a trusted proxy on this machine tells it where there is one."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)
    return str(IPv6Address(int(address) >> 64 << 64)) if address.version == 6 else str(address)


async def _costly(request: Request) -> AsyncIterator[None]:
    async with cast("Traffic", request.app.state.traffic).turn(client_of(request.scope)):
        yield


COSTLY = Depends(_costly, scope="function")
"""The dependency of a costly route; its turn ends when the answer is made, not when it is sent."""
