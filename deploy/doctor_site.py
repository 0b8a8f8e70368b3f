"""What `keepsight doctor` looks at beyond the machine: index, pools, places and their duties, and the service that runs."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2

from deploy.doctor import Check, Found, Verdict
from deploy.doctor_backup import backup
from deploy.doctor_exports import exports
from deploy.doctor_peers import sites
from deploy.doctor_retention import retention
from deploy.doctor_scrub import scrub
from deploy.doctor_usage import usage
from deploy.metrics.machine import expiry_s
from deploy.pool_checks import needs_of, probe_pool
from deploy.settings import FilePool, Pool, Settings
from deploy.tls import trust_in_own_api
from deploy.watch import certificates
from deploy.wiring import api_token, file_pool_folder, open_index, open_pool
from segments.duty import LANE_OF, RECORD, Duty, Place
from segments.errors import KeepsightError
from segments.ports import Index

LOOK_S = 2.5
"""Places report each second: one that lives is heard of in this time."""
MANY_SHARDS = 1000
"""Of so many duties the leases are read at most."""
_DAY_S = 86_400
_EXPIRY_DAYS = 14


async def index(settings: Settings) -> Sequence[Found]:
    """Whether the index opens with our schema, and how quickly it answers."""
    if settings.index.kind == "sqlite" and not settings.index_path.exists():
        return [Found("index", Verdict.NOTED, f"{settings.index_path} is not there yet: the first start makes it")]
    async with open_index(settings) as opened:
        began_s = time.monotonic()
        await opened.places()
        seen = f"{settings.index.kind}, our schema, answers in {(time.monotonic() - began_s) * 1000:.0f} ms"
        return [Found("index", Verdict.GOOD, seen), *await _places(opened, settings)]


async def _places(opened: Index, settings: Settings) -> list[Found]:
    before = {place.name: place.beat for place in await opened.places()}
    if not before:
        return [Found("places", Verdict.NOTED, "none has reported yet: nothing has recorded for this site")]
    await asyncio.sleep(LOOK_S)
    places = await opened.places()
    alive = {place.name for place in places if before.get(place.name) != place.beat}
    found = [_place(place, alive=place.name in alive) for place in places]
    return [*found, *_same_address(places), *await _duties(opened, settings, alive)]


def _place(place: Place, *, alive: bool) -> Found:
    seen = f"{place.recorders} recorders, {place.load} of {place.room} cameras, {place.url}" + (", draining" if place.draining else "")
    if not alive:
        return Found(f"place {place.name}", Verdict.ILL, f"does not report; last {seen}", "start Keepsight on that machine, or see its log")
    if LANE_OF.keys().isdisjoint(place.kinds):
        return Found(f"place {place.name}", Verdict.GOOD, f"does {', '.join(place.kinds) or 'nothing'}")
    if not place.recorders and not place.draining:
        return Found(f"place {place.name}", Verdict.ILL, seen, "its recorders do not run: see its log")
    return Found(f"place {place.name}", Verdict.NOTED if place.draining else Verdict.GOOD, seen)


def _same_address(places: Sequence[Place]) -> list[Found]:
    """Nodes that say the others reach them at one address: at most one of them can be right."""
    by_url: dict[str, list[str]] = {}
    for place in (each for each in places if each.url):
        by_url.setdefault(place.url, []).append(place.name)
    do = "set internal.host and internal.advertise on each node to an address of its own: else its newest footage cannot be seen"
    return [Found("addresses", Verdict.ILL, f"{', '.join(names)} all say {url}", do) for url, names in by_url.items() if len(names) > 1]


async def _duties(opened: Index, settings: Settings, alive: set[str]) -> list[Found]:
    duties = [Duty(RECORD["a"], shard, settings.shards) for shard in range(min(settings.shards, MANY_SHARDS))]
    leases = [await opened.lease(duty) for duty in duties]
    without = [str(duty) for duty, lease in zip(duties, leases, strict=True) if lease is None or lease.free or lease.holder not in alive]
    if not without:
        return [Found("duties", Verdict.GOOD, f"all {len(duties)} shards are held by a living place")]
    seen = f"{len(without)} of {len(duties)} shards are held by no living place: {', '.join(without[:3])}"
    verdict = Verdict.ILL if alive else Verdict.NOTED
    return [
        Found(
            "duties",
            verdict,
            seen,
            "their cameras are not recorded; see `keepsight fleet status`, and that fleet.shards is the same everywhere",
        )
    ]


async def pools(settings: Settings) -> Sequence[Found]:
    """Whether each pool's store does what is needed of it."""
    return [await _pool(name, pool, settings) for name, pool in settings.pools.items()]


