"""The demo cameras' pictures and sound: what they say can be read back after encoding, by libav's decoders."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest

from deploy.demo_cameras.cameras import MAX_CAMERAS, demo_cameras
from deploy.demo_cameras.encoder import SOUND_RATE_HZ, SOUND_SAMPLES, PictureEncoder, TickEncoder, ticks
from deploy.demo_cameras.font import letter
from deploy.demo_cameras.pictures import HEIGHT, NUMBERS, WIDTH, Mark, Pictures, day_offset_us, read_mark
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import DataDamaged
from segments.media import Codec
from tests.builders import NOON_US

GATE, YARD, QUAY, ROOF = demo_cameras(4)


def decoded(camera, moments):
    """The luma of pictures of these moments, numbered from 0, encoded as the camera does and decoded by libav."""
    pictures, encoder = Pictures(camera), PictureEncoder(camera)
    decoder = av.CodecContext.create("h264" if camera.codec is Codec.H264 else "hevc", "r")
    frames = []
    for n, at_us in enumerate(moments):
        coded = encoder.encode(pictures.at(at_us, n))
        frames += decoder.decode(av.Packet(b"".join(b"\0\0\0\1" + unit for unit in coded.units)))
    return [frame.to_ndarray(format="gray") for frame in frames + decoder.decode(None)]


@pytest.mark.parametrize("camera", [GATE, QUAY], ids=lambda camera: camera.codec)
def test_each_decoded_picture_says_its_moment_and_number(camera):
    """Over midnight and over two groups of pictures, H.264 and H.265."""
    start_us = NOON_US + US_PER_DAY // 2 - US_PER_S
    moments = [start_us + n * US_PER_S // camera.frames_per_s for n in range(2 * camera.frames_per_s)]
    marks = [read_mark(luma) for luma in decoded(camera, moments)]
    assert marks == [Mark(at_us % US_PER_DAY // 1000, n) for n, at_us in enumerate(moments)]
    assert all(-1000 < day_offset_us(mark, at_us) <= 0 for mark, at_us in zip(marks, moments, strict=True))


def test_a_group_of_pictures_lasts_a_second():
    """Key frames come once a second, the first at once, each with its parameter sets in front."""
    pictures, encoder = Pictures(GATE), PictureEncoder(GATE)
    coded = [encoder.encode(pictures.at(NOON_US, n)) for n in range(3 * GATE.frames_per_s)]
    assert [n for n, picture in enumerate(coded) if picture.key] == [0, GATE.frames_per_s, 2 * GATE.frames_per_s]
    assert all([unit[0] & 0x1F for unit in picture.units[:2]] == [7, 8] for picture in coded if picture.key)


def test_numbers_go_round():
    """After NUMBERS pictures the number is 0 again."""
    assert read_mark(Pictures(GATE).at(NOON_US, NUMBERS)[:HEIGHT]).number == 0


@pytest.mark.parametrize("value", [16, 128, 235])
def test_a_picture_without_squares_is_refused(value):
    """A plain picture says nothing, whatever its brightness."""
    with pytest.raises(DataDamaged):
        read_mark(np.full((HEIGHT, WIDTH), value, np.uint8))


def test_a_picture_of_another_size_is_refused():
    """Squares are looked for at their own places only."""
    with pytest.raises(DataDamaged, match="320x180"):
        read_mark(np.zeros((180, 320), np.uint8))


def test_the_offset_takes_the_nearer_day():
    """A picture a second before midnight, played a second after it, is two seconds early, not a day late."""
    midnight_us = NOON_US + US_PER_DAY // 2
    assert day_offset_us(Mark(86_399_000, 0), midnight_us + US_PER_S) == -2 * US_PER_S


def test_letters_differ():
    """No two letters look the same but O and zero, which only people tell apart."""
    shapes = {character: letter(character, 3).tobytes() for character in "0123456789:.-+ABCDEFGHIJKLMNPQRSTUVWXYZ "}
    assert len(set(shapes.values())) == len(shapes)


def test_pictures_move():
    """Two pictures a frame apart differ beside clock and squares."""
    pictures = Pictures(GATE)
    one, other = (pictures.at(NOON_US + n * 66_667, n)[:250].astype(int) for n in (0, 1))
    assert np.abs(one - other).max() > 40


def test_cameras_are_told_apart():
    """Ids are unique, colours differ among the first, one has sound, one is H.265."""
    cameras = demo_cameras(MAX_CAMERAS)
    assert len({camera.id for camera in cameras}) == MAX_CAMERAS
    assert [camera.sound for camera in cameras[:4]] == [False, True, False, False]
    assert [camera.codec for camera in cameras[:4]] == [Codec.H264, Codec.H264, Codec.H265, Codec.H264]
    means = [Pictures(camera).at(NOON_US, 0)[HEIGHT:].reshape(2, -1).mean(axis=1) for camera in cameras[:4]]
    assert min(np.abs(a - b).max() for a, b in itertools.combinations(means, 2)) > 3


def test_the_tick_falls_on_the_full_second():
    """The decoded sound is loudest right after a second of the wall clock begins, and almost silent before the next."""
    first = NOON_US // US_PER_S * SOUND_RATE_HZ - SOUND_RATE_HZ // 2
    encoder = TickEncoder(first)
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.config
    frames = [frame for _ in range(20) for _, data in encoder.encode() for frame in decoder.decode(av.Packet(data))]
    wave = np.concatenate([frame.to_ndarray()[0] for frame in frames])[SOUND_SAMPLES:]  # without the priming
    loudest = int(np.abs(wave).argmax()) / SOUND_RATE_HZ
    assert 0.5 <= loudest < 0.53
    assert np.abs(wave[: SOUND_RATE_HZ // 3]).max() < 0.01


def test_sound_goes_on_over_its_pieces():
    """Two pieces are one wave cut in two."""
    joined = np.concatenate([ticks(0), ticks(SOUND_SAMPLES)])
    assert np.abs(np.diff(joined)).max() < 0.15
