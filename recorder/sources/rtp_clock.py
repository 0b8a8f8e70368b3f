"""RTP times of several tracks laid on one timeline of 1/90000 s."""

from __future__ import annotations

from segments.media import TIMESCALE

RTP_INFO_TRUST_S = 10
"""A first packet further than this from the rtptime of RTP-Info shows that the camera's RTP-Info means nothing."""


class RtpClock:
    """Unwraps the 32-bit RTP times of one track to 64 bits and lays them on the session's timeline.

    The timeline begins at the session's first unit. A track begins where RTP-Info says, else where its own first unit arrived.
    Later jumps are passed on as they come, forwards or backwards by up to 2**31 of the track's ticks.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.started = False
        self._extended = 0
        self._origin = 0
        self._offset = 0

    def start(self, stamp: int, since_first_us: int, rtp_info: int | None) -> None:
        """Begins with a unit's RTP time, arrived so long after the session's first unit; `rtp_info`: the RTP time of the timeline's 0."""
        self.started = True
        self._extended = self._origin = stamp
        self._offset = since_first_us * TIMESCALE // 1_000_000
        if rtp_info is not None:
            ahead = _difference(stamp, rtp_info)
            if abs(ahead) <= RTP_INFO_TRUST_S * self.rate_hz:
                self._origin, self._offset = stamp - ahead, 0

    def advance(self, stamp: int) -> int:
        """The media time in ticks of the next unit's RTP time."""
        self._extended += (stamp - self._extended + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        return (self._extended - self._origin) * TIMESCALE // self.rate_hz + self._offset

    def at(self, stamp: int) -> int:
        """The media time in ticks of an RTP time near the last unit's, which may lie before it."""
        extended = self._extended + _difference(stamp, self._extended)
        return (extended - self._origin) * TIMESCALE // self.rate_hz + self._offset


def _difference(stamp: int, reference: int) -> int:
    """The least difference of two RTP times modulo 2**32, signed."""
    return (stamp - reference + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
