"""Link mode: entries are answered by a redirect to their pool, where that may and can be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import pytest

from playback.delivery import LINK_S, Delivery, PoolLinks
from playback.links import LINK
from segments.from_sites import at_site
from segments.model import Row
from tests.api import Api, asked
from tests.builders import NOON_US, a_camera
from tests.footage import Recorded, Take, recorded
from tests.media import Clips
from tests.unit.test_links import BASE


@dataclass
class Signer:
    """Signs everything, and tells what it was asked for."""

    asked: list[tuple[str, str, int, str | None]] = field(default_factory=list)

    async def link(self, key: str, version: str, seconds: int, range_header: str | None = None) -> str | None:
        """See `SignLinks`."""
        self.asked.append((key, version, seconds, range_header))
        return f"https://pool.example/{key}?X-Amz-Signature=0"


class OnlyKept:
    """Footage of one camera is kept by the tier `vault`."""

    async def one_of(self, camera: str, names: Collection[str]) -> bool:
        """See `Tiers`."""
        return camera == "gate" and "vault" in names


async def an_api(clips: Clips) -> tuple[Api, Recorded]:
    """A camera with 12 s of footage."""
    api = Api()
    await api.index.add_camera(a_camera())
    return api, await recorded(api.index, api.objects, clips.get(seconds=12, gop_frames=50), Take(start_us=NOON_US))


def place_of(row: Row) -> str:
    """Its address."""
    return f"{BASE}segments/{row.start_us}/{row.run}/{row.counter}.mp4"


@pytest.mark.parametrize(("usual", "asked_for", "status"), [
    (Delivery.LINKS, None, 307),
    (Delivery.LINKS, "proxied", 206),
    (Delivery.PROXIED, None, 206),
    (Delivery.PROXIED, "links", 307),
])  # fmt: skip
async def test_an_entry_is_redirected_where_that_is_wanted(clips: Clips, usual: Delivery, asked_for: str | None, status: int) -> None:
    """By the setting, or by the request; the pool's link is signed for the range and for half a minute, and told to nobody else."""
    api, made = await an_api(clips)
    signer, row = Signer(), made.rows[0]
    async with api.client(links=PoolLinks({"main": signer}, usual)) as http:
        options = {"params": {"delivery": asked_for} if asked_for else {}, "headers": {"Range": "bytes=5-99"}}
        answer = await http.get(place_of(row), **options)
    assert answer.status_code == status
    if status == 307:
        assert signer.asked == [(row.key, row.version, LINK_S, "bytes=5-99")]
        assert answer.headers["location"].startswith("https://pool.example/")
        assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
        assert not answer.content


async def test_playlists_carry_how_bytes_are_delivered(clips: Clips) -> None:
    """What the first playlist was asked with is in all addresses below."""
    api, _ = await an_api(clips)
    async with api.client() as http:
        text = (await http.get(BASE + "hls/multivariant.m3u8", params={**asked(0, 12), "delivery": "links", "reason": "案 7"})).text
        media = next(line for line in text.split("\n") if line.startswith("media"))
        assert "delivery=links&reason=" in media
        text = (await http.get(f"{BASE}hls/{media}")).text
        entries = [line for line in text.split("\n") if line and not line.startswith("#")]
        assert all(".mp4?delivery=links&reason=%E6%A1%88+7" in line for line in entries)
        assert (await http.get(BASE + "hls/media.m3u8", params={**asked(0, 12), "delivery": "post"})).status_code == 422


@pytest.mark.parametrize("what", ["growing", "damaged", "unsigned pool", "tier", "another site"])
async def test_what_no_link_may_open_is_proxied(clips: Clips, what: str) -> None:
    """Footage still in the spool, known to be damaged, in a pool without links, of a tier that forbids them, or of another site."""
    api, made = await an_api(clips)
    signer, row = Signer(), made.rows[0]
    links = PoolLinks({"main": signer}, Delivery.LINKS)
    changes = {}
    match what:
        case "growing":
            made = replace(made, rows=(replace(row, run="home-a-1-8"),))
            row = api.live.show(made, 2)
        case "damaged":
            changes["damage"] = Damaged()
        case "unsigned pool":
            links = replace(links, signers={"other": signer})
        case "tier":
            links = replace(links, not_tiers=("vault",), tiers=OnlyKept())
        case "another site":
            assert not await links.allow(replace(row, pool=at_site("south")))
    async with api.client(links=links, **changes) as http:
        answer = await http.get(place_of(row), headers={"Range": "bytes=5-99"})
    if what != "another site":
        assert answer.status_code == (502 if what == "damaged" else 206)
        assert signer.asked == []


class Damaged:
    """Everything is."""

    async def has(self, row: Row) -> bool:
        """See `Damage`."""
        return True


async def test_a_link_of_ours_never_opens_more_by_the_pool(clips: Clips) -> None:
    """A whole segment of which the link opens a part is refused; its own range is signed for the pool."""
    api, made = await an_api(clips)
    signer, row = Signer(), made.rows[0]
    async with api.client(links=PoolLinks({"main": signer}, Delivery.LINKS)) as http:
        made_link = await http.post(BASE + "links", json={**asked(0, 4), "use": "hls"})
        token = made_link.json()["address"].partition(f"{LINK}=")[2].partition("&")[0]
        first, last = row.fragments[0].offset, row.fragments[1].offset + row.fragments[1].length - 1
        place = f"{place_of(row)}?{LINK}={token}"
        assert (await http.get(place, headers={"Range": f"bytes={first}-{last}"})).status_code == 307
        assert (await http.get(place, headers={"Range": f"bytes={first}-{last + 1}"})).status_code == 403
        assert (await http.get(place)).status_code == 403
    assert [one[3] for one in signer.asked] == [f"bytes={first}-{last}"]
