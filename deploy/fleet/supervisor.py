"""The supervisor of the Ray fleet: sees that every node that offers itself has a guardian for each of its programs. It knows no Ray.

It keeps nothing: each round compares the nodes and guardians there are, so one that was killed goes on where it was. Who records what is
not its business (that is the placer's), and failover does not wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from deploy.fleet.guardian import GuardianReport
from segments.clock import Clock
from segments.errors import KeepsightError

log = logging.getLogger(__name__)

ROUND_S = 1.0
FIRST_PROGRAM = "uploader"
"""Every node has it. Its guardian tells what other programs the node's own configuration has; it is ended last."""


class Post(NamedTuple):
    """Where a guardian stands: the id Ray gave a node (a new one at each start of the node), and a program."""

    node_id: str
    program: str


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The guardians of the fleet, those that did not answer without a report; `nodes` are the ids of the nodes that offer themselves."""

    nodes: Sequence[str]
    guardians: Mapping[Post, GuardianReport | None]


class Cluster(Protocol):
    """What the supervisor needs of Ray. Calls raise TryAgain while Ray's head does not answer."""

    async def nodes(self) -> Sequence[str]:
        """Ids of the living nodes that offer themselves."""

    async def guardians(self) -> Sequence[Post]:
        """The guardians there are; those of a dead node vanish by themselves."""

    async def make(self, post: Post) -> None:
        """Starts a guardian, unless it is there."""

    async def ask(self, post: Post) -> GuardianReport | None:
        """Its report; None if it does not answer soon."""

    async def end(self, post: Post) -> None:
        """Ends its program in order, then the guardian; fine if it is gone."""


def wanted(nodes: Iterable[str], reports: Mapping[Post, GuardianReport | None], usual: Sequence[str] = ()) -> set[Post]:
    """The guardians there should be: on each node the first program's and those of all programs that one names; the `usual` ones on a node
    that has none yet, so that all of a new node start together."""
    posts = set()
    for node in nodes:
        first = Post(node, FIRST_PROGRAM)
        report = reports.get(first)
        told = usual if first not in reports else report.programs if report is not None else ()
        posts |= {first, *(Post(node, program) for program in told)}
    return posts


def surplus(posts: Iterable[Post], nodes: Iterable[str], reports: Mapping[Post, GuardianReport | None]) -> set[Post]:
    """Guardians of programs that their node's configuration does not have any more; one whose node does not say so stays."""
    told = {node for node in nodes if (report := reports.get(Post(node, FIRST_PROGRAM))) is not None and report.programs}
    return {post for post in posts if post.node_id in told} - wanted(nodes, reports)


class Supervisor:
    """Looks each second; see the module. `usual` are the programs that a node most likely has."""

    def __init__(self, cluster: Cluster, *, clock: Clock, usual: Sequence[str] = ()) -> None:
        self._cluster = cluster
        self._usual = usual
        self._clock = clock
        self._report = FleetReport((), {})

    @property
    def report(self) -> FleetReport:
        """What the last round saw."""
        return self._report

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self.round()
            except KeepsightError as error:
                log.warning("supervisor.blind: %s; all programs go on, and none is started on a new node meanwhile", error)
            await self._clock.sleep(ROUND_S)

    async def round(self) -> None:
        """Makes what is missing and ends what is too much; raises TryAgain while Ray's head does not answer."""
        nodes = await self._cluster.nodes()
        posts = [post for post in await self._cluster.guardians() if post.node_id in nodes]
        reports = dict(zip(posts, await asyncio.gather(*map(self._cluster.ask, posts)), strict=True))
        self._report = FleetReport(nodes, reports)
        await asyncio.gather(*map(self._cluster.make, sorted(wanted(nodes, reports, self._usual) - set(posts))))
        await asyncio.gather(*map(self._cluster.end, sorted(surplus(posts, nodes, reports))))

    async def stop(self) -> None:
        """Ends all guardians in order: on every node the uploader last, when the recorders have sealed what they had."""
        posts = await self._cluster.guardians()
        await asyncio.gather(*(self._cluster.end(post) for post in posts if post.program != FIRST_PROGRAM))
        await asyncio.gather(*(self._cluster.end(post) for post in posts if post.program == FIRST_PROGRAM))
        self._report = FleetReport(self._report.nodes, {})
