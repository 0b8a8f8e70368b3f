"""H.264 from RTP packets: what went into the packets comes out as MP4 stores it, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.sources.limits import DEFAULT_LIMITS
from tests.rtp_builders import PICTURE_TICKS, PPS, SMALL_SPS, SPS, Packets, fu_a, idr, inter, receive, stap_a, stored

SETS = stored(SPS, PPS)
END = 1 << 20
"""An RTP time of a unit that only ends the one before it."""


def a_stream(pictures=4, *, size=300):
    """A key frame with its sets and some pictures in fragments, and a last one that ends the stream."""
    packets = Packets()
    packets.unit([SPS, PPS, *fu_a(idr(size))], 0)
    for n in range(1, pictures):
        packets.unit(fu_a(inter(size, fill=n)), n * PICTURE_TICKS)
    packets.unit([inter()], END)
    return packets


def test_fragments_single_units_and_aggregates_are_put_together():
    """FU-A, single NAL units and STAP-A give the same access unit."""
    ways = [[SPS, PPS, *fu_a(idr())], [SPS, PPS, idr()], [stap_a(SPS, PPS, idr())], [stap_a(SPS, PPS), *fu_a(idr(), 7)]]
    for way in ways:
        packets = Packets()
        packets.unit(way, 0)
        packets.unit([inter()], END)
        assert receive("h264", packets.stream).units == [(0, True, SETS + stored(idr()))]


def test_sets_known_from_before_stand_in_front_of_every_key_frame():
    """A camera that sends its sets once has them in front of each IDR picture, and of no other."""
    packets = Packets()
    packets.unit([stap_a(SPS, PPS), idr()], 0)
    packets.unit([inter()], 3600)
    packets.unit([idr(fill=9)], 7200)
    packets.unit([inter()], END)
    assert receive("h264", packets.stream).data == [SETS + stored(idr()), stored(inter()), SETS + stored(idr(fill=9))]


def test_sets_with_a_time_of_their_own_are_kept_for_the_key_frame():
    """Some cameras give parameter sets another RTP time than the picture they belong to."""
    packets = Packets()
    packets.unit([SPS], 0)
    packets.unit([PPS], 1)
    packets.unit([idr()], 2)
    packets.unit([inter()], END)
    assert receive("h264", packets.stream).units == [(2, True, SETS + stored(idr()))]


def test_a_set_of_the_same_id_takes_the_place_of_the_old_one():
    """A new resolution replaces the SPS, another id stands beside it."""
    other_pps = b"\x68\x5e\x0f\xc8"  # id 1
    packets = Packets()
    packets.unit([SPS, PPS, idr()], 0)
    packets.unit([SMALL_SPS, other_pps, idr()], 1)
    packets.unit([inter()], END)
    got = receive("h264", packets.stream)
    assert got.sets.units == (SMALL_SPS, PPS, other_pps)
    assert got.sets.version == 4


def test_delimiters_and_filler_are_dropped_and_messages_kept():
    """AUD and filler data go, SEI stays, fragmented or not."""
    sei, filler = b"\x06\x05\x04abcd\x80", b"\x0c" + b"\xff" * 90 + b"\x80"
    packets = Packets()
    packets.unit([b"\x09\xf0", SPS, PPS, sei, *fu_a(filler), filler, idr()], 0)
    packets.unit([inter()], END)
    assert receive("h264", packets.stream).data == [SETS + stored(sei, idr())]


@pytest.mark.parametrize("markers", ["right", "never", "always"])
def test_units_end_right_whatever_the_marker_does(markers):
    """Right, missing, or on every packet: each unit comes out once and whole, several slices or one."""
    packets = Packets()
    expected = []
    for n in range(40):
        picture = inter(200, fill=n)
        slices = [picture, b"\x41\x1a" + bytes([n]) * 50] if n % 3 else [picture]
        payloads = [part for nal in slices for part in fu_a(nal)]
        for index, payload in enumerate(payloads):
            packets.add(payload, n * PICTURE_TICKS, marker=markers == "always" or (markers == "right" and index == len(payloads) - 1))
        expected.append(stored(*slices))
    packets.unit([inter()], END)
    assert receive("h264", packets.stream).data[:40] == expected


def test_a_trusted_marker_ends_a_unit_at_once():
    """After some units whose marker was right, a unit does not wait for the next one."""
    packets = Packets()
    for n in range(12):
        packets.unit(fu_a(inter(fill=n)), n * PICTURE_TICKS)
    assert len(receive("h264", packets.stream).units) == 12


def test_a_marker_that_betrays_trust_is_never_trusted_again():
    """A unit that goes on behind its marker is not repaired, but no later one is cut: pictures come again from the next key frame on."""
    second = b"\x41\x1a" + b"\7" * 50
    packets = Packets()
    packets.unit([SPS, PPS, *fu_a(idr())], 0)
    for n in range(1, 12):
        packets.unit(fu_a(inter(fill=n)), n * PICTURE_TICKS)
    for n in range(12, 30):
        for nal in (idr(fill=n) if n == 20 else inter(fill=n), second):
            packets.add(nal, n * PICTURE_TICKS, marker=True)
    packets.unit([inter()], END)
    got = receive("h264", packets.stream)
    assert [stamp // PICTURE_TICKS for stamp, _, _ in got.units] == [*range(13), *range(20, 30)]
    assert all(data.endswith(stored(second)) for stamp, _, data in got.units if stamp >= 20 * PICTURE_TICKS)


def test_a_lost_packet_costs_all_pictures_up_to_the_next_key_frame():
    """A hole is counted; neither the damaged picture nor what refers to it is passed on."""
    packets = a_stream(6)
    packets.unit([*fu_a(idr(fill=7))], END + 1)
    packets.unit([inter()], END + 2)
    whole = receive("h264", packets.stream)
    del packets.frames[20]
    got = receive("h264", packets.stream)
    assert got.losses.packets == 1
    assert 0 < len(got.units) < len(whole.units)
    assert got.units[-1] == (END + 1, True, SETS + stored(idr(fill=7)))
    assert set(got.units) <= set(whole.units)


def test_control_a_hole_nobody_sees_does_damage():
    """Control: the same hole with numbers that hide it lets a picture through that the camera never made."""
    packets = a_stream(6)
    whole = receive("h264", packets.stream)
    smooth = Packets()
    for number, framed in enumerate(packets.frames):
        if number != 20:
            smooth.frames.append(framed[:6] + (100 + len(smooth.frames)).to_bytes(2, "big") + framed[8:])
    assert not set(receive("h264", smooth.stream).units) <= set(whole.units)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_packing_and_any_cut_of_the_stream_gives_the_same_units(data):
    """However NAL units are packed, and wherever reads cut the stream, what comes out is what went in."""
    packets, expected = Packets(sequence=data.draw(st.integers(0, 65535))), []
    for n in range(data.draw(st.integers(1, 6))):
        picture = (idr if n % 3 == 0 else inter)(data.draw(st.integers(3, 400)), fill=n)
        nals = [SPS, PPS, picture] if n % 3 == 0 else [picture]
        way = data.draw(st.sampled_from(["single", "aggregate", "fragments"]))
        payloads = [stap_a(*nals)] if way == "aggregate" else nals
        if way == "fragments":
            payloads = [*nals[:-1], *fu_a(picture, data.draw(st.integers(1, 90)))]
        packets.unit(payloads, n * PICTURE_TICKS)
        expected.append((n * PICTURE_TICKS, n % 3 == 0, (SETS if n % 3 == 0 else b"") + stored(picture)))
    packets.unit([inter()], END)
    cuts = data.draw(st.lists(st.integers(0, len(packets.stream)), max_size=8))
    assert receive("h264", packets.stream, pieces=cuts).units == expected


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(2, 60), max_size=6))
def test_whatever_is_lost_no_picture_is_made_up(lost):
    """Any set of lost packets behind the parameter sets: all that comes out also comes out of the whole stream."""
    packets = a_stream(8)
    whole = set(receive("h264", packets.stream).units)
    packets.frames = [framed for number, framed in enumerate(packets.frames) if number not in lost]
    assert set(receive("h264", packets.stream).units) <= whole


def test_a_repeated_packet_is_taken_once():
    """A packet that comes twice changes nothing and counts as no loss."""
    packets = a_stream()
    whole = receive("h264", packets.stream)
    packets.frames[5:5] = [packets.frames[4], packets.frames[3]]
    again = receive("h264", packets.stream)
    assert (again.units, again.losses.packets) == (whole.units, 0)


def test_sequence_numbers_and_times_wrap():
    """Sequence 65535 to 0 inside a unit, and RTP time 2**32 - 1 to 0, are no jumps."""
    packets = Packets(sequence=65533)
    packets.unit([SPS, PPS, *fu_a(idr(600))], 0xFFFFFFFF)
    packets.unit([*fu_a(inter(600))], 0)
    packets.unit([inter()], END)
    got = receive("h264", packets.stream)
    assert got.units == [(0xFFFFFFFF, True, SETS + stored(idr(600))), (0, False, stored(inter(600)))]
    assert got.losses.packets == 0


def test_padding_contributors_and_extensions_are_taken_off():
    """The payload lies behind CSRCs and extension and before padding."""
    packets = Packets()
    packets.add(stap_a(SPS, PPS), 0, flags=0x90, extra=b"\xbe\xde\0\1abcd")
    packets.add(idr() + b"\0\0\3", 0, flags=0xA2, extra=b"csrccsrc", marker=True)
    packets.add(b"\0\0\0\4", 0, flags=0xA0)
    packets.unit([inter()], END)
    assert receive("h264", packets.stream).data == [SETS + stored(idr())]


def test_packets_of_another_payload_type_are_passed_over():
    """What is not of the negotiated payload type is no part of the picture."""
    packets = a_stream()
    whole = receive("h264", packets.stream)
    other = Packets(payload_type=97)
    other.add(b"x" * 50, 0)
    packets.frames[4:4] = other.frames
    assert receive("h264", packets.stream).units == whole.units


def test_an_oversized_unit_is_dropped_and_the_next_key_frame_passed_on():
    """Limits of NAL unit and access unit: a fragment without an end, and endless slices, cost units but no memory."""
    limits = replace(DEFAULT_LIMITS, nal_bytes=1000, unit_bytes=1500)
    endless = [fu_a(idr(5000))[0], *([fu_a(idr(5000))[1]] * 200)]
    for payloads in (endless, [idr(900), b"\x65\x18" + b"x" * 700], [SPS, PPS, b"\x65\x88" + b"y" * 1200]):
        packets = Packets()
        packets.unit([SPS, PPS, idr()], 0)
        packets.unit(payloads, 3600)
        packets.unit([inter()], 7200)
        packets.unit([idr()], 10800)
        packets.unit([inter()], END)
        got = receive("h264", packets.stream, limits=limits)
        assert [stamp for stamp, _, _ in got.units] == [0, 10800]
        assert got.losses.units >= 2


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x7c",
        b"\x7c\x85",
        b"\x78",
        b"\x78\0",
        b"\x78\0\5ab",
        b"\x78\xff\xffab",
        b"\x78\0\0",
        b"\x79\0\1",
        b"\x7d\x85ab",
        b"\x1f",
        b"\0ab",
        b"\x41",
        b"\x7c\x45ab",
        b"\x7c\x05ab",
    ],
)
def test_a_damaged_payload_costs_its_unit_only(payload):
    """Cut-short and unknown payloads do no harm: the next key frame comes."""
    packets = a_stream()
    packets.add(payload, END + 1)
    packets.unit([SPS, PPS, idr(fill=5)], END + 2)
    packets.unit([inter()], END + 3)
    assert receive("h264", packets.stream).data[-1] == SETS + stored(idr(fill=5))


def test_a_fragment_that_is_first_and_last_is_a_whole_unit():
    """Some cameras put a small NAL unit into one fragment, against RFC 6184 part 5.8."""
    nal = idr(30)
    packets = Packets()
    packets.unit([SPS, PPS, bytes([nal[0] & 0xE0 | 28, 0xC0 | nal[0] & 31]) + nal[1:]], 0)
    packets.unit([inter()], END)
    assert receive("h264", packets.stream).data == [SETS + stored(nal)]


def test_a_new_sender_waits_for_a_key_frame():
    """A camera that starts its stream anew (other SSRC, other numbers) is followed from its next key frame."""
    packets = a_stream()
    packets.ssrc, packets.sequence = 5, 40_000
    packets.unit([inter(fill=8)], END + 1)
    packets.unit([idr(fill=9)], END + 2)
    packets.unit([inter()], END + 3)
    assert [stamp for stamp, _, _ in receive("h264", packets.stream).units][4:] == [END + 2]
