"""One camera's stream, turned into instructions for the spool: pure, no clock, no file, no await.

Units come in; what comes out says which bytes to write where, when a segment is whole, and when a run has ended and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from recorder.cutter import CutSettings, next_boundary, phase_of
from recorder.fragment import Sample, SegmentWriter
from recorder.timestamps import AudioTimes, Jump, VideoTimes
from recorder.walltime import WallTime, ticks_to_us
from segments.boxes import codecs
from segments.facts import Facts
from segments.media import TIMESCALE, AccessUnit, AudioTrack, Track, VideoTrack
from segments.model import Cause, Fragment

RUN_START = 10 * TIMESCALE
"""The least media time a run starts at, so that no time before its first picture is ever negative."""
MEDIA_TIME_WRAPS = 32 * 86_400 * TIMESCALE
"""Runs start at their wall time within this period: libav drops what a later run of a playlist has from before an earlier one's end."""
WAIT_FOR_KEY = 10 * TIMESCALE
"""Media time without a key frame, after which the camera's state says so."""


@dataclass(frozen=True, slots=True)
class RunAbout:
    """What is the same for all segments of a run."""

    start_us: int
    codecs: str
    width: int
    height: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriteFragment:
    """Append these bytes to the segment; `header` is given with its first fragment, and the segment begins with it."""

    run: str
    counter: int
    start_us: int
    header: bytes | None
    data: bytes
    fragment: Fragment
    end_us: int
    about: RunAbout


@dataclass(frozen=True, slots=True)
class SealSegment:
    """The segment is whole: append its tail and seal it."""

    run: str
    counter: int
    tail: bytes


@dataclass(frozen=True, slots=True)
class EndRun:
    """The run is over; its footage ends at `end_us`."""

    run: str
    end_us: int
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class NoFootage:
    """The camera sends, but nothing can be recorded, and why."""

    cause: Cause
    detail: str


Instruction = WriteFragment | SealSegment | EndRun | NoFootage
NOTHING: Sequence[Instruction] = ()


@dataclass(slots=True)
class _Run:
    """What is known of the run being recorded."""

    id: str
    tracks: Sequence[Track]
    media_start: int
    base: int
    wall: WallTime
    video: VideoTimes
    audio: AudioTimes | None
    about: RunAbout
    writer: SegmentWriter = field(default_factory=SegmentWriter)
    open: bool = False
    counter: int = 0
    header: bytes | None = None
    segment_start: int = 0
    segment_start_us: int = 0
    boundary: int = 0
    last_key: int = 0
    pending: list[Sample] = field(default_factory=list)


