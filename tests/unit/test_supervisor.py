"""The supervisor against a cluster that is told what to be: what it makes, what it ends, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from deploy.fleet.guardian import GuardianReport
from deploy.fleet.supervisor import Post, Supervisor, surplus, wanted
from segments.errors import TryAgain
from tests.clocks import HandClock

ALL = ("uploader", "recorder-0", "recorder-1")


def report(program: str, programs: Sequence[str] = ALL) -> GuardianReport:
    return GuardianReport("north", program, 1, 2, 0, "", tuple(programs))


@dataclass
class FakeCluster:
    """Nodes by id with the programs of their configurations; guardians that are there; what was done, in order."""

    programs: dict[str, Sequence[str]]
    there: set[Post] = field(default_factory=set)
    silent: set[Post] = field(default_factory=set)
    done: list[tuple[str, Post]] = field(default_factory=list)
    away: bool = False

    async def nodes(self) -> Sequence[str]:
        if self.away:
            raise TryAgain("Ray's head does not answer")
        return list(self.programs)

    async def guardians(self) -> Sequence[Post]:
        return sorted(post for post in self.there if post.node_id in self.programs)

    async def make(self, post: Post) -> None:
        self.done.append(("make", post))
        self.there.add(post)

    async def ask(self, post: Post) -> GuardianReport | None:
        return None if post in self.silent else report(post.program, self.programs[post.node_id])

    async def end(self, post: Post) -> None:
        self.done.append(("end", post))
        self.there.discard(post)


async def rounds(cluster: FakeCluster, count: int = 3, usual: Sequence[str] = ()) -> Supervisor:
    supervisor = Supervisor(cluster, clock=HandClock(), usual=usual)
    for _ in range(count):
        await supervisor.round()
    return supervisor


async def test_each_node_gets_its_own_programs() -> None:
    """First the uploader's guardian; what else there is, the node's configuration says; then nothing more is done."""
    cluster = FakeCluster({"n1": ALL, "n2": ("uploader", "recorder-0")})
    supervisor = await rounds(cluster, 5)

    assert cluster.there == {Post("n1", program) for program in ALL} | {Post("n2", "uploader"), Post("n2", "recorder-0")}
    assert len(cluster.done) == 5
    assert supervisor.report.nodes == ["n1", "n2"]
    assert supervisor.report.guardians[Post("n2", "recorder-0")] == report("recorder-0", ("uploader", "recorder-0"))


async def test_what_nodes_usually_have_is_made_at_once() -> None:
    """A new node's guardians are all there after one round; one that has less has only its own after the next, whatever is usual."""
    cluster = FakeCluster({"n1": ALL, "n2": ("uploader",)})
    supervisor = await rounds(cluster, 1, usual=ALL)
    assert cluster.there >= {Post("n1", program) for program in ALL}
    for _ in range(3):
        await supervisor.round()

    assert cluster.there == {*(Post("n1", program) for program in ALL), Post("n2", "uploader")}
    assert len(cluster.done) == 8


async def test_a_new_node_is_taken_in_and_a_lost_one_is_forgotten() -> None:
    """The guardians of a lost node are not made elsewhere: they belong to their node."""
    cluster = FakeCluster({"n1": ALL})
    supervisor = await rounds(cluster)
    del cluster.programs["n1"]
    cluster.programs["n3"] = ("uploader",)
    await supervisor.round()
    await supervisor.round()

    assert cluster.done[3:] == [("make", Post("n3", "uploader"))]
    assert set(supervisor.report.guardians) == {Post("n3", "uploader")}


async def test_a_killed_supervisor_goes_on_where_it_was() -> None:
    """Another one on the same cluster makes nothing twice."""
    cluster = FakeCluster({"n1": ALL})
    await rounds(cluster)
    before = list(cluster.done)
    await rounds(cluster)

    assert cluster.done == before


async def test_a_guardian_that_vanished_is_made_again() -> None:
    """As one that was removed by hand."""
    cluster = FakeCluster({"n1": ALL})
    supervisor = await rounds(cluster)
    cluster.there.discard(Post("n1", "recorder-1"))
    await supervisor.round()

    assert cluster.done[-1] == ("make", Post("n1", "recorder-1"))


async def test_fewer_recorders_are_ended_only_on_their_nodes_word() -> None:
    """A node that says it has one recorder less loses that guardian; one whose uploader's guardian is silent loses nothing."""
    cluster = FakeCluster({"n1": ALL, "n2": ALL})
    supervisor = await rounds(cluster)
    cluster.programs = {"n1": ALL[:2], "n2": ALL[:2]}
    cluster.silent = {Post("n2", "uploader")}
    await supervisor.round()

    assert cluster.done[6:] == [("end", Post("n1", "recorder-1"))]


async def test_without_rays_head_nothing_is_touched() -> None:
    """What runs goes on, and the supervisor looks again."""
    cluster = FakeCluster({"n1": ALL})
    supervisor = await rounds(cluster)
    cluster.away = True
    with pytest.raises(TryAgain):
        await supervisor.round()
    cluster.away = False
    await supervisor.round()

    assert len(cluster.done) == 3


async def test_the_end_is_in_order() -> None:
    """Recorders first, so that uploaders are there for what they seal."""
    cluster = FakeCluster({"n1": ALL, "n2": ALL})
    supervisor = await rounds(cluster)
    cluster.done.clear()
    await supervisor.stop()

    assert [post.program for _, post in cluster.done[-2:]] == ["uploader", "uploader"]
    assert cluster.there == set()


def test_nothing_is_surplus_that_is_wanted() -> None:
    """Both deciders over the same reports agree, whatever these are."""
    posts = {Post(node, program) for node in ("n1", "n2") for program in ALL}
    for told in (ALL, ALL[:1], ()):
        reports = {Post("n1", "uploader"): report("uploader", told), Post("n2", "uploader"): None}
        assert not surplus(posts, ("n1", "n2"), reports) & wanted(("n1", "n2"), reports)
