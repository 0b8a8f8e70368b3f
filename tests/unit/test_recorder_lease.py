"""When a recorder goes on, and when it must stop: its uploader gone, its lease run out, lost, or good for ever."""

from __future__ import annotations

from pathlib import Path

from recorder.link import Durable, Hello, Holding, LeaseIs
from recorder.run_end import ended_runs
from segments.clock import US_PER_S
from segments.model import CameraState, Cause
from tests.builders import NOON_US
from tests.fakes import until
from tests.recorder_site import A, Uploader, assigned, site


async def test_it_goes_on_without_its_uploader_and_tells_all_again(tmp_path: Path) -> None:
    """Recording never needed the other end; a new uploader hears the epoch, every state, and all fragments of open segments."""
    async with site(tmp_path) as it:
        await it.assign(assigned(), left_s=None)
        it.uploader.say(LeaseIs(A, 7, 0.0, answers=False))
        it.feed("gate", 0, 3)
        await it.pass_(1.25)
        await it.uploader.die()
        it.feed("gate", 3, 1)
        await it.pass_(30)
        it.feed("gate", 4, 0.2)
        assert it.is_open("gate")

        it.uploader = Uploader(it.socket)
        await it.uploader.start()
        await it.pass_(2)
        await until(lambda: it.uploader.of(Durable))
        assert it.uploader.heard[0] == Hello("home-recorder-0", (Holding(A, 7),))
        assert it.uploader.last_state("gate").state is CameraState.RECORDING
        assert it.uploader.of(Durable)[0].fragments[0].offset < 1_500
        it.feed("gate", 4.2, 5)
        await it.stop()
        assert {row.run for row in it.rows()} == {"home-a-7-1"}


async def test_a_lease_that_ran_out_while_the_index_answers_stops_it(tmp_path: Path) -> None:
    """Somebody else may have the shard: nothing is written from that moment until the lease is renewed, and then in a new run."""
    async with site(tmp_path) as it:
        await it.assign(assigned(), left_s=3.0)
        it.feed("gate", 0, 2)
        await it.pass_(2.5)
        it.feed("gate", 2, 1)
        await it.pass_(1)
        it.feed("gate", 3, 5)
        assert it.uploader.last_state("gate").cause is Cause.RECORDER_AWAY
        it.uploader.say(LeaseIs(A, 7, 3.0, answers=True))
        await it.pass_(0.5)
        it.feed("gate", 8, 3)
        await it.stop()

        assert [(row.run, (row.start_us - NOON_US) // US_PER_S) for row in it.rows()][-1] == ("home-a-7-2", 8)
        assert sum(row.end_us - row.start_us for row in it.rows()) == 6 * US_PER_S


async def test_a_lease_is_good_for_ever_while_the_index_is_away(tmp_path: Path) -> None:
    """Without the index nobody else can be given the shard."""
    async with site(tmp_path) as it:
        await it.assign(assigned(), left_s=3.0)
        it.uploader.say(LeaseIs(A, 7, 1.0, answers=False))
        await it.pass_(60)
        it.feed("gate", 0, 4)
        await it.stop()

        assert sum(row.end_us - row.start_us for row in it.rows()) == 4 * US_PER_S


async def test_a_lease_that_held_when_the_uploader_died_holds_on(tmp_path: Path) -> None:
    """Nobody can renew it, and nobody says that it is lost: recording goes on, far behind its end."""
    async with site(tmp_path) as it:
        await it.assign(assigned(), left_s=3.0)
        it.feed("gate", 0, 1)
        await it.uploader.die()
        await it.pass_(20)
        it.feed("gate", 1, 3)
        await it.stop()

        assert sum(row.end_us - row.start_us for row in it.rows()) == 4 * US_PER_S


async def test_a_lease_that_ran_out_before_the_uploader_died_stays_so(tmp_path: Path) -> None:
    """It may be another's; the counterpart: no word at all is not a good word."""
    async with site(tmp_path) as it:
        await it.assign(assigned(), left_s=3.0)
        it.feed("gate", 0, 1)
        await it.pass_(4)
        await it.uploader.die()
        await it.pass_(4)
        it.feed("gate", 1, 3)
        await it.stop()

        assert sum(row.end_us - row.start_us for row in it.rows()) == US_PER_S


async def test_a_lease_lost_stops_it_at_once(tmp_path: Path) -> None:
    """The word that another has the shard is not waited out; a lease of another epoch is not ours."""
    async with site(tmp_path) as it:
        await it.assign(assigned())
        it.feed("gate", 0, 2.4)
        it.uploader.say(LeaseIs(A, 7, 0.0, answers=True))
        await until(lambda: ended_runs(it.spool_folder))
        it.uploader.say(LeaseIs(A, 8, 15.0, answers=True))
        await it.pass_(1)
        it.feed("gate", 2.4, 4)
        await it.stop()

        assert sum(row.end_us - row.start_us for row in it.rows()) == 2_400_000