async def _pool(name: str, pool: Pool, settings: Settings) -> Found:
    if isinstance(pool, FilePool) and not file_pool_folder(name, pool, settings).is_dir():
        return Found(f"pool {name}", Verdict.NOTED, "its folder is not there yet: the first start makes it")
    try:
        with open_pool(name, pool, settings) as store:
            findings = await probe_pool(pool, store, needs_of(pool), quick=True)
    except KeepsightError as error:
        return Found(f"pool {name}", Verdict.ILL, str(error), f"see the store, and pools.{name} in the configuration")
    missing = [f"{finding.ability} ({finding.said})" for finding in findings if not finding.passed]
    if missing:
        return Found(f"pool {name}", Verdict.ILL, f"its store does not do what is needed: {'; '.join(missing)}", "use a store that does")
    return Found(f"pool {name}", Verdict.GOOD, f"{pool.kind}, {pool.state}; does all that is needed of it ({len(findings)} trials)")


async def service(settings: Settings) -> Sequence[Found]:
    """Whether the service that runs here answers, and its alarms; where none runs, whether its ports are free."""
    try:
        said = await _status(settings)
    except httpx2.ConnectError:
        return [Found("service", Verdict.NOTED, "does not run here"), *(_port(*where) for where in _ports(settings))]
    except (httpx2.HTTPError, ValueError) as error:
        seen = f"{settings.api_url} does not answer as Keepsight does ({type(error).__name__})"
        return [Found("service", Verdict.ILL, seen, "see what listens on api.port, and the log of the API")]
    cameras = ", ".join(f"{count} {state}" for state, count in said["cameras"].items()) or "no cameras"
    alarms = [Found("alarm", Verdict.ILL, sentence, "see the runbooks") for sentence in said["alarms"]]
    return [Found("service", Verdict.GOOD, f"answers at {settings.api_url}: {cameras}"), *alarms]


async def _status(settings: Settings) -> Mapping[str, Any]:
    token = api_token(settings)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(timeout=10, trust_env=False, verify=trust_in_own_api(settings) or True) as client:
        answer = await client.get(f"{settings.api_url}/api/v1/status", headers=headers)
        answer.raise_for_status()
        said = answer.json()
    if not isinstance(said, dict) or not {"cameras", "alarms"} <= said.keys():
        raise ValueError("another service")
    return said


def _ports(settings: Settings) -> list[tuple[str, str, int]]:
    return [("api", settings.api.host, settings.api.port), ("internal", settings.internal.host, settings.internal.port)]


def _port(section: str, host: str, port: int) -> Found:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Found(
                f"port of {section}", Verdict.ILL, f"{host}:{port} cannot be listened on ({error.strerror})", f"set {section}.port"
            )
    return Found(f"port of {section}", Verdict.GOOD, f"{host}:{port} is free")


async def expiries(settings: Settings) -> Sequence[Found]:
    """When certificates run out."""
    found = []
    for name, path in certificates(settings).items():
        left_days = (expiry_s(path) - time.time()) / _DAY_S
        seen = f"{path} runs out {datetime.fromtimestamp(expiry_s(path), UTC):%Y-%m-%d}"
        verdict = Verdict.GOOD if left_days > _EXPIRY_DAYS else Verdict.ILL
        found.append(
            Found(f"certificate of {name}", verdict, seen, "" if verdict is Verdict.GOOD else "renew it, and start the programs again")
        )
    return found


SITE: Sequence[tuple[str, Check]] = (
    ("certificates", expiries),
    ("index", index),
    ("pools", pools),
    ("retention", retention),
    ("scrub", scrub),
    ("exports", exports),
    ("backup", backup),
    ("usage", usage),
    ("sites", sites),
    ("service", service),
)
"""The checks that ask others."""
