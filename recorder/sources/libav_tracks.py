"""From a container's packets to access units: which streams are recorded, their times, their form. Knows packets as values, not libav."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from recorder.sound import MAX_CHANNELS, RATES_HZ, AacEncoder
from recorder.source import SourceEnded
from recorder.sources.handover import Handover
from recorder.sources.limits import Limits
from recorder.sources.stored_form import VideoForm, aac_config, split_adts
from segments.errors import BadInput, DataDamaged
from segments.media import TIMESCALE, AccessUnit, AudioTrack, Codec, VideoTrack
from segments.model import Cause, Sound
from segments.parameter_sets import audio_object_type, audio_track, video_track

if TYPE_CHECKING:
    from recorder.sound import SoundDecoder

_VIDEO, _SOUND = 0, 1
_VIDEO_CODECS = {"h264": Codec.H264, "hevc": Codec.H265}
_TO_AAC = frozenset({"pcm_alaw", "pcm_mulaw", "g726", "g726le", "mp2", "mp2float", "mp3", "mp3float", "opus", "libopus"})
_AAC_KINDS = (2, 5, 29)  # LC, and HE with and without parametric stereo
_REORDERED = 8
"""Pictures looked at for the time of a first one that has none: B-frames come up to so many places late."""
_FRAME_TICKS = TIMESCALE // 25
"""Taken for the length of a picture where the container does not say it."""


class StreamFacts(NamedTuple):
    """What a container says of a stream. `codec` is libav's name; `decoder` reads its sound where that must become AAC."""

    number: int
    kind: str
    codec: str
    description: bytes
    time_base: Fraction
    rate_hz: int = 0
    channels: int = 0
    decoder: SoundDecoder | None = None


class PacketFacts(NamedTuple):
    """One packet; times in its stream's time base, None where there is none; `description` is a new one that begins here."""

    stream: int
    pts: int | None
    dts: int | None
    duration: int
    key: bool
    damaged: bool
    data: bytes
    description: bytes = b""


class _Placed(NamedTuple):
    """A packet with its times in ticks."""

    packet: PacketFacts
    pts: int
    dts: int
    arrival_us: int


class _Times:
    """Times of one stream, in ticks.

    A first packet without times (the first of every RTSP connection of libav) is held, with those that follow it: a picture before the
    earliest of these, which may come late in the order of decoding.
    """

    def __init__(self, time_base: Fraction, reordered: int) -> None:
        self._scale = time_base * TIMESCALE
        self._reordered = reordered
        self._first: tuple[PacketFacts, int] | None = None
        self._held: list[_Placed] = []
        self._next: int | None = None

    def place(self, packet: PacketFacts, arrival_us: int) -> Sequence[_Placed]:
        """The packets whose times are known now, in order."""
        step = round(packet.duration * self._scale) or _FRAME_TICKS
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None and self._next is None:
            self._first = packet, arrival_us
            return ()
        ticks = round(pts * self._scale) if pts is not None else self._next or 0
        dts = round(packet.dts * self._scale) if packet.dts is not None else ticks
        self._next = ticks + step
        self._held.append(_Placed(packet, ticks, dts, arrival_us))
        return self._release(step)

    def _release(self, step: int) -> Sequence[_Placed]:
        if self._first:
            if len(self._held) < self._reordered:
                return ()
            earliest = min(placed.pts for placed in self._held) - step
            self._held.insert(0, _Placed(self._first[0], earliest, earliest, self._first[1]))
            self._first = None
        held, self._held = self._held, []
        return held


