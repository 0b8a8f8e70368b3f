"""AAC and G.711 from RTP packets."""

from __future__ import annotations

import pytest

from recorder.sources.rtp import Losses
from recorder.sources.rtp_aac import AacPackets, read_config
from recorder.sources.rtp_g711 import SoundPackets
from segments.errors import DataDamaged
from tests.rtp_builders import Packets, aac_payload

FMTP = {"mode": "AAC-hbr", "sizelength": "13", "indexlength": "3", "indexdeltalength": "3", "config": "1188"}


def feed(handler, packets):
    """Feeds each framed packet by itself."""
    for framed in packets.frames:
        assert handler.packet(memoryview(framed), 0, len(framed), len(framed)) == len(framed)


def receive(packets, *, samples=1024):
    """(RTP time, frame) of all that an AAC track delivers, and its losses."""
    got, losses = [], Losses()
    feed(AacPackets(96, samples, lambda stamp, data: got.append((stamp, data)), losses), packets)
    return got, losses


def test_several_frames_of_a_packet_are_a_frame_apart():
    """Each access unit of a packet comes out with its own time, 1024 samples after the one before it, over the wrap too."""
    packets = Packets()
    packets.add(aac_payload([b"one", b"second", b"3"]), 2**32 - 1024, marker=True)
    assert receive(packets)[0] == [(2**32 - 1024, b"one"), (0, b"second"), (1024, b"3")]


def test_a_frame_over_several_packets_is_put_together():
    """Fragments carry the whole frame's size in their AU header (RFC 3640 part 3.2.3) and the same time."""
    head = aac_payload([b"x" * 3000])[:4]
    packets = Packets()
    for piece, last in ((b"x" * 1400, False), (b"x" * 1400, False), (b"x" * 200, True)):
        packets.add(head + piece, 5, marker=last)
    packets.add(aac_payload([b"next"]), 1029, marker=True)
    got, losses = receive(packets)
    assert got == [(5, b"x" * 3000), (1029, b"next")]
    assert losses == Losses()


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_fragment_costs_its_frame_only(lost):
    """Whichever fragment is lost, the frame is dropped and the next one passed on."""
    head = aac_payload([b"x" * 300])[:4]
    packets = Packets()
    packets.add(aac_payload([b"first"]), 0)
    for _ in range(3):
        packets.add(head + b"x" * 100, 5)
    packets.add(aac_payload([b"next"]), 1029)
    del packets.frames[1 + lost]
    got, losses = receive(packets)
    assert [data for _, data in got] == [b"first", b"next"]
    assert losses.packets == 1
    assert losses.units >= 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0",
        b"\0\x10",
        b"\0\x0f\0\x08a",
        b"\0\x10\0\0",
        b"\xff\xf0" + b"\0\x08" * 20,
        b"\0\x20\0\x08\0\x08a",
        b"\0\x20\xff\xff\0\x08aaaa",
    ],
)
def test_a_damaged_packet_costs_itself_only(payload):
    """Headers that do not fit what follows: nothing comes out, and the next frame does."""
    packets = Packets()
    packets.add(payload, 0)
    packets.add(aac_payload([b"next"]), 1024)
    assert receive(packets)[0] == [(1024, b"next")]


def test_repeated_and_foreign_packets_are_passed_over():
    """A packet that comes twice, and one of another payload type, add nothing."""
    packets = Packets()
    packets.add(aac_payload([b"a"]), 0)
    packets.frames.append(packets.frames[0])
    packets.payload_type = 97
    packets.add(aac_payload([b"b"]), 1024)
    got, losses = receive(packets)
    assert got == [(0, b"a")]
    assert losses == Losses()


@pytest.mark.parametrize(
    "change", [{"mode": "AAC-lbr"}, {"mode": "CELP-vbr"}, {"sizelength": "6"}, {"config": ""}, {"config": "xyz"}, {"config": "11"}]
)
def test_other_modes_and_broken_configurations_are_refused(change):
    """Only AAC-hbr with its 13/3/3 headers and a readable configuration is read."""
    assert read_config(FMTP) == bytes.fromhex("1188")
    with pytest.raises(DataDamaged):
        read_config({**FMTP, **change})


def test_g711_passes_its_payload_on_and_counts_holes():
    """The payload is the sound; a hole is counted and what follows is still passed on."""
    got, losses = [], Losses()
    packets = Packets(payload_type=8)
    for n in range(4):
        packets.add(bytes([n]) * 160, n * 160)
    del packets.frames[2]
    feed(SoundPackets(8, lambda stamp, data: got.append((stamp, data)), losses), packets)
    assert got == [(0, b"\0" * 160), (160, b"\1" * 160), (480, b"\3" * 160)]
    assert losses.packets == 1
