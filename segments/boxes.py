"""Writing MP4 boxes: ftyp + moov of a run, sample entries, codec strings (ISO/IEC 14496-12, -14, -15; RFC 6381).

Everything here is a function of the tracks alone, so the init segment of a run is the same bytes in each of its segments.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from segments.errors import DataDamaged
from segments.media import TIMESCALE, AudioTrack, Codec, Track, VideoTrack
from segments.parameter_sets import Sps, audio_object_type, kind_of, track_sps

SYNC_SAMPLE = 0x0200_0000
"""Sample flags of a key frame or of sound: depends on no other (8.8.3.1)."""
OTHER_SAMPLE = 0x0101_0000
"""Sample flags of any other picture: depends on others, not a sync sample."""

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)
_UNDETERMINED = 0x55C4
"""Language `und`, three letters of 5 bits (8.4.2.3)."""
_ENABLED_IN_MOVIE = 3
_WITHOUT_CHROMA = frozenset({66, 77, 88})
_COMPATIBLE_BRANDS = b"isomiso6mp41"


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box: size, type, content (4.2)."""
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with version and flags (4.2)."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def init_segment(tracks: Sequence[Track]) -> bytes:
    """ftyp + moov of a fragmented file of these tracks; the id of a track is its index + 1.

    It has no times of creation and no edit lists, and every timescale is `TIMESCALE` (ONVIF Recording Control 26.06, annex). Raises
    DataDamaged where a track's parameter sets cannot be read.
    """
    traks = [trak(track_id, track, 0, sample_table(track)) for track_id, track in enumerate(tracks, start=1)]
    extends = [full_box(b"trex", 0, 0, struct.pack(">5I", track_id, 1, 0, 0, SYNC_SAMPLE)) for track_id in range(1, len(tracks) + 1)]
    return file_type() + box(b"moov", movie_header(0, len(tracks) + 1), *traks, box(b"mvex", *extends))


def file_type() -> bytes:
    """ftyp: iso6 is the first brand with signed composition offsets (E.9)."""
    return box(b"ftyp", b"iso6", struct.pack(">I", 0), _COMPATIBLE_BRANDS)


def movie_header(duration: int, next_track_id: int, *, created: int = 0) -> bytes:
    """mvhd, version 1 (8.2.2); `created` is in seconds since 1904 UTC, 0 if it is not told."""
    times = struct.pack(">QQIQ", created, created, TIMESCALE, duration)
    return full_box(b"mvhd", 1, 0, times, struct.pack(">IH10x", 0x10000, 0x100), _MATRIX, bytes(24), struct.pack(">I", next_track_id))


def trak(track_id: int, track: Track, duration: int, stbl: bytes, *, edits: bytes = b"", delay: int = 0, created: int = 0) -> bytes:
    """One track whose samples last `duration`; `edits` is its edts box if it has one, `delay` the time before its first sample (ticks)."""
    size = struct.pack(">II", track.width << 16, track.height << 16) if isinstance(track, VideoTrack) else bytes(8)
    volume = 0 if track.is_video else 0x100
    ids = struct.pack(">QQI4xQ8xHHH2x", created, created, track_id, delay + duration, 0, 0, volume)
    header = full_box(b"tkhd", 1, _ENABLED_IN_MOVIE, ids, _MATRIX, size)
    media_times = struct.pack(">QQIQHH", created, created, TIMESCALE, duration, _UNDETERMINED, 0)
    handler, name = (b"vide", b"video\0") if track.is_video else (b"soun", b"sound\0")
    media_header = full_box(b"vmhd", 0, 1, bytes(8)) if track.is_video else full_box(b"smhd", 0, 0, bytes(4))
    in_this_file = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    return box(
        b"trak",
        header,
        edits,
        box(
            b"mdia",
            full_box(b"mdhd", 1, 0, media_times),
            full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, handler), name),
            box(b"minf", media_header, in_this_file, stbl),
        ),
    )


def sample_table(track: Track) -> bytes:
    """stbl of a fragmented file: the sample entry and no samples."""
    none = struct.pack(">I", 0)
    return box(
        b"stbl",
        sample_description(track),
        full_box(b"stts", 0, 0, none),
        full_box(b"stsc", 0, 0, none),
        full_box(b"stsz", 0, 0, none, none),
        full_box(b"stco", 0, 0, none),
    )


def sample_description(track: Track) -> bytes:
    """stsd with the one sample entry of a track: avc1, hvc1 or mp4a."""
    entry = _audio_entry(track) if isinstance(track, AudioTrack) else _visual_entry(track)
    return full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry)


def _visual_entry(track: VideoTrack) -> bytes:
    """VisualSampleEntry (12.1.3). hvc1 says that no parameter set lies in the samples."""
    kind, config = (b"avc1", b"avcC") if track.codec is Codec.H264 else (b"hvc1", b"hvcC")
    fields = struct.pack(">6xH16xHHIIIH32xHh", 1, track.width, track.height, 0x48_0000, 0x48_0000, 0, 1, 24, -1)
    return box(kind, fields, box(config, decoder_config(track)))


