"""Sound that MP4 cannot hold (G.711, G.726 and others) made into AAC-LC, by libav.

The encoder's first packet holds nothing but its own delay and is left out, so that each unit begins at the time of the sound in it.
"""

from __future__ import annotations

from collections import deque
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame

from segments.errors import BadInput
from segments.media import TIMESCALE, AccessUnit, AudioTrack

FRAME_SAMPLES = 1024
"""Samples of one AAC-LC access unit (ISO/IEC 14496-3, 4.5.2.1.1)."""
MAX_DRIFT = TIMESCALE // 5
"""Ticks the given times may be away from the count of samples before they are believed."""
RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
"""Sampling rates AAC names, by their index (ISO/IEC 14496-3, table 1.18)."""
MAX_CHANNELS = 2
_BITS_A_SAMPLE = 3
_MAX_BITRATE = 64_000  # of one channel
_DECODERS = {"PCMA": "pcm_alaw", "PCMU": "pcm_mulaw", "L16": "pcm_s16be"}
_G726_BITS = {"G726-16": 2, "G726-24": 3, "G726-32": 4, "G726-40": 5}


def make_sound_encoder(codec_name: str, rate_hz: int, channels: int, track_index: int = 0) -> AacEncoder:
    """An encoder for sound named as RTP names it: PCMA, PCMU and L16, G726-16 to G726-40 in RTP's packing (RFC 3551).

    Raises BadInput for another name, a rate AAC has not, or over MAX_CHANNELS channels.
    """
    name = codec_name.upper()
    if name not in _DECODERS and name not in _G726_BITS:
        raise BadInput(f"sound in {codec_name} cannot be made AAC; set the camera's sound to one of {', '.join([*_DECODERS, *_G726_BITS])}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadInput(f"sound in {channels} channels; 1 to {MAX_CHANNELS} are recorded")
    decoder = cast(AudioCodecContext, av.CodecContext.create(_DECODERS.get(name, "g726le"), "r"))
    decoder.sample_rate = rate_hz
    decoder.layout = "mono" if channels == 1 else "stereo"
    if name in _G726_BITS:
        decoder.options = {"bits_per_coded_sample": str(_G726_BITS[name])}
    return AacEncoder(decoder, rate_hz, channels, track_index)


SoundDecoder = AudioCodecContext
"""What turns coded sound into samples."""


class AacEncoder:
    """Decodes with the given decoder, which it takes over, and encodes AAC-LC of the same rate.

    It takes 3 bits a sample and at most 64 kbit/s a channel. Not thread-safe. Raises BadInput if AAC does not know the rate.
    """

    def __init__(self, decoder: SoundDecoder, rate_hz: int, channels: int, track_index: int = 0) -> None:
        if rate_hz not in RATES_HZ:
            raise BadInput(f"sound at {rate_hz} Hz; AAC knows {', '.join(map(str, sorted(RATES_HZ)))}")
        layout = "mono" if channels == 1 else "stereo"
        self._decoder = decoder
        self._encoder = av.CodecContext.create("aac", "w")
        self._encoder.sample_rate = rate_hz
        self._encoder.layout = layout
        self._encoder.format = "fltp"
        self._encoder.bit_rate = min(rate_hz * _BITS_A_SAMPLE, _MAX_BITRATE) * channels
        self._encoder.options = {"aac_coder": "fast"}  # two thirds of the CPU of the default
        self._encoder.open()
        self._rate_hz = rate_hz
        self._track_index = track_index
        self._fifo = AudioFifo()
        self._origin: int | None = None
        self._samples_in = 0
        self._times: deque[int | None] = deque([None])  # of the frames inside the encoder; None: its own delay
        self._samples_out = 0
        self.track = AudioTrack(rate_hz, min(channels, MAX_CHANNELS), bytes(self._encoder.extradata or b""))

    def encode(self, data: bytes, pts: int) -> list[AccessUnit]:
        """Takes coded sound that begins at `pts` (ticks) and gives the units that are whole by now, up to three units late.

        Times count samples from the first `pts`. Where the given time is more than MAX_DRIFT away from that count they start anew
        from it, and sound short of a whole unit before the jump is dropped. Damaged sound, and sound of another rate
        than was announced, is dropped.
        """
        if self._origin is None or abs(pts - self._time(self._samples_in)) > MAX_DRIFT:
            self._restart(pts)
        try:
            decoded = self._decoder.decode(av.Packet(data))
        except av.error.FFmpegError:
            return []
        for frame in decoded:
            self._take(frame)
        units = []
        while self._fifo.samples >= FRAME_SAMPLES:
            units += self._encode_frame(cast(AudioFrame, self._fifo.read(FRAME_SAMPLES)))
        return units

    def _restart(self, pts: int) -> None:
        self._origin, self._samples_in, self._samples_out = pts, 0, 0
        self._fifo = AudioFifo()

    def _time(self, samples: int) -> int:
        """The time of so many samples after the last start."""
        return (self._origin or 0) + samples * TIMESCALE // self._rate_hz

    def _take(self, frame: AudioFrame) -> None:
        if frame.sample_rate == self._rate_hz:
            frame.pts = None
            self._samples_in += frame.samples
            self._fifo.write(frame)

    def _encode_frame(self, frame: AudioFrame) -> list[AccessUnit]:
        """Each packet is stamped with the time of its own sound, which went in one frame earlier."""
        frame.pts = None
        self._times.append(self._time(self._samples_out))
        self._samples_out += FRAME_SAMPLES
        units = []
        for packet in self._encoder.encode(frame):
            time = self._times.popleft()
            if time is not None:
                units.append(AccessUnit(self._track_index, time, time, key=True, data=bytes(packet)))
        return units
