"""What `keepsight doctor` looks at: the machine, the configuration, and what they stand on; each with what to do about it.

Nothing is changed but for small files that are removed again, and nothing is said that a secret is part of.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deploy.clock_sync import ClockSync
from deploy.safety import Problem, problems_of, problems_of_clock, problems_of_files, problems_of_index
from deploy.settings import Settings
from recorder.spool_folder import free_bytes, spool_usage
from segments.errors import KeepsightError

LIMIT_S = 90.0
"""For one check; the probe of a bucket may take a minute."""
SLOW_SYNC_S = 0.5
"""Footage is acknowledged after a sync, about once a second: a disk that takes longer than this for one is too slow."""
_SYNCS = 7
_SYNC_BYTES = 64 << 10
_FORGETFUL = {"tmpfs", "ramfs", "overlay"}
"""File systems that do not survive the machine or the container."""
_FAR = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph"}
"""File systems over a network: a recorder would stop when it does."""


class Verdict(StrEnum):
    """How something was found."""

    GOOD = "good"
    NOTED = "noted"
    """Worth knowing; nothing is wrong with it here."""
    ILL = "ill"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at: what, how it is, what was seen, and what to do (empty if nothing)."""

    what: str
    verdict: Verdict
    seen: str
    do: str = ""


_MEND = {"index": "see index.* in the configuration, and the servers", "certificates": "see the files named in the configuration"}

Check = Callable[[Settings], Awaitable[Sequence[Found]]]


async def examined(settings: Settings, checks: Sequence[tuple[str, Check]], say: Callable[[str], None]) -> AsyncIterator[Found]:
    """Everything that is found, check by check; a check that fails or takes too long is itself a finding."""
    for name, check in checks:
        say(name)
        try:
            async with asyncio.timeout(LIMIT_S):
                found = await check(settings)
        except KeepsightError as error:
            found = [Found(name, Verdict.ILL, str(error), _MEND.get(name, ""))]
        except TimeoutError:
            found = [Found(name, Verdict.ILL, f"no answer within {LIMIT_S:g} s", "see whether the machine or the network is overloaded")]
        for one in found:
            yield one


# --- the machine ---


async def versions(_: Settings) -> Sequence[Found]:
    """What runs here; for whoever is asked for help."""
    from playback.snapshot import libav_versions

    libraries = ", ".join(f"{name} {number}" for name, number in libav_versions().items())
    packages = ", ".join(f"{name} {_installed(name)}" for name in ("av", "obstore", "cassandra-driver", "ray"))
    seen = f"keepsight {_installed('keepsight')}, Python {platform.python_version()}, {libraries}; {packages}"
    return [Found("versions", Verdict.NOTED, seen)]


async def clock(settings: Settings) -> Sequence[Found]:
    """Whether the kernel knows its clock to be right."""
    if ClockSync()():
        return [Found("clock", Verdict.GOOD, "synchronised")]
    if problems := problems_of_clock(settings, lambda: False):
        return [_ill("clock", problem) for problem in problems]
    return [Found("clock", Verdict.NOTED, "not synchronised: footage is recorded and flagged so", "run an NTP service (chrony)")]


async def spool(settings: Settings) -> Sequence[Found]:
    """The disk footage becomes durable on: its space, its file system, and how quickly it syncs."""
    folder = settings.spool_folder
    if not folder.is_dir():
        return [Found("spool", Verdict.NOTED, f"{folder} is not there yet: the first start makes it")]
    try:
        seconds = await asyncio.to_thread(_sync_s, folder)
        used_bytes, free = await asyncio.to_thread(spool_usage, folder), free_bytes(folder)
    except OSError as error:
        return [Found("spool", Verdict.ILL, f"{folder} cannot be written to ({error.strerror})", "give it to the user Keepsight runs as")]
    return [_space(settings, used_bytes, free), _file_system(folder), _speed(seconds)]