class Session:
    """Feeds one camera's units through times, cutter and fragment layout.

    `new_run` gives a run id never used before. `clock_synced` says whether the recorder's own clock is synchronised now.
    """

    def __init__(
        self,
        camera: str,
        *,
        trust_clock: bool,
        new_run: Callable[[], str],
        clock_synced: Callable[[], bool],
        cut: CutSettings = CutSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._camera = camera
        self._trust_clock = trust_clock
        self._new_run = new_run
        self._clock_synced = clock_synced
        self._cut = cut
        self._phase = phase_of(camera, cut.segment)
        self._tracks: Sequence[Track] = ()
        self._notes: tuple[str, ...] = ()
        self._run: _Run | None = None
        self._waiting_since: int | None = None
        self._report: tuple[int, int] | None = None
        self._media_end = 0

    def opened(self, tracks: Sequence[Track], notes: Sequence[str]) -> Sequence[Instruction]:
        """The camera's tracks as of now; other codec parameters than before end the run."""
        changed = self._run is not None and tuple(tracks) != tuple(self._tracks)
        out = self.stop(Cause.RECONNECTING, "the camera changed its codec parameters") if changed else NOTHING
        self._tracks, self._notes = tracks, tuple(notes)
        return out

    def clock(self, pts: int, wall_us: int) -> None:
        """A sender report of the camera; it counts from the next picture on, so one before the first key frame is not lost."""
        self._report = pts, wall_us

    def unit(self, unit: AccessUnit, arrival_us: int) -> Sequence[Instruction]:
        """One access unit; mostly there is nothing to do yet."""
        run = self._run
        video = self._tracks[unit.track].is_video
        if run is None:
            if not video:
                return NOTHING
            if not unit.key:
                return self._no_key_yet(unit.pts)
            run = self._begin(unit, arrival_us)
        unit = AccessUnit(unit.track, unit.pts - run.base, unit.dts, unit.key, unit.data)  # _replace takes four times as long
        if not video:
            jump = run.audio.add(unit) if run.audio is not None else None
            return self._jumped(jump) if jump is not None else NOTHING
        run.wall.arrived(unit.pts, arrival_us)
        if self._report is not None:
            (pts, wall_us), self._report = self._report, None
            run.wall.reported(pts - run.base, wall_us)
        jump = run.video.jump(unit)
        if jump is not None:
            return [*self._jumped(jump), *self.unit(unit._replace(pts=unit.pts + run.base), arrival_us)]
        if unit.pts < run.media_start:
            return NOTHING  # a leading picture of the first key frame: what it refers to was never received
        piece = run.video.add(unit)
        return NOTHING if piece is None else self._piece(run, piece)

    def stop(self, cause: Cause, detail: str) -> Sequence[Instruction]:
        """Ends the run, if there is one: what is held back is written, the segment sealed."""
        run, self._run = self._run, None
        self._waiting_since = self._report = None
        if run is None:
            return NOTHING
        out = [instruction for piece in run.video.end() for instruction in self._piece(run, piece)]
        end = self._flush(run, out, last=True) if run.pending else self._end_of(run)
        if not run.open:
            return out
        self._media_end = end
        end_us = run.segment_start_us + ticks_to_us(end - run.segment_start)
        self._seal(run, out, end_us)
        out.append(EndRun(run.id, end_us, cause, detail))
        return out

    # --- inside a run ---

    def _begin(self, unit: AccessUnit, arrival_us: int) -> _Run:
        sound = any(not track.is_video for track in self._tracks)
        picture = next(track for track in self._tracks if isinstance(track, VideoTrack))
        media_start = self._media_start(arrival_us)
        run = _Run(
            id=self._new_run(),
            tracks=tuple(self._tracks),
            media_start=media_start,
            base=unit.pts - media_start,
            wall=WallTime(trust_clock=self._trust_clock),
            video=VideoTimes(self._cut.fragment),
            audio=AudioTimes(_frame_ticks(self._tracks)) if sound else None,
            about=RunAbout(0, codecs(self._tracks), picture.width, picture.height, self._notes),
        )
        if run.audio is not None:
            run.audio.begin(media_start)
        run.last_key = media_start
        self._run, self._waiting_since = run, None
        return run

    def _media_start(self, arrival_us: int) -> int:
        """Where the media time of a new run starts: by the wall clock, and never before the end of the run before it."""
        by_wall = RUN_START + arrival_us * 9 // 100 % MEDIA_TIME_WRAPS
        return max(by_wall, self._media_end) if self._media_end - by_wall < MEDIA_TIME_WRAPS // 2 else by_wall

    def _no_key_yet(self, pts: int) -> Sequence[Instruction]:
        if self._waiting_since is None or pts < self._waiting_since:
            self._waiting_since = pts
        elif pts - self._waiting_since > WAIT_FOR_KEY:
            self._waiting_since = pts + 3600 * TIMESCALE  # said once an hour
            return [NoFootage(Cause.NO_KEY_FRAME, "the camera sends pictures but no key frame; check its GOP length")]
        return NOTHING

    def _jumped(self, jump: Jump) -> Sequence[Instruction]:
        seconds = jump.gap_ticks / TIMESCALE
        return self.stop(Cause.RECONNECTING, f"the camera's times moved by {seconds:+.1f} s")

    def _piece(self, run: _Run, piece: list[Sample]) -> Sequence[Instruction]:
        """Groups pieces to fragments, and cuts segments between them."""
        out: list[Instruction] = []
        start = piece[0].dts
        length = piece[-1].dts + piece[-1].duration - start
        if piece[0].key:
            run.last_key = start
            if run.pending and run.pending[-1].dts + run.pending[-1].duration - run.pending[0].dts + length > self._cut.fragment:
                self._flush(run, out)
            if run.open and start >= run.boundary:
                if run.pending:
                    self._flush(run, out)
                self._seal(run, out, run.wall.segment_start(start))
        elif run.pending:
            self._flush(run, out)
        run.pending.extend(piece)
        if run.pending[-1].dts + run.pending[-1].duration - run.pending[0].dts + length > self._cut.fragment:
            self._flush(run, out)
        if start + 2 * length - run.last_key >= self._cut.longest and self._run is run:
            out.extend(self.stop(Cause.NO_KEY_FRAME, "no key frame came for 5 minutes"))
        return out

    def _flush(self, run: _Run, out: list[Instruction], *, last: bool = False) -> int:
        """Lays the pending pictures out as a fragment, with the sound up to their end; returns that end in ticks."""
        pictures, run.pending = run.pending, []
        end = pictures[-1].dts + pictures[-1].duration
        if not run.open:
            self._start_segment(run, pictures[0])
        sound = (run.audio.end() if last else run.audio.before(end)) if run.audio is not None else None
        data = run.writer.add([pictures] if sound is None else [pictures, sound])
        end_us = run.segment_start_us + ticks_to_us(end - run.segment_start)
        out.append(WriteFragment(run.id, run.counter, run.segment_start_us, run.header, data, run.writer.fragments[-1], end_us, run.about))
        run.header = None
        return end

    def _start_segment(self, run: _Run, first: Sample) -> None:
        run.segment_start = first.dts
        if run.counter == 0:
            run.segment_start_us = run.wall.segment_start(first.pts)
            run.about = replace(run.about, start_us=run.segment_start_us)
        run.open = True
        run.header = run.writer.begin(run.tracks)
        run.boundary = first.dts + next_boundary(run.segment_start_us, self._phase, self._cut.segment)

    def _seal(self, run: _Run, out: list[Instruction], end_us: int) -> None:
        """Closes the segment; the next one starts on the wall where this one ends."""
        about = run.about
        facts = Facts(
            camera=self._camera,
            run=run.id,
            counter=run.counter,
            start_us=run.segment_start_us,
            end_us=end_us,
            run_start_us=about.start_us,
            codecs=about.codecs,
            width=about.width,
            height=about.height,
            notes=about.notes,
            clock_synced=self._clock_synced(),
            camera_offset_us=run.wall.camera_offset_us,
        )
        out.append(SealSegment(run.id, run.counter, run.writer.finish(facts.as_json())))
        run.counter += 1
        run.open = False
        run.segment_start_us = end_us

    def _end_of(self, run: _Run) -> int:
        last = run.writer.fragments[-1] if run.open and run.writer.fragments else None
        return last.pts + last.duration if last is not None else run.segment_start


def _frame_ticks(tracks: Sequence[Track]) -> int:
    audio = next(track for track in tracks if isinstance(track, AudioTrack))
    return 1024 * TIMESCALE // audio.sample_rate_hz
