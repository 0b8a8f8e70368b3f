"""What `keepsight doctor` looks at between sites: whether each answers, speaks as we do, has the right time, and could open our cameras."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from deploy.backup import camera_key
from deploy.doctor import Found, Verdict
from deploy.peers import open_peers
from deploy.settings import Settings
from replication.ports import Hello
from segments.clock import US_PER_S, Clock, SystemClock
from segments.errors import KeepsightError

LIMIT_S = 10.0
DIFFERENCE_US = US_PER_S
"""Clocks that differ by more are wrong somewhere: lag is measured across them, and footage of two sites is put in one order."""


async def sites(settings: Settings, clock: Clock | None = None) -> Sequence[Found]:
    """Every other site; nothing where none is configured."""
    clock = clock or SystemClock()
    found: list[Found] = []
    async with open_peers(settings, clock) as peers:
        for name, peer in peers.items():
            try:
                async with asyncio.timeout(LIMIT_S):
                    await peer.hello()  # connects; the next answer takes one way there and one back
                    began_s = time.monotonic()
                    hello = await peer.hello()
                    took_us = int((time.monotonic() - began_s) * US_PER_S)
            except (KeepsightError, TimeoutError) as error:
                said = str(error) or f"no answer within {LIMIT_S:g} s"
                found.append(Found(f"site {name}", Verdict.ILL, said, f"see sites.{name} here, and the program peers there"))
                continue
            found += about(hello, settings, now_us=clock.now_us(), took_us=took_us)
    return found


def about(hello: Hello, settings: Settings, *, now_us: int, took_us: int) -> list[Found]:
    """What an answer that came just now tells."""
    name = f"site {hello.site}"
    found = [Found(name, Verdict.GOOD, f"answers in {took_us / 1000:.0f} ms; version {hello.version}")]
    ahead_us = hello.now_us - (now_us - took_us // 2)
    if abs(ahead_us) > DIFFERENCE_US + took_us:
        seen = f"its clock is {abs(ahead_us) / US_PER_S:.1f} s {'ahead of' if ahead_us > 0 else 'behind'} ours"
        found.append(Found(f"{name} clock", Verdict.ILL, seen, "see which of the two is not synchronised (NTP), and mend that"))
    if hello.camera_key != camera_key(settings):
        seen = "it seals camera passwords with another key: neither site can record the other's cameras that want a login"
        found.append(Found(f"{name} cameras", Verdict.NOTED, seen, "for takeovers give both sites the same cameras.key_file"))
    return found
