"""Sound made AAC: its times, its content, its limits; read back by libav's decoder."""

from __future__ import annotations

import av
import numpy as np
import pytest

from recorder.sound import MAX_DRIFT, AacEncoder, make_sound_encoder
from segments.errors import BadInput
from segments.media import TIMESCALE, AccessUnit

_RATE_HZ = 8_000
_PIECE = 160  # 20 ms, as cameras send it


def _tone(seconds: float, hz: int = 440) -> np.ndarray:
    return (8_000 * np.sin(2 * np.pi * hz / _RATE_HZ * np.arange(int(seconds * _RATE_HZ)))).astype(np.int16)


def _coded(samples: np.ndarray, codec: str) -> bytes:
    encoder = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.format = _RATE_HZ, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = _RATE_HZ
    return b"".join(bytes(packet) for packet in encoder.encode(frame))


def _ticks(samples: int) -> int:
    return samples * TIMESCALE // _RATE_HZ


def _encode(encoder: AacEncoder, data: bytes, start: int = 0, bytes_a_sample: float = 1) -> list[AccessUnit]:
    step = int(_PIECE * bytes_a_sample)
    return [
        unit for n, at in enumerate(range(0, len(data), step)) for unit in encoder.encode(data[at : at + step], start + _ticks(n * _PIECE))
    ]


def _decoded(encoder: AacEncoder, units: list[AccessUnit]) -> np.ndarray:
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.track.config
    return np.concatenate([frame.to_ndarray()[0] for unit in units for frame in decoder.decode(av.Packet(unit.data))])


@pytest.mark.parametrize(("name", "codec"), [("PCMA", "pcm_alaw"), ("PCMU", "pcm_mulaw")])
def test_sound_comes_out_as_it_went_in_and_when(name: str, codec: str):
    """Decoded, the tone lies at the sample where its unit's time says, not one encoder delay off."""
    encoder = make_sound_encoder(name, _RATE_HZ, 1)
    units = _encode(encoder, _coded(_tone(5), codec), start=1000)
    out = _decoded(encoder, units)
    assert [unit.pts for unit in units] == [1000 + _ticks(n * 1024) for n in range(len(units))]
    assert np.corrcoef(out[4000:12000], _tone(5)[4000:12000])[0, 1] > 0.99
    assert abs(np.corrcoef(out[4000:12000], _tone(5)[4000 + 1024 : 12000 + 1024])[0, 1]) < 0.9  # the control: shifted by the delay


def test_units_are_complete_and_about_three_late_at_most():
    """Nothing is kept back but what is not a whole unit yet."""
    units = _encode(make_sound_encoder("PCMA", _RATE_HZ, 1, 1), _coded(_tone(5), "pcm_alaw"))
    assert 5 * _RATE_HZ - len(units) * 1024 <= 3 * 1024
    assert {(unit.track, unit.key) for unit in units} == {(1, True)}


def test_the_track_is_aac_lc_of_the_same_rate():
    """The first 13 bits of the AudioSpecificConfig say object type 2, rate index 11 (8 kHz), one channel."""
    track = make_sound_encoder("PCMU", _RATE_HZ, 1).track
    assert int.from_bytes(track.config[:2]) >> 3 == 2 << 8 | 11 << 4 | 1
    assert (track.sample_rate_hz, track.channels) == (8_000, 1)


@pytest.mark.parametrize("jump", [MAX_DRIFT + TIMESCALE, -30 * TIMESCALE])
def test_a_jump_restarts_the_count(jump: int):
    """Times after a jump follow the given times; a wander within the limit does not disturb the count."""
    encoder = make_sound_encoder("PCMA", _RATE_HZ, 1)
    data = _coded(_tone(2), "pcm_alaw")
    before = _encode(encoder, data)
    start = _ticks(len(data)) + jump
    after = _encode(encoder, data, start)
    assert before[-1].pts < _ticks(len(data))
    assert [unit.pts for unit in after if (unit.pts >= start) == (jump > 0) or unit.pts >= start][-1] >= start + _ticks(len(data)) - _ticks(
        4 * 1024
    )
    assert start in [unit.pts for unit in after]


def test_small_wander_is_smoothed():
    """Times that wander by up to 200 ms leave the units evenly spaced."""
    encoder = make_sound_encoder("PCMA", _RATE_HZ, 1)
    data = _coded(_tone(3), "pcm_alaw")
    units = []
    for n, at in enumerate(range(0, len(data), _PIECE)):
        units += encoder.encode(data[at : at + _PIECE], _ticks(at) + (MAX_DRIFT - 100) * (n % 2))
    assert [unit.pts for unit in units] == [_ticks(n * 1024) for n in range(len(units))]


@pytest.mark.parametrize(("name", "bits"), [("G726-16", 2), ("G726-24", 3), ("G726-32", 4), ("G726-40", 5)])
def test_g726_of_every_rate_is_decoded(name: str, bits: int):
    """So many bits a sample give so many samples: a second of sound stays a second."""
    encoder = make_sound_encoder(name, _RATE_HZ, 1)
    units = _encode(encoder, bytes(_RATE_HZ * 2 * bits // 8), bytes_a_sample=bits / 8)
    assert len(units) == pytest.approx(2 * _RATE_HZ / 1024, abs=3)


@pytest.mark.parametrize(("name", "rate_hz", "channels"), [("QCELP", 8_000, 1), ("PCMA", 8_001, 1), ("PCMA", 8_000, 6), ("PCMA", 8_000, 0)])
def test_what_cannot_be_encoded_is_refused_with_a_sentence(name: str, rate_hz: int, channels: int):
    """The text names what was wrong."""
    with pytest.raises(BadInput, match=r"sound (in|at)"):
        make_sound_encoder(name, rate_hz, channels)


def test_no_sound_is_no_unit():
    """An empty packet is passed over."""
    assert make_sound_encoder("PCMA", _RATE_HZ, 1).encode(b"", 0) == []
