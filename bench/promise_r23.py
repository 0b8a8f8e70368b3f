"""R23: links die quickly and fit one use.

A real API process over SeaweedFS. Links of our own are used after their end, for another camera, span, use, method, user and site, with
bytes beside their span, and with a letter changed; links of the pool for another object, a wider range, the whole object and after their
time. Each is first used rightly, so that it is known to work. The full form waits for the 30 s of a link that was handed out; the short
one for one of 1 s, and reads that none is handed out for longer. Control: the same against an API
that only looks at signatures.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from bench.played_site import CAMERA, OTHER, SEGMENT_US, TOKEN, Line, PlayedSite, span_query
from bench.promise import bound95, read_form, report
from deploy.delivery import link_keys
from deploy.settings import load_settings
from playback.delivery import LINK_S
from playback.link_token import Link, LinkKeys
from segments.clock import US_PER_S, SystemClock, iso
from segments.model import Span
from segments.stores.s3_objects import S3Objects
from tests.m3u8 import read_playlist

SHORT, FULL = 12, 400
CARELESS = "import playback.links\nplayback.links.ByLink.fits = lambda *_: True\nplayback.links.check_bytes = lambda *_: None"
BASE = f"/api/v1/cameras/{CAMERA}/"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

Trial = tuple[str, str, str, dict[str, str]]
"""What is tried: a name, method, address and headers."""


def one_link(line: Line, span: Span) -> str:
    """An address to play this span, as a platform asks for it."""
    wanted = json.dumps({"from": iso(span.start_us), "to": iso(span.end_us), "use": "hls", "seconds": 60})
    answer = line.get(f"{BASE}links", method="POST", body=wanted, Authorization=f"Bearer {TOKEN}", Content_Type="application/json")
    assert answer.status == 201, answer
    return str(json.loads(answer.body)["address"])


def entries_of(line: Line, address: str, query: str) -> list[tuple[str, str]]:
    """Address and Range of every entry of the media playlist behind a multivariant one."""
    lines = line.get(address + query).body.decode().split("\n")
    media = urljoin(address, lines[3])
    playlist = read_playlist(line.get(media).body.decode())
    return [(urljoin(media, one.uri), f"bytes={one.offset}-{one.offset + one.length - 1}") for one in playlist.entries]


def own_trials(
    keys: LinkKeys, others: list[LinkKeys], address: str, entries: list[tuple[str, str]], dice: random.Random
) -> Iterator[Trial]:
    """Everything a link of ours and its entries' tokens must not open."""
    start, now_us = token_of(address), SystemClock().now_us()
    link = keys.read(start, now_us)
    entry, wanted = entries[0]
    whose = {"start": (start, address, {}), "entry": (token_of(entry), entry, {"Range": wanted})}
    for kind, (token, place, headers) in whose.items():
        read = keys.read(token, now_us)
        for why, other in changed(read, keys, others, dice, token):
            yield f"{kind}: {why}", "GET", place.replace(token, other), headers
    span, use = link.span, {"link": start}
    for why, around in (
        ("begins earlier", Span(span.start_us - US_PER_S, span.end_us)),
        ("ends later", Span(span.start_us, span.end_us + 1000)),
    ):
        for name in ("multivariant", "media", "iframes"):
            yield (
                f"span {why}",
                "GET",
                f"{BASE}hls/{name}.m3u8?{span_query(around.start_us, around.end_us - around.start_us)}&{urlencode(use)}",
                {},
            )
    yield "other camera", "GET", address.replace(f"cameras/{CAMERA}", f"cameras/{OTHER}"), {}
    yield "entry of another camera", "GET", entry.replace(f"cameras/{CAMERA}", f"cameras/{OTHER}"), {"Range": wanted}
    yield "other use", "GET", f"{BASE}snapshot.jpg?{urlencode({'at': iso(span.start_us), **use})}", {}
    yield "other use: timeline", "GET", f"{BASE}timeline?{span_query(*span)}&{urlencode(use)}", {}
    yield "other use: mp4", "GET", f"{BASE}footage.mp4?{span_query(span.start_us, 2 * US_PER_S)}&{urlencode(use)}", {}
    yield "other method", "POST", f"{BASE}links?{urlencode(use)}", {}
    first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
    for bad in (f"bytes={first - 1}-{last}", f"bytes={first}-", "bytes=0-15", f"bytes={first}-{last},0-9", "bytes=-9", ""):
        yield "bytes beside the span", "GET", entry, {"Range": bad} if bad else {}


def changed(link: Link, keys: LinkKeys, others: list[LinkKeys], dice: random.Random, token: str) -> Iterator[tuple[str, str]]:
    """Tokens that are like a good one, and must not be."""
    yield "after its end", keys.token(replace(link, expires_us=SystemClock().now_us() - 1))
    yield "of another user", keys.token(replace(link, subject_id="user:nobody"))
    yield "of no user", keys.token(replace(link, subject_id=""))
    for other in others:
        yield "of another site or key", other.token(link)
    for _ in range(4):
        place = dice.randrange(len(token))
        letter = dice.choice(_LETTERS.replace(token[place], ""))
        yield "a letter changed", token[:place] + letter + token[place + 1 :]
    yield "cut off", token[: dice.randrange(len(token))]


