"""`keepsight site give-back`: a site records its cameras again, and copies what was recorded here in its place; we wait until it has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from deploy.cli_acts import changing
from deploy.cli_frame import By, Config, Exit, Yes, err, fail, guarded, must_confirm, out, settings_of, shown, who, with_stores
from deploy.keeping import RetentionKeeping
from deploy.peers import open_peers
from deploy.settings import Settings
from deploy.sizes import in_units
from deploy.wiring import Stores
from replication.owed import Lack, Owed, Recorded, total
from replication.ports import AskFootage
from replication.takeover import give_back, guests_of
from segments.clock import US_PER_S, Clock, SystemClock, iso
from segments.errors import KeepsightError
from segments.model import Partition, Span
from segments.takeover import HANDOVER_US, Takeover, read_takeover

LOOK_EVERY_S = 5.0


def give_back_(
    site: Annotated[str, typer.Argument(help="The other site's name, as in the settings.", metavar="SITE")],
    within: Annotated[str, typer.Option(help="Wait so long until it has copied what was recorded here: 10m, 6h.")] = "1h",
    now: Annotated[bool, typer.Option("--now", help="Neither look at what it has not copied yet nor wait for it.")] = False,
    by: By = "",
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Have a site record its cameras again, and wait until it has copied what was recorded here. Exit code 1 if it has not in time.

    Both record for a minute, so that nothing is missed. The site copies whether this waits or not; given again, this only waits.
    """
    from deploy.demo import duration_s

    settings = settings_of(config)
    within_s = guarded(lambda: duration_s(within, "--within"))
    known = with_stores(settings, lambda stores: read_takeover(stores.index, site))
    if known is None or (known.ended_us and (now or known.drill_until_us)):
        fail(f"no camera of site {site!r} is recorded here", Exit.BAD_INPUT)
    standing = known
    looks = not now and not standing.drill_until_us and site in settings.sites
    if looks and not standing.ended_us:
        with shown("asking what it has"):
            said = with_stores(settings, lambda stores: _first_look(settings, stores, known))
        err.print(said, highlight=False, markup=False)
    if not standing.ended_us:
        must_confirm(f"Have {site} record its cameras again? They are recorded here since {iso(standing.since_us)}.", yes=yes)
        work = lambda stores: give_back(site, who(by), stores.index, now_us=SystemClock().now_us())  # noqa: E731
        standing = changing(settings, f"gave site {site} its cameras back", work, by=by)
        what = "the drill is undone" if standing.drill_until_us else f"both record for {HANDOVER_US // US_PER_S} s, then {site} alone"
        out.print(f"{site} has its cameras back: {what}", highlight=False)
    if looks:
        left = with_stores(settings, lambda stores: _wait(settings, stores, standing, within_s))
        out.print(left or f"{site} has all that was recorded here in its place", highlight=False, markup=False)
        if left:
            raise typer.Exit(Exit.FINDINGS)


async def _first_look(settings: Settings, stores: Stores, standing: Takeover) -> str:
    async with open_peers(settings) as peers:
        owed, days = await _owed(settings, stores, peers[standing.site], standing)
        try:
            return _sentence(standing.site, await owed.look(days)) or f"{standing.site} has all that was recorded here in its place"
        except KeepsightError as error:
            return f"what {standing.site} has not copied yet cannot be told: {error}"


async def _wait(settings: Settings, stores: Stores, standing: Takeover, within_s: int) -> str:
    """Until the site has all, at most so long. What it lacks then, in a sentence; '' if nothing."""
    clock = SystemClock()
    async with open_peers(settings) as peers:
        owed, days = await _owed(settings, stores, peers[standing.site], standing)
        with shown(f"waiting for {standing.site} to copy (Ctrl-C ends the waiting, not the copying)") as say:
            waiting = _Waiting(standing, owed, days, clock)
            end_ns = clock.monotonic_ns() + within_s * 10**9
            while (left := await waiting.look()) and clock.monotonic_ns() < end_ns:
                say(left)
                await clock.sleep(LOOK_EVERY_S)
    return left


@dataclass
class _Waiting:
    """What is still to be looked at: camera-days that were whole when all of it was in our index are not looked at again."""

    standing: Takeover
    owed: Owed
    days: list[Partition]
    clock: Clock

    async def look(self) -> str:
        """What is lacking, or what stands against telling; '' once the site has all."""
        settled = self.clock.now_us() >= (self.standing.given_back_us or self.standing.ended_us) + HANDOVER_US
        try:
            lacks = await self.owed.look(self.days)
        except KeepsightError as error:
            return f"what {self.standing.site} has not copied yet cannot be told: {error}"
        if settled:
            self.days = [day for day in self.days if day in lacks]
        return _sentence(self.standing.site, lacks) or ("" if settled else "what was recorded last is on its way")


async def _owed(settings: Settings, stores: Stores, peer: AskFootage, standing: Takeover) -> tuple[Owed, list[Partition]]:
    """What asks the site, and the camera-days to ask of: those up to the moment it was told to record again, or of now."""
    clock = SystemClock()
    recorded = Recorded(settings.site.name, Span(standing.since_us, standing.given_back_us or standing.ended_us or clock.now_us()))
    cameras = standing.cameras or sorted(await guests_of(standing.site, stores.index))
    return Owed(recorded, stores.index, peer, RetentionKeeping(stores.index, clock)), recorded.days_of(cameras)


def _sentence(site: str, lacks: Mapping[Partition, Lack]) -> str:
    found = total(lacks)
    if not found.segments:
        return ""
    return (
        f"{site} has not copied yet {found.segments:,} segments ({in_units(found.size_bytes)}) of {len(lacks):,} camera-days that were "
        f"recorded here in its place; holds cover {found.held:,} of them, which come first"
    )
