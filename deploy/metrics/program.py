"""The metrics of one program: its registry, what it says of itself, and its text in Prometheus' exposition format 0.0.4."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Info, ProcessCollector, disable_created_metrics, generate_latest

from deploy.shared_work import SharedWork
from segments.errors import KeepsightError

log = logging.getLogger(__name__)

SAMPLE_LIMIT_S = 4.0
"""What cannot be read within so long keeps its last value: a disk that hangs must not hide what else is ill."""


class ProgramMetrics:
    """A registry of its own, so that nothing is counted twice and nothing is global."""

    def __init__(self, program: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Info("keepsight_build", "The program that says this, and its version.", registry=self.registry)
        build.info({"version": version("keepsight"), "program": program})
        self._samplers: list[SharedWork] = []

    def sample_with(self, sampler: Callable[[], Awaitable[None]]) -> None:
        """Calls this before each answer: it reads what is not counted as it happens."""
        self._samplers.append(SharedWork(sampler))

    async def text(self) -> bytes:
        """All that is known now."""
        await asyncio.gather(*(_sampled(sampler) for sampler in self._samplers))
        return generate_latest(self.registry)


async def _sampled(sampler: SharedWork) -> None:
    try:
        async with asyncio.timeout(SAMPLE_LIMIT_S):
            await sampler()
    except (KeepsightError, OSError) as error:  # a timeout is an OSError
        log.warning("metrics.incomplete: some of what this program tells could not be read (%s)", str(error) or "no answer in time")
