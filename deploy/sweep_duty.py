"""The sweep as a duty: made from the settings for a shard, done in rounds, and reported after them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.clock_sync import ClockSync
from deploy.fleet import rounds
from deploy.settings import Settings
from deploy.wiring import Stores
from retention.copies import NO_COPIES, Copies
from retention.look import Pressed
from retention.sweep import ROUND_US, Round, Sweep
from retention.sweep_report import SweepReport, why_not_started, write_report
from retention.sweep_values import Step, SweepEvent, SweepSettings, SweepShard
from segments.clock import US_PER_S, Clock
from segments.duty import Duty

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Names the start of this machine (random(4))."""
REPORT_S = 30.0
"""Reports are no closer together: rounds that follow at once are one."""


@dataclass(frozen=True, slots=True)
class SweepParts:
    """What a sweep at this place is made of."""

    settings: Settings
    stores: Stores
    place: str
    pressed: Pressed
    clock: Clock
    copies: Copies = NO_COPIES


def sweep_rounds(parts: SweepParts) -> Callable[[Duty], rounds.Round]:
    """Makes the rounds of a shard."""
    boot, synchronised = BOOT_ID.read_text().strip(), ClockSync()

    def begin(duty: Duty) -> rounds.Round:
        return SweepRounds(duty, parts, boot, synchronised).round

    return begin


class SweepRounds:
    """The rounds of one shard, with what they come to since the last report."""

    def __init__(self, duty: Duty, parts: SweepParts, boot: str, synchronised: Callable[[], bool]) -> None:
        self._duty = duty
        self._parts = parts
        self._faults: dict[str, str] = {}
        self._segments = self._bytes = 0
        self._reported_ns: int | None = None
        self._waits = "it was not looked yet"
        retention = parts.settings.retention
        self._sweep = Sweep(
            SweepShard(duty.shard, duty.of, parts.place, boot),
            index=parts.stores.index,
            pools=parts.stores.pools,
            clock=parts.clock,
            settings=SweepSettings(grace_s=retention.grace_s, objects_per_s=retention.sweep_objects_per_s),
            seen=self._saw,
            pressed=parts.pressed,
            copies=parts.copies,
            synchronised=synchronised,
        )

    async def round(self) -> float:
        """One round; the seconds until the next. Before retention is started there is none, and no clock is doubted."""
        clock = self._parts.clock
        self._faults, began_ns = {}, clock.monotonic_ns()
        self._waits = self._waits and await why_not_started(self._parts.stores.index, clock.now_us())
        done = Round(next_us=clock.now_us() + ROUND_US, idle=self._waits) if self._waits else await self._sweep.round()
        self._segments += done.segments
        self._bytes += done.stored_bytes
        ended_ns = clock.monotonic_ns()
        if self._reported_ns is None or ended_ns - self._reported_ns >= REPORT_S * 1e9:
            report = SweepReport(
                duty=str(self._duty),
                place=self._parts.place,
                finished_us=clock.now_us(),
                took_s=(ended_ns - began_ns) / 1e9,
                open_batches=done.open_batches,
                faulty=len(self._faults),
                faults=tuple(self._faults.values()),
                held=done.idle,
                deleted_segments=self._segments,
                deleted_bytes=self._bytes,
                waiting=len(self._sweep.waits),
                waiting_since_us=min(self._sweep.waits.values(), default=0),
            )
            await write_report(self._parts.stores.index, report)
            self._reported_ns, self._segments, self._bytes = ended_ns, 0, 0
        return max(0.0, (done.next_us - clock.now_us()) / US_PER_S)

    def _saw(self, event: SweepEvent) -> None:
        if event.step is Step.LEFT:
            self._faults[f"{event.camera} {event.day}"] = f"{event.camera} {event.day}: {event.text}"
