"""The chain from a connection's packets to the sink: a de-packetizer for each track, and the delivery that joins them."""

from __future__ import annotations

from collections.abc import Callable

from recorder.source import Sink
from recorder.sources import rtp_h264, rtp_h265
from recorder.sources.delivery import Delivery
from recorder.sources.interleaved import PacketHandler
from recorder.sources.limits import Limits
from recorder.sources.offer import Choice, SoundOffer
from recorder.sources.parameter_store import ParameterStore
from recorder.sources.rtp import Losses, read_report
from recorder.sources.rtp_aac import AacPackets
from recorder.sources.rtp_g711 import SoundPackets
from recorder.sources.rtp_video import VideoPackets
from segments.media import Codec

_AAC_SAMPLES = 1024
_VIDEO = 0


class MediaChain:
    """What stands between the channels of one session and its sink. `on_bye` is told, in a sentence, when the camera ends the video."""

    def __init__(self, choice: Choice, sink: Sink, losses: Losses, limits: Limits, on_bye: Callable[[str], None]) -> None:
        is_h264 = choice.video.codec is Codec.H264
        sets = ParameterStore(rtp_h264.set_id if is_h264 else rtp_h265.set_id)
        for unit in choice.video.parameter_sets:
            sets.add(unit)
        self.delivery = Delivery(sink, choice, sets, losses, limits)
        self.video: VideoPackets
        if is_h264:
            self.video = rtp_h264.H264Packets(sets, self.delivery.video, losses, limits)
        else:
            self.video = rtp_h265.H265Packets(sets, self.delivery.video, losses, limits, with_donl=choice.video.with_donl)
        self._choice = choice
        self._losses = losses
        self._on_bye = on_bye

    def on_batch(self, now_us: int) -> None:
        """What follows arrived at this wall clock."""
        self.video.arrival_us = self.delivery.arrival_us = now_us

    def handlers(self, track: int, channel: int) -> tuple[PacketHandler, PacketHandler]:
        """The handlers (RTP, RTCP) of a track whose RTP comes on this channel."""
        if track == _VIDEO:
            self.video.configure(channel, self._choice.video.media.payload_type)
            return self.video.packet, self._take_report
        assert self._choice.sound
        return self._sound_packets(self._choice.sound), _pass_over

    def _sound_packets(self, sound: SoundOffer) -> PacketHandler:
        media, deliver = sound.media, self.delivery.sound
        if sound.encoder:
            return SoundPackets(media.payload_type, deliver, self._losses).packet
        ticks_a_frame = _AAC_SAMPLES * media.clock_rate // sound.track.sample_rate_hz
        return AacPackets(media.payload_type, ticks_a_frame, deliver, self._losses).packet

    def _take_report(self, view: memoryview, pos: int, after: int, _end: int) -> int:
        report, bye = read_report(view, pos, after)
        if report:
            self.delivery.report(report)
        if bye:
            self._on_bye("the camera ended the stream (RTCP BYE)")
        return after


def _pass_over(_view: memoryview, _pos: int, after: int, _end: int) -> int:
    return after
