"""What `keepsight doctor` looks at of retention: whether it is started, whether the sweep goes on, and what does not go."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from deploy.doctor import Found, Verdict
from deploy.settings import Settings
from deploy.wiring import open_index
from retention.status import Status, status
from segments.clock import US_PER_S, SystemClock, iso
from segments.errors import StartRefused, TryAgain

STALLED_S = 21_600
"""A shard that has finished no round for so long does not work."""
STUCK_NAMED = 3


async def retention(settings: Settings) -> Sequence[Found]:
    """As the index tells it; nothing where there is none yet, or it cannot be opened: that is told by itself."""
    if settings.index.kind == "sqlite" and not settings.index_path.exists():
        return []
    with suppress(StartRefused, TryAgain):
        async with open_index(settings) as index:
            return findings(await status(index, now_us=SystemClock().now_us()), others=len(settings.sites))
    return []


def findings(found: Status, *, others: int = 0) -> list[Found]:
    """What of it a person should know; `others`: how many other sites are configured."""
    if found.binding is None:
        return [
            Found(
                "retention",
                Verdict.NOTED,
                "no policy binds: nothing is deleted, and pools fill",
                "`keepsight retention start --approver NAME --review DATE`",
            )
        ]
    ill = [*_stalled(found), *_held(found), *_stuck(found), *_without_sites(found, others), *_waiting(found)]
    on_their_way = sum(found.batches.values())
    seen = f"policy {found.binding.version} binds; {on_their_way} camera-days on their way out, {found.holds} holds stand"
    return [Found("retention", Verdict.GOOD, seen), *ill]


def _stalled(found: Status) -> list[Found]:
    late = [sweep for sweep in found.sweeps if found.now_us - sweep.finished_us > STALLED_S * US_PER_S]
    do = "see `keepsight fleet status` for who holds the duty, and the log of that node"
    said = [Found(each.duty, Verdict.ILL, f"finished its last round on {iso(each.finished_us)}, at {each.place}", do) for each in late]
    if not found.sweeps:
        said.append(Found("sweep", Verdict.NOTED, "no shard of it has reported yet: nothing is deleted", do))
    return said


def _held(found: Status) -> list[Found]:
    do = "see whether the clock is right; if it is, `keepsight retention clock accept`"
    return [Found(f"clock of {shard}", Verdict.ILL, f"it deletes nothing: {why}", do) for shard, why in found.clocks.items()]


def _stuck(found: Status) -> list[Found]:
    if not found.stuck:
        return []
    first = "; ".join(f"{each.camera} {each.day}: {each.finding}" for each in found.stuck[:STUCK_NAMED])
    do = "see whether the pool lets its objects be deleted, and docs/runbooks/deletion-refused.md"
    return [Found("deletion", Verdict.ILL, f"{len(found.stuck)} camera-days do not go on: {first}", do)]


def _without_sites(found: Status, others: int) -> list[Found]:
    policies = [policy for policy in (found.binding, *found.announced) if policy is not None]
    wanting = {tier.name: tier.copies for policy in policies for tier in policy.tiers.values() if tier.copies > 1 + others}
    do = "name the other sites under [sites], or ask for fewer copies with `keepsight retention policy`"
    seen = f"sites, and there are {1 + others}: all of it stays to its ceiling"
    return [Found(f"tier {name}", Verdict.ILL, f"asks for copies at {copies} {seen}", do) for name, copies in wanting.items()]


def _waiting(found: Status) -> list[Found]:
    if not found.waiting:
        return []
    seen = f"{found.waiting} camera-days are due and wait for copies or for other sites, the first since {iso(found.waiting_since_us)}"
    return [Found("copies", Verdict.NOTED, seen, "`keepsight retention explain CAMERA DAY` names the site; see whether it answers")]
