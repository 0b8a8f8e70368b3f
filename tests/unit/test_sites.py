"""The rounds of the duty `sites`: what is noted of others, takeovers without a person, and giving back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replication.guests import Guests
from replication.site_record import SiteSeen, read_site, write_site
from replication.sites import AUTOMATIC, EVERY_S, FOLLOW_EVERY_S, OtherSite, Sites, SitesSettings, ask_before_recording
from replication.takeover import EPOCHS_AHEAD, TakeoverOrder, a_share, give_back, plan_takeover, take_over
from segments.clock import US_PER_S
from segments.duty import Duty
from segments.errors import BadInput, NotFound, TryAgain
from segments.stores.memory_index import MemoryIndex
from segments.takeover import HANDOVER_US, SILENT_US, read_taken, read_takeover, told_home, write_takeover
from tests.builders import NOON_US, a_camera, a_run
from tests.fakes import SteppedClock, SwitchedIndex
from tests.peer_site import PeerSite
from tests.unit.test_guests import Changes

AFTER_S = 60


class Hill:
    """Our site, the hill, with the harbour (whose camera quay it knows) and the island, which is the witness, as its peers."""

    def __init__(self, witness: str = "island") -> None:
        self.clock = SteppedClock()
        self.index = MemoryIndex()
        self.harbour, self.island = PeerSite("harbour", self.clock), PeerSite("island", self.clock)
        self.witness = witness
        self.pulled = 0
        self.holds_fail = False
        self.begin()

    def begin(self) -> None:
        others = {}
        for peer in (self.harbour, self.island):
            guests = Guests(peer.name, peer, index=self.index, changes=Changes(self.index))
            others[peer.name] = OtherSite(peer.name, peer, guests, self.pull)
        self.sites = Sites(SitesSettings("hill", self.witness, AFTER_S), others, index=self.index, clock=self.clock)

    async def pull(self) -> None:
        self.pulled += 1
        if self.holds_fail:
            raise TryAgain("no holds today")

    async def for_(self, seconds: float) -> None:
        """Rounds, and those of the witness, which writes down whom it hears."""
        for _ in range(round(seconds / 2)):
            self.clock.stand_still(2.0)
            await self.sites.round()

    async def witness_hears(self, *sites: str) -> None:
        for site in sites:
            await write_site(self.island.index, SiteSeen(site, heard_us=self.clock.now_us()))


@pytest.fixture
async def hill() -> Hill:
    it = Hill()
    await it.harbour.index.add_camera(a_camera("quay"))
    await it.harbour.index.put_credential("quay", b"sealed")
    return it


async def test_what_others_say_is_written_down(hill: Hill) -> None:
    """When they were heard, their epoch, key and cameras; holds are pulled, about each ten seconds."""
    await hill.for_(20)
    seen = await read_site(hill.index, "harbour")
    assert hill.clock.now_us() - seen.heard_us <= FOLLOW_EVERY_S * US_PER_S
    assert (seen.epoch, seen.camera_key, seen.guests, seen.finding, seen.ahead_us) == (5, "key", 1, "", 0)
    assert (await hill.index.camera("quay")).home == "harbour"
    assert 4 <= hill.pulled <= 6


async def test_a_silent_site_is_noted_and_holds_nobody_up(hill: Hill) -> None:
    """The other is heard all the same; what was known stays."""
    await hill.for_(4)
    hill.harbour.away = True
    await hill.for_(20)
    harbour, island = await read_site(hill.index, "harbour"), await read_site(hill.index, "island")
    assert "does not answer" in harbour.finding
    assert (harbour.guests, harbour.epoch) == (1, 5)
    assert hill.clock.now_us() - island.heard_us <= FOLLOW_EVERY_S * US_PER_S
    hill.harbour.away = False
    await hill.for_(2)
    assert (await read_site(hill.index, "harbour")).finding == ""


@pytest.mark.parametrize(("says", "protocol", "finding"), [("quayside", 1, "it says that it is 'quayside'"), ("harbour", 9, "version 9")])
async def test_a_site_that_is_another_is_not_followed(hill: Hill, says: str, protocol: int, finding: str) -> None:
    """Nor one that speaks otherwise: neither its cameras nor its word on ours count."""
    hill.harbour.says, hill.harbour.protocol = says, protocol
    await hill.for_(4)
    assert finding in (await read_site(hill.index, "harbour")).finding
    assert list((await hill.index.cameras()).items) == []


async def test_holds_that_cannot_be_pulled_are_a_finding(hill: Hill) -> None:
    """And are tried again in the next round."""
    hill.holds_fail = True
    await hill.for_(4)
    assert "no holds today" in (await read_site(hill.index, "harbour")).finding
    hill.holds_fail = False
    await hill.for_(2)
    assert (await read_site(hill.index, "harbour")).finding == ""


# --- without a person


async def test_a_silent_site_is_taken_over_when_the_witness_says_so(hill: Hill) -> None:
    """Not before its time, and with epochs above all of its own."""
    await hill.for_(4)
    await hill.witness_hears("harbour")
    hill.harbour.away = True
    await hill.for_(AFTER_S - 2)
    await hill.witness_hears("hill")
    assert await read_takeover(hill.index, "harbour") is None
    await hill.for_(6)
    takeover = await read_takeover(hill.index, "harbour")
    assert takeover is not None
    assert (takeover.by, takeover.cameras, takeover.after_epoch) == (AUTOMATIC, (), 5 + EPOCHS_AHEAD)
    lease = await hill.index.acquire(Duty("record-a"), "x", seen=None, now_us=NOON_US, ttl_us=1)
    assert lease is not None
    assert lease.epoch > takeover.after_epoch


async def test_nothing_is_taken_over_while_the_witness_hears_it_or_is_away(hill: Hill) -> None:
    """However long it is silent to us."""
    await hill.for_(4)
    hill.harbour.away = True
    for _ in range(10):
        await hill.witness_hears("harbour", "hill")
        await hill.for_(20)
    hill.island.away = True
    await hill.for_(200)
    assert await read_takeover(hill.index, "harbour") is None


async def test_nothing_is_taken_over_right_after_a_standstill(hill: Hill) -> None:
    """It was us who were away: the silence counts from when we ask again."""
    await hill.for_(4)
    await hill.witness_hears("harbour")
    hill.harbour.away = True
    hill.clock.stand_still(10 * AFTER_S)
    await hill.witness_hears("hill")
    await hill.for_(20)
    assert await read_takeover(hill.index, "harbour") is None


async def test_without_a_witness_it_is_left_to_a_person() -> None:
    """The default."""
    hill = Hill(witness="")
    await hill.harbour.index.add_camera(a_camera("quay"))
    await hill.for_(4)
    hill.harbour.away = True
    await hill.for_(4 * AFTER_S)
    assert await read_takeover(hill.index, "harbour") is None


# --- by a person


async def order(hill: Hill, *cameras: str) -> None:
    plan = await plan_takeover(TakeoverOrder("harbour", cameras, "Lin", "fire"), hill.index, now_us=hill.clock.now_us())
    await take_over(plan, hill.index, now_us=hill.clock.now_us())


async def test_a_takeover_is_planned_over_what_is_known(hill: Hill) -> None:
    """The epoch is above what the site said and above that of its newest runs here; unknown sites and cameras are refused."""
    await hill.for_(4)
    await hill.index.put_run(a_run(camera="quay", id="harbour-a-77-1"))
    plan = await plan_takeover(TakeoverOrder("harbour", (), "Lin", "fire"), hill.index, now_us=NOON_US + 60 * US_PER_S)
    assert (plan.cameras, plan.after_epoch, plan.disabled) == (("quay",), 77 + EPOCHS_AHEAD, 0)
    told = plan.warnings(camera_key="other", now_us=hill.clock.now_us())
    assert ["answered a moment ago" in told[0], "another key" in told[1], len(told)] == [True, True, 2]
    assert plan.warnings(camera_key="key", now_us=hill.clock.now_us() + 60 * US_PER_S) == []
    for site, cameras in (("island", ()), ("harbour", ("gate",))):
        with pytest.raises(NotFound):
            await plan_takeover(TakeoverOrder(site, cameras, "Lin", "fire"), hill.index, now_us=NOON_US)


async def test_a_site_is_taken_over_once(hill: Hill) -> None:
    """Until it was given back."""
    await hill.for_(4)
    await order(hill, "quay")
    with pytest.raises(BadInput, match="already, by Lin"):
        await order(hill)


async def test_what_is_given_back_ends_after_both_have_recorded(hill: Hill) -> None:
    """If the home site is there; else it stands again."""
    await hill.for_(4)
    await order(hill)
    await give_back("harbour", "Wu", hill.index, now_us=hill.clock.now_us())
    given = await read_takeover(hill.index, "harbour")
    assert given is not None
    assert (told_home(given), given.ended_us, given.given_back_by) == (None, 0, "Wu")
    await hill.for_(HANDOVER_US / US_PER_S + 4)
    ended = await read_takeover(hill.index, "harbour")
    assert ended is not None
    assert ended.ended_us
    await order(hill)
    await give_back("harbour", "Wu", hill.index, now_us=hill.clock.now_us())
    hill.harbour.away = True
    await hill.for_(HANDOVER_US / US_PER_S + 4)
    assert told_home(await read_takeover(hill.index, "harbour")) == ()


async def test_nothing_is_given_back_to_a_site_that_is_silent(hill: Hill) -> None:
    """Nobody would record its cameras. What was not taken over cannot be given back either."""
    await hill.for_(4)
    with pytest.raises(NotFound):
        await give_back("harbour", "Wu", hill.index, now_us=hill.clock.now_us())
    await order(hill)
    hill.harbour.away = True
    await hill.for_(30)
    with pytest.raises(BadInput, match="does not answer"):
        await give_back("harbour", "Wu", hill.index, now_us=hill.clock.now_us())
    assert told_home(await read_takeover(hill.index, "harbour")) == ()


# --- the home site


async def test_a_home_site_learns_that_it_was_taken_over_and_has_its_cameras_again(hill: Hill) -> None:
    """Seen from the harbour's other side: the hill is told by the harbour that it records the hill's cameras."""
    await hill.harbour.index.add_camera(a_camera("gate", home="hill"))
    plan = await plan_takeover(TakeoverOrder("hill", (), "Lin", "fire"), hill.harbour.index, now_us=NOON_US)
    takeover = await take_over(plan, hill.harbour.index, now_us=NOON_US)
    await hill.for_(2)
    taken = await read_taken(hill.index, "harbour")
    assert taken is not None
    assert (taken.cameras, taken.ended_us) == ((), 0)
    hill.harbour.epoch = takeover.after_epoch + 3
    await write_takeover(hill.harbour.index, replace(takeover, given_back_us=1), before=takeover)
    await hill.for_(2)
    back = await read_taken(hill.index, "harbour")
    assert back is not None
    assert (bool(back.ended_us), back.after_epoch) == (True, takeover.after_epoch + 3 + EPOCHS_AHEAD)
    lease = await hill.index.acquire(Duty("record-a"), "x", seen=None, now_us=NOON_US, ttl_us=1)
    assert lease is not None
    assert lease.epoch > back.after_epoch


async def test_a_site_that_comes_back_asks_before_it_records(hill: Hill) -> None:
    """It believes who answers, and records what a silent one has recorded."""
    plan_of = hill.harbour.index
    await plan_of.add_camera(a_camera("gate", home="hill"))
    await take_over(await plan_takeover(TakeoverOrder("hill", (), "Lin", "fire"), plan_of, now_us=NOON_US), plan_of, now_us=NOON_US)
    peers = {"harbour": hill.harbour, "island": hill.island}
    await ask_before_recording("hill", peers, hill.index, hill.clock)
    taken = await read_taken(hill.index, "harbour")
    assert taken is not None
    assert not taken.ended_us
    hill.harbour.away = True
    hill.clock.stand_still(SILENT_US / US_PER_S)
    await ask_before_recording("hill", peers, hill.index, hill.clock)
    taken = await read_taken(hill.index, "harbour")
    assert taken is not None
    assert taken.ended_us


def test_a_share_is_always_the_same() -> None:
    """A tenth, at least one, and a greater share holds the smaller one."""
    cameras = [f"c{n}" for n in range(100)]
    tenth, half = a_share(cameras, 0.1), a_share(cameras, 0.5)
    assert (len(tenth), len(half), set(tenth) < set(half), a_share(cameras[::-1], 0.1)) == (10, 50, True, tenth)
    assert (len(a_share(cameras, 0.0)), a_share([], 0.5)) == (1, ())


async def test_an_index_that_fails_is_asked_again_soon() -> None:
    """A round never fails for it: what was said is written down in the next one."""
    hill = Hill()
    index = SwitchedIndex(hill.index)
    others = {
        peer.name: OtherSite(peer.name, peer, Guests(peer.name, peer, index=index, changes=Changes(hill.index)), hill.pull)
        for peer in (hill.harbour, hill.island)
    }
    sites = Sites(SitesSettings("hill"), others, index=index, clock=hill.clock)
    index.away = True
    assert await sites.round() == EVERY_S
    index.away = False
    hill.clock.stand_still(EVERY_S)
    await sites.round()
    assert (await read_site(hill.index, "harbour")).epoch == 5
