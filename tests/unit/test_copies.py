"""What is due waits for its copies, and for sites that may hold it; until its ceiling, and not a request more than needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.doctor import Verdict
from deploy.doctor_retention import findings
from replication.copies_here import CopiesAtPeers
from replication.ports import MOST_DAYS, Has
from retention.copies import ALONE, NO_COPIES, AloneCopies, Copies
from retention.dry_run import dry_run
from retention.explain import explain
from retention.look import look, plan
from retention.merged_holds import MergedHolds
from retention.plan import Why
from retention.policy_record import POLICIES, policy_values
from retention.status import status
from retention.sweep_report import SweepReport, write_report
from segments.clock import US_PER_DAY
from segments.hold import HOLDS
from segments.record import new_record
from segments.stores.memory_index import MemoryIndex
from segments.tier import Term
from tests.builders import NOON_US
from tests.peer_over import PeerOver, as_peers
from tests.retention_builders import a_policy, write_hold
from tests.sweep_site import DAY, DUE_US, Site, a_site, footage

PAST_CEILING_S = 8 * 86_400


def two_copies() -> Any:
    """The shipped tiers, at two sites."""
    policy = a_policy(version=2)
    return replace(policy, tiers={name: replace(tier, copies=2) for name, tier in policy.tiers.items()})


async def a_copied_site(*, now_us: int = DUE_US - 7 * US_PER_DAY, copies: int = 2, rows: int = 3) -> Site:
    """Footage that fell due two days ago and has its ceiling in a few days; its tier asks for two copies."""
    site = await a_site(footage(rows))
    site.clock.start_us = now_us
    if copies > 1:
        await site.index.put_record(new_record(POLICIES, "2", policy_values(two_copies())))
    return site


def peers_of(site: Site, **peers: PeerOver) -> CopiesAtPeers:
    """What a deletion at this site asks of them."""
    return CopiesAtPeers(as_peers(**peers), MergedHolds(site.index, site.clock.now_us), site.clock, holds_limit_s=0.05)


def a_peer(**fields: Any) -> PeerOver:
    """A site that holds nothing."""
    return PeerOver(MemoryIndex(), **fields)


async def deleted(site: Site, copies: Copies, *, hours: float = 3) -> int:
    """How many segments go in some hours."""
    await site.run(site.sweep(copies=copies), hours)
    return 3 - len(await site.rows())


async def verdicts(site: Site, copies: Copies) -> list[Why]:
    """Of the camera-day's rows, by one plan."""
    looked = await look(site.index, site.clock, copies=copies)
    return [verdict.why for _, verdict in (await plan(site.index, looked, "gate", DAY, await site.rows())).verdicts]


@pytest.mark.parametrize(("has", "goes"), [(Has.HERE, 3), (Has.GONE, 3), (Has.EARLY, 3), (Has.MISSING, 0)])
async def test_what_is_due_goes_once_its_copy_stands(has: Has, goes: int) -> None:
    """Or was there; both sites may delete it at the same time."""
    site = await a_copied_site()
    assert await deleted(site, peers_of(site, b=a_peer(usually=has))) == goes


@pytest.mark.parametrize(("has", "goes"), [(Has.HERE, True), (Has.GONE, True), (Has.EARLY, False), (Has.MISSING, False)])
async def test_nothing_goes_early_that_went_early_elsewhere(has: Has, goes: bool) -> None:
    """Its pool needs the room: another site that needed it, too, may have deleted it because it is here. What was due there may go."""
    site = await a_copied_site(now_us=NOON_US + 50 * US_PER_DAY)
    tier = replace(two_copies().tiers["general"], keep_for=Term(days=90), ceiling=Term(days=97))
    longer = replace(a_policy(version=3), tiers={**two_copies().tiers, "general": tier})
    await site.index.put_record(new_record(POLICIES, "3", policy_values(longer)))
    looked = await look(site.index, site.clock, lambda: {("gate", DAY)}, peers_of(site, b=a_peer(usually=has)))
    found = await plan(site.index, looked, "gate", DAY, await site.rows())
    assert [verdict.why for _, verdict in found.verdicts] == [Why.PRESSURE if goes else Why.KEPT] * 3


async def test_a_missing_copy_is_waited_for_until_the_ceiling() -> None:
    """Then it goes, and its receipt says that the copy was missing."""
    site = await a_copied_site()
    copies = peers_of(site, b=a_peer())
    assert await deleted(site, copies) == 0
    assert await site.batches() == []
    site.clock.stand_still(PAST_CEILING_S)
    assert await deleted(site, copies) == 3
    (receipt,) = await site.receipts()
    assert receipt.reasons == {"ceiling": 3}


