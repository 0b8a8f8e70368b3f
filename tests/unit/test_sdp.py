"""Session descriptions as cameras write them, and what of them is recorded."""

from __future__ import annotations

import contextlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.sources.offer import choose
from recorder.sources.sdp import LINES, MEDIA_SECTIONS, SDP_BYTES, control_url, parse_sdp
from segments.errors import DataDamaged
from segments.media import AudioTrack, Codec
from tests.rtp_builders import PPS, SPS
from tests.rtsp_client import SOUND, CopyingEncoder

VIDEO = f"""m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1; profile-level-id=42C01E; sprop-parameter-sets={b64encode(SPS).decode()},{b64encode(PPS).decode()}
a=control:trackID=1
"""
AAC = """m=audio 0 RTP/AVP 97
a=rtpmap:97 mpeg4-generic/48000/1
a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;SizeLength=13;indexlength=3;indexdeltalength=3;config=1188
a=control:trackID=2
"""
LAW = "m=audio 0 RTP/AVP 8\na=control:trackID=2\n"
HEAD = "v=0\no=- 0 0 IN IP4 0.0.0.0\ns=Media\nc=IN IP4 0.0.0.0\nt=0 0\na=control:*\n"


def offered(text, factory=lambda *_: CopyingEncoder()):
    """What is chosen of a description."""
    return choose(parse_sdp((HEAD + text).encode()), factory)


def test_a_usual_description_is_read():
    """Codec, sets, control and sound of a common camera, whatever the line ends and the case of names."""
    for text in (VIDEO + AAC, (VIDEO + AAC).replace("\n", "\r\n"), (VIDEO + AAC).replace("a=rtpmap", "A=RTPMAP")):
        choice = offered(text)
        assert choice.video.codec is Codec.H264
        assert tuple(choice.video.parameter_sets) == (SPS, PPS)
        assert [media.control for media in choice.media] == ["trackID=1", "trackID=2"]
        assert choice.sound.track == AudioTrack(48_000, 1, b"\x11\x88")
        assert choice.notes == ()


def test_only_codecs_of_the_list_are_ever_chosen():
    """A codec outside the allow-list is never set up, whatever else is true of it."""
    for codec in ("AV1", "VP8", "VP9", "JPEG", "H263-1998", "MP4V-ES", "MPV", "H266", "X-H264", "H2645", "raw", "theora", "MP2T"):
        assert offered(VIDEO.replace("H264", codec) + AAC) is None
    for codec in ("opus", "MP4A-LATM", "G726-32", "L16", "vorbis", "AMR", "telephone-event"):
        choice = offered(VIDEO + AAC.replace("mpeg4-generic", codec))
        assert choice.sound is None
        assert codec.upper() in choice.notes[0]


def test_the_first_usable_of_several_tracks_is_chosen():
    """Metadata and unknown codecs are passed over, and what was left out is said."""
    meta = "m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000\na=control:trackID=9\n"
    opus = "m=audio 0 RTP/AVP 98\na=rtpmap:98 opus/48000/2\na=control:trackID=8\n"
    choice = offered(meta + VIDEO.replace("H264", "AV1") + opus + VIDEO.replace("ID=1", "ID=5") + LAW)
    assert [media.control for media in choice.media] == ["trackID=5", "trackID=2"]
    assert choice.notes == ("sound (OPUS) left out: it cannot be recorded", "sound (G.711 A-law) recorded as AAC")


def test_g711_becomes_aac_or_is_left_out_and_both_are_said():
    """By static payload types and by rtpmap; the encoder is made with codec, rate and channels."""
    asked = []
    choice = offered(VIDEO + LAW, lambda *what: asked.append(what) or CopyingEncoder())
    assert choice.sound.track == SOUND
    offered(VIDEO + "m=audio 0 RTP/AVP 100\na=rtpmap:100 pcmu/16000/2\n", lambda *what: asked.append(what) or CopyingEncoder())
    assert asked == [("PCMA", 8000, 1), ("PCMU", 16000, 2)]
    silent = offered(VIDEO + LAW, None)
    assert silent.sound is None
    assert silent.notes == ("sound (G.711 A-law) left out by setting",)


