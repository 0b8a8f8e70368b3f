"""Backups of what is not footage: their files and pools, when they are made, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from deploy import backup, backup_objects
from deploy.backup import LastBackup, camera_key, opened_backup, wanted_since, write_backup
from deploy.backup_duty import LOOK_EVERY_S, backup_rounds
from deploy.backup_objects import BackupCard, backup_name, backups, fetch, prune, put_backup, superfluous
from deploy.doctor import Verdict
from deploy.doctor_backup import LATE_US, findings
from deploy.metrics.backup import BackupMetrics
from deploy.placed_duties import placed_duties
from deploy.settings import Settings
from deploy.wiring import open_index
from segments.clock import US_PER_DAY, US_PER_HOUR, US_PER_S, SystemClock
from segments.duty import Duty
from segments.errors import BadInput, Conflict, DataDamaged, NotFound, TryAgain
from segments.keys import CAMERA_ID, OUR_FOLDER, parse_key
from segments.stores.memory_index import MemoryIndex
from tests.backup_site import SITE, Site, a_site, settings_in
from tests.builders import NOON_US


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    """A filled index, and a pool for backups."""
    return await a_site(tmp_path)


# --- files and pools ---


async def test_what_is_damaged_is_not_restored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that was changed, one that is missing, a card that is no card: each is said, and names the backup."""
    monkeypatch.setattr(backup_objects, "PIECE_BYTES", 50_000)
    card = await site.backup()
    assert len(card.pieces) > 2
    await fetch(site.objects, card, site.folder / "good.sqlite", site.clock)
    data = await site.objects.get(card.piece_key(1))
    await site.objects.delete([card.piece_key(1)])
    with pytest.raises(NotFound, match=card.name):
        await fetch(site.objects, card, site.folder / "a.sqlite", site.clock)
    spoiled = bytes([data[0] ^ 1]) + data[1:]
    await site.objects.put(card.piece_key(1), spoiled, sha256=backup_objects._sha256(spoiled), attributes={})
    with pytest.raises(DataDamaged, match=card.name):
        await fetch(site.objects, card, site.folder / "b.sqlite", site.clock)
    await site.objects.delete([card.key])
    await site.objects.put(card.key, b"[]", sha256=backup_objects._sha256(b"[]"), attributes={})
    with pytest.raises(DataDamaged, match="card"):
        await backups(site.objects, SITE, site.clock)


