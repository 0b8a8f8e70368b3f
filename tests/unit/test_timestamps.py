"""Repair of times: what comes out rises, keeps what the camera meant, and breaks the run where it cannot be repaired."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.fragment import Sample
from recorder.timestamps import MAX_GAP, AudioTimes, Jump, VideoTimes
from segments.media import TIMESCALE, AccessUnit

FRAME = TIMESCALE // 25


def unit(pts: int, *, key: bool = False, track: int = 0) -> AccessUnit:
    return AccessUnit(track, pts, None, key, b"\0\0\0\1\x65")


def fed(times: list[tuple[int, bool]], piece_ticks: int = 2 * TIMESCALE) -> list[list[Sample]]:
    video = VideoTimes(piece_ticks)
    pieces = [piece for pts, key in times if (piece := video.add(unit(pts, key=key))) is not None]
    return [*pieces, *video.end()]


def gop(start: int, shown: list[int]) -> list[tuple[int, bool]]:
    """A group of pictures in decoding order, by places of showing."""
    return [(start + place * FRAME, i == 0) for i, place in enumerate(shown)]


def test_pictures_without_reordering_keep_their_times() -> None:
    """A stream without B-frames comes out with dts equal to pts, and durations that reach the next picture."""
    pieces = fed(gop(0, list(range(50))) + gop(50 * FRAME, list(range(50))))

    samples = [sample for piece in pieces for sample in piece]
    assert [sample.dts for sample in samples] == [i * FRAME for i in range(100)]
    assert all(sample.dts == sample.pts and sample.duration == FRAME for sample in samples)
    assert [len(piece) for piece in pieces] == [50, 50]


def test_b_frames_are_decoded_in_order_and_shown_when_they_should() -> None:
    """With B-frames the i-th unit decoded gets the i-th smallest time, and each picture keeps its own time of showing."""
    shown = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
    pieces = fed(gop(0, shown) + gop(10 * FRAME, shown))

    samples = [sample for piece in pieces for sample in piece]
    assert [sample.dts for sample in samples] == [i * FRAME for i in range(20)]
    assert [sample.pts for sample in samples] == [place * FRAME for place in shown + [10 + place for place in shown]]


def test_leading_pictures_of_an_open_group_stay_behind_the_group_before() -> None:
    """Pictures decoded after a key frame but shown before it take their own place, and no time of decoding is used twice."""
    open_group = gop(12 * FRAME, [2, 0, 1, 5, 3, 4, *range(6, 30)])
    pieces = fed(gop(0, [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 11, 10]) + open_group + gop(42 * FRAME, list(range(30))))

    samples = [sample for piece in pieces for sample in piece]
    times = [sample.dts for sample in samples]
    assert times == sorted(set(times))
    assert sorted(sample.pts for sample in samples) == [i * FRAME for i in range(72)]


def test_a_long_group_is_handed_out_in_pieces() -> None:
    """A group of 20 s comes out in pieces of 2 s, only the first of which begins with a key frame."""
    pieces = fed(gop(0, list(range(500))))

    assert [piece[0].key for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert all(len(piece) <= 51 for piece in pieces)
    assert sum(len(piece) for piece in pieces) == 500


def test_a_long_group_with_b_frames_is_never_cut_under_one() -> None:
    """Every piece of a long group with B-frames shows only pictures earlier than all of the next piece."""
    order = [0] + [place for base in range(1, 400, 3) for place in (base + 2, base, base + 1)]
    pieces = fed(gop(0, order))

    assert len(pieces) > 5
    for before, after in itertools.pairwise(pieces):
        assert max(sample.pts for sample in before) < min(sample.pts for sample in after)


def test_equal_times_are_moved_apart() -> None:
    """Two pictures of the same time come out one tick apart, as players want rising times."""
    pieces = fed([(0, True), (FRAME, False), (FRAME, False), (2 * FRAME, False)])

    assert [sample.dts for sample in pieces[0]] == [0, FRAME, FRAME + 1, 2 * FRAME]


@pytest.mark.parametrize(("step", "breaks"), [(MAX_GAP + 1, True), (MAX_GAP, False), (-2 * TIMESCALE, True), (-FRAME, False)])
def test_what_cannot_be_repaired_is_a_jump(step: int, breaks: bool) -> None:
    """A hole of over 2 s and a step back of over 1 s end the run; less is a late or reordered picture."""
    video = VideoTimes(2 * TIMESCALE)
    for i in range(50):
        video.add(unit(i * FRAME, key=i == 0))

    assert isinstance(video.jump(unit(49 * FRAME + step)), Jump) is breaks


def test_a_slow_camera_is_no_hole() -> None:
    """A camera of a picture each 5 s is not broken up: its usual interval counts."""
    video = VideoTimes(2 * TIMESCALE)
    video.add(unit(0, key=True))
    video.add(unit(TIMESCALE, key=True))
    video.add(unit(3 * TIMESCALE, key=True))

    assert video.jump(unit(8 * TIMESCALE, key=True)) is None


@given(st.lists(st.tuples(st.integers(-2 * FRAME, 2 * FRAME), st.booleans()), min_size=1, max_size=200))
def test_whatever_comes_in_rises_and_nothing_is_lost(noise: list[tuple[int, bool]]) -> None:
    """For any jitter: as many samples as units, decoding times strictly rising over all pieces, durations without holes inside a piece."""
    pieces = fed([(i * FRAME + jitter + 3 * FRAME, key or i == 0) for i, (jitter, key) in enumerate(noise)])

    times = [sample.dts for piece in pieces for sample in piece]
    assert len(times) == len(noise)
    assert all(a < b for a, b in itertools.pairwise(times))
    for piece in pieces:
        assert all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(piece))
        assert all(sample.duration > 0 for sample in piece)


def test_sound_is_handed_out_up_to_the_pictures_end() -> None:
    """Frames of sound that begin before the end of a fragment's pictures go with them, the others wait."""
    sound = AudioTimes(1920)
    sound.begin(0)
    for i in range(60):
        sound.add(unit(i * 1920, track=1))

    first = sound.before(50 * 1920)
    assert [sample.pts for sample in first] == [i * 1920 for i in range(50)]
    assert [sample.pts for sample in sound.end()] == [i * 1920 for i in range(50, 60)]


def test_sound_that_pauses_is_stretched_not_lost() -> None:
    """After a pause the last frame before it lasts until the next one, so that sound and picture stay together."""
    sound = AudioTimes(1920)
    sound.begin(0)
    for pts in (0, 1920, 10 * 1920, 11 * 1920):
        assert sound.add(unit(pts, track=1)) is None

    assert [sample.duration for sample in sound.before(10 * 1920)] == [1920, 9 * 1920]


def test_sound_set_back_is_a_jump() -> None:
    """Sound whose clock is set back by more than 2 s ends the run."""
    sound = AudioTimes(1920)
    sound.begin(0)
    for i in range(300):
        sound.add(unit(i * 1920, track=1))

    assert sound.add(unit(0, track=1)) is not None
