"""What another site said last, as a record of ours: whom others ask about it (status, takeovers, a witness) need not ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from replication.ports import Hello
from segments.errors import NotFound
from segments.ports import Records
from segments.record import Record, new_record

SITE = "site"
"""The kind of the records, one for each other site."""


@dataclass(frozen=True, slots=True)
class SiteSeen:
    """`heard_us`: when it last answered, by our clock; 0: never. `ahead_us`: how far its clock was ahead of ours then.

    `epoch`, `version` and `camera_key` are as in its `Hello`. `guests`: how many of its cameras are in our archive. `conflicts`: some of
    its cameras whose names others here have. `finding`: what is wrong with it, for people.
    """

    site: str
    heard_us: int = 0
    ahead_us: int = 0
    epoch: int = 0
    version: str = ""
    camera_key: str = ""
    guests: int = 0
    conflicts: tuple[str, ...] = ()
    finding: str = ""


def seen_now(before: SiteSeen, hello: Hello, now_us: int) -> SiteSeen:
    """What is known once it has answered. Its highest epoch never falls: one whose index was lost has given those before, too."""
    return SiteSeen(
        site=before.site,
        heard_us=now_us,
        ahead_us=hello.now_us - now_us,
        epoch=max(hello.epoch, before.epoch),
        version=hello.version,
        camera_key=hello.camera_key,
        guests=before.guests,
        conflicts=before.conflicts,
    )


async def read_site(records: Records, site: str) -> SiteSeen:
    """What is written of a site; nothing if it was never heard."""
    try:
        return site_of(await records.record(SITE, site))
    except NotFound:
        return SiteSeen(site)


async def read_sites(records: Records) -> Mapping[str, SiteSeen]:
    """What is written of all sites."""
    return {record.id: site_of(record) for record in await records.records(SITE)}


async def heard_us(records: Records, site: str) -> int:
    """When a site was last heard, by our clock; 0: never. What a witness answers (see `replication.ports.AskSite`)."""
    return (await read_site(records, site)).heard_us


async def write_site(records: Records, seen: SiteSeen) -> None:
    """Writes what is known of a site; raises Conflict if somebody else writes it just now."""
    try:
        present = await records.record(SITE, seen.site)
    except NotFound:
        await records.put_record(new_record(SITE, seen.site, asdict(seen)))
        return
    await records.put_record(present.changed(asdict(seen)))


def site_of(record: Record) -> SiteSeen:
    """What a record says; raises DataDamaged."""
    values = record.values
    known = {name: value for name, value in values.items() if name in SiteSeen.__dataclass_fields__}
    return SiteSeen(**{**known, "conflicts": tuple(known.get("conflicts", ()))})
