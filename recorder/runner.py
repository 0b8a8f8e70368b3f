"""Runs one camera: opens its source, carries the session's instructions out on the spool, and tries again when it ends."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from recorder.backoff import BackoffSettings, ConnectRate, draw, wait_s
from recorder.session import EndRun, Instruction, NoFootage, RunAbout, SealSegment, Session, WriteFragment
from recorder.source import Source, SourceEnded
from recorder.spool import OpenSegment, SpoolFailed, SpoolFull
from segments.clock import US_PER_S, Clock
from segments.media import AccessUnit, Track
from segments.model import CameraState, Cause, Fragment

log = logging.getLogger(__name__)

STEADY_US = 60 * US_PER_S
"""A camera that recorded for so long has no failures behind it any more."""
ROOM_CHECK_S = 1.0
"""How often a full spool is looked at again."""
ROOM_BYTES = 4 << 20
"""So much must be free for a camera to begin: a few fragments, else it would be refused again at once."""


class SegmentSpool(Protocol):
    """What a runner needs of the spool."""

    def begin(self, camera: str, run: str, counter: int, start_us: int, header: bytes) -> OpenSegment:
        """Opens a segment's file; raises SpoolFull or SpoolFailed."""

    def end_run(self, camera: str, run: str, cause: Cause) -> None:
        """Leaves the mark that a run is over, and why."""

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may be written now."""


class Listener(Protocol):
    """Whom a runner tells."""

    def state(self, camera: str, at_us: int, state: CameraState, cause: Cause | None, detail: str) -> None:
        """The camera's state changed."""

    def buffered(self, segment: OpenSegment, fragment: Fragment, end_us: int, about: RunAbout) -> None:
        """A fragment was written to an open segment; it is not durable yet."""

    def torn(self, segment: OpenSegment) -> None:
        """A segment failed before it was sealed: what of it is durable is all there will be of its run."""


