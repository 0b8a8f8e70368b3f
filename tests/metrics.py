"""All metrics of both programs, as their instruments tell them, and the names a text of Prometheus has."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import generate_latest

from deploy.health import Health
from deploy.metrics.backup import BackupMetrics
from deploy.metrics.consumers import ConsumerMetrics
from deploy.metrics.copies import CopyMetrics
from deploy.metrics.machine import MachineMetrics
from deploy.metrics.node import NodeMetrics
from deploy.metrics.platforms import PlatformMetrics
from deploy.metrics.probes import PoolProbes
from deploy.metrics.program import ProgramMetrics
from deploy.metrics.register import CountedRegister
from deploy.metrics.requests import RequestMetrics
from deploy.metrics.retention import RetentionMetrics
from deploy.metrics.scrub import ScrubMetrics
from deploy.metrics.sites import SiteMetrics
from deploy.metrics.stores import StoreMetrics
from deploy.metrics.usage import UsageMetrics
from deploy.monitored import monitored
from deploy.settings import Settings
from playback.consumers.accounts import Consumers
from playback.consumers.allowance import UNLIMITED
from playback.consumers.metering import Metering
from segments.audit import NoRegister
from segments.clock import SystemClock
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects

_TYPED = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)


async def _nothing(*_: object) -> None:
    return None


def node_program() -> ProgramMetrics:
    """The instruments of an uploader."""
    clock = SystemClock()
    program = ProgramMetrics("uploader")
    StoreMetrics(program.registry, clock)
    NodeMetrics(program.registry)
    RetentionMetrics(program.registry)
    ScrubMetrics(program.registry)
    SiteMetrics(program.registry)
    CopyMetrics(program.registry, clock)
    BackupMetrics(program.registry, Settings())
    UsageMetrics(program.registry)
    PlatformMetrics(program.registry, clock)
    PoolProbes(program.registry, Settings(), {"main": MemoryObjects()}, clock)
    _all_programs(program)
    return program


def api_program() -> ProgramMetrics:
    """The instruments of an API."""
    clock = SystemClock()
    program = ProgramMetrics("api")
    StoreMetrics(program.registry, clock)
    RequestMetrics(program.registry, clock)
    index = MemoryIndex()
    ConsumerMetrics(program.registry, Consumers(index, clock, UNLIMITED, Metering(index, clock)))
    CountedRegister(program.registry, NoRegister())
    _all_programs(program)
    return program


def _all_programs(program: ProgramMetrics) -> None:
    MachineMetrics(program.registry, clock_synced=lambda: True, certificates={}, pool_folders={"main": Path("/")})
    monitored(_nothing, health=Health([], SystemClock()), metrics=program, key="k")


def sample_names(text: str) -> set[str]:
    """The names under which a text's metrics are asked for, whether or not there are figures yet."""
    found: set[str] = set()
    for name, kind in _TYPED.findall(text):
        found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return found


def exported() -> set[str]:
    """All names of both programs."""
    return {name for program in (node_program(), api_program()) for name in sample_names(generate_latest(program.registry).decode())}
