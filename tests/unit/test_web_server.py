"""Serving over HTTP."""

from __future__ import annotations

import asyncio
import http.client
import time

from deploy.web_server import Listening, serve_http
from tests.servers.processes import free_port


async def small(_: object, __: object, send) -> None:
    """An application that answers in two parts, as all do."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def quickest_s(port: int) -> float:
    """The least time of some requests on a kept connection."""
    connection, took_s = http.client.HTTPConnection("127.0.0.1", port, timeout=10), []
    for _ in range(12):
        began_s = time.perf_counter()
        connection.request("GET", "/")
        connection.getresponse().read()
        took_s.append(time.perf_counter() - began_s)
    connection.close()
    return min(took_s[6:])


async def test_an_answer_does_not_wait_for_the_client_to_acknowledge_its_begin() -> None:
    """On a kept connection small answers come at once: without TCP_NODELAY each takes the 40 ms of a delayed acknowledgement."""
    at = Listening("127.0.0.1", free_port())
    serving = asyncio.create_task(serve_http(small, at))
    try:
        while True:
            try:
                took_s = await asyncio.to_thread(quickest_s, at.port)
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert took_s < 0.03
