"""The contract of `Peer` as a class that the tests of a source and of a client inherit: what one site may expect of another."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta

import pytest

from replication.ports import MOST_DAYS, MOST_GONE, Commit, Has, Named, News, Peer
from segments.clock import US_PER_DAY, US_PER_HOUR, US_PER_S
from segments.damage import damaged_of, note_damage
from segments.digest import HOURS, NOTHING, digest_of_rows, hour_of
from segments.errors import BadInput, DataDamaged, NotFound
from segments.hold import HOLDS, HoldChange, Stretch, hold_values
from segments.model import BatchState, Partition, RowPosition, Span
from segments.record import new_record
from segments.shards import bucket_of
from tests.asked_site import ATTRIBUTES, AskedSite, a_small_row, all_of
from tests.builders import NOON_US, a_batch, a_camera, a_run
from tests.retention_builders import a_gone, a_hold, a_receipt

DAY = date(2026, 3, 14)
MINUTE_US = 60 * US_PER_S


class PeerContract:
    """Fixtures to give: `site`, and `peer` that asks it."""

    # --- comparing ---

    async def test_hello(self, site: AskedSite, peer: Peer) -> None:
        """It says who it is."""
        assert await peer.hello() == site.voice.greeting

    async def test_digests_are_of_the_rows(self, site: AskedSite, peer: Peer) -> None:
        """Digests come in the order of the camera-days, and that of a day without rows is nothing."""
        rows = [(await site.keep(start_us=NOON_US + n * MINUTE_US, counter=n))[0] for n in range(3)]
        other, _ = await site.keep(camera="door")
        days = [Partition("door", DAY), Partition("gate", DAY - timedelta(1)), Partition("gate", DAY)]
        assert await peer.digests(days) == [digest_of_rows([other]), NOTHING, digest_of_rows(rows)]
        assert await peer.digests([]) == []

    async def test_digests_of_very_many_days(self, site: AskedSite, peer: Peer) -> None:
        """As many as the protocol allows are answered in their order; more are refused."""
        row, _ = await site.keep()
        days = [Partition("gate", DAY - timedelta(n)) for n in range(MOST_DAYS)]
        assert await peer.digests(days) == [digest_of_rows([row]), *[NOTHING] * (MOST_DAYS - 1)]
        with pytest.raises(BadInput):
            await peer.digests([*days, *days])

    async def test_all_camera_days_are_listed(self, site: AskedSite, peer: Peer) -> None:
        """Page by page each camera-day with rows comes once, with its digest."""
        rows = [(await site.keep(camera=f"cam-{n}"))[0] for n in range(7)]
        found, after = [], ""
        while True:
            page = await peer.camera_days(after=after, limit=3)
            found += page.items
            if page.next is None:
                break
            after = page.next
        assert sorted(found) == sorted((Partition(row.camera, row.day), digest_of_rows([row])) for row in rows)

    async def test_hours_add_up_to_the_day(self, site: AskedSite, peer: Peer) -> None:
        """There are 24 digests, of the rows that start in each hour."""
        rows = [(await site.keep(start_us=NOON_US + n * US_PER_HOUR // 2, counter=n))[0] for n in range(6)]
        hours = await peer.hours("gate", DAY)
        assert hours == [digest_of_rows(row for row in rows if hour_of(row) == hour) for hour in range(HOURS)]

    async def test_rows_come_as_they_are(self, site: AskedSite, peer: Peer) -> None:
        """The rows of the hours that are asked for come whole, with fragments, pool and version, in order; none for no hours."""
        rows = [(await site.keep(start_us=NOON_US + n * US_PER_HOUR // 2, counter=n, clock_synced=n % 2 == 0))[0] for n in range(8)]
        wanted = [row for row in rows if hour_of(row) in (12, 14)]
        assert len(wanted) == 4
        assert await peer.rows("gate", DAY, {14, 12}) == wanted
        assert await peer.rows("gate", DAY, range(24)) == rows
        assert await peer.rows("gate", DAY, []) == await peer.rows("nobody", DAY, [12]) == []

    async def test_runs_come_as_they_are(self, site: AskedSite, peer: Peer) -> None:
        """A run comes with its init and its notes; one that is not there is not found."""
        run = a_run(init=bytes(range(256)) * 8, notes=("sound is left out: 门",), ended=True, end_cause="camera-away")
        await site.index.put_run(run)
        assert await peer.run("gate", run.id) == run
        with pytest.raises(NotFound):
            await peer.run("gate", "home-a-9-9")

    # --- playing ---

    async def test_between_has_rows_with_runs(self, site: AskedSite, peer: Peer) -> None:
        """Rows of which a part lies in the span come with their runs, one that began before it too."""
        rows = [(await site.keep(start_us=NOON_US + n * MINUTE_US, counter=n, run=f"home-a-{1 + n // 2}-1"))[0] for n in range(4)]
        found = await peer.between("gate", Span(NOON_US + MINUTE_US + 1, NOON_US + 3 * MINUTE_US))
        assert [row for row, _ in found] == rows[1:3]
        assert [run.id for _, run in found] == ["home-a-1-1", "home-a-2-1"]
        with pytest.raises(BadInput):
            await peer.between("gate", Span(NOON_US, NOON_US + US_PER_DAY + 1))

    async def test_between_has_the_live_edge(self, site: AskedSite, peer: Peer) -> None:
        """What is not indexed yet is there without a pool, and may still grow; what is both comes once, from the index."""
        row, _ = await site.keep()
        growing, data = a_small_row(3000, start_us=row.end_us, counter=1, pool="", sha256="", version="")
        site.live.found = [(replace(row, pool=""), a_run()), (growing, a_run())]
        site.live.data[growing.position] = data
        found = await peer.between("gate", Span(NOON_US, NOON_US + US_PER_HOUR))
        assert [each for each, _ in found] == [row, growing]
        assert await all_of((await peer.read(growing, 10, 2000)).pieces) == data[10:2000]
        site.live.away = True
        assert [each for each, _ in await peer.between("gate", Span(NOON_US, NOON_US + US_PER_HOUR))] == [row]

    async def test_footage_of_a_day_and_of_a_year(self, site: AskedSite, peer: Peer) -> None:
        """When there is footage is told for short and for long spans, for long ones without what receipts name."""
        rows = [(await site.keep(start_us=NOON_US + n * MINUTE_US, counter=n))[0] for n in range(3)]
        day = await peer.footage("gate", Span(NOON_US, NOON_US + US_PER_HOUR))
        assert [(one.start_us, one.end_us) for one in day] == [(row.start_us, row.end_us) for row in rows]
        await site.index.put_receipt(a_receipt(segments=(a_gone(rows[0]),)))
        year = await peer.footage("gate", Span(NOON_US - 300 * US_PER_DAY, NOON_US + US_PER_DAY))
        assert [(one.start_us, one.end_us) for one in year] == [(rows[1].start_us, rows[2].end_us)]
        with pytest.raises(BadInput):
            await peer.footage("gate", Span(NOON_US - 500 * US_PER_DAY, NOON_US))

    @pytest.mark.parametrize(("start", "end"), [(0, None), (0, 5000), (100, 4000), (4999, None), (0, 9000), (10, 10), (5000, None)])
    async def test_bytes_come_with_attributes(self, site: AskedSite, peer: Peer, start: int, end: int | None) -> None:
        """The whole of a segment or a range of it comes, with its attributes, and `size` says how much that is."""
        row, data = await site.keep()
        found = await peer.read(row, start, end)
        assert (found.size, found.attributes) == (len(data[start:end]), ATTRIBUTES)
        assert await all_of(found.pieces) == data[start:end]

    async def test_large_objects_come_in_pieces(self, site: AskedSite, peer: Peer) -> None:
        """Many MiB come whole, and not at once."""
        row, data = await site.keep(11 << 20)
        pieces = [piece async for piece in (await peer.read(row)).pieces]
        assert b"".join(pieces) == data
        assert len(pieces) > 1

    async def test_bytes_that_are_not_there(self, site: AskedSite, peer: Peer) -> None:
        """A segment that is unknown, that has other content here, or whose object is gone, is not found."""
        row, _ = await site.keep()
        with pytest.raises(NotFound):
            await peer.read(replace(row, counter=9))
        with pytest.raises(NotFound):
            await peer.read(replace(row, sha256="0" * 64))
        await site.objects.delete([row.key])
        with pytest.raises(NotFound):
            await peer.read(row)

    async def test_objects_of_another_size_are_damaged(self, site: AskedSite, peer: Peer) -> None:
        """A row whose object is shorter is not given out."""
        row, _ = await site.keep()
        longer = replace(row, size=row.size + 1)
        await site.index.publish(longer)
        with pytest.raises(DataDamaged):
            await peer.read(longer)

    async def test_what_is_known_to_be_damaged_is_not_given_out(self, site: AskedSite, peer: Peer) -> None:
        """Although the object has its size: it is missing, and refused, until it is named no more; others of its camera are given."""
        row, data = await site.keep()
        other, _ = await site.keep(start_us=NOON_US + MINUTE_US, counter=1)
        named = [Named(row.position, row.sha256), Named(other.position, other.sha256)]
        await note_damage(site.index, [damaged_of(row, "a bit flipped", NOON_US)])
        assert await peer.has("gate", DAY, named) == [Has.MISSING, Has.HERE]
        with pytest.raises(DataDamaged, match="known to be damaged"):
            await peer.read(row)
        await peer.read(other)
        await note_damage(site.index, [], over=[row.key])
        assert await peer.has("gate", DAY, named) == [Has.HERE, Has.HERE]
        assert await all_of((await peer.read(row)).pieces) == data

    async def test_what_is_asked_for_is_looked_up(self, site: AskedSite, peer: Peer) -> None:
        """Key and pool in a question lead nowhere: only a segment's own place does."""
        row, data = await site.keep()
        await site.objects.put("keys/secret", b"secret" * 900, sha256=hashlib.sha256(b"secret" * 900).hexdigest(), attributes={})
        found = await peer.read(replace(row, key="keys/secret", pool="@north"))
        assert await all_of(found.pieces) == data

    # --- having ---

    @pytest.mark.parametrize("count", [3, 40])
    async def test_has_says_what_is_here(self, site: AskedSite, peer: Peer, count: int) -> None:
        """Here: a row of this hash whose object has its size, be it few or a day of them; all else is missing."""
        rows = [(await site.keep(start_us=NOON_US + n * MINUTE_US, counter=n))[0] for n in range(count)]
        await site.objects.delete([rows[0].key])
        await site.index.publish(replace(rows[1], size=rows[1].size + 1))
        named = [Named(row.position, row.sha256) for row in rows]
        named += [Named(rows[2].position, "0" * 64), Named(RowPosition(NOON_US, "home-a-9-9", 0), rows[2].sha256)]
        found = await peer.has("gate", DAY, named)
        assert found == [Has.MISSING, Has.MISSING, *[Has.HERE] * (count - 2), Has.MISSING, Has.MISSING]

    async def test_what_receipts_name_is_gone(self, site: AskedSite, peer: Peer) -> None:
        """A segment that a receipt of that day names is gone, not missing; one of another hash is missing. Before it was due: early."""
        reasons = ({"due": 1}, {"due": 1, "pressure": 1}, {"too-late": 1})
        for number, (reason, said) in enumerate(zip(reasons, (Has.GONE, Has.EARLY, Has.EARLY), strict=True)):
            other = a_small_row(counter=number)[0]
            segments = {"segments": (a_gone(other),), "reasons": reason, "chain": f"sweep.{number}-of-3"}
            await site.index.put_receipt(a_receipt(**segments))
            named = [Named(other.position, other.sha256), Named(other.position, "0" * 64)]
            assert await peer.has("gate", DAY, named) == [said, Has.MISSING]

    @pytest.mark.parametrize(("state", "said"), [(BatchState.UNPUBLISHED, Has.EARLY), (BatchState.HELD, Has.MISSING)])
    async def test_what_a_batch_deletes_is_gone_early(self, site: AskedSite, peer: Peer, state: BatchState, said: Has) -> None:
        """A segment in the rows of an open batch, of which nobody says whether it was due; not one of a batch that is taken back."""
        row, _ = a_small_row()
        batch = a_batch()
        await site.index.put_batch(batch, expect=None)
        await site.index.put_batch_rows(batch, [row])
        await site.index.put_batch(replace(batch, state=state), expect=BatchState.PENDING)
        assert await peer.has("gate", DAY, [Named(row.position, row.sha256)]) == [said]

    async def test_news_are_handed_on(self, site: AskedSite, peer: Peer) -> None:
        """What was committed, and where to go on from."""
        assert await peer.news("") == News([], "n0")
        site.news.next = News([Commit("gate", RowPosition(NOON_US, "home-a-1-1", 3), NOON_US + 5)], "n2", lost=True)
        assert await peer.news("n0") == site.news.next

    # --- the site ---

    async def test_cameras_that_are_at_home_are_told(self, site: AskedSite, peer: Peer) -> None:
        """Cameras of a bucket come whole, but for those of other sites; with their credentials, as they are sealed, and stamps."""
        ours = a_camera("gate", tags=("a", "b"), latitude=None, name="门")
        guest = replace(a_camera("guest"), home="south")
        for camera in (ours, guest):
            await site.index.add_camera(camera)
            await site.index.put_credential(camera.id, b"\x00sealed " + camera.id.encode())
        assert await peer.cameras_in(bucket_of("gate")) == [ours]
        assert await peer.cameras_in(bucket_of("guest")) == []
        assert await peer.credentials_in(bucket_of("gate")) == {"gate": b"\x00sealed gate"}
        assert await peer.credentials_in(bucket_of("guest")) == {}
        assert await peer.camera_stamps() == await site.index.camera_stamps() != {}

    async def test_holds_are_told_both_ways(self, site: AskedSite, peer: Peer) -> None:
        """All holds come with all that was done to them; those that are told arrive as they are."""
        change = HoldChange(NOON_US, "Wang", "extended", "the court asks")
        holds = [a_hold(id="h-1", changes=(change,), review=DAY), a_hold(id="h-2", areas=("fujian",), lifted_us=5, lifted_by="Wu")]
        for hold in holds:
            await site.index.put_record(new_record(HOLDS, hold.id, hold_values(hold)))
        assert await peer.holds() == holds
        assert list(await peer.tell_holds(holds) or ()) == []
        assert site.voice.told == holds

    async def test_holds_that_change_are_seen_and_others_stay(self, site: AskedSite, peer: Peer) -> None:
        """Asked again and again: each answer is as the site knows it then."""
        assert list(await peer.holds()) == []
        first, longer = a_hold(id="h-1", end_us=NOON_US), a_hold(id="h-1", end_us=NOON_US + 1)
        record = new_record(HOLDS, "h-1", hold_values(first))
        await site.index.put_record(record)
        assert [await peer.holds() for _ in range(3)] == [[first]] * 3
        await site.index.put_record(record.changed(hold_values(longer)))
        assert [await peer.holds() for _ in range(2)] == [[longer]] * 2

    async def test_what_holds_came_too_late_for_is_told(self, site: AskedSite, peer: Peer) -> None:
        """Stretches of footage, no more than the protocol allows; and that it is not known yet."""
        gone = [Stretch("gate", NOON_US + n * MINUTE_US, NOON_US + n * MINUTE_US + 1) for n in range(MOST_GONE + 5)]
        for said, comes in ((gone[:2], gone[:2]), (gone, gone[:MOST_GONE]), (None, None)):
            site.voice.gone = said
            assert await peer.tell_holds([a_hold()]) == comes

    async def test_takeovers_and_hearing(self, site: AskedSite, peer: Peer) -> None:
        """It says which cameras of a site it records, and when it heard of one."""
        site.voice.taken = {"south": ["gate", "door"], "east": []}
        site.voice.heard = {"south": NOON_US}
        assert [await peer.taken_over(name) for name in ("south", "east", "west")] == [["gate", "door"], [], None]
        assert [await peer.heard_us(name) for name in ("south", "west")] == [NOON_US, 0]
