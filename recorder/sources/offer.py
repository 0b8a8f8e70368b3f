"""What of a camera's offer is recorded: the first H.264 or H.265 video and the first usable sound, by an allow-list of our own."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass

from recorder.source import SoundEncoder, SoundFactory
from recorder.sources.rtp_aac import read_config
from recorder.sources.sdp import Media, SessionDescription
from segments.errors import DataDamaged
from segments.media import AudioTrack, Codec
from segments.parameter_sets import audio_object_type, audio_track

_PROFILES = ("RTP/AVP", "RTP/AVPF", "RTP/AVP/TCP")
_VIDEO = {"H264": Codec.H264, "H265": Codec.H265}
_G711 = {"PCMU": "G.711 mu-law", "PCMA": "G.711 A-law"}
_AAC_KINDS = (2, 5, 29)  # LC, and LC with SBR or PS (ISO/IEC 14496-3, table 1.17)


@dataclass(frozen=True, slots=True)
class VideoOffer:
    """The chosen video; `parameter_sets` are those the description holds, maybe none."""

    media: Media
    codec: Codec
    parameter_sets: Sequence[bytes]
    with_donl: bool


@dataclass(frozen=True, slots=True)
class SoundOffer:
    """The chosen sound; `encoder` makes AAC of it, None where it is AAC."""

    media: Media
    track: AudioTrack
    encoder: SoundEncoder | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What will be set up, and what people should know about it."""

    video: VideoOffer
    sound: SoundOffer | None
    notes: tuple[str, ...]

    @property
    def media(self) -> tuple[Media, ...]:
        """The chosen sections, video first."""
        return (self.video.media, self.sound.media) if self.sound else (self.video.media,)


def choose(description: SessionDescription, sound_factory: SoundFactory | None) -> Choice | None:
    """The tracks to record; None if there is no video of ours among them."""
    usable = [media for media in description.media if media.profile in _PROFILES]
    video = next((media for media in usable if media.kind == "video" and _is_usable_video(media)), None)
    if video is None:
        return None
    codec = _VIDEO[video.encoding]
    donl = codec is Codec.H265 and video.format_parameters.get("sprop-max-don-diff", "0") != "0"
    offer = VideoOffer(video, codec, described_sets(video), donl)
    notes = []
    for media in (media for media in usable if media.kind == "audio"):
        sound, note = _sound(media, sound_factory)
        if note:
            notes.append(note)
        if sound:
            return Choice(offer, sound, tuple(notes))
    return Choice(offer, None, tuple(notes))


def _is_usable_video(media: Media) -> bool:
    """Packetization mode 2 of H.264 interleaves units (RFC 6184 part 6.4); no camera is known to use it, and we do not read it."""
    return media.encoding in _VIDEO and media.clock_rate > 0 and media.format_parameters.get("packetization-mode", "0") in ("0", "1")


def described_sets(media: Media) -> tuple[bytes, ...]:
    """The parameter sets in sprop-parameter-sets (RFC 6184 8.1) or sprop-vps, -sps, -pps (RFC 7798 7.1), unreadable ones left out."""
    names = ("sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps")
    texts = (text for name in names for text in media.format_parameters.get(name, "").split(","))
    return tuple(unit for unit in map(_decode, texts) if unit)


def _decode(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


def _sound(media: Media, factory: SoundFactory | None) -> tuple[SoundOffer | None, str]:
    """The offer and a note for people, either of which may be missing."""
    name = re.sub(r"[^A-Z0-9./-]", "?", media.encoding) or "of an unnamed codec"
    if media.encoding in _G711 and media.clock_rate > 0 and 1 <= media.channels <= 2:
        name = _G711[media.encoding]
        if factory is None:
            return None, f"sound ({name}) left out by setting"
        encoder = factory(media.encoding, media.clock_rate, media.channels)
        return SoundOffer(media, encoder.track, encoder), f"sound ({name}) recorded as AAC"
    if media.encoding != "MPEG4-GENERIC":
        return None, f"sound ({name}) left out: it cannot be recorded"
    try:
        config = read_config(media.format_parameters)
        if audio_object_type(config) not in _AAC_KINDS or media.clock_rate <= 0:
            raise DataDamaged("only AAC-LC and HE-AAC are recorded")
        return SoundOffer(media, audio_track(config), None), ""
    except DataDamaged as error:
        return None, f"sound (AAC) left out: {error}"