class CameraRunner:
    """The shell around a camera's session; a Sink for its source."""

    def __init__(
        self,
        camera: str,
        *,
        session: Session,
        source: Callable[[], Awaitable[Source]],
        spool: SegmentSpool,
        listener: Listener,
        clock: Clock,
    ) -> None:
        self._camera = camera
        self._session = session
        self._open_source = source
        self._spool = spool
        self._listener = listener
        self._clock = clock
        self._segment: OpenSegment | None = None
        self._abandoned = ""
        self._failure: SourceEnded | None = None
        self._source_task: asyncio.Task[None] | None = None
        self._recording_since_us = 0
        self._paused = False
        self._said: tuple[Cause | None, str] | None = None

    async def run(self, rate: ConnectRate, backoff: BackoffSettings) -> None:
        """Records until cancelled; then the run ends in order, and what was received is in the spool."""
        failures = 0
        ended = SourceEnded(Cause.RECONNECTING, "not tried yet")
        try:
            while True:
                await self._wait_for_room()
                await rate.turn()
                self._say(CameraState.CONNECTING, ended.cause, str(ended))
                self._recording_since_us = 0
                ended = await self._record_once()
                self._say(CameraState.WAITING, ended.cause, str(ended))
                failures = 0 if ended.cause is Cause.SPOOL_FULL or self._was_steady() else failures + 1
                await self._clock.sleep(wait_s(max(failures - 1, 0), ended.cause, backoff, draw()))
        finally:
            self.finish(Cause.RECORDER_AWAY, "the recorder was stopped")

    def _was_steady(self) -> bool:
        since_us = self._recording_since_us
        return bool(since_us) and self._clock.now_us() - since_us > STEADY_US

    def finish(self, cause: Cause, detail: str) -> None:
        """Ends the present run, if any; nothing received is left behind. Never raises: other cameras go on whatever this one sent."""
        try:
            self._do(self._session.stop(cause, detail))
        except Exception as error:  # noqa: BLE001
            _failed(self._camera, error)
            if self._segment is not None:
                self._abandon(self._segment.run, self._segment.start_us, SourceEnded(cause, detail))

    def pause(self, cause: Cause, detail: str) -> None:
        """Ends the run and drops what comes, until `resume`."""
        self._paused = True
        self.finish(cause, detail)

    def resume(self) -> None:
        """Records again, from the next key frame on."""
        self._paused = False

    async def _record_once(self) -> SourceEnded:
        """One connection, from its opening to its end, whatever ends it; what is held back is written, the run closed."""
        self._failure = None
        try:
            source = await self._open_source()
            self._source_task = asyncio.create_task(source.run(self))
            await self._source_task
            ended = SourceEnded(Cause.CAMERA_AWAY, "the source ended")
        except SourceEnded as error:
            ended = error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._failure is None or (task is not None and task.cancelling()):
                raise
            ended = self._failure
        except Exception as error:  # noqa: BLE001 - a fault of ours in reading this stream: said, and tried anew like any loss
            ended = _failed(self._camera, error)
        finally:
            self._source_task = None
        ended = self._failure or ended
        self.finish(ended.cause, str(ended))
        return ended

    async def _wait_for_room(self) -> None:
        while not self._spool.has_room(ROOM_BYTES):
            self._say(CameraState.WAITING, Cause.SPOOL_FULL, "the spool is full: nothing new can be kept until footage is uploaded")
            await self._clock.sleep(ROOM_CHECK_S)

    # --- Sink ---

    def opened(self, tracks: Sequence[Track], notes: Sequence[str]) -> None:
        """See `Sink`."""
        self._do(self._session.opened(tracks, notes))

    def unit(self, unit: AccessUnit, arrival_us: int) -> None:
        """See `Sink`."""
        if self._paused:
            return
        try:
            instructions = self._session.unit(unit, arrival_us)
            if instructions:
                self._do(instructions)
        except Exception as error:  # noqa: BLE001 - see `Sink`: whoever calls may carry other cameras too
            self._end_source(_failed(self._camera, error))

    def clock(self, pts: int, wall_us: int) -> None:
        """See `Sink`."""
        self._session.clock(pts, wall_us)

    # --- carrying out ---

    def _do(self, instructions: Sequence[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case NoFootage(cause, detail):
                    self._say(CameraState.CONNECTING, cause, detail)
                case _ if instruction.run == self._abandoned:
                    continue
                case WriteFragment():
                    self._write(instruction)
                case SealSegment():
                    self._seal(instruction)
                case EndRun():
                    self._end(instruction)

    def _write(self, write: WriteFragment) -> None:
        try:
            if write.header is not None:
                self._segment = self._spool.begin(self._camera, write.run, write.counter, write.start_us, write.header)
            segment = self._segment
            assert segment is not None
            segment.append(write.data)
        except SpoolFull as error:
            self._abandon(write.run, write.start_us, SourceEnded(Cause.SPOOL_FULL, str(error)))
            return
        except SpoolFailed as error:
            self._abandon(write.run, write.start_us, SourceEnded(Cause.RECORDER_AWAY, str(error)))
            return
        self._listener.buffered(segment, write.fragment, write.end_us, write.about)
        if self._said is None or self._said[0] is not None:
            self._recording_since_us = self._clock.now_us()
            self._say(CameraState.RECORDING, None, "", at_us=write.start_us)

    def _seal(self, seal: SealSegment) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            segment.seal(seal.tail)
        except (SpoolFull, SpoolFailed):
            self._listener.torn(segment)

    def _end(self, end: EndRun) -> None:
        self._mark_end(end.run, end.cause)
        self._say(CameraState.CONNECTING, end.cause, end.detail, at_us=end.end_us)

    def segment_failed(self, segment: OpenSegment) -> None:
        """The group sync could not make a segment durable: its run is given up and a new one begun."""
        if segment is self._segment:
            failed = SourceEnded(Cause.RECORDER_AWAY, "the spool's disk failed to make footage durable")
            self._abandon(segment.run, segment.start_us, failed)

    def _abandon(self, run: str, at_us: int, why: SourceEnded) -> None:
        """Nothing more of this run is written; the source is stopped, and the reason becomes the camera's state.

        Its open segment is given up, so that repair makes whole what of it is durable.
        """
        self._abandoned = run
        self._mark_end(run, why.cause)
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.give_up()
            self._listener.torn(segment)
        self._say(CameraState.WAITING, why.cause, str(why), at_us=max(at_us, self._clock.now_us() if segment else at_us))
        self._end_source(why)

    def _end_source(self, why: SourceEnded) -> None:
        if self._source_task is not None and self._failure is None:
            self._failure = why
            self._source_task.cancel()

    def _mark_end(self, run: str, cause: Cause) -> None:
        """A disk that takes no mark is no reason to stop: runs without one are ended when the shard's next epoch begins."""
        try:
            self._spool.end_run(self._camera, run, cause)
        except OSError as error:
            log.warning(
                "run.unmarked: camera %(camera)s: the end of run %(run)s is not marked: %(error)s",
                {"camera": self._camera, "run": run, "error": error.strerror},
            )

    def _say(self, state: CameraState, cause: Cause | None, detail: str, *, at_us: int | None = None) -> None:
        """Says what is new. Trying again and waiting in turn for the same cause is not: it would be thousands of changes a day."""
        if self._said == (cause, detail):
            return
        self._said = (cause, detail)
        self._listener.state(self._camera, self._clock.now_us() if at_us is None else at_us, state, cause, detail)


def _failed(camera: str, error: Exception) -> SourceEnded:
    """A fault of ours, logged; named by its kind and place, since its text may hold anything, a password too."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ended = SourceEnded(
        Cause.RECONNECTING,
        f"the recorder failed on what the camera sent ({type(error).__name__} in {Path(last.filename).name}, line {last.lineno})",
    )
    log.error("camera.unexpected: camera %(camera)s: %(ended)s", {"camera": camera, "ended": ended})
    return ended