def _space(settings: Settings, used_bytes: int, free: int) -> Found:
    limit = settings.spool.max_bytes
    seen = f"{_gib(used_bytes)} used of {_gib(limit)}, {_gib(free)} free on its disk"
    if free < settings.spool.min_free_bytes:
        return Found("spool space", Verdict.ILL, seen, "free space on the disk: new footage is refused below spool.min_free_bytes")
    if used_bytes > limit * 0.8:
        return Found("spool space", Verdict.ILL, seen, "see why footage is not uploaded: `keepsight status`")
    if free - settings.spool.min_free_bytes < limit - used_bytes:
        return Found(
            "spool space", Verdict.NOTED, seen, "the disk is full before spool.max_bytes is reached; lower it, or use a larger disk"
        )
    return Found("spool space", Verdict.GOOD, seen)


def _file_system(folder: Path) -> Found:
    kind = file_system(folder)
    if kind in _FORGETFUL:
        return Found("spool file system", Verdict.ILL, f"{kind} does not survive this machine or container", "put spool.folder on a disk")
    if kind in _FAR:
        return Found("spool file system", Verdict.ILL, f"{kind} is over a network", "put spool.folder on a disk of this machine")
    return Found("spool file system", Verdict.GOOD, kind)


def _speed(seconds: Sequence[float]) -> Found:
    middle_s, longest_s = statistics.median(seconds), max(seconds)
    seen = f"a sync takes {middle_s * 1000:.1f} ms, the longest of {len(seconds)} {longest_s * 1000:.1f} ms"
    if middle_s > SLOW_SYNC_S:
        return Found("spool sync", Verdict.ILL, seen, "use a faster disk, or one that nothing else writes to")
    return Found("spool sync", Verdict.GOOD, seen)


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system a folder lies on, as proc_pid_mountinfo(5) tells it; `unknown` if it does not."""
    place, best, kind = str(folder.resolve()), "", "unknown"
    for line in mounts.read_text().splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].encode().decode("unicode_escape")
        if (place == point or place.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind


def _sync_s(folder: Path) -> list[float]:
    """How long writing a little durably takes, several times; in a file that is nobody's footage."""
    path = folder / ".doctor"
    taken: list[float] = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(_SYNCS):
            began_s = time.monotonic()
            os.write(descriptor, bytes(_SYNC_BYTES))
            os.fsync(descriptor)
            taken.append(time.monotonic() - began_s)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
    return taken


# --- what would refuse a start ---


async def configuration(settings: Settings) -> Sequence[Found]:
    """Whether the settings are safe by themselves."""
    pools, index = len(settings.pools), settings.index.kind
    seen = f"site {settings.site.name}, node {settings.node_name}, fleet {settings.fleet.kind}, index {index}, {pools} pool(s)"
    return _good_or("configuration", seen, problems_of(settings))


async def secrets(settings: Settings) -> Sequence[Found]:
    """Whether secrets and spool are for their owner only, and nobody would guess them."""
    return _good_or("secrets", "for their owner only, and none that everybody knows", problems_of_files(settings))


async def index_login(settings: Settings) -> Sequence[Found]:
    """Whether the servers of the index ask who comes."""
    seen = (
        "a file of this machine" if settings.index.kind == "sqlite" else "strangers and the default superuser are refused, where it answers"
    )
    return _good_or("index login", seen, await problems_of_index(settings))


async def ray_token(settings: Settings) -> Sequence[Found]:
    """Whether the Ray cluster asks who comes."""
    if settings.fleet.kind != "ray":
        return []
    from deploy.fleet.ray_safety import cluster_problems, ray_problems

    problems = [*ray_problems(), *await asyncio.to_thread(cluster_problems, settings.fleet.address)]
    return _good_or("Ray token", "whoever has none is refused", problems)


def _good_or(what: str, seen: str, problems: Sequence[Problem]) -> list[Found]:
    return [_ill(what, problem) for problem in problems] or [Found(what, Verdict.GOOD, seen)]


def _ill(what: str, problem: Problem) -> Found:
    return Found(what, Verdict.ILL, problem.sentence, problem.mend)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _gib(count_bytes: int) -> str:
    return f"{count_bytes / 2**30:.1f} GiB"


MACHINE: Sequence[tuple[str, Check]] = (
    ("versions", versions),
    ("configuration", configuration),
    ("secrets", secrets),
    ("clock", clock),
    ("spool", spool),
    ("index login", index_login),
    ("Ray token", ray_token),
)
"""The checks that need no store to answer."""
