"""Reading parameter sets: what an SPS of H.264 or H.265, or an AudioSpecificConfig, says of its track.

Sets come from cameras, so every field has a limit and every broken set ends in DataDamaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segments.errors import DataDamaged
from segments.media import AudioTrack, Codec, VideoTrack

MAX_SIDE = 16_384
"""Widest and highest picture, in luma samples."""
MAX_SET_BYTES = 8_192
"""Longest parameter set; real ones take 4 to 200 bytes."""
MAX_SETS = 31
"""Most sets of one kind: numOfSequenceParameterSets has 5 bits (ISO/IEC 14496-15, 5.3.3.1)."""

_H264_KINDS = (7, 8)
_H265_KINDS = (32, 33, 34)
_H264_WITH_CHROMA = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_CHROMA_STEP = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
_EXTENDED_SAR = 255
_AAC_RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_AAC_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}


@dataclass(frozen=True, slots=True)
class Sps:
    """What a sequence parameter set says.

    `profile` is profile, constraints and level as MP4 repeats them: 3 bytes in H.264 (avcC), 12 bytes of general profile, tier
    and level in H.265 (hvcC). `max_reorder_frames` is how many pictures may precede another in decoding and follow it in output;
    None if unsaid.
    """

    profile: bytes
    width: int
    height: int
    chroma_format: int
    luma_bits: int
    chroma_bits: int
    max_reorder_frames: int | None
    temporal_layers: int = 1
    temporal_nesting: bool = True


def kind_of(codec: Codec, unit: bytes) -> int:
    """nal_unit_type of a NAL unit: 5 bits in H.264 (7.3.1), 6 in H.265 (7.3.1.2)."""
    return unit[0] & 0x1F if codec is Codec.H264 else unit[0] >> 1 & 0x3F


def video_track(codec: Codec, parameter_sets: Sequence[bytes]) -> VideoTrack:
    """The track these sets describe, its size that of the first SPS, cropped.

    Sets are put in order (VPS, SPS, PPS); repeated and empty ones and units of other kinds are left out. Raises DataDamaged if a kind is
    missing, has over MAX_SETS members, or the SPS cannot be read.
    """
    kinds = _H264_KINDS if codec is Codec.H264 else _H265_KINDS
    units = [bytes(unit) for unit in dict.fromkeys(parameter_sets) if unit]
    by_kind = {kind: [unit for unit in units if kind_of(codec, unit) == kind] for kind in kinds}
    for kind, members in by_kind.items():
        if not 1 <= len(members) <= MAX_SETS:
            raise DataDamaged(f"{codec} parameter sets: {len(members)} units of type {kind}, expected 1 to {MAX_SETS}")
        if max(map(len, members)) > MAX_SET_BYTES:
            raise DataDamaged(f"{codec} parameter sets: a unit of type {kind} is longer than {MAX_SET_BYTES} bytes")
    sps = read_sps(codec, by_kind[kinds[-2]][0])
    return VideoTrack(codec, sps.width, sps.height, tuple(unit for kind in kinds for unit in by_kind[kind]))


def track_sps(track: VideoTrack) -> Sps:
    """The first SPS of a track, read. Raises DataDamaged."""
    kind = _H264_KINDS[0] if track.codec is Codec.H264 else _H265_KINDS[1]
    for unit in track.parameter_sets:
        if unit and kind_of(track.codec, unit) == kind:
            return read_sps(track.codec, unit)
    raise DataDamaged(f"{track.codec} track without a sequence parameter set")


def read_sps(codec: Codec, unit: bytes) -> Sps:
    """Reads one SPS unit (ITU-T H.264, 7.3.2.1.1; H.265, 7.3.2.2). Raises DataDamaged."""
    sps = _read_h264(unit) if codec is Codec.H264 else _read_h265(unit)
    if not (0 < sps.width <= MAX_SIDE and 0 < sps.height <= MAX_SIDE):
        raise DataDamaged(f"{codec} SPS: a picture of {sps.width} x {sps.height} is outside 1..{MAX_SIDE}")
    return sps


def audio_track(config: bytes) -> AudioTrack:
    """The track an AudioSpecificConfig describes (ISO/IEC 14496-3, 1.6.2.1); raises DataDamaged where rate or channels cannot be told."""
    bits = _Bits(config)
    if audio_object_type(config) > 31:
        bits.take(6)
    bits.take(5)
    index = bits.take(4)
    rate_hz = bits.take(24) if index == 15 else _AAC_RATES_HZ[index] if index < len(_AAC_RATES_HZ) else 0
    channels = _AAC_CHANNELS.get(bits.take(4), 0)
    if rate_hz == 0 or channels == 0:
        raise DataDamaged(f"AudioSpecificConfig {config[:16].hex()}: no sampling rate or no channel layout that is known")
    return AudioTrack(rate_hz, channels, bytes(config))


def audio_object_type(config: bytes) -> int:
    """audioObjectType of an AudioSpecificConfig (2 is AAC-LC); raises DataDamaged if it is too short."""
    bits = _Bits(config)
    kind = bits.take(5)
    return 32 + bits.take(6) if kind == 31 else kind


class _Bits:
    """Reads a bit string from the front; past its end it raises DataDamaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> int:
        start, end = self._at, self._at + count
        if end > 8 * len(self._data):
            raise DataDamaged(f"parameter set of {len(self._data)} bytes ends in the middle of a field")
        self._at = end
        window = int.from_bytes(self._data[start >> 3 : (end + 7) >> 3])
        return window >> (-end % 8) & ((1 << count) - 1)

    def ue(self) -> int:
        """Unsigned Exp-Golomb code of at most 32 bits (H.264, 9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise DataDamaged("parameter set with an Exp-Golomb code of over 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)

    def up_to(self, limit: int, name: str) -> int:
        """Unsigned Exp-Golomb code with a limit."""
        value = self.ue()
        if value > limit:
            raise DataDamaged(f"parameter set with {name} = {value}, more than {limit}")
        return value


def _payload(unit: bytes, header_bytes: int) -> bytes:
    """The raw byte sequence behind the NAL header, emulation prevention taken out (H.264, 7.3.1)."""
    return unit[header_bytes:].replace(b"\0\0\3", b"\0\0")


def _cropped(size: tuple[int, int], steps: tuple[int, int], bits: _Bits) -> tuple[int, int]:
    """The size less the crop (or conformance) window, whose sides count in `steps` of luma samples."""
    if not bits.take(1):
        return size
    left, right, top, bottom = (bits.ue() for _ in range(4))
    return size[0] - steps[0] * (left + right), size[1] - steps[1] * (top + bottom)


# --- H.264 -----------------------------------------------------------------------------------------------------------


def _read_h264(unit: bytes) -> Sps:
    data = _payload(unit, 1)
    bits = _Bits(data)
    profile, _ = bits.take(8), bits.take(16)
    bits.up_to(31, "seq_parameter_set_id")
    chroma, luma_bits, chroma_bits, planes_apart = _h264_chroma(bits) if profile in _H264_WITH_CHROMA else (1, 8, 8, False)
    bits.up_to(12, "log2_max_frame_num_minus4")
    order_type = _h264_picture_order(bits)
    bits.up_to(16, "max_num_ref_frames")
    bits.take(1)
    width = 16 * (bits.up_to(MAX_SIDE // 16 - 1, "pic_width_in_mbs_minus1") + 1)
    map_units = bits.up_to(MAX_SIDE // 16 - 1, "pic_height_in_map_units_minus1") + 1
    fields = 1 if bits.take(1) else 2
    bits.take(1 if fields == 1 else 2)
    step_x, step_y = _CHROMA_STEP[0 if planes_apart else chroma]
    size = _cropped((width, 16 * map_units * fields), (step_x, step_y * fields), bits)
    # Baseline has no B slices, and order type 2 says that output follows decoding (8.2.1.3)
    in_order = profile == 66 or order_type == 2
    return Sps(data[:3], *size, chroma, luma_bits, chroma_bits, 0 if in_order else _h264_reorder(bits))


def _h264_chroma(bits: _Bits) -> tuple[int, int, int, bool]:
    chroma = bits.up_to(3, "chroma_format_idc")
    planes_apart = chroma == 3 and bits.take(1) == 1
    luma_bits = 8 + bits.up_to(6, "bit_depth_luma_minus8")
    chroma_bits = 8 + bits.up_to(6, "bit_depth_chroma_minus8")
    bits.take(1)
    if bits.take(1):
        for index in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, luma_bits, chroma_bits, planes_apart


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    """A list ends early where the next scale becomes 0 (7.3.2.1.1.1)."""
    scale = 8
    for _ in range(size):
        code = bits.ue()
        scale = (scale + ((code + 1) // 2 if code % 2 else -(code // 2))) % 256
        if scale == 0:
            return


def _h264_picture_order(bits: _Bits) -> int:
    order_type = bits.up_to(2, "pic_order_cnt_type")
    if order_type == 0:
        bits.up_to(12, "log2_max_pic_order_cnt_lsb_minus4")
    elif order_type == 1:
        bits.take(1)
        bits.ue()
        bits.ue()
        for _ in range(bits.up_to(255, "num_ref_frames_in_pic_order_cnt_cycle")):
            bits.ue()
    return order_type


def _h264_reorder(bits: _Bits) -> int | None:
    """max_num_reorder_frames of the VUI (E.1.1), None where it is absent or the VUI is cut short, as some cameras send it."""
    try:
        if not bits.take(1):
            return None
        if bits.take(1) and bits.take(8) == _EXTENDED_SAR:
            bits.take(32)
        if bits.take(1):
            bits.take(1)
        if bits.take(1) and (bits.take(4) & 1):
            bits.take(24)
        if bits.take(1):
            bits.ue()
            bits.ue()
        if bits.take(1):
            bits.take(65)
        _skip_hrd(bits)
        bits.take(1)
        if not bits.take(1):
            return None
        bits.take(1)
        for _ in range(4):
            bits.ue()
        return bits.up_to(16, "max_num_reorder_frames")
    except DataDamaged:
        return None


def _skip_hrd(bits: _Bits) -> None:
    """NAL and VCL HRD parameters (E.1.2) and, where either is there, low_delay_hrd_flag."""
    present = 0
    for _ in range(2):
        if bits.take(1):
            present = 1
            count = bits.up_to(31, "cpb_cnt_minus1") + 1
            bits.take(8)
            for _ in range(count):
                bits.ue()
                bits.ue()
                bits.take(1)
            bits.take(20)
    bits.take(present)


# --- H.265 -----------------------------------------------------------------------------------------------------------


def _read_h265(unit: bytes) -> Sps:
    data = _payload(unit, 2)
    bits = _Bits(data)
    bits.take(4)
    sub_layers = bits.take(3)
    nesting = bits.take(1) == 1
    bits.take(96)
    _skip_sub_layers(bits, sub_layers)
    bits.up_to(15, "sps_seq_parameter_set_id")
    chroma = bits.up_to(3, "chroma_format_idc")
    planes_apart = chroma == 3 and bits.take(1) == 1
    size = bits.up_to(MAX_SIDE, "pic_width_in_luma_samples"), bits.up_to(MAX_SIDE, "pic_height_in_luma_samples")
    size = _cropped(size, _CHROMA_STEP[0 if planes_apart else chroma], bits)
    luma_bits = 8 + bits.up_to(8, "bit_depth_luma_minus8")
    chroma_bits = 8 + bits.up_to(8, "bit_depth_chroma_minus8")
    bits.up_to(12, "log2_max_pic_order_cnt_lsb_minus4")
    reorder = 0
    for _ in range(sub_layers + 1 if bits.take(1) else 1):
        _, reorder, _ = bits.ue(), bits.up_to(16, "sps_max_num_reorder_pics"), bits.ue()
    return Sps(data[1:13], *size, chroma, luma_bits, chroma_bits, reorder, sub_layers + 1, nesting)


def _skip_sub_layers(bits: _Bits, sub_layers: int) -> None:
    """Profiles and levels of the lower temporal layers (7.3.3)."""
    if sub_layers == 0:
        return
    present = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    bits.take(2 * (8 - sub_layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