def _audio_entry(track: AudioTrack) -> bytes:
    """AudioSampleEntry (12.2.3) with an ES descriptor; a rate that its 16 bits cannot hold is 0 there and told by the config alone."""
    rate = track.sample_rate_hz << 16 if track.sample_rate_hz < 1 << 16 else 0
    fields = struct.pack(">6xH8xHHHHI", 1, track.channels, 16, 0, 0, rate)
    return box(b"mp4a", fields, full_box(b"esds", 0, 0, _es_descriptor(track.config)))


def _es_descriptor(config: bytes) -> bytes:
    """ES_Descriptor (ISO/IEC 14496-1, 7.2.6.5) of an audio stream: object type 0x40, stream type 5."""
    decoder = _descriptor(4, struct.pack(">BB3xII", 0x40, 5 << 2 | 1, 0, 0) + _descriptor(5, config))
    return _descriptor(3, struct.pack(">HB", 0, 0) + decoder + _descriptor(6, b"\x02"))


def _descriptor(tag: int, content: bytes) -> bytes:
    """Tag, length in four groups of 7 bits, content (ISO/IEC 14496-1, 8.3.3)."""
    size = len(content)
    groups = (size >> 21 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size & 0x7F)
    return bytes((tag, *groups)) + content


def decoder_config(track: Track) -> bytes:
    """What a decoder of the track is opened with: avcC or hvcC record, or the AudioSpecificConfig. Raises DataDamaged."""
    if isinstance(track, AudioTrack):
        return track.config
    return _avc_config(track) if track.codec is Codec.H264 else _hevc_config(track)


def _sets(track: VideoTrack, kind: int) -> list[bytes]:
    return [unit for unit in track.parameter_sets if kind_of(track.codec, unit) == kind]


def _with_sizes(units: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack(">H", len(unit)) + unit for unit in units)


def _avc_config(track: VideoTrack) -> bytes:
    """AVCDecoderConfigurationRecord with NAL lengths of 4 bytes (ISO/IEC 14496-15, 5.3.3.1)."""
    sps, sps_units, pps_units = track_sps(track), _sets(track, 7), _sets(track, 8)
    record = b"\x01" + sps.profile + bytes((0xFF, 0xE0 | len(sps_units))) + _with_sizes(sps_units)
    record += bytes((len(pps_units),)) + _with_sizes(pps_units)
    if sps.profile[0] not in _WITHOUT_CHROMA:
        record += bytes((0xFC | sps.chroma_format, 0xF8 | sps.luma_bits - 8, 0xF8 | sps.chroma_bits - 8, 0))
    return record


def _hevc_config(track: VideoTrack) -> bytes:
    """HEVCDecoderConfigurationRecord with NAL lengths of 4 bytes, all arrays complete (ISO/IEC 14496-15, 8.3.3.1)."""
    sps = track_sps(track)
    record = b"\x01" + sps.profile + struct.pack(">HBBBBH", 0xF000, 0xFC, *_hevc_depths(sps), 0)
    record += bytes((sps.temporal_layers << 3 | sps.temporal_nesting << 2 | 3, 3))
    for kind in (32, 33, 34):
        units = _sets(track, kind)
        record += struct.pack(">BH", 0x80 | kind, len(units)) + _with_sizes(units)
    return record


def _hevc_depths(sps: Sps) -> tuple[int, int, int]:
    return 0xFC | sps.chroma_format, 0xF8 | sps.luma_bits - 8, 0xF8 | sps.chroma_bits - 8


def codecs(tracks: Sequence[Track]) -> str:
    """The codecs parameter of the tracks (RFC 6381, 3.3; ISO/IEC 14496-15, annex E): `avc1.64001f,mp4a.40.2`. Raises DataDamaged."""
    return ",".join(_codec_string(track) for track in tracks)


def _codec_string(track: Track) -> str:
    if isinstance(track, AudioTrack):
        return f"mp4a.40.{audio_object_type(track.config)}"
    profile = track_sps(track).profile
    if track.codec is Codec.H264:
        return f"avc1.{profile.hex()}"
    return _hevc_string(profile)


def _hevc_string(profile: bytes) -> str:
    """Profile space and idc, compatibility flags in reverse bit order, tier and level, constraint bytes without the last zeros."""
    if len(profile) != 12:
        raise DataDamaged(f"H.265 profile of {len(profile)} bytes, expected 12")
    space, tier, idc = profile[0] >> 6, profile[0] >> 5 & 1, profile[0] & 0x1F
    compatible = int(f"{int.from_bytes(profile[1:5]):032b}"[::-1], 2)
    constraints = "".join(f".{byte:X}" for byte in profile[5:11].rstrip(b"\0"))
    return f"hvc1.{('', 'A', 'B', 'C')[space]}{idc}.{compatible:X}.{'LH'[tier]}{profile[11]}{constraints}"
