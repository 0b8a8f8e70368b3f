"""Access units and tracks: what every source yields and every fragment is made of.

Times are integers of 1/90000 s (`TIMESCALE`), the one timescale of every track (ONVIF object attributes, *Timescale*).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

TIMESCALE = 90_000
"""Ticks a second, of all tracks and of the movie."""


class Codec(StrEnum):
    """What a track is coded in, as it is stored."""

    H264 = "h264"
    H265 = "h265"
    AAC = "aac"


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """One video track; `parameter_sets` are whole NAL units without start codes or lengths.

    H.264: SPS units, then PPS units. H.265: VPS, SPS, PPS units.
    """

    codec: Codec
    width: int
    height: int
    parameter_sets: tuple[bytes, ...]
    is_video: bool = field(default=True, init=False)


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One AAC track; `config` is its AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)."""

    sample_rate_hz: int
    channels: int
    config: bytes
    codec: Codec = field(default=Codec.AAC, init=False)
    is_video: bool = field(default=False, init=False)


Track = VideoTrack | AudioTrack


class AccessUnit(NamedTuple):
    """One coded picture, or one coded piece of sound, in the form MP4 stores it.

    `track` counts from 0 in the order of the source's tracks (video first). `pts` and `dts` are ticks; `dts` is None where the source
    carries presentation times only (RTP). `data` holds NAL units each behind its 4-byte length (video) or one raw AAC frame (sound).
    """

    track: int
    pts: int
    dts: int | None
    key: bool
    data: bytes | bytearray