async def test_a_file_that_is_no_backup_is_refused(site: Site, tmp_path: Path) -> None:
    """Damaged in the middle, no database, or an index nobody made a backup of."""
    good = tmp_path / "good.sqlite"
    await write_backup(good, site.settings, site.index, site.clock)
    async with opened_backup(good) as (_, origin):
        assert (origin.site, origin.camera_key) == (SITE, "")
    data = bytearray(good.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xff" * 4096
    (tmp_path / "bad.sqlite").write_bytes(data)
    (tmp_path / "text.sqlite").write_text("no database " * 1000)
    for name in ("bad", "text"):
        with pytest.raises(DataDamaged, match=f"{name}.sqlite"):
            async with opened_backup(tmp_path / f"{name}.sqlite"):
                pass
    async with open_index(settings_in(tmp_path / "plain")):
        pass
    with pytest.raises(BadInput, match="no backup"):
        async with opened_backup(tmp_path / "plain" / "index.sqlite"):
            pass


async def test_the_newest_are_kept(site: Site) -> None:
    """So many as the settings say, whole; what goes, goes with all its pieces."""
    site.settings = settings_in(site.folder / "site", backup_keep=2)
    names = [(await site.backup()).name for _ in range(4)]
    assert [card.name for card in await backups(site.objects, SITE, site.clock)] == names[-2:]
    assert {each.key.rpartition("/")[2].partition(".")[0] async for each in site.objects.versions("")} == set(names[-2:])


async def test_what_the_pool_does_not_let_go_stands_in_no_way(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """New ones are made all the same, and the log names what is left; it goes when it may."""
    site.settings = settings_in(site.folder / "site", backup_keep=1)
    first = await site.backup()
    await site.objects.set_legal_hold(first.piece_key(0), "", held=True)
    await site.backup()
    assert first.piece_key(0) in caplog.text
    assert len(await backups(site.objects, SITE, site.clock)) == 1
    await site.objects.set_legal_hold(first.piece_key(0), "", held=False)
    last = await site.backup()
    assert {each.key async for each in site.objects.versions("")} == {last.key, last.piece_key(0)}


def test_what_is_superfluous() -> None:
    """The last whole one never goes, whatever was begun after it; what never became whole goes with its time."""

    def keys(name: str, *, whole: bool = True) -> list[str]:
        return [f"_keepsight/backup/home/{name}.sqlite.00000", *([f"_keepsight/backup/home/{name}.json"] if whole else [])]

    a, b, c, d = (f"2026010{n}T000000Z" for n in (1, 2, 3, 4))
    assert superfluous(keys(a) + keys(b, whole=False), 1) == []
    assert superfluous(keys(a) + keys(b, whole=False) + keys(c), 1) == [keys(a)[1], keys(a)[0], keys(b)[0]]
    assert superfluous(keys(a) + keys(b) + keys(c) + keys(d, whole=False), 2) == keys(a)[::-1]
    assert superfluous([], 1) == []


def test_no_camera_lies_where_backups_do() -> None:
    """Its id cannot be that of their folder, so none of them is ever taken for footage."""
    assert CAMERA_ID.fullmatch(OUR_FOLDER.rstrip("/")) is None
    assert CAMERA_ID.fullmatch("keepsight") is not None
    with pytest.raises(BadInput):
        parse_key(f"{OUR_FOLDER}2026-03-14/home-a-1-1/12/00-00.000000Z.0.mp4")


async def test_a_backup_is_never_overwritten(site: Site, tmp_path: Path) -> None:
    """Two in one second: the second one is told so."""
    (tmp_path / "x").write_bytes(b"x")
    draft = BackupCard(backup_name(NOON_US), SITE, NOON_US, 0, (), {})
    await put_backup(site.objects, tmp_path / "x", draft)
    with pytest.raises(Conflict):
        await put_backup(site.objects, tmp_path / "x", draft)
    assert await prune(site.objects, site=SITE, keep=1, clock=site.clock) == {}


# --- on time ---


async def test_backups_are_made_when_they_are_due(site: Site) -> None:
    """The first at once, the next a day later; one that fails is tried again, and is known to be due since it was."""
    round_ = backup_rounds(site.settings, site.stores, site.clock)(Duty("backup"))
    assert await round_() == LOOK_EVERY_S
    made_us = site.clock.now_us()
    assert 0 < await round_() <= LOOK_EVERY_S
    site.clock.move(24 * 3600 - 1)
    await round_()
    assert len(await backups(site.objects, SITE, site.clock)) == 1
    site.clock.move(2)
    good, site.stores.pools["main"].put = site.objects.put, _away  # type: ignore[method-assign]
    with pytest.raises(TryAgain):
        await round_()
    assert backup.due_us(await wanted_since(site.index, site.clock.now_us()), site.settings) == made_us + US_PER_DAY
    site.objects.put = good  # type: ignore[method-assign]
    await round_()
    assert len(await backups(site.objects, SITE, site.clock)) == 2
    assert [str(duty) for duty in placed_duties(site.settings)][-1] == "backup.0-of-1"
    assert "backup" not in [duty.kind for duty in placed_duties(Settings())]


async def _away(*_: object, **__: object) -> str:
    raise TryAgain("away")


async def test_a_site_that_has_made_none_is_late_from_the_start() -> None:
    """What is due counts from when it was first wanted."""
    index = MemoryIndex()
    first = await wanted_since(index, NOON_US)
    assert first == await wanted_since(index, NOON_US + US_PER_HOUR)
    assert backup.due_us(first, Settings()) == NOON_US


async def test_what_dead_processes_left_is_removed(site: Site) -> None:
    """A day later; nothing of ours stays behind."""
    left = site.settings.site.folder / "backup-dead"
    left.mkdir(parents=True)
    site.clock.start_us = SystemClock().now_us() + 2 * US_PER_DAY
    await site.backup()
    assert list(site.settings.site.folder.iterdir()) == []
    site.clock.start_us = SystemClock().now_us() + 3600 * US_PER_S
    left.mkdir()
    await site.backup()
    assert list(site.settings.site.folder.iterdir()) == [left]


def test_the_fingerprint_tells_keys_apart(tmp_path: Path) -> None:
    """Another key has another one, and none of it is in it; no key has none."""
    settings = settings_in(tmp_path)
    assert camera_key(settings) == ""
    settings.camera_key_path.parent.mkdir(parents=True)
    found = []
    for text in ("ab" * 32, "ac" * 32, "ab" * 32 + "\n"):
        settings.camera_key_path.write_text(text)
        found.append(camera_key(settings))
    assert found[0] == found[2] != found[1]
    assert "abab" not in found[0]


# --- being told ---


def test_the_doctor_tells_of_backups(tmp_path: Path) -> None:
    """None wanted is noted, one that is late is ill, one that is fresh is good; and the key that is in none is named each time."""
    late_us, settings = NOON_US + US_PER_DAY + LATE_US, settings_in(tmp_path)
    last = LastBackup(NOON_US, NOON_US, "20260314T120000Z", "main", 1 << 20)

    def verdicts(last: LastBackup | None, now_us: int) -> list[Verdict]:
        return [found.verdict for found in findings(last, settings, now_us)]

    assert "replication.backup_pool" in findings(None, Settings(), NOON_US)[0].do
    assert verdicts(None, NOON_US) == [Verdict.NOTED, Verdict.NOTED]
    assert verdicts(LastBackup(NOON_US), NOON_US + LATE_US + 1) == [Verdict.ILL, Verdict.NOTED]
    assert verdicts(last, late_us) == [Verdict.GOOD, Verdict.NOTED]
    assert verdicts(last, late_us + 1) == [Verdict.ILL, Verdict.NOTED]
    assert "is in no backup" in findings(last, settings, NOON_US)[1].seen


async def test_when_the_next_is_due_is_told(site: Site) -> None:
    """By the node that supervises, where backups are wanted; another node, and a site that wants none, tell nothing."""
    registry, none = CollectorRegistry(), CollectorRegistry()
    await site.backup()
    made_s = site.clock.now_us() / US_PER_S
    metrics = BackupMetrics(registry, site.settings)
    for supervises, told in ((True, (made_s, made_s + 86_400)), (False, (0, 0))):
        await metrics.sample(site.index, supervises=supervises)
        assert tuple(registry.get_sample_value(f"keepsight_backup_{what}_timestamp_seconds") for what in ("finished", "due")) == told
    await BackupMetrics(none, Settings()).sample(site.index, supervises=True)
    assert none.get_sample_value("keepsight_backup_due_timestamp_seconds") == 0
