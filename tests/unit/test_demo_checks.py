"""What the demo checks of its own recording: good footage passes, and each way of being wrong turns the right check red."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from deploy.demo import duration_s, run_demo
from deploy.demo_cameras.cameras import demo_cameras
from deploy.demo_checks import CameraCheck, check_status, whole_footage
from segments.clock import US_PER_S, iso
from segments.errors import BadInput, DataDamaged
from segments.model import Span
from segments.stores.memory_objects import MemoryObjects
from tests.api import Api
from tests.builders import NOON_US, a_camera
from tests.demo_film import Film, shoot
from tests.footage import Take, cut

GATE, YARD, QUAY, _ = demo_cameras(4)
SECONDS = 12
SPAN = Span(NOON_US, NOON_US + SECONDS * US_PER_S)


@cache
def shot(folder, film):
    """The film, encoded once."""
    return shoot(Path(mkdtemp(dir=folder)) / "film.mp4", film)


async def filled(tmp_path, film, *, placed_us=NOON_US, without=(), objects=None):
    """An API with the film as footage in segments of 2 s, those of the places `without` never recorded."""
    api = Api(**({"objects": objects} if objects else {}))
    made = cut(shot(tmp_path.parent, film), Take(film.camera.id, placed_us, segment_s=2))
    await api.index.add_camera(a_camera(film.camera.id, added_us=NOON_US))
    await api.index.put_run(made.run)
    for place, row in enumerate(made.rows):
        if place not in without:
            await api.objects.put(row.key, made.objects[row.key], sha256=row.sha256, attributes={})
            await api.index.publish(row)
    return api


async def red(api, camera=GATE, span=SPAN):
    """The checks that fail, with what they say."""
    async with api.client() as client:
        checks = await CameraCheck(client, camera, span).all()
    assert [check.what for check in checks] == ["timeline", "plays", "clock", "snapshot"]
    return {check.what: check.said for check in checks if not check.fine}


class Damaging(MemoryObjects):
    """A pool that has lost the bytes of every fragment it is asked for."""

    async def get(self, key, start=0, end=None):
        return bytes(len(await super().get(key, start, end)))


class Short(MemoryObjects):
    """A pool that gives the last byte of nothing."""

    async def get(self, key, start=0, end=None):
        return (await super().get(key, start, end))[:-1]


@pytest.mark.parametrize("camera", [GATE, YARD, QUAY], ids=lambda camera: camera.id)
async def test_good_footage_passes(tmp_path, camera):
    """H.264, H.264 with sound, H.265: every check is green, and says how many pictures there were."""
    api = await filled(tmp_path, Film(camera))
    assert await red(api, camera) == {}
    async with api.client() as client:
        plays = (await CameraCheck(client, camera, SPAN).all())[1]
    assert f"{SECONDS * camera.frames_per_s} pictures" in plays.said
    assert ("pieces of sound" in plays.said) == camera.sound


@pytest.mark.parametrize("late_s", [-1, 1])
async def test_footage_placed_wrongly_is_found_by_its_clock(tmp_path, late_s):
    """Pictures that say another time than they are played at: clock and snapshot are red, by how much."""
    api = await filled(tmp_path, Film(GATE, drawn_late_us=late_s * US_PER_S))
    wrong = await red(api)
    assert set(wrong) == {"clock", "snapshot"}
    assert f"{late_s:+.2f} s" in wrong["clock"]


async def test_a_clock_within_half_a_second_passes(tmp_path):
    """Up to the limit is right."""
    assert await red(await filled(tmp_path, Film(GATE, drawn_late_us=450_000))) == {}


async def test_a_lost_picture_is_found_by_its_number(tmp_path):
    """The footage looks whole, but one number is missing."""
    wrong = await red(await filled(tmp_path, Film(GATE, lost=frozenset({50}))))
    assert "picture 51 follows picture 49" in wrong["plays"]


async def test_a_missing_segment_is_found(tmp_path):
    """Without its row there is a gap, and the numbers jump."""
    wrong = await red(await filled(tmp_path, Film(GATE), without=(2,)))
    assert "there is a gap" in wrong["timeline"]
    assert "follows picture" in wrong["plays"]


@pytest.mark.parametrize("pool", [Damaging, Short], ids=lambda pool: pool.__name__)
async def test_damaged_bytes_are_found(tmp_path, pool):
    """Index and timeline are right, but what the pool gives does not play."""
    wrong = await red(await filled(tmp_path, Film(GATE), objects=pool()))
    assert "plays" in wrong
    assert "snapshot" in wrong
    assert "timeline" not in wrong


async def test_a_camera_without_footage_is_found(tmp_path):
    """Everything is red, each with a sentence."""
    api = Api()
    await api.index.add_camera(a_camera("gate", added_us=NOON_US))
    wrong = await red(api)
    assert set(wrong) == {"timeline", "plays", "clock", "snapshot"}
    assert "there is no footage" in wrong["timeline"]


async def test_missing_sound_and_another_codec_are_found(tmp_path):
    """The playlist must name what the camera sends."""
    wrong = await red(await filled(tmp_path, Film(YARD, mute=True)), YARD)
    assert wrong["plays"] == "the playlist names no codec mp4a.*"


@pytest.mark.parametrize(("alarms", "away", "said"), [([], False, "no alarms"), (["full"], False, "full"), ([], True, "does not answer")])
async def test_an_alarm_is_a_finding(alarms, away, said):
    """Nothing to look at is right; an alarm, or a recording side that does not answer, is not."""
    api = Api()
    api.live.said, api.live.away = {"alarms": alarms}, away
    async with api.client() as client:
        check = await check_status(client)
    assert check.fine == (said == "no alarms")
    assert said in check.said


def spans(*lengths_s, kinds="fgf"):
    """A timeline from noon on: footage and gaps by turns, so many seconds each."""
    found, start_us = [], NOON_US
    for kind, length_s in zip(kinds, lengths_s, strict=False):
        end_us = start_us + length_s * US_PER_S
        about = {"kind": "footage"} if kind == "f" else {"kind": "gap", "cause": "unknown", "detail": ""}
        found.append({"from": iso(start_us), "to": iso(end_us), **about})
        start_us = end_us
    return found, Span(NOON_US, start_us)


def test_gaps_at_the_ends_are_allowed_within_limits():
    """It takes a while until cameras record, and the last fragment is still being made."""
    assert whole_footage(*spans(3, 30, 2, kinds="gfg")) == Span(NOON_US + 3 * US_PER_S, NOON_US + 33 * US_PER_S)


@pytest.mark.parametrize(
    ("timeline", "said"),
    [
        (spans(20, 30, kinds="gf"), "begins 20 s late"),
        (spans(30, 20, kinds="fg"), "ends 20 s early"),
        (spans(10, 1, 10), "there is a gap from"),
        (spans(30, kinds="g"), r"there is no footage \(unknown\)"),
    ],
    ids=["late", "early", "inside", "none"],
)
def test_a_timeline_that_is_not_whole_is_told(timeline, said):
    """Each way it can fall short has its own sentence."""
    with pytest.raises(DataDamaged, match=said):
        whole_footage(*timeline)


@pytest.mark.parametrize(("text", "seconds"), [("15s", 15), ("60s", 60), ("5m", 300), ("1h", 3600), ("24h", 86_400), (" 90s ", 90)])
def test_durations_are_read(text, seconds):
    """A number and its unit."""
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["60", "s", "1d", "-5s", "1.5m", "14s", "25h", "9999999s", "5 m"])
def test_other_durations_are_refused(text):
    """Anything else is an error that says how to write it, and the demo ends with code 2 before it starts anything."""
    with pytest.raises(BadInput, match="--for"):
        duration_s(text)


def test_a_bad_duration_starts_nothing(capsys):
    """Exit code 2, and a sentence on stderr."""
    assert run_demo("soon", 4) == 2
    assert "'soon' is no duration: write it as 60s, 5m or 1h" in capsys.readouterr().err
