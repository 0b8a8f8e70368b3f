"""Cameras of the archive are changed and taken out so that their footage never goes sooner than it would have.

The order is the promise: what a camera was is remembered before it is changed. Who dies in between leaves it remembered, and kept longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from retention.belongings import remember
from retention.holds import stay_covered
from retention.policy import Policy, belonging, in_force
from retention.policy_record import all_policies
from segments.clock import US_PER_DAY
from segments.errors import BadInput
from segments.model import Camera
from segments.ports import Cameras, Records


class ArchiveIndex(Cameras, Records, Protocol):
    """What changing cameras needs of the index."""


def tier_problem(policies: Sequence[Policy], tier: str, now_us: int) -> str:
    """Why a camera cannot have this tier of its own, '' if it can: once there is a policy, one of those that count has to know it."""
    standing = [policy for policy in policies if not policy.withdrawn_us]
    if not tier or not standing:
        return ""
    try:
        counting = in_force(standing, now_us)
    except BadInput:
        counting = standing
    known = sorted({name for policy in counting for name in policy.tiers})
    return "" if tier in known else f"tier: {tier!r} is in no retention policy; there are {', '.join(known)}, or none of its own"


async def change_camera(index: ArchiveIndex, before: Camera, after: Camera, *, now_us: int, notice_days: int) -> int:
    """Replaces a camera. If its tier, area or class changes, what it was counts until its notice is over: that moment, else 0.

    Raises BadInput if its new tier is in no policy, Conflict if somebody else changes it just now, NotFound if it is not there any more.
    """
    if after.tier != before.tier and (problem := tier_problem(await all_policies(index), after.tier, now_us)):
        raise BadInput(problem)
    until_us = now_us + notice_days * US_PER_DAY if belonging(after) != belonging(before) else 0
    if until_us:
        await remember(index, before, now_us=now_us, until_us=until_us)
        await stay_covered(before, records=index)
    await index.set_camera(after)
    return until_us


async def take_camera_out(index: ArchiveIndex, camera_id: str, *, now_us: int) -> None:
    """Takes a camera out of the archive; what it was decides on its footage from then on. Raises NotFound, and Conflict as above."""
    camera = await index.camera(camera_id)
    await remember(index, camera, now_us=now_us)
    await stay_covered(camera, records=index)
    await index.remove_camera(camera_id)