class LibavTracks:
    """The first H.264 or H.265 video of a container and its first sound.

    `packets` (of video) and `key_frames` rise as they come. A damaged unit is dropped with all after it up to the next key frame.
    `presentation_only` says that decoding times are guesses: then units carry none.
    """

    def __init__(self, handover: Handover, sound: Sound, limits: Limits) -> None:
        self.packets = 0
        self.key_frames = 0
        self.wanted: list[int] = []
        """Numbers of the streams that are recorded, after `choose`."""
        self._handover = handover
        self._setting = sound
        self._limits = limits
        self._notes: list[str] = []
        self._encoder: AacEncoder | None = None
        self._sound: AudioTrack | None = None
        self._video: VideoTrack | None = None
        self._version = self._broken_version = -1
        self._awaits_key = False
        self._presentation_only = False

    def choose(self, streams: Sequence[StreamFacts], *, presentation_only: bool) -> None:
        """Chooses what is recorded; raises SourceEnded if there is no video of ours, DataDamaged if its description is broken."""
        video = next((stream for stream in streams if stream.codec in _VIDEO_CODECS), None)
        if video is None:
            raise SourceEnded(Cause.UNSUPPORTED, "the camera offers neither H.264 nor H.265 video")
        self._presentation_only = presentation_only
        self._form = VideoForm(_VIDEO_CODECS[video.codec], video.description)
        sound = next((stream for stream in streams if stream.kind == "audio" and self._take_sound(stream)), None)
        self._times = {stream.number: _Times(stream.time_base, held) for stream, held in ((video, _REORDERED), (sound, 1)) if stream}
        self.wanted = list(self._times)
        self._describe()  # so that sound that comes before the first picture is not lost

    def take(self, packet: PacketFacts, arrival_us: int) -> None:
        """Hands over what this packet completes; raises SourceEnded if the event loop cannot keep up."""
        for placed in self._times[packet.stream].place(packet, arrival_us):
            if packet.stream == self.wanted[_VIDEO]:
                self._take_video(placed)
            elif self._video:
                self._take_frame(placed)

    # --- video ---

    def _take_video(self, placed: _Placed) -> None:
        packet = placed.packet
        self.packets += 1
        data = self._convert(packet)
        if data is None:
            self._awaits_key = True
        elif data and (packet.key or not self._awaits_key):
            self._awaits_key = False
            if self._form.sets.version != self._version and not self._describe():
                return
            self.key_frames += packet.key
            dts = None if self._presentation_only else placed.dts
            self._handover.unit(AccessUnit(_VIDEO, placed.pts, dts, packet.key, data), placed.arrival_us)

    def _convert(self, packet: PacketFacts) -> bytes | None:
        """The unit as stored, b'' if there is no picture in it, None if it is damaged or too long."""
        if packet.damaged or len(packet.data) > self._limits.unit_bytes:
            return None
        try:
            if packet.description:
                self._form.describe(packet.description)
            return self._form.convert(packet.data, key=packet.key)
        except DataDamaged:
            return None

    def _describe(self) -> bool:
        """Announces the tracks with the parameter sets of now; False if these describe nothing."""
        if self._form.sets.version == self._broken_version:
            return False
        try:
            video = video_track(self._form.codec, self._form.sets.units)
        except DataDamaged:
            self._broken_version = self._form.sets.version
            return False
        self._version = self._form.sets.version
        if video != self._video:
            self._video = video
            self._announce(video)
        return True

    def _announce(self, video: VideoTrack) -> None:
        self._handover.opened((video, self._sound) if self._sound else (video,), tuple(self._notes))

    # --- sound ---

    def _take_sound(self, stream: StreamFacts) -> bool:
        """Whether this sound is recorded; notes what is left out or changed."""
        try:
            if stream.codec == "aac":
                self._sound = _aac_track(stream)
            elif stream.codec not in _TO_AAC or stream.decoder is None:
                raise BadInput("it cannot be recorded")
            elif self._setting is Sound.OMIT:
                self._notes.append(f"sound ({stream.codec}) left out by setting")
                return False
            else:
                self._encoder = AacEncoder(stream.decoder, stream.rate_hz, min(stream.channels, MAX_CHANNELS), _SOUND)
                self._sound = self._encoder.track
                self._notes.append(f"sound ({stream.codec}) recorded as AAC")
        except (BadInput, DataDamaged) as error:
            self._notes.append(f"sound ({stream.codec or 'of an unknown codec'}) left out: {error}")
            return False
        return True

    def _take_frame(self, placed: _Placed) -> None:
        if placed.packet.damaged:
            return
        if self._encoder:
            for unit in self._encoder.encode(placed.packet.data, placed.pts):
                self._handover.unit(unit, placed.arrival_us)
            return
        try:
            config, data = split_adts(placed.packet.data)
            if config and self._sound and config != self._sound.config:
                self._sound = audio_track(config)
                if self._video:
                    self._announce(self._video)
        except DataDamaged:
            return
        dts = None if self._presentation_only else placed.pts
        self._handover.unit(AccessUnit(_SOUND, placed.pts, dts, key=True, data=data), placed.arrival_us)


def _aac_track(stream: StreamFacts) -> AudioTrack:
    """The track of a stream with a description, or of one with ADTS headers; raises DataDamaged or BadInput where it cannot be recorded."""
    if not stream.description:
        if stream.rate_hz not in RATES_HZ or not 1 <= stream.channels <= MAX_CHANNELS:
            raise BadInput("none came while connecting, or in a form that is not recorded")
        return audio_track(aac_config(RATES_HZ.index(stream.rate_hz), stream.channels))
    if audio_object_type(stream.description) not in _AAC_KINDS:
        raise BadInput("only AAC-LC and HE-AAC are recorded")
    return audio_track(stream.description)
