"""From de-packetized units to the sink: one timeline, and the tracks announced before their first unit and at each change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recorder.source import Sink
from recorder.sources.limits import Limits
from recorder.sources.offer import Choice
from recorder.sources.parameter_store import ParameterStore
from recorder.sources.rtp import Losses, SenderReport
from recorder.sources.rtp_clock import RtpClock
from segments.errors import DataDamaged
from segments.media import AccessUnit, Track
from segments.parameter_sets import video_track

_VIDEO, _SOUND = 0, 1


class Delivery:
    """Joins the tracks of a session.

    What comes before PLAY is answered is held, for only the answer says where the tracks begin. Sound is passed on once the video's
    parameters are known. Only the video's sender reports are passed on, so that there is one clock.
    """

    def __init__(self, sink: Sink, choice: Choice, sets: ParameterStore, losses: Losses, limits: Limits) -> None:
        self.arrival_us = 0
        """The wall clock of the batch being read; set by the reader."""
        self.key_frames = 0
        self._sink = sink
        self._choice = choice
        self._sets = sets
        self._losses = losses
        self._limits = limits
        self._sound = choice.sound
        self._clocks = [RtpClock(choice.video.media.clock_rate), *([RtpClock(self._sound.media.clock_rate)] if self._sound else [])]
        self._rtp_info: Sequence[int | None] = (None, None)
        self._held: list[Callable[[], None]] | None = []
        self._held_bytes = 0
        self._first_us: int | None = None
        self._tracks: tuple[Track, ...] = ()
        self._version = -1
        self._broken_version = -1
        self._report: SenderReport | None = None

    def begin(self, rtp_info: Sequence[int | None]) -> None:
        """PLAY is answered: RTP times of the beginning by track (None: not told). RTP-Info counts only if it names every track."""
        if None not in rtp_info:
            self._rtp_info = rtp_info
        held, self._held = self._held or [], None
        for deliver in held:
            deliver()

    def video(self, stamp: int, key: bool, data: bytearray, arrival_us: int) -> None:
        """One access unit of the video."""
        if self._held is not None:
            self._hold(lambda: self.video(stamp, key, data, arrival_us), len(data))
            return
        clock = self._clocks[_VIDEO]
        if not clock.started:
            self._start(_VIDEO, stamp, arrival_us)
        pts = clock.advance(stamp)
        if self._sets.version != self._version and not self._open():
            self._losses.units += 1
            return
        if key:
            self.key_frames += 1
        self._sink.unit(AccessUnit(_VIDEO, pts, None, key, data), arrival_us)

    def sound(self, stamp: int, data: bytes) -> None:
        """One piece of sound, as it came: an AAC frame, or what the encoder takes."""
        self._place_sound(stamp, data, self.arrival_us)

    def _place_sound(self, stamp: int, data: bytes, arrival_us: int) -> None:
        if self._held is not None:
            self._hold(lambda: self._place_sound(stamp, data, arrival_us), len(data))
            return
        clock = self._clocks[_SOUND]
        if not clock.started:
            self._start(_SOUND, stamp, arrival_us)
        pts = clock.advance(stamp)
        if not self._tracks or self._sound is None:
            return
        encoder = self._sound.encoder
        for unit in encoder.encode(data, pts) if encoder else (AccessUnit(_SOUND, pts, None, key=True, data=data),):
            self._sink.unit(unit._replace(track=_SOUND), arrival_us)

    def report(self, report: SenderReport) -> None:
        """A sender report of the video; kept if it comes before the first unit."""
        clock = self._clocks[_VIDEO]
        if clock.started and self._tracks:
            self._sink.clock(clock.at(report.stamp), report.wall_us)
        else:
            self._report = report

    def _hold(self, deliver: Callable[[], None], size: int) -> None:
        self._held_bytes += size + 100
        if self._held is None or self._held_bytes > self._limits.held_bytes:
            raise DataDamaged(f"the camera sent more than {self._limits.held_bytes} bytes of media without answering PLAY")
        self._held.append(deliver)

    def _start(self, track: int, stamp: int, arrival_us: int) -> None:
        if self._first_us is None:
            self._first_us = arrival_us
        self._clocks[track].start(stamp, max(0, arrival_us - self._first_us), self._rtp_info[track])

    def _open(self) -> bool:
        """Announces the tracks with the parameter sets of now; False if these describe nothing."""
        if self._sets.version == self._broken_version:
            return False
        try:
            video = video_track(self._choice.video.codec, self._sets.units)
        except DataDamaged:
            self._broken_version = self._sets.version
            return False
        self._version = self._sets.version
        if self._tracks and self._tracks[_VIDEO] == video:
            return True
        self._tracks = (video, self._sound.track) if self._sound else (video,)
        self._sink.opened(self._tracks, self._choice.notes)
        if self._report:
            report, self._report = self._report, None
            self.report(report)
        return True
