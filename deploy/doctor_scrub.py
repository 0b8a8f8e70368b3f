"""What `keepsight doctor` looks at of the scrub: whether it goes on and keeps up, and what is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from deploy.doctor import Found, Verdict
from deploy.settings import Settings
from deploy.wiring import open_index
from replication.scrub_progress import Progress, all_progress
from segments.clock import US_PER_DAY, SystemClock, iso
from segments.damage import Damaged, all_damage
from segments.errors import StartRefused, TryAgain

STALLED_US = 2 * US_PER_DAY
"""A walk of a day that has not ended for so long."""
NAMED = 3


async def scrub(settings: Settings) -> Sequence[Found]:
    """As the index tells it; nothing where there is none yet, or it cannot be opened: that is told by itself."""
    if settings.index.kind == "sqlite" and not settings.index_path.exists():
        return []
    with suppress(StartRefused, TryAgain):
        async with open_index(settings) as index:
            shards, damage = await all_progress(index), await all_damage(index)
        return findings(shards, damage, now_us=SystemClock().now_us(), cycle_days=settings.replication.scrub_days)
    return []


def findings(shards: Sequence[Progress], damage: Sequence[Damaged], *, now_us: int, cycle_days: int) -> list[Found]:
    """What of it a person should know."""
    if not shards:
        return [Found("scrub", Verdict.NOTED, "nothing stored was checked yet", "the service does it while it runs")]
    said = [*_damaged(damage), *_receipts(shards)]
    for each in shards:
        if each.looked.at is not None and now_us - each.looked.began_us > STALLED_US:
            seen = f"it has looked at everything since {iso(each.looked.began_us)} and is not through"
            said.append(Found(each.duty, Verdict.NOTED, seen, "see the log of the node that holds the duty (scrub.pool-away, duty.failed)"))
        if each.hashed.at is not None and now_us - each.hashed.began_us > cycle_days * US_PER_DAY:
            seen = f"half a cycle of {cycle_days} days has lasted since {iso(each.hashed.began_us)}"
            said.append(Found(each.duty, Verdict.NOTED, seen, "raise replication.scrub_mib_per_s, or replication.scrub_days"))
    healed = sum(each.tally.healed for each in shards)
    return [Found("scrub", Verdict.GOOD, f"{len(shards)} shards, {healed} segments healed so far"), *said]


def _damaged(damage: Sequence[Damaged]) -> list[Found]:
    if not damage:
        return []
    first = "; ".join(f"{each.camera} {iso(each.start_us)}: {each.reason}" for each in damage[:NAMED])
    do = "`keepsight scrub status` names all; docs/runbooks/footage-damaged.md"
    return [Found("footage", Verdict.ILL, f"{len(damage)} segments are damaged: {first}", do)]


def _receipts(shards: Sequence[Progress]) -> list[Found]:
    do = "docs/runbooks/receipts-broken.md"
    faults = [(chain, fault) for each in shards for chain, fault in each.faults.items()]
    return [Found(f"receipts of {chain}", Verdict.ILL, f"the chain does not hold: {fault}", do) for chain, fault in faults]
