"""A duty of recording that this place holds: its lease, its cameras, who records it, and what is not written down of it yet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from recorder.camera_archive import NO_CAMERAS, Assigned
from recorder.connections import ConnectedRecorder
from recorder.link import Assign, LeaseIs, StateIs
from segments.duty import RECORD, Duty
from segments.model import Camera, Lease


@dataclass(slots=True, eq=False)
class HeldShard:
    """`used`: a recorder records, or may record, in this epoch; another needs a new one. `of_another`: another place had it before.

    `absent_since_us`: since then nobody may have recorded, which is not written down yet; None: it is. Until then what the recorder says
    waits in `early`, since it comes after. `raised_above`: the lease was renewed to be above this epoch.
    """

    lease: Lease
    used: bool
    of_another: bool
    absent_since_us: int | None
    raised_above: int = 0
    assigned: Assigned = NO_CAMERAS
    recorder: ConnectedRecorder | None = None
    told: Assign | None = None
    stands: LeaseIs | None = None
    early: list[StateIs] = field(default_factory=list)
    renewing: asyncio.Task[None] | None = None
    writing: asyncio.Task[None] | None = None

    @property
    def duty(self) -> Duty:
        """Its duty."""
        return self.lease.duty

    @property
    def speaks(self) -> bool:
        """Whether its recorder's word on the cameras' states counts: of two lanes one speaks."""
        return self.duty.kind == RECORD["a"]

    @property
    def cameras(self) -> list[Camera]:
        """Its cameras, as last known."""
        return [item.camera for item in self.assigned.cameras]

    @property
    def size(self) -> int:
        """How many cameras are to be recorded."""
        return sum(item.camera.enabled for item in self.assigned.cameras)

    @property
    def is_low(self) -> bool:
        """Whether it is recorded in an epoch that another site may have had for some of its cameras, and should go on in a higher one."""
        above = self.assigned.after_epoch
        return self.recorder is not None and self.lease.epoch <= above and self.raised_above < above

    def tell(self, site: str) -> None:
        """Tells its recorder cameras and lease, if they are new to it."""
        assign = Assign(site, self.duty, self.lease.epoch, self.assigned.cameras)
        if self.recorder is not None and assign != self.told:
            self.told = assign
            self.recorder.link.send(assign)
            if self.stands is not None:
                self.recorder.link.send(self.stands)

    def stand(self, left_s: float, *, answers: bool) -> None:
        """Tells its recorder how the lease stands."""
        self.stands = LeaseIs(self.duty, self.lease.epoch, left_s, answers)
        if self.recorder is not None:
            self.recorder.link.send(self.stands)

    def begin_anew(self, lease: Lease) -> None:
        """It has a new epoch, in which nobody records yet."""
        self.lease, self.used, self.of_another = lease, False, False
        self.recorder = self.told = self.stands = None

    def cancel(self) -> None:
        """Ends what is under way for it."""
        for task in (self.renewing, self.writing):
            if task is not None:
                task.cancel()


def held_shard(lease: Lease, *, resumed: bool) -> HeldShard:
    """A shard just held. Nobody may have recorded since the last renewal of the lease before; of a resumed one that is its own."""
    last_us = lease.expires_us if resumed else lease.previous_expires_us
    return HeldShard(lease, used=resumed, of_another=not resumed, absent_since_us=last_us - lease.ttl_us)
