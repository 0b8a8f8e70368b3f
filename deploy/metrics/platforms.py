"""What a site tells of what it does for platforms: webhooks and export jobs, in all. The node that supervises tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge

from playback.exports.job import EXPORT, Job, State, job_of
from playback.webhooks.standing import all_webhooks, read_standing
from segments.clock import US_PER_HOUR, US_PER_S, Clock
from segments.ports import Records


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """Everything at one moment; all 0 where another node tells it."""

    webhooks_paused: int = 0
    webhooks_failing: int = 0
    exports_waiting: int = 0
    exports_failed: int = 0
    export_wait_s: float = 0.0


async def platform_facts(records: Records, now_us: int) -> PlatformFacts:
    """Reads it: the webhooks (at most 32), how each does, and the jobs that are remembered."""
    webhooks = await all_webhooks(records)
    failing = [one for one in webhooks if not one.pause and (await read_standing(records, one.id)).failing_since_us]
    jobs = [job_of(record) for record in await records.records(EXPORT)]
    queued = [job.asked_us for job in jobs if job.state is State.QUEUED]
    return PlatformFacts(
        webhooks_paused=sum(bool(one.pause) for one in webhooks),
        webhooks_failing=len(failing),
        exports_waiting=len(queued),
        exports_failed=_failed_lately(jobs, now_us),
        export_wait_s=max(0, now_us - min(queued, default=now_us)) / US_PER_S,
    )


def _failed_lately(jobs: Sequence[Job], now_us: int) -> int:
    return sum(job.state is State.FAILED and job.ended_us > now_us - US_PER_HOUR for job in jobs)


class PlatformMetrics:
    """The instruments; 0 on nodes that do not supervise. Which webhook, and whose job, the commands say."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"keepsight_{name}", f"{what}; 0 where another node tells it.", registry=registry)

        self._clock = clock
        self._paused = gauge("webhooks_paused", "Webhooks that are sent nothing until somebody resumes them")
        self._failing = gauge("webhooks_failing", "Webhooks that took nothing the last time")
        self._waiting = gauge("exports_waiting", "Export jobs that wait to be begun")
        self._failed = gauge("exports_failed", "Export jobs that were given up within the last hour")
        self._wait = gauge("export_wait_seconds", "How long ago the oldest export job that waits was asked for")

    async def sample(self, records: Records, *, supervises: bool) -> None:
        """Reads the records, and sets all."""
        self.show(await platform_facts(records, self._clock.now_us()) if supervises else PlatformFacts())

    def show(self, facts: PlatformFacts) -> None:
        """Sets all."""
        self._paused.set(facts.webhooks_paused)
        self._failing.set(facts.webhooks_failing)
        self._waiting.set(facts.exports_waiting)
        self._failed.set(facts.exports_failed)
        self._wait.set(facts.export_wait_s)