async def test_a_copy_that_comes_lets_it_go_within_hours() -> None:
    """It is asked for again every hour; only what has its copy goes."""
    site = await a_copied_site()
    peer, rows = a_peer(), await site.rows()
    sweep = site.sweep(copies=peers_of(site, b=peer))
    await site.run(sweep, 2)
    assert len(sweep.waits) == 1
    peer.has_of = {row.position: Has.HERE for row in rows[:2]}
    await site.run(sweep, 6)
    assert await site.rows() == rows[2:]
    peer.usually = Has.HERE
    await site.run(sweep, 6)
    assert await site.rows() == []
    assert sweep.waits == {}


@pytest.mark.parametrize(("copies", "there", "goes"), [(2, ["b"], True), (2, ["b", "c"], True), (3, ["b"], False), (3, ["b", "c"], True)])
async def test_any_sites_count_as_many_as_are_asked_for(copies: int, there: list[str], goes: bool) -> None:
    """Of two others: one is enough for two copies."""
    site = await a_copied_site()
    asked = peers_of(site, **{name: a_peer(usually=Has.HERE if name in there else Has.MISSING) for name in ("b", "c")})
    assert bool(await asked.short("gate", DAY, await site.rows(), copies)) is not goes


async def test_more_copies_than_sites_are_named_as_such() -> None:
    """It would wait for what can never be."""
    site = await a_copied_site()
    found = await peers_of(site, b=a_peer(usually=Has.HERE)).short("gate", DAY, await site.rows(), 3)
    assert set(found.values()) == {"its tier asks for copies at 3 sites, and there are 2"}


async def test_a_site_that_is_alone_is_short_of_every_copy() -> None:
    """Where a tier asks for one more; without that nobody is asked."""
    site = await a_copied_site()
    assert await verdicts(site, NO_COPIES) == [Why.COPIES] * 3
    assert set((await AloneCopies().short("gate", DAY, await site.rows(), 2)).values()) == {ALONE}
    assert await verdicts(await a_copied_site(copies=1), NO_COPIES) == [Why.DUE] * 3


async def test_nobody_is_asked_about_what_stays() -> None:
    """What is not due, or held, or of a tier with one copy, costs no question about copies; each plan costs one for all of it."""
    early, held, single, due = [await a_copied_site(now_us=DUE_US - 20 * US_PER_DAY), *[await a_copied_site(copies=n) for n in (2, 1, 2)]]
    await held.hold()
    peer = a_peer(usually=Has.HERE)
    for site in (early, held, single):
        await verdicts(site, peers_of(site, b=peer))
    assert peer.asked["has"] == 0
    await verdicts(due, peers_of(due, b=peer))
    assert peer.asked == {"holds": 4, "has": 1}


async def test_a_long_day_is_asked_about_in_pieces() -> None:
    """A site answers for so many segments at a time."""
    site, peer = await a_copied_site(), a_peer(usually=Has.HERE)
    rows = footage(MOST_DAYS + 1)
    assert await peers_of(site, b=peer).short("gate", DAY, rows, 2) == {}
    assert peer.asked["has"] == 2


async def test_pressure_takes_nothing_whose_copy_is_missing() -> None:
    """Between floor and keep-for, though the pool needs the room."""
    site = await a_copied_site()
    tier = two_copies().tiers["general"]
    longer = replace(two_copies(), version=3, tiers=two_copies().tiers | {"general": replace(tier, keep_for=tier.ceiling)})
    await site.index.put_record(new_record(POLICIES, "3", policy_values(longer)))
    for has, why in ((Has.MISSING, Why.KEPT), (Has.HERE, Why.PRESSURE)):
        looked = await look(site.index, site.clock, lambda: {("gate", DAY)}, peers_of(site, b=a_peer(usually=has)))
        found = await plan(site.index, looked, "gate", DAY, await site.rows())
        assert {verdict.why for _, verdict in found.verdicts} == {why}


# --- holds that may be elsewhere


@pytest.mark.parametrize("silent", [True, False])
async def test_what_a_site_may_hold_waits_until_it_says_so(silent: bool) -> None:
    """Whatever its tier asks for, and whether the site refuses or says nothing at all; nothing is even begun."""
    site = await a_copied_site(copies=1)
    peer = a_peer(silent=silent, away=not silent)
    copies = peers_of(site, b=peer)
    assert await deleted(site, copies, hours=0.1) == 0
    assert await site.batches() == []
    peer.away = peer.silent = False
    assert await deleted(site, copies, hours=12) == 3


