"""The duty `sites`, made from the settings: what this site knows of the others, their cameras, and takeovers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from deploy.fleet.rounds import Round
from deploy.peers import open_peers
from deploy.settings import Settings
from replication.guests import Guests
from replication.holds import pull_holds
from replication.ports import Peer
from replication.sites import OtherSite, Sites, SitesSettings, ask_before_recording
from retention.camera_changes import change_camera, take_camera_out, tier_problem
from retention.merged_holds import MergedHolds
from retention.policy_record import all_policies
from segments.clock import Clock
from segments.duty import Duty
from segments.model import Camera
from segments.ports import Index


class RememberedChanges:
    """See `replication.guests.GuestChanges`: other sites' cameras count for what they were as ours do."""

    def __init__(self, index: Index, clock: Clock, *, notice_days: int) -> None:
        self._index = index
        self._clock = clock
        self._notice_days = notice_days

    async def fitted(self, camera: Camera) -> Camera:
        """See `GuestChanges`: a tier that none of our policies knows is left out, so that ours say how long its footage stays here."""
        problem = tier_problem(await all_policies(self._index), camera.tier, self._clock.now_us())
        return replace(camera, tier="") if problem else camera

    async def change(self, before: Camera, after: Camera) -> None:
        """See `GuestChanges`."""
        await change_camera(self._index, before, after, now_us=self._clock.now_us(), notice_days=self._notice_days)

    async def take_out(self, camera: str) -> None:
        """See `GuestChanges`."""
        await take_camera_out(self._index, camera, now_us=self._clock.now_us())


def sites_rounds(settings: Settings, index: Index, peers: Mapping[str, Peer], clock: Clock) -> Callable[[Duty], Round]:
    """Makes the rounds of the one shard."""
    merged = MergedHolds(index, clock.now_us)
    of_own = SitesSettings(settings.site.name, settings.replication.witness, settings.replication.take_over_after_s)

    def other(name: str, peer: Peer) -> OtherSite:
        changes = RememberedChanges(index, clock, notice_days=settings.retention.notice_days)
        return OtherSite(name, peer, Guests(name, peer, index=index, changes=changes), partial(pull_holds, name, peer, merged))

    def begin(duty: Duty) -> Round:  # noqa: ARG001 - there is one
        return Sites(of_own, {name: other(name, peer) for name, peer in peers.items()}, index=index, clock=clock).round

    return begin


async def ask_other_sites(settings: Settings, index: Index, clock: Clock) -> None:
    """Asks, before this node records, whether another site records our cameras in our place; see `ask_before_recording`."""
    async with open_peers(settings, clock) as peers:
        await ask_before_recording(settings.site.name, peers, index, clock)
