"""What one connection has set up and is sent."""

from __future__ import annotations

import asyncio
import secrets

from deploy.demo_cameras.encoder import SOUND_RATE_HZ
from deploy.demo_cameras.live_camera import SOUND, VIDEO, LiveCamera, Unit
from deploy.demo_cameras.rtp import RtpSender
from segments.clock import US_PER_S, Clock
from segments.media import TIMESCALE

REPORT_EVERY_US = 5 * US_PER_S
MAX_BEHIND_BYTES = 4 << 20
"""A reader that leaves so much unread is cut off."""

_PAYLOAD_TYPES = {VIDEO: 96, SOUND: 97}
_RATES_HZ = {VIDEO: TIMESCALE, SOUND: SOUND_RATE_HZ}


class Session:
    """The session of a connection: the tracks it asked for, sent from the first key frame after PLAY."""

    def __init__(self, writer: asyncio.StreamWriter, clock: Clock) -> None:
        self.id = ""
        """Empty until something is set up."""
        self.ended = False
        self._writer = writer
        self._clock = clock
        self._camera: LiveCamera | None = None
        self._senders: dict[str, RtpSender] = {}
        self._from_us = 0
        self._begun = False
        self._report_us = 0

    def set_up(self, camera: LiveCamera, track: str, channel: int) -> bool:
        """Adds a track; False if the camera has none of this name, or another camera is set up."""
        has = track == VIDEO or (track == SOUND and camera.camera.sound)
        if not has or self._camera not in (None, camera):
            return False
        self._camera = camera
        self.id = self.id or secrets.token_hex(8)
        ssrc = secrets.randbits(32)
        self._senders[track] = RtpSender(channel=channel, payload_type=_PAYLOAD_TYPES[track], rate_hz=_RATES_HZ[track], ssrc=ssrc)
        return True

    def prepare(self, url: str) -> str:
        """Fixes the moment that playing begins at; gives the RTP-Info (RFC 2326 part 12.33), empty if no video is set up."""
        if VIDEO not in self._senders:
            return ""
        self._from_us = self._clock.now_us()
        return ",".join(
            f"url={url}/{track};seq={sender.sequence};rtptime={self._from_us * _RATES_HZ[track] // US_PER_S & 0xFFFFFFFF}"
            for track, sender in self._senders.items()
        )

    def play(self) -> None:
        """Sends from now on."""
        if self._camera is not None:
            self._camera.join(self._take)

    def end(self) -> None:
        """Sends nothing more."""
        self.ended = True
        if self._camera is not None:
            self._camera.leave(self._take)

    def _take(self, unit: Unit) -> None:
        sender = self._senders.get(unit.track)
        if sender is None or unit.at_us < self._from_us:
            return
        self._begun = self._begun or (unit.track == VIDEO and unit.key)
        if not self._begun:
            return
        if self._writer.transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
            self._writer.transport.abort()
            self.end()
            return
        if unit.at_us - self._report_us >= REPORT_EVERY_US:
            self._report_us = unit.at_us
            self._writer.write(b"".join(each.report(unit.at_us) for each in self._senders.values()))
        self._writer.write(sender.packets(unit.payloads, unit.stamp))
