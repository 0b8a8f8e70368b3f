"""`keepsight camera test`: opens a camera as a recorder would, and says what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from deploy.settings import Settings
from deploy.sources import SourceOpener
from recorder.link import AssignedCamera
from recorder.source import SourceEnded
from segments.boxes import codecs
from segments.clock import SystemClock
from segments.media import TIMESCALE, AccessUnit, Track, VideoTrack
from segments.model import Camera, Cause, Credential


@dataclass(slots=True)
class CameraReport:
    """What was seen of a camera's stream; a Sink."""

    tracks: Sequence[Track] = ()
    notes: Sequence[str] = ()
    pictures: int = 0
    key_frames: int = 0
    size_bytes: int = 0
    first_pts: int | None = None
    last_pts: int = 0
    camera_clock: bool = False
    cause: Cause | None = None
    detail: str = ""
    _keys_pts: list[int] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        """Whether it can be recorded: pictures came, a key frame among them."""
        return self.key_frames > 0

    def opened(self, tracks: Sequence[Track], notes: Sequence[str]) -> None:
        """See `Sink`."""
        self.tracks, self.notes = tuple(tracks), tuple(notes)

    def unit(self, unit: AccessUnit, arrival_us: int) -> None:  # noqa: ARG002
        """See `Sink`."""
        self.size_bytes += len(unit.data)
        if not self.tracks[unit.track].is_video:
            return
        self.pictures += 1
        self.first_pts = unit.pts if self.first_pts is None else self.first_pts
        self.last_pts = max(self.last_pts, unit.pts)
        if unit.key:
            self.key_frames += 1
            self._keys_pts.append(unit.pts)

    def clock(self, pts: int, wall_us: int) -> None:  # noqa: ARG002
        """See `Sink`."""
        self.camera_clock = True

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        video = next((track for track in self.tracks if isinstance(track, VideoTrack)), None)
        return {
            "fine": self.fine,
            "codecs": codecs(self.tracks) if self.tracks else "",
            "width": video.width if video else None,
            "height": video.height if video else None,
            "frames_per_s": self._per_s(max(self.pictures - 1, 0)),
            "kbit_per_s": self._per_s(self.size_bytes * 8 / 1000),
            "gop_s": self._gop_s(),
            "sends_clock": self.camera_clock,
            "notes": list(self.notes),
            "cause": self.cause,
            "detail": self.detail,
        }

    def sentence(self) -> str:
        """For people."""
        values = self.as_json()
        if not self.fine:
            return f"cannot be recorded: {self.detail or 'no key frame came in this time; try --seconds with more than its GOP'}"
        gop = f"a key frame every {values['gop_s']} s" if values["gop_s"] else "one key frame seen"
        size = f"{values['width']}x{values['height']}"
        lines = [
            f"{values['codecs']}, {size}, {values['frames_per_s']} pictures/s, {values['kbit_per_s']} kbit/s, {gop}",
            "it sends its own clock" if self.camera_clock else "it sent no clock of its own in this time",
            *self.notes,
        ]
        return "\n".join(lines)

    def _per_s(self, amount: float) -> float:
        seconds = (self.last_pts - (self.first_pts or 0)) / TIMESCALE
        return round(amount / seconds, 2) if seconds else 0.0

    def _gop_s(self) -> float | None:
        keys = self._keys_pts
        return round((keys[-1] - keys[0]) / (len(keys) - 1) / TIMESCALE, 2) if len(keys) > 1 else None


async def try_camera(camera: Camera, credential: Credential | None, settings: Settings, seconds: float) -> CameraReport:
    """Looks at a camera for so long."""
    report = CameraReport()
    user, password = (credential.user, credential.password) if credential is not None else ("", "")
    networks = tuple(str(network) for network in settings.cameras.networks)
    clock = SystemClock()
    silence_s = settings.recording.silence_s
    opener = SourceOpener(networks, allow_loopback=settings.cameras.allow_loopback, silence_s=silence_s, clock=clock)
    source = await opener(AssignedCamera(camera, user, password))
    try:
        async with asyncio.timeout(seconds):
            await source.run(report)
    except TimeoutError:
        pass
    except SourceEnded as error:
        report.cause, report.detail = error.cause, str(error)
    return report
