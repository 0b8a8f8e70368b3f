"""Two or three sites over the real code of copying, deciding, deleting and holding, in memory; links that are cut, and sites that burn.

What should be is kept beside it, in values of its own: which segments there ever were, where each was seen, and which holds stand.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

from deploy.keeping import RetentionKeeping
from replication.bandwidth import Bandwidth, Schedule
from replication.copier import Copier, CopierParts
from replication.copies_here import CopiesAtPeers
from replication.copy_values import CopySettings, CopyShard
from replication.holds import HoldsAtPeers, pull_holds
from replication.own_digests import IndexDigests
from replication.source import Source
from retention.holds import HoldOrder, lift, place
from retention.merged_holds import merge_holds, take_back_merged
from retention.signed import Signed
from retention.sweep import Sweep
from retention.sweep_values import SweepSettings, SweepShard
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import KeepsightError, TryAgain
from segments.hold import HOLDS, Hold, hold_of
from segments.keys import SegmentKey
from segments.model import Row
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from segments.tier import Term, Tier
from tests.builders import NOON_US, a_camera, a_row
from tests.copy_sites import FootageSite, SwitchedPeer, run_of
from tests.fakes import SteppedClock
from tests.retention_builders import REVIEW, a_policy, write_policy

SEGMENT_BYTES = 200
HOURS_AT_MOST = 40
WRONG_BYTES = "bytes that were never recorded"
CAME_BACK = "came back from the dead"
HELD_GONE = "deleted though it was held"
SHORT_GONE = "deleted before its copy"
EARLY = "deleted before it was due"
ROW_ALONE = "a row without its object"
DIFFERS = "not here in the end"


class Rule(NamedTuple):
    """How long a site keeps footage, in days, and at how many sites it must be."""

    keep: int
    ceiling: int
    copies: int


ORDINARY, VAULT = Rule(3, 5, 2), Rule(8, 10, 1)


@dataclass(frozen=True)
class Held:
    """A hold as whoever placed it was answered."""

    id: str
    camera: str
    start_us: int
    end_us: int

    def covers(self, row: Row) -> bool:
        """Some of its time."""
        return self.camera == row.camera and self.start_us < row.end_us and row.start_us < self.end_us


class _Voice:
    def __init__(self, site: ModelSite) -> None:
        self._site = site

    async def merge_holds(self, holds: list[Hold]) -> None:
        await self._site.merge(holds)


class ModelSite:
    """A site with its stores, its sweep, and a copier for each other site."""

    def __init__(self, name: str, rule: Rule, clock: SteppedClock) -> None:
        self.name, self.rule, self.clock = name, rule, clock
        self.index, self.objects = MemoryIndex(), MemoryObjects()
        self.peers: dict[str, SwitchedPeer] = {}
        self.copiers: dict[str, Copier] = {}
        self.keeping = RetentionKeeping(self.index, clock)

    async def begin(self, cameras: Iterable[str]) -> None:
        """Its rules and its archive."""
        tier = Tier("all", Term(days=self.rule.keep), Term(days=self.rule.keep), Term(days=self.rule.ceiling), "a model", "Chen", REVIEW)
        tiers = {"all": replace(tier, copies=self.rule.copies)}
        await write_policy(self.index, a_policy(tiers=tiers, default="all", classes={}, legal_floor=Term(days=1)))
        for camera in cameras:
            await self.index.add_camera(a_camera(camera, tier=""))

    def source(self) -> SwitchedPeer:
        """As another one reaches it."""
        voice: Any = _Voice(self)
        return SwitchedPeer(Source(self.index, {"pool": self.objects}, voice))

    def knows(self, others: Mapping[str, ModelSite], folder: Path) -> None:
        """Whom it asks."""
        self.peers = {name: other.source() for name, other in others.items()}
        peers: Any = self.peers
        self.sites = HoldsAtPeers(peers)
        self.sweep = Sweep(
            SweepShard(place=self.name, boot="boot"),
            index=self.index,
            pools={"pool": self.objects},
            clock=self.clock,
            settings=SweepSettings(grace_s=300, objects_per_s=1e9),
            copies=CopiesAtPeers(peers, self.merge, self.clock),
        )
        for name in others:
            self.copiers[name] = self._copier(name, folder / self.name / name)

    def _copier(self, name: str, folder: Path) -> Copier:
        return Copier(
            CopierParts(
                shard=CopyShard(name),
                peer=self.peers[name],  # type: ignore[arg-type]
                here=IndexDigests(self.index),
                keeping=self.keeping,
                index=self.index,
                pools={"pool": self.objects},
                pool_for=lambda _: "pool",
                bandwidth=Bandwidth(Schedule(), self.clock, zone=UTC),
                folder=folder,
                clock=self.clock,
                settings=CopySettings(),
                held_days=self.keeping.held_days,
            )
        )

    async def merge(self, holds: list[Hold]) -> None:
        """Holds of another site."""
        changed = await merge_holds(holds, self.index)
        with suppress(KeepsightError):
            await take_back_merged(changed, self.index, self.clock.now_us())

    async def pull(self) -> None:
        """Holds of all others that answer."""
        for name, peer in self.peers.items():
            with suppress(TryAgain):
                await pull_holds(name, peer, self.merge)  # type: ignore[arg-type]

    async def copy(self) -> None:
        """Rounds of its copiers."""
        for copier in self.copiers.values():
            for _ in range(4):
                if await copier.round():
                    break

    async def delete(self, rounds: int) -> None:
        """Rounds of its sweep, a minute apart."""
        for _ in range(rounds):
            await self.sweep.round()
            self.clock.stand_still(61)

    async def burn(self) -> None:
        """All footage is gone, and what says where it was; what a backup has is there again, batches under way left out.

        (Rows of such a batch that a hold gives back have lost their objects: the scrub heals them, which is not modelled.)
        """
        await self.objects.delete([each.key async for each in self.objects.versions("")])
        self.index._rows.clear()
        self.index._runs.clear()
        self.index._batches.clear()
        self.index._batch_rows.clear()

    async def rows(self) -> dict[str, Row]:
        """All rows, by key."""
        return {row.key: row for day in self.index._rows.values() for row in day.values()}

    async def contents(self) -> dict[str, bytes]:
        """All segments' bytes, by key."""
        return {each.key: await self.objects.get(each.key) async for each in self.objects.versions("") if not each.key.endswith("_end")}

    async def knows_hold(self, hold: str) -> bool:
        """Whether its index has it."""
        return any(hold_of(record).id == hold for record in await self.index.records(HOLDS))


