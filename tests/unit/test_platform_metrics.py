"""What is told of webhooks, export jobs and the register: in all, never by platform."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from deploy.metrics.platforms import PlatformMetrics
from deploy.metrics.register import CountedRegister
from playback.exports.job import EXPORT, Form, Item, Job, State, job_values
from playback.webhooks.standing import Standing, write_standing
from playback.webhooks.subscription import WEBHOOKS, EventType, Webhook, webhook_values
from segments.access import EVERYBODY
from segments.audit import Act, Action
from segments.clock import US_PER_HOUR, US_PER_S
from segments.errors import TryAgain
from segments.record import new_record
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US
from tests.fakes import SteppedClock

NAMES = ("webhooks_paused", "webhooks_failing", "exports_waiting", "exports_failed", "export_wait_seconds")


async def a_site(now_us: int) -> MemoryIndex:
    """One webhook of each kind, and jobs of each state."""
    index = MemoryIndex()
    told = Webhook("told", "https://a.example/", (EventType.EXPORT_READY,), NOON_US, "wang")
    for one in (
        told,
        replace(told, id="failing"),
        replace(told, id="paused", pause="gone"),
        replace(told, id="removed", pause="gone", removed_us=1),
    ):
        await index.put_record(new_record(WEBHOOKS, one.id, webhook_values(one)))
        await write_standing(index, one.id, Standing(failing_since_us=0 if one.id == "told" else NOON_US))
    job = Job("new", "p", "p", "", "", now_us - 60 * US_PER_S, (Item("gate", 0, 1),), Form.MP4)
    old = replace(job, id="old", asked_us=now_us - 90 * US_PER_S)
    failed = replace(job, id="failed", state=State.FAILED, ended_us=now_us - US_PER_S)
    long_ago = replace(failed, id="long-ago", ended_us=now_us - US_PER_HOUR)
    running = replace(old, id="running", asked_us=0, state=State.RUNNING)
    for one_job in (job, old, failed, long_ago, running):
        await index.put_record(new_record(EXPORT, one_job.id, job_values(one_job)))
    return index


async def test_webhooks_and_export_jobs_are_told_of() -> None:
    """What is paused is not failing, what was removed is nothing, what failed long ago is past; another node tells nothing."""
    registry, clock = CollectorRegistry(), SteppedClock()
    index, metrics = await a_site(clock.now_us()), PlatformMetrics(registry, clock)
    for supervises, told in ((True, [1, 1, 2, 1, 90]), (False, [0] * 5)):
        await metrics.sample(index, supervises=supervises)
        assert [registry.get_sample_value(f"keepsight_{name}") for name in NAMES] == told


async def test_a_register_that_cannot_be_written_is_counted() -> None:
    """Each act that was refused, and none that was written; the error goes on to who asked."""
    full = False

    class Sometimes:
        async def write(self, act: Act) -> None:
            if full:
                raise TryAgain("full")

    registry = CollectorRegistry()
    register = CountedRegister(registry, Sometimes())
    act = Act(NOON_US, EVERYBODY, Action.VIEW, "playlist")
    await register.write(act)
    assert registry.get_sample_value("keepsight_register_refused_total") == 0
    full = True
    with pytest.raises(TryAgain):
        await register.write(act)
    assert registry.get_sample_value("keepsight_register_refused_total") == 1