def token_of(address: str) -> str:
    """The token in an address."""
    return parse_qs(urlsplit(address).query)["link"][0]


def attack(site: PlayedSite, rounds: int) -> tuple[int, list[str]]:
    """How many abuses of our links were tried, and those that were let in."""
    dice, line, let_in, tried = random.Random(23), site.line(), list[str](), 0
    settings = load_settings(site.config, {})
    keys = link_keys(settings)
    others = [
        LinkKeys("home", ["x" * 43]),
        link_keys(settings.model_copy(update={"site": settings.site.model_copy(update={"name": "south"})})),
    ]
    for _ in range(rounds):
        minute_us = site.moment_us(dice, 300 * US_PER_S) // SEGMENT_US * SEGMENT_US
        begin_us = minute_us + dice.randrange(4 * US_PER_S, 24 * US_PER_S)
        address = one_link(line, Span(begin_us, begin_us + dice.randrange(4, 30) * US_PER_S))  # within one segment
        entries = entries_of(line, address, "")
        assert line.get(entries[0][0], Range=entries[0][1]).status == 206
        for why, method, place, headers in own_trials(keys, others, address, entries, dice):
            answer = line.get(place, method=method, **headers)
            tried += 1
            if answer.status < 400:
                let_in.append(why)
    return tried, let_in


def pool_attack(site: PlayedSite, rounds: int, *, full: bool) -> tuple[int, list[str]]:
    """The same of links of the pool."""
    dice, line, pool, let_in, tried = random.Random(32), site.line(), site.pool_line(), list[str](), 0
    waiting: list[tuple[str, str]] = []
    for _ in range(rounds):
        begin_us = site.moment_us(dice, 300 * US_PER_S)
        entry, wanted = entries_of(line, one_link(line, Span(begin_us, begin_us + 10 * US_PER_S)), "&delivery=links")[0]
        answer = line.get(entry, Range=wanted)
        assert answer.status == 307, answer
        place = urlsplit(answer.headers["location"])
        link = f"{place.path}?{place.query}"
        assert pool.get(link, Range=wanted).status == 206
        assert int(parse_qs(place.query)["X-Amz-Expires"][0]) <= LINK_S
        first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        name = place.path.rpartition("/")[2]
        other = link.replace(name, f"{(int(name[:2]) + 1) % 4:02d}-00.000000Z.{(int(name[:2]) + 1) % 4}.mp4")
        tries = [
            (link, f"bytes={first}-{last + 1}"),
            (link, f"bytes={first - 1}-{last}"),
            (link, f"bytes={first}-"),
            (link, ""),
            (other, wanted),
        ]
        for address, range_ in [*tries, (link.replace("X-Amz-Expires=30", "X-Amz-Expires=3000"), wanted)]:
            tried += 1
            if pool.get(address, **({"Range": range_} if range_ else {})).status < 400:
                let_in.append(f"pool: {range_ or 'whole'} of {address.partition('?')[0]}")
        waiting.append((link, wanted))
    if full:
        time.sleep(LINK_S + 1.5)
    else:
        waiting = [asyncio.run(short_link(site))]
        time.sleep(2.5)
    for link, wanted in waiting:
        tried += 1
        if site.pool_line().get(link, Range=wanted).status < 400:
            let_in.append("pool: after its time")
    return tried, let_in


async def short_link(site: PlayedSite) -> tuple[str, str]:
    """A pool's link that lives for a second."""
    store = S3Objects(site.pool.settings(site.bucket))
    try:
        address = await store.link(site.keys[0], "", 1, "bytes=0-9")
    finally:
        store.close()
    assert address is not None
    return address.partition(f":{site.pool.port}")[2], "bytes=0-9"


def main() -> bool:
    """Abuses links and reports; returns whether none was let in."""
    form = read_form(__doc__)
    rounds = FULL if form.full else SHORT
    with tempfile.TemporaryDirectory() as folder, PlayedSite(Path(folder), days=1, objects=4) as site:
        tried, let_in = attack(site, rounds)
        print(f"{tried} abuses of our own links: let in {sorted(set(let_in))}", flush=True)
        pool_tried, pool_let_in = pool_attack(site, rounds, full=form.full)
        print(f"{pool_tried} abuses of the pool's links: let in {sorted(set(pool_let_in))}", flush=True)
        site.start(CARELESS)
        _, careless = attack(site, 1)
        print(f"control, signatures alone: let in {sorted(set(careless))}", flush=True)
    failed = let_in + pool_let_in
    result = report(
        promise="R23",
        form=form.name,
        n=tried + pool_tried,
        value=len(failed),
        unit="links accepted that should not be",
        gate="0 accepted after expiry, for another camera, range or user",
        bound95=None if failed else bound95(tried + pool_tried),
        control="red" if careless else "green",
        met=not failed,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
