"""Packets as containers carry them made into what MP4 stores: Annex B or length-prefixed video, AAC with or without ADTS. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from recorder.sources import rtp_h264, rtp_h265
from recorder.sources.parameter_store import ParameterStore
from segments.errors import DataDamaged
from segments.media import Codec
from segments.parameter_sets import kind_of

_LENGTH = struct.Struct(">I")
_START_CODE = b"\0\0\1"
_H264_SETS, _H264_DROPPED = (7, 8), (9, 10, 11, 12)
_H265_SETS, _H265_DROPPED = (32, 33, 34), (35, 36, 37, 38)
_H265_FIRST_UNSPECIFIED = 48
_AAC_LC = 2
_ADTS_HEADER_BYTES = 7


class VideoForm:
    """Converts the packets of one video track and keeps its parameter sets, those of its description and those in its packets.

    Delimiters, fillers and end marks are dropped, SEI is kept. H.264 gets all known sets in front of key frames and of each unit that
    brought some; H.265 has none in its units (hvc1).
    """

    def __init__(self, codec: Codec, description: bytes) -> None:
        self.codec = codec
        self.sets = ParameterStore(rtp_h264.set_id if codec is Codec.H264 else rtp_h265.set_id)
        self._length_bytes = 0
        self.describe(description)

    def describe(self, description: bytes) -> None:
        """Takes a description: avcC or hvcC (ISO/IEC 14496-15), sets behind start codes, or nothing. Raises DataDamaged."""
        if description[:1] != b"\1":
            self._length_bytes = 0
            units: Iterator[bytes] = split_annex_b(description)
        else:
            try:
                at = 4 if self.codec is Codec.H264 else 21
                self._length_bytes = (description[at] & 3) + 1
                units = iter(list(_avcc_units(description) if self.codec is Codec.H264 else _hvcc_units(description)))
            except IndexError:
                raise DataDamaged(f"the description of the {self.codec} track ends too early") from None
        for unit in units:
            if self._is_set(kind_of(self.codec, unit)):
                self.sets.add(unit)

    def convert(self, packet: bytes, *, key: bool) -> bytes:
        """The unit MP4 stores; b'' if no picture is in it. Raises DataDamaged if a length points out of the packet."""
        kept, with_sets, has_picture = bytearray(), False, False
        for unit in split_lengths(packet, self._length_bytes) if self._length_bytes else split_annex_b(packet):
            kind = kind_of(self.codec, unit)
            if self._is_set(kind):
                with_sets = self.sets.add(unit) or with_sets
            elif not self._is_dropped(kind):
                has_picture = has_picture or self._is_picture(kind)
                kept += _LENGTH.pack(len(unit))
                kept += unit
        if not has_picture:
            return b""
        return self.sets.prefix + kept if self.codec is Codec.H264 and (key or with_sets) else bytes(kept)

    def _is_set(self, kind: int) -> bool:
        return kind in (_H264_SETS if self.codec is Codec.H264 else _H265_SETS)

    def _is_dropped(self, kind: int) -> bool:
        if self.codec is Codec.H264:
            return kind in _H264_DROPPED
        return kind in _H265_DROPPED or kind >= _H265_FIRST_UNSPECIFIED

    def _is_picture(self, kind: int) -> bool:
        return 1 <= kind <= 5 if self.codec is Codec.H264 else kind < 32


def split_annex_b(data: bytes) -> Iterator[bytes]:
    """NAL units behind start codes (ITU-T H.264 and H.265, annex B), without the zeros between them."""
    start = data.find(_START_CODE)
    while start >= 0:
        after = data.find(_START_CODE, start + 3)
        unit = data[start + 3 : after if after >= 0 else len(data)].rstrip(b"\0")
        if unit:
            yield unit
        start = after


def split_lengths(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """NAL units behind lengths of 1 to 4 bytes; raises DataDamaged if one points out of the data."""
    at = 0
    while at < len(data):
        start = at + length_bytes
        at = start + int.from_bytes(data[at:start])
        if at > len(data):
            raise DataDamaged("a NAL unit's length points out of its packet")
        if at > start:
            yield data[start:at]


def _avcc_units(box: bytes) -> Iterator[bytes]:
    """SPS and PPS of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    at = 5
    for mask in (0x1F, 0xFF):
        units, at = _units(box, at + 1, box[at] & mask)
        yield from units


def _hvcc_units(box: bytes) -> Iterator[bytes]:
    """The NAL units of an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1)."""
    at = 23
    for _ in range(box[22]):
        units, at = _units(box, at + 3, box[at + 1] << 8 | box[at + 2])
        yield from units


def _units(box: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """So many units behind their 2-byte lengths, and where they end; raises IndexError if the box ends before."""
    units = []
    for _ in range(count):
        size = box[at] << 8 | box[at + 1]
        if at + 2 + size > len(box):
            raise IndexError
        units.append(box[at + 2 : at + 2 + size])
        at += 2 + size
    return [unit for unit in units if unit], at


def split_adts(packet: bytes) -> tuple[bytes, bytes]:
    """AudioSpecificConfig and raw frame of an AAC packet with an ADTS header (ISO/IEC 13818-7, 6.2); (b'', packet) if it has none.

    Raises DataDamaged if its length is another than the packet's, or several frames lie in it.
    """
    if len(packet) < _ADTS_HEADER_BYTES or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return b"", packet
    size = (packet[3] & 3) << 11 | packet[4] << 3 | packet[5] >> 5
    header_bytes = _ADTS_HEADER_BYTES if packet[1] & 1 else _ADTS_HEADER_BYTES + 2
    if size != len(packet) or size < header_bytes or packet[6] & 3:
        raise DataDamaged("an ADTS header does not fit its packet")
    rate_index, channels = packet[2] >> 2 & 0xF, (packet[2] & 1) << 2 | packet[3] >> 6
    return aac_config(rate_index, channels, (packet[2] >> 6) + 1), packet[header_bytes:]


def aac_config(rate_index: int, channels: int, object_type: int = _AAC_LC) -> bytes:
    """An AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of 2 bytes."""
    return (object_type << 11 | rate_index << 7 | channels << 3).to_bytes(2, "big")
