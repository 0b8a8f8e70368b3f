"""Every limit of the RTSP client in one place: where one is met, the source ends with a sentence, or a unit is dropped and counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one camera's connection."""

    connect_s: float = 5.0
    """To resolve the host, and again to connect (TLS included); then the source ends."""
    answer_s: float = 10.0
    """To the answer of a request; then the source ends."""
    silence_s: float = 10.0
    """Without a video packet; then the source ends within a quarter more."""
    key_frame_s: float = 300.0
    """Of video without a key frame; then the source ends."""
    head_bytes: int = 16_384
    """Of an RTSP message's head; then the source ends."""
    body_bytes: int = 65_536
    """Of an RTSP message's body; then the source ends."""
    garbage_bytes: int = 65_536
    """Passed over between packets, more than was read cleanly; then the source ends."""
    nal_bytes: int = 8 << 20
    """Of a NAL unit; then its access unit is dropped."""
    unit_bytes: int = 16 << 20
    """Of an access unit; then it is dropped."""
    held_bytes: int = 16 << 20
    """Of units that come before PLAY is answered; then the source ends."""
    full_visits: int = 100
    """Visits in a row that fill the poller's whole buffer (1 MiB, so 84 Mbit/s for 10 s); then the source ends."""


DEFAULT_LIMITS = Limits()
