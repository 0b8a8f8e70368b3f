"""H.265 from RTP packets: what went into the packets comes out as MP4 stores it (hvc1), or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.sources.rtp_h265 import set_id
from tests.rtp_builders import PICTURE_TICKS, PPS5, SMALL_SPS5, SPS5, VPS5, Packets, ap_5, fu_5, idr5, inter5, receive, stored

END = 1 << 20
DONL = b"\0\7"


@pytest.mark.parametrize("donl", [b"", DONL])
def test_fragments_single_units_and_aggregates_are_put_together(donl):
    """FU, single NAL units and AP give the same access unit, with DONL fields and without; parameter sets are taken out."""
    singles = [nal[:2] + donl + nal[2:] for nal in (VPS5, SPS5, PPS5, idr5())]
    ways = [
        [*singles[:3], *fu_5(idr5(), donl=donl)],
        singles,
        [ap_5(VPS5, SPS5, PPS5, idr5(), donl=donl)],
        [ap_5(VPS5, SPS5, PPS5, donl=donl), *fu_5(idr5(), 7, donl=donl)],
    ]
    for way in ways:
        packets = Packets()
        packets.unit(way, 0)
        packets.unit([inter5()], END)
        got = receive("h265", packets.stream, donl=bool(donl))
        assert got.units == [(0, True, stored(idr5()))]
        assert got.sets.units == (VPS5, SPS5, PPS5)


def test_pictures_a_player_may_start_at_are_keys():
    """IDR, CRA and BLA (types 16 to 21) are key frames, all others are not."""
    packets = Packets()
    kinds = [0, 1, 8, 9, 16, 17, 18, 19, 20, 21, 22, 31]
    for n, kind in enumerate(kinds):
        packets.unit([bytes([kind << 1, 1, 0xAF, n])], n)
    packets.unit([inter5()], END)
    keys = {stamp: key for stamp, key, _ in receive("h265", packets.stream).units}
    assert [keys[n] for n in range(len(kinds))] == [16 <= kind <= 21 for kind in kinds]


def test_delimiters_and_filler_are_dropped_and_messages_kept():
    """AUD and filler data go, SEI before and behind the picture stays."""
    before, behind = b"\x4e\x01\x05\x01a\x80", b"\x50\x01\x84\x01b\x80"
    packets = Packets()
    packets.unit([b"\x46\x01\x50", VPS5, SPS5, PPS5, before, idr5(), b"\x4c\x01\xff\xff\x80", behind], 0)
    packets.unit([inter5()], END)
    assert receive("h265", packets.stream).data == [stored(before, idr5(), behind)]


def test_an_sps_is_known_by_its_id_behind_profile_tier_and_level():
    """The same id replaces, whatever lies before it; sub-layers and emulation prevention are stepped over."""
    assert {set_id(SPS5), set_id(SMALL_SPS5)} == {(33, 0)}
    assert set_id(VPS5) == (32, 0)
    assert set_id(PPS5) == (34, 0)
    flags = b"\xc0\0"  # two sub-layers: the first has a profile (88 bits) and a level (8 bits)
    layered = b"\x42\x01\x03" + b"\x55" * 12 + flags + b"\x55" * 12 + b"\x4c\xaa"  # then ue(v) 010 = 1
    assert set_id(layered) == (33, 1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_packing_and_any_cut_of_the_stream_gives_the_same_units(data):
    """However NAL units are packed, and wherever reads cut the stream, what comes out is what went in."""
    packets, expected = Packets(sequence=data.draw(st.integers(0, 65535))), []
    for n in range(data.draw(st.integers(1, 6))):
        picture = (idr5 if n % 3 == 0 else inter5)(data.draw(st.integers(4, 400)), fill=n)
        nals = [VPS5, SPS5, PPS5, picture] if n % 3 == 0 else [picture]
        way = data.draw(st.sampled_from(["single", "aggregate", "fragments"]))
        payloads = [ap_5(*nals)] if way == "aggregate" else nals
        if way == "fragments":
            payloads = [*nals[:-1], *fu_5(picture, data.draw(st.integers(1, 90)))]
        packets.unit(payloads, n * PICTURE_TICKS)
        expected.append((n * PICTURE_TICKS, n % 3 == 0, stored(picture)))
    packets.unit([inter5()], END)
    cuts = data.draw(st.lists(st.integers(0, len(packets.stream)), max_size=8))
    assert receive("h265", packets.stream, pieces=cuts).units == expected


def test_a_lost_packet_costs_all_pictures_up_to_the_next_key_frame():
    """A hole is counted, and nothing that refers to it is passed on."""
    packets = Packets()
    packets.unit([VPS5, SPS5, PPS5, *fu_5(idr5())], 0)
    for n in (1, 2, 3):
        packets.unit(fu_5(inter5(fill=n)), n)
    packets.unit([idr5(fill=4)], 4)
    packets.unit([inter5()], END)
    del packets.frames[7]
    got = receive("h265", packets.stream)
    assert [stamp for stamp, _, _ in got.units] == [0, 4]
    assert (got.losses.packets, got.losses.units) == (1, 3)


@pytest.mark.parametrize(
    "payload", [b"\x62", b"\x62\1", b"\x62\1\x93", b"\x60\1\0", b"\x60\1\0\5ab", b"\x64\1ab", b"\x02\1", b"\x62\1\x53ab", b"\x62\1\x13ab"]
)
def test_a_damaged_payload_costs_its_unit_only(payload):
    """Cut-short and unknown payloads (PACI among them) do no harm: the next key frame comes."""
    packets = Packets()
    packets.unit([VPS5, SPS5, PPS5, idr5()], 0)
    packets.add(payload, 1)
    packets.unit([idr5(fill=5)], 2)
    packets.unit([inter5()], END)
    assert receive("h265", packets.stream).data[-1] == stored(idr5(fill=5))