@dataclass
class World:
    """The sites, and what should be. `found`: what was broken, with the move it was seen after."""

    sites: dict[str, ModelSite]
    clock: SteppedClock
    chance: random.Random
    cut: set[frozenset[str]] = field(default_factory=set)
    made: dict[str, Row] = field(default_factory=dict)
    """All segments that were ever recorded, by key."""
    ever: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Where each was seen."""
    gone: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By site, what it has deleted itself."""
    there: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By site, what was there after the last move."""
    holds: dict[str, Held] = field(default_factory=dict)
    """Those that stand."""
    found: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    """What made it hard."""

    # --- moves

    async def move(self) -> None:
        """Something happens, and what is there is looked at."""
        moves = {"record": 10, "late": 2, "copy": 8, "sweep": 6, "link": 4, "hold": 2, "lift": 1, "pass": 8, "burn": 0.4, "noise": 2}
        (name,) = self.chance.choices(list(moves), list(moves.values()))
        site = self.chance.choice(list(self.sites.values()))
        self.done.append(f"{name} {site.name}")
        await getattr(self, f"_{name}")(site)
        await self.look()

    async def _record(self, site: ModelSite, back_us: int = 0) -> None:
        camera = self.chance.choice(["north", "south"])
        number = len(self.made)
        start_us = self.clock.now_us() - back_us - 70 * US_PER_S
        row = a_row(camera=camera, run=f"{site.name}-a-{number + 1}-1", start_us=start_us, counter=0, version="", pool="pool")
        body = _body(row)
        row = replace(row, size=len(body), sha256=hashlib.sha256(body).hexdigest())
        self.made[row.key] = row
        await _Recording(site.index, site.objects).keep([row])

    async def _late(self, site: ModelSite) -> None:
        await self._record(site, back_us=int(self.chance.uniform(0.1, 2.5) * US_PER_DAY))

    async def _copy(self, site: ModelSite) -> None:
        await site.pull()
        await site.copy()

    async def _sweep(self, site: ModelSite) -> None:
        await site.delete(self.chance.choice([1, 3, 12]))

    async def _link(self, site: ModelSite) -> None:
        other = self.chance.choice([name for name in self.sites if name != site.name])
        self._set_link(site.name, other, cut=frozenset((site.name, other)) not in self.cut)

    async def _hold(self, site: ModelSite) -> None:
        if not self.made:
            return
        row = self.chance.choice(list(self.made.values()))
        span = row.start_us - self.chance.choice([0, US_PER_DAY]), row.end_us + self.chance.choice([0, US_PER_DAY])
        order = HoldOrder("2026-17", "collision", "Li", *span, (row.camera,))
        placed = await place(order, index=site.index, now_us=self.clock.now_us(), sites=site.sites)
        self.holds[placed.hold.id] = Held(placed.hold.id, row.camera, *span)
        self.met |= {"a hold that not all were told of"} if any(placed.sites.values()) else set()

    async def _lift(self, site: ModelSite) -> None:
        known = [hold for hold in self.holds if await site.knows_hold(hold)]
        if known:
            hold = self.chance.choice(known)
            del self.holds[hold]
            await lift(hold, Signed("Li", "the case is closed", self.clock.now_us()), index=site.index, sites=site.sites)

    async def _pass(self, _: ModelSite) -> None:
        self.clock.stand_still(self.chance.choice([60, 700, 5 * 3600, 13 * 3600, 25 * 3600]))

    async def _burn(self, site: ModelSite) -> None:
        """Only what is at another site, too, was promised; the rest is what RPO says."""
        await site.burn()
        self.there[site.name] = set()
        self.met.add("a site that burnt")

    async def _noise(self, site: ModelSite) -> None:
        """For the next bytes that come, or from now on no more."""
        peer = self.chance.choice(list(site.peers.values()))
        spoilt = self.chance.random() < 0.7
        peer.spoils = (lambda _, piece: bytes([piece[0] ^ 1]) + piece[1:]) if spoilt else (lambda _, piece: piece)

    def _set_link(self, one: str, other: str, *, cut: bool) -> None:
        pair = frozenset((one, other))
        self.cut = self.cut | {pair} if cut else self.cut - {pair}
        self.sites[one].peers[other].away = self.sites[other].peers[one].away = cut

    # --- the end

    async def heal(self) -> None:
        """All links work, and all sites go on for more than a day."""
        for site in self.sites.values():
            for name, peer in site.peers.items():
                self._set_link(site.name, name, cut=False)
                peer.spoils = lambda _, piece: piece
        for _ in range(HOURS_AT_MOST):
            for site in self.sites.values():
                await site.pull()
                await site.copy()
                await site.delete(2)
            self.clock.stand_still(3600)
            await self.look()
        for site in self.sites.values():
            await site.copy()
        for site in self.sites.values():
            for key in await self._missing(site):
                self._broken(DIFFERS, f"{key} at {site.name}")

    async def _missing(self, site: ModelSite) -> list[str]:
        """What another site has, and what the rules here keep, and what was not deleted here: it should be here."""
        ours = await site.rows()
        theirs = {key: row for other in self.sites.values() for key, row in (await other.rows()).items()}
        wanted = [key for key, row in theirs.items() if self._age(row) < site.rule.keep or self._held(row)]
        return [key for key in wanted if key not in ours and key not in self.gone[site.name]]

    # --- looking

    async def look(self) -> None:
        """Compares what is there with what was there, and with what should be."""
        now = {name: set(await site.contents()) for name, site in self.sites.items()}
        for name, site in self.sites.items():
            contents = await site.contents()
            for key in now[name] - self.there[name]:
                if contents[key] != _body(self.made[key]):
                    self._broken(WRONG_BYTES, f"{key} at {name}")
                if key in self.gone[name]:
                    self._broken(CAME_BACK, f"{key} at {name}")
                self.ever[key].add(name)
            for key in self.there[name] - now[name]:
                self.gone[name].add(key)
                await self._judge(site, self.made[key])
            for key in (await site.rows()).keys() - contents.keys():
                self._broken(ROW_ALONE, f"{key} at {name}")
        self.there = defaultdict(set, now)

    async def _judge(self, site: ModelSite, row: Row) -> None:
        """Whether it may have deleted this."""
        age = self._age(row)
        self.met.add("something was deleted")
        if age < site.rule.keep:
            self._broken(EARLY, f"{row.key} at {site.name} after {age:.2f} days")
        if site.rule.copies > 1 and age < site.rule.ceiling and not self.ever[row.key] - {site.name}:
            self._broken(SHORT_GONE, f"{row.key} at {site.name} after {age:.2f} days")
        for hold in self._held(row):
            known = await site.knows_hold(hold.id)
            alone = any(site.name in pair for pair in self.cut)
            if known or not alone or age < site.rule.ceiling:
                self._broken(HELD_GONE, f"{row.key} at {site.name} after {age:.2f} days")
            self.met.add("a hold that was nowhere to be heard of")

    def _held(self, row: Row) -> list[Held]:
        return [hold for hold in self.holds.values() if hold.covers(row)]

    def _age(self, row: Row) -> float:
        return (self.clock.now_us() - row.end_us) / US_PER_DAY

    def _broken(self, what: str, where: str) -> None:
        self.found.setdefault(what, f"{where}, after {', '.join(self.done)}")


class _Recording(FootageSite):
    """As `FootageSite`, with bytes of this model."""

    async def keep(self, rows: Any, *, ended: bool = True, told: bool = False) -> None:
        for row in rows:
            await self.objects.put(row.key, _body(row), sha256=row.sha256, attributes={})
            await self.index.put_run(run_of(row))
            await self.index.publish(row)
        await self.end(rows)


def _body(row: Row) -> bytes:
    return random.Random(str(SegmentKey(row.camera, row.run, row.start_us, row.counter))).randbytes(SEGMENT_BYTES)


async def world(folder: Path, seed: int, *, sites: int = 2) -> World:
    """Sites that have nothing yet: north and south, and with three a vault with longer terms that records nothing by itself."""
    clock = SteppedClock(NOON_US)
    rules = dict(list({"north": ORDINARY, "south": ORDINARY, "vault": VAULT}.items())[:sites])
    found = {name: ModelSite(name, rule, clock) for name, rule in rules.items()}
    for site in found.values():
        await site.begin(["north", "south"])
    for site in found.values():
        site.knows({name: other for name, other in found.items() if name != site.name}, folder)
    return World(found, clock, random.Random(seed))


async def story(folder: Path, seed: int, *, sites: int = 2, moves: int = 120) -> World:
    """A story of so many moves, and its end."""
    told = await world(folder, seed, sites=sites)
    for _ in range(moves):
        await told.move()
    await told.heal()
    return told