async def test_past_its_ceiling_it_waits_for_nobody() -> None:
    """A site that is lost does not keep footage for ever."""
    site = await a_copied_site(copies=1)
    site.clock.stand_still(PAST_CEILING_S)
    assert await deleted(site, peers_of(site, b=a_peer(away=True))) == 3


async def test_a_hold_of_another_site_is_heard_before_anything_goes() -> None:
    """Nobody had told of it; from then on it is a hold of ours, and once is enough."""
    site, peer = await a_copied_site(copies=1), a_peer()
    await write_hold(peer.index)
    assert await deleted(site, peers_of(site, b=peer)) == 0
    (record,) = await site.index.records(HOLDS)
    assert (record.id, record.revision) == ("h1", 1)


async def test_a_hold_placed_elsewhere_after_the_batch_was_begun_takes_it_back() -> None:
    """It is pulled before the claim."""
    site, peer = await a_copied_site(copies=1), a_peer()
    sweep = site.sweep(copies=peers_of(site, b=peer))
    await site.run(sweep, 0.5)
    assert await site.rows() == []
    await write_hold(peer.index)
    await site.run(sweep, 2)
    assert len(await site.rows()) == 3
    assert await site.receipts() == []


async def test_where_holds_of_other_sites_are_ignored_they_lose() -> None:
    """The negative control."""
    site, peer = await a_copied_site(copies=1), a_peer()
    await write_hold(peer.index)
    assert await deleted(site, NO_COPIES) == 3


async def test_an_answer_about_holds_is_as_fresh_as_it_must_be() -> None:
    """Before a deletion nobody takes one that was on its way before they asked; who begins nothing that removes may."""
    site, peer = await a_copied_site(copies=1), a_peer()
    copies = peers_of(site, b=peer)
    await copies.hear()
    await copies.hear()
    assert peer.asked["holds"] == 2
    site.clock.stand_still(9)
    await copies.hear(10.0)
    assert peer.asked["holds"] == 2
    site.clock.stand_still(2)
    await copies.hear(10.0)
    assert peer.asked["holds"] == 3


# --- what people are told


async def test_explain_names_the_site_that_is_waited_for() -> None:
    """For its copy, or for its holds; and whether it answered."""
    site = await a_copied_site()

    async def said(copies: Copies) -> str:
        found = await explain(site.index, "gate", DAY, now_us=site.clock.now_us(), copies=copies)
        assert found.day is not None
        (group,) = found.day.groups
        assert group.verdict.why is Why.COPIES
        return group.said

    assert "but it waits for its copy at b; it goes by 2026-04-22T00:00:00" in await said(peers_of(site, b=a_peer()))
    assert "waits for its copy at b or c" in await said(peers_of(site, b=a_peer(), c=a_peer()))
    peer = a_peer()
    copies = peers_of(site, b=peer)
    await copies.hear()
    peer.away = True
    assert "but b has not said which holds it has since 2026-04-16T12:00:00" in await said(copies)
    assert "there is no other site" in await said(NO_COPIES)


async def test_a_dry_run_knows_of_copies() -> None:
    """It says what a sweep would begin."""
    site = await a_copied_site()
    for has, days in ((Has.MISSING, 0), (Has.HERE, 1)):
        copies = peers_of(site, b=a_peer(usually=has))
        assert len([each async for each in dry_run(site.index, site.clock, copies=copies)]) == days


async def test_the_status_counts_what_waits_and_the_doctor_says_why() -> None:
    """Since when; and a tier that asks for more sites than there are is a finding."""
    site = await a_copied_site()
    now_us = site.clock.now_us()
    waits = SweepReport("sweep.0-of-2", "n", now_us, 1.0, waiting=2, waiting_since_us=DUE_US - 1)
    for report in (waits, SweepReport("sweep.1-of-2", "n", now_us, 1.0)):
        await write_report(site.index, report)
    found = await status(site.index, now_us=now_us)
    assert found.as_json()["waiting_for_copies"] == {"camera_days": 2, "since": "2026-04-23T11:59:59.999Z"}
    ill = {each.what: each.seen for each in findings(found) if each.verdict is Verdict.ILL}
    said = "asks for copies at 2 sites, and there are 1: all of it stays to its ceiling"
    assert ill == {"tier general": said, "tier key-area": said}
    assert [each.what for each in findings(found, others=1) if each.verdict is not Verdict.GOOD] == ["copies"]
