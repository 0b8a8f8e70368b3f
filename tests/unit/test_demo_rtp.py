"""The demo cameras' packets, taken apart again by the recorder's own de-packetizers and by hand after RFC 3550."""

from __future__ import annotations

import struct

import pytest

from deploy.demo_cameras.rtp import MAX_PAYLOAD_BYTES, RtpSender, aac_payload, h264_payloads, h265_payloads
from recorder.sources.rtp import Losses
from recorder.sources.rtp_aac import AacPackets
from segments.clock import US_PER_S
from tests.builders import NOON_US
from tests.rtp_builders import PPS, PPS5, SPS, SPS5, VPS5, idr, idr5, receive, stored

SIZES = (100, MAX_PAYLOAD_BYTES - 60, MAX_PAYLOAD_BYTES - 1, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1, 2 * MAX_PAYLOAD_BYTES, 50_000)


def a_sender(**changes) -> RtpSender:
    return RtpSender(**{"channel": 0, "payload_type": 96, "rate_hz": 90_000, "ssrc": 0xFFFE} | changes)


def payload_sizes(stream: bytes) -> list[int]:
    """Bytes behind the RTP header of each interleaved packet."""
    sizes = []
    while stream:
        length = int.from_bytes(stream[2:4])
        sizes.append(length - 12)
        stream = stream[4 + length :]
    return sizes


@pytest.mark.parametrize("size", SIZES)
def test_h264_pictures_come_out_as_they_went_in(size):
    """Parameter sets and slice of any size arrive whole, once, as a key frame at their time, over the turn of the sequence numbers too."""
    sender, pictures = a_sender(), [idr(size, fill=n + 1) for n in range(4)]
    stream = b"".join(sender.packets(h264_payloads([SPS, PPS, unit]), n * 6000) for n, unit in enumerate(pictures))
    got = receive("h264", stream)
    assert got.units == [(n * 6000, True, stored(SPS, PPS, unit)) for n, unit in enumerate(pictures[:3])]  # the fourth ends the third
    assert got.losses == Losses()
    assert max(payload_sizes(stream)) <= MAX_PAYLOAD_BYTES


@pytest.mark.parametrize("size", SIZES)
def test_h265_pictures_come_out_as_they_went_in(size):
    """The same for H.265, whose parameter sets the recorder keeps beside the pictures."""
    sender, pictures = a_sender(), [idr5(size, fill=n + 1) for n in range(4)]
    stream = b"".join(sender.packets(h265_payloads([VPS5, SPS5, PPS5, unit]), n * 7500) for n, unit in enumerate(pictures))
    got = receive("h265", stream)
    assert got.units == [(n * 7500, True, stored(unit)) for n, unit in enumerate(pictures[:3])]
    assert got.losses == Losses()
    assert max(payload_sizes(stream)) <= MAX_PAYLOAD_BYTES


def test_a_lost_packet_is_noticed():
    """Negative control: a stream with one packet taken out does not pass as whole."""
    sender = a_sender()
    packets = [sender.packets(h264_payloads([SPS, PPS, idr(5000)]), n * 6000) for n in range(3)]
    first = 4 + int.from_bytes(packets[1][2:4])
    got = receive("h264", packets[0] + packets[1][first:] + packets[2])
    assert got.losses != Losses()


def test_sound_comes_out_as_it_went_in():
    """AAC frames arrive whole at their time."""
    got, sender, frames = [], a_sender(payload_type=97), [b"\x21" * 300, b"\x22" * 90]
    packets = AacPackets(97, 1024, lambda stamp, data: got.append((stamp, bytes(data))), Losses())
    for n, frame in enumerate(frames):
        packet = sender.packets([aac_payload(frame)], n * 1024)
        packets.packet(memoryview(packet), 0, len(packet), len(packet))
    assert got == [(0, frames[0]), (1024, frames[1])]


def test_a_sender_report_ties_wall_time_to_rtp_time():
    """Read by hand: an NTP time since 1900 that is the moment, the RTP time of that moment, and what was sent until then."""
    sender, at_us = a_sender(), NOON_US + 250_000
    sender.packets([b"abc", b"defg"], 0)
    report = sender.report(at_us)
    assert report[:2] == b"$\x01"
    assert int.from_bytes(report[2:4]) == len(report) - 4
    first, kind, length, ssrc, seconds, fraction, stamp, packets, size = struct.unpack(">BBHIIIIII", report[4:32])
    assert (first >> 6, kind, length, ssrc) == (2, 200, 6, 0xFFFE)
    assert (seconds - 2_208_988_800) * US_PER_S + round(fraction / 2**32 * US_PER_S) == at_us
    assert stamp == at_us * 9 // 100 % 2**32
    assert (packets, size) == (2, 7)
    assert report[33] == 202  # a source description must follow (RFC 3550, 6.1)
