"""Two whole sites on one machine, peers of each other over TLS, with a link between them that can be cut in either direction.

async with TwoSites(tmp_path, {"north": {"gate": url}, "south": {"quay": url}}, toxiproxy) as sites:
    await sites.copied("gate", "north", "south")      # all that north has of it by now is at south
    sites.cut()                                       # neither reaches the other; cut("north"): north reaches south no more
    sites.mend()
    await sites.lose("north")                         # all its processes die at once
    await sites.north.start()

Each is a `Service` with an index, a pool and a spool of its own; `settings` lays sections over those of a site.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from deploy.settings import load_settings
from deploy.wiring import open_index
from segments.clock import SystemClock
from segments.index_read import pages_of, some_partitions
from segments.model import PartitionKind, Row
from segments.ports import Index
from segments.secrets import make_secret_file
from tests.certificates import Authority
from tests.servers.processes import free_port
from tests.servers.toxiproxy import Proxy, Toxiproxy
from tests.service import Service

NAMES = ("north", "south")
PROMISED_S = 60.0
"""Footage is at the other site so long after its commit."""
Sections = Mapping[str, Mapping[str, Any]]


class TwoSites:
    """The sites, running; a context manager. `cameras`: those of each site, as `Service` takes them."""

    def __init__(
        self, folder: Path, cameras: Mapping[str, Mapping[str, Any]], toxiproxy: Toxiproxy, settings: Mapping[str, Sections] | None = None
    ) -> None:
        self._folder = folder
        self._cameras = cameras
        self._settings = settings or {}
        self._toxiproxy = toxiproxy
        self._stack = AsyncExitStack()
        self._links: dict[str, Proxy] = {}
        """By the site that asks."""
        self._sites: dict[str, Service] = {}

    @property
    def north(self) -> Service:
        """One of them."""
        return self._sites["north"]

    @property
    def south(self) -> Service:
        """The other."""
        return self._sites["south"]

    def site(self, name: str) -> Service:
        """By its name."""
        return self._sites[name]

    async def __aenter__(self) -> Self:
        authority, key = Authority(self._folder), self._folder / "between.key"
        make_secret_file(key, secrets.token_urlsafe(32))
        camera_key, ports = secrets.token_hex(32), {name: free_port() for name in NAMES}
        self._links = {name: self._toxiproxy.before(ports[_other(name)]) for name in NAMES}
        for name in NAMES:
            make_secret_file(self._folder / name / "data" / "keys" / "cameras.key", camera_key)
            own = self._sections(name, authority, key, ports[name])
            self._sites[name] = Service(self._folder / name, self._cameras.get(name, {}), **own)
        try:
            begun = await asyncio.gather(*map(self._begun, self._sites.values()), return_exceptions=True)
            for error in filter(None, begun):
                raise error
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(site.stop() for site in self._sites.values()))
        await self._stack.aclose()

    async def _begun(self, site: Service) -> None:
        await self._stack.enter_async_context(site)
        await asyncio.to_thread(start_retention, site)

    # --- faults

    def cut(self, *asking: str) -> None:
        """What these sites (none named: both) ask the other does not arrive, and connections of before are closed."""
        for name in asking or NAMES:
            self._links[name].down()

    def mend(self, *asking: str) -> None:
        """Ends a cut."""
        for name in asking or NAMES:
            self._links[name].up()

    def link(self, asking: str) -> Proxy:
        """What this site asks through; for slow links."""
        return self._links[asking]

    async def lose(self, name: str) -> None:
        """All processes of a site die at once; its disks stay."""
        site = self._sites[name]
        pids = list(site.pids().values())
        site.kill("serve", *site.pids())
        await site.gone(pids)

    # --- what is where

    async def rows(self, name: str, camera: str) -> list[Row]:
        """All rows a site has of a camera, past its service."""
        async with open_index(load_settings(self._sites[name].config, {})) as index:
            return await rows_of(index, camera)

    async def copied(self, camera: str, source: str, target: str, limit_s: float = PROMISED_S) -> float:
        """Waits until all that `source` has of a camera now is at `target`, by position and hash; returns the seconds it took.

        Raises TimeoutError with what is missing, AssertionError if the source has nothing.
        """
        wanted = {(row.position, row.sha256) for row in await self.rows(source, camera)}
        assert wanted, f"{source} has no footage of {camera}"
        began_s = time.monotonic()
        missing = wanted
        while missing := wanted - {(row.position, row.sha256) for row in await self.rows(target, camera)}:
            if time.monotonic() - began_s > limit_s:
                log = "\n".join(self._sites[target].log.splitlines()[-20:])
                raise TimeoutError(f"{len(missing)} of {len(wanted)} segments of {camera} are not at {target} after {limit_s:g} s; {log}")
            await asyncio.sleep(0.25)
        return time.monotonic() - began_s

    def stored(self, name: str, row: Row) -> bytes:
        """The bytes of a segment as they lie in a site's pool in a folder."""
        return (self._sites[name].data / "pools" / row.pool / row.key).read_bytes()

    # --- parts

    def _sections(self, name: str, authority: Authority, key: Path, port: int) -> dict[str, Any]:
        certificate, certificate_key = authority.certify(name, "127.0.0.1")
        other = {"url": f"https://127.0.0.1:{self._links[name].port}", "key_file": str(key), "ca_file": str(authority.ca_file)}
        own: dict[str, Any] = {
            "site": {"name": name, "folder": "data"},
            "replication": {"port": port, "certificate_file": str(certificate), "certificate_key_file": str(certificate_key)},
            "retention": {"notice_days": 0},
            "sites": {_other(name): other},
        }
        for section, values in self._settings.get(name, {}).items():
            own[section] = {**own.get(section, {}), **values}
        return own


def _other(name: str) -> str:
    return NAMES[1 - NAMES.index(name)]


def start_retention(site: Service) -> None:
    """A policy that binds at once: what is copied is what it keeps."""
    done = site.keepsight("retention", "start", "--approver", "Chen", "--review", "2099-01-01", "--zone", "UTC", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr


async def rows_of(index: Index, camera: str) -> list[Row]:
    """All rows of a camera, in order."""
    found: list[Row] = []
    clock, after = SystemClock(), ""
    while True:
        page = await some_partitions(index, PartitionKind.ROWS, after, clock)
        for partition in page.items:
            if partition.camera == camera:
                async for items in pages_of(index, PartitionKind.ROWS, partition, clock):
                    found += [item for item in items if isinstance(item, Row)]
        if page.next is None:
            return sorted(found, key=lambda row: row.position)
        after = page.next