def test_what_cannot_be_read_is_not_chosen():
    """Encrypted RTP, H.264 in interleaved mode, no clock rate: not ours."""
    for broken in (
        VIDEO.replace("RTP/AVP", "RTP/SAVP"),
        VIDEO.replace("mode=1", "mode=2"),
        VIDEO.replace("/90000", "/0"),
        VIDEO.replace("m=video", "m=audio"),
        "",
    ):
        assert offered(broken) is None
    for broken in (
        AAC.replace("1188", "zz"),
        AAC.replace("1188", "2188"),
        AAC.replace("AAC-hbr", "generic"),
        AAC.replace("/48000/1", "/0"),
    ):
        choice = offered(VIDEO + broken)
        assert choice.sound is None
        assert "left out" in choice.notes[0]


def test_unreadable_parameter_sets_are_left_out():
    """A description with broken base64 is used without its sets: they come in the stream."""
    assert tuple(offered(VIDEO.replace(b64encode(SPS).decode(), "!!!")).video.parameter_sets) == (PPS,)
    assert tuple(offered(VIDEO.replace(b64encode(SPS).decode(), b64encode(SPS).decode().rstrip("="))).video.parameter_sets) == (SPS, PPS)


def test_donl_fields_are_expected_where_announced():
    """sprop-max-don-diff over 0 announces them (RFC 7798 part 7.1)."""
    text = "m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 sprop-max-don-diff={}\n"
    assert [offered(text.format(value)).video.with_donl for value in (0, 2)] == [False, True]


@pytest.mark.parametrize(
    "body",
    [
        b"x" * (SDP_BYTES + 1),
        b"a=x\n" * (2 * LINES + 1),
        b"m=video 0 RTP/AVP 96\n" * (MEDIA_SECTIONS + 1),
        b"m=video\n",
        b"m=\n",
        b"m=video 0 RTP/AVP 9999\n",
    ],
)
def test_descriptions_past_a_limit_are_refused(body):
    """Size, lines, sections and the grammar of m= have limits."""
    with pytest.raises(DataDamaged):
        parse_sdp(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body):
    """Whatever comes, either a description or DataDamaged."""
    with contextlib.suppress(DataDamaged):
        choose(parse_sdp(body), None)


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        ("rtsp://h/live", "", "rtsp://h/live"),
        ("rtsp://h/live", "*", "rtsp://h/live"),
        ("rtsp://h/live", "trackID=1", "rtsp://h/live/trackID=1"),
        ("rtsp://h/live/", "trackID=1", "rtsp://h/live/trackID=1"),
        ("rtsp://h/live/", "/trackID=1", "rtsp://h/live/trackID=1"),
        ("rtsp://h/live", "/trackID=1", "rtsp://h/live/trackID=1"),
        ("rtsp://h/cam?channel=1&subtype=0/", "trackID=0", "rtsp://h/cam?channel=1&subtype=0/trackID=0"),
        ("rtsp://h/cam?channel=1", "trackID=0", "rtsp://h/cam?channel=1/trackID=0"),
        ("rtsp://h/live", "?ctype=video", "rtsp://h/live?ctype=video"),
        ("rtsp://h/live", "track?a=b", "rtsp://h/live/track?a=b"),
        ("rtsp://h/live", "rtsp://10.0.0.9:554/live/video", "rtsp://10.0.0.9:554/live/video"),
        ("rtsp://h/live", "RTSP://h/x", "RTSP://h/x"),
    ],
)
def test_control_addresses_of_all_forms(base, control, url):
    """Absolute, relative with and without slash, `*`, with queries in base or control."""
    assert control_url(base, control) == url


@pytest.mark.parametrize("control", ["a b", "a\tb", "ä", "x" * 1025, "a\x00"])
def test_a_control_that_could_not_stand_in_a_request_is_refused(control):
    """No control attribute can smuggle anything into a request."""
    with pytest.raises(DataDamaged):
        control_url("rtsp://h/", control)
