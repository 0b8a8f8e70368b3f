"""All that decides on footage, as it was read at one moment: policies, what cameras were, and holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from retention.belongings import Former, all_former, counting
from retention.plan import Circumstances
from retention.policy import Choice, Level, Policy, belonging, choices, in_force
from retention.policy_record import all_policies
from segments.hold import HOLDS, Hold, hold_of
from segments.model import Camera, RowPosition
from segments.ports import Records

ALL_TIERS = "all tiers"
"""The key of the choice for footage of a camera nobody knows anything of: whatever its tier was, it stays as long as that says."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides. `holds` are those that stand; `former` is by camera."""

    policies: Sequence[Policy]
    former: Mapping[str, Sequence[Former]]
    holds: Sequence[Hold]

    def any_binds(self, now_us: int) -> bool:
        """Whether a policy binds; while none does, nothing is deleted."""
        return any(policy.binds_us <= now_us and not policy.withdrawn_us for policy in self.policies)

    def camera(self, camera_id: str, archived: Camera | None) -> Camera:
        """The camera, or what is known of one that is not in the archive any more: what it was last."""
        if archived is not None:
            return archived
        was = self.former.get(camera_id)
        if not was:
            return Camera(id=camera_id, name=camera_id, url="")
        last = was[-1].was
        return Camera(id=camera_id, name=camera_id, url="", tier=last.tier, area=last.area, camera_class=last.camera_class)

    def circumstances(
        self, camera: Camera, now_us: int, *, archived: bool = True, short: Collection[RowPosition] = (), pressed: bool = False
    ) -> Circumstances:
        """What the verdicts on a camera's footage depend on; raises BadInput if no policy binds. `archived`: it is in the archive."""
        policies = in_force(self.policies, now_us)
        former = self.former.get(camera.id, ())
        chosen = choices(policies, belonging(camera), formerly=counting(former, now_us))
        if not archived and not former:
            chosen = tuple(Choice(tier, Level.DEFAULT, ALL_TIERS, policy.version) for policy in policies for tier in policy.tiers.values())
        holds = [hold for hold in self.holds if hold.covers(camera)]
        return Circumstances(now_us, ZoneInfo(policies[-1].zone), chosen, holds, short, pressed)


async def read_rules(records: Records) -> Rules:
    """Reads them all; linearizable with every change that was answered before."""
    return Rules(await all_policies(records), await all_former(records), await standing_holds(records))


async def standing_holds(records: Records) -> list[Hold]:
    """The holds that stand now."""
    return [hold for hold in (hold_of(record) for record in await records.records(HOLDS)) if hold.stands]
