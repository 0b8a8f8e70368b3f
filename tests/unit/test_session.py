"""One camera's stream as instructions: what is written is footage, cut where it should be, and every run ends with its cause."""

from __future__ import annotations

import io
from itertools import pairwise

import av
import pytest

from recorder.session import WAIT_FOR_KEY
from segments.clock import US_PER_S
from segments.facts import read_facts
from segments.media import TIMESCALE, AccessUnit, Codec, VideoTrack
from segments.model import Cause
from segments.segment_tail import read_tail
from tests.builders import NOON_US
from tests.media import Clips, access_units, read_frame_number
from tests.recording import Written, a_session, recorded, repeated


def numbers_of(data: bytes) -> list[int]:
    """The frame numbers burnt into a segment's pictures, decoded by libav."""
    with av.open(io.BytesIO(data)) as container:
        return [read_frame_number(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def tail_of(written: Written, name: tuple[str, int]):
    data = written.segments[name]
    return read_tail(data, len(data))


@pytest.mark.parametrize("options", [{}, {"b_frames": 2}, {"codec": "h265"}, {"audio": "aac"}], ids=str)
def test_every_picture_is_in_exactly_one_segment(clips: Clips, options: dict[str, object]) -> None:
    """A minute of a camera comes back from its segments picture by picture, in order, nothing twice and nothing missing."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25, **options))
    session = a_session()
    written = recorded(session, tracks, repeated(units, 5))
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))

    found = [number for name in written.sealed for number in numbers_of(written.segments[name])]
    assert found == list(range(100)) * 5
    assert len(written.sealed) >= 4


def test_segments_say_of_themselves_what_they_are(clips: Clips) -> None:
    """The facts in the box of each segment give its place: counters rise, each begins on the wall where the one before ended."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25))
    session = a_session()
    written = recorded(session, tracks, repeated(units, 4))
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))

    facts = [read_facts(tail_of(written, name).facts) for name in written.sealed]
    assert [fact.counter for fact in facts] == list(range(len(facts)))
    assert all(a.end_us == b.start_us for a, b in pairwise(facts))
    assert facts[0].start_us == facts[0].run_start_us == NOON_US
    assert facts[-1].end_us == NOON_US + 16 * US_PER_S
    assert written.ends[0].end_us == facts[-1].end_us
    assert facts[0].codecs.startswith("avc1.")


def test_media_time_goes_on_over_segments(clips: Clips) -> None:
    """The first fragment of a run begins at 10 s of media time or later, and those of the next segment go on where the last one ended."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25))
    written = recorded(a_session(), tracks, repeated(units, 4))

    fragments = [fragment for name in written.fragments for fragment in written.fragments[name]]
    assert fragments[0].pts >= 10 * TIMESCALE
    assert all(a.pts + a.duration == b.pts for a, b in pairwise(fragments))


def test_media_time_rises_from_run_to_run(clips: Clips) -> None:
    """A later run starts at a media time behind the end of the one before, also if the camera's clock ran fast."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25))
    session = a_session()
    fast = [unit._replace(pts=unit.pts * 2) for unit in units]
    written = recorded(session, tracks, [unit._replace(pts=unit.pts) for unit in fast], start_us=NOON_US)
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))
    for unit in units:
        written.take(session.unit(unit, NOON_US + 5 * US_PER_S + unit.pts * 100 // 9))
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))

    ends = {
        run: max(f.pts + f.duration for (of, _), found in written.fragments.items() if of == run for f in found)
        for run, _ in written.sealed
    }
    starts = {run: min(f.pts for (of, _), found in written.fragments.items() if of == run for f in found) for run, _ in written.sealed}
    assert starts["home-a-1-2"] >= ends["home-a-1-1"]


@pytest.mark.parametrize(("gop_frames", "fragment_s"), [(50, 2.0), (25, 2.0), (20, 1.6), (100, 2.0)])
def test_fragments_are_whole_groups_up_to_two_seconds(clips: Clips, gop_frames: int, fragment_s: float) -> None:
    """Groups of pictures are put together to at most 2 s; a longer group is divided, and only its first piece is a seek point."""
    tracks, units = access_units(clips.get(seconds=8, gop_frames=gop_frames))
    written = recorded(a_session(segment_s=60), tracks, repeated(units, 3))

    fragments = [fragment for name in written.fragments for fragment in written.fragments[name]]
    assert {fragment.duration for fragment in fragments} <= {round(fragment_s * TIMESCALE), 2 * TIMESCALE}
    seek_points = [fragment.key_length > 0 for fragment in fragments]
    assert all(seek_points) if gop_frames <= 50 else seek_points[:4] == [True, False, True, False]


def test_a_fragment_is_written_as_soon_as_its_group_is_whole(clips: Clips) -> None:
    """With a key frame each 2 s, what was received is written at the next key frame: not one group later."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=50))
    session = a_session(segment_s=60)
    written = recorded(session, tracks, repeated(units, 1)[:51])

    assert [len(found) for found in written.fragments.values()] == [1]


def test_units_before_the_first_key_frame_are_not_kept(clips: Clips) -> None:
    """A run begins with a key frame: what comes before it cannot be shown."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25))
    session = a_session()
    written = recorded(session, tracks, repeated(units, 2)[10:])
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))

    assert numbers_of(written.segments[written.sealed[0]])[0] == 25


def test_other_codec_parameters_end_the_run(clips: Clips) -> None:
    """When the picture's size changes the run ends with its cause, and a new one with a header of its own begins."""
    first_tracks, first = access_units(clips.get(seconds=4, gop_frames=25))
    second_tracks, second = access_units(clips.get(seconds=4, gop_frames=25, width=480, height=272))
    session = a_session()
    written = recorded(session, first_tracks, first)
    written.take(session.opened(second_tracks, ()))
    for unit in second:
        written.take(session.unit(unit._replace(pts=unit.pts + 4 * TIMESCALE), NOON_US + (unit.pts + 4 * TIMESCALE) * 100 // 9))
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))

    assert [end.cause for end in written.ends] == [Cause.RECONNECTING, Cause.CAMERA_AWAY]
    assert written.ends[0].detail == "the camera changed its codec parameters"
    assert {run for run, _ in written.sealed} == {"home-a-1-1", "home-a-1-2"}


def test_the_same_parameters_again_change_nothing(clips: Clips) -> None:
    """A camera that repeats its parameters does not break its run."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25))
    session = a_session()
    written = recorded(session, tracks, units)
    written.take(session.opened(list(tracks), ()))

    assert written.ends == []


@pytest.mark.parametrize("step_s", [60, -60])
def test_times_that_jump_end_the_run_and_the_next_begins_at_a_key_frame(clips: Clips, step_s: int) -> None:
    """A camera whose clock steps, forward or back, gets a new run; nothing of either side is lost but the group it broke."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25))
    session = a_session()
    written = recorded(session, tracks, [unit._replace(pts=unit.pts + 100 * TIMESCALE) for unit in units])
    for unit in repeated(units, 1):
        moved = unit._replace(pts=unit.pts + (104 + step_s) * TIMESCALE)
        written.take(session.unit(moved, NOON_US + (unit.pts + 4 * TIMESCALE) * 100 // 9))
    written.take(session.stop(Cause.CAMERA_AWAY, "gone"))

    assert [end.cause for end in written.ends] == [Cause.RECONNECTING, Cause.CAMERA_AWAY]
    first = [number for run, counter in written.sealed if run.endswith("-1") for number in numbers_of(written.segments[run, counter])]
    second = [number for run, counter in written.sealed if run.endswith("-2") for number in numbers_of(written.segments[run, counter])]
    assert (first, second) == (list(range(100)), list(range(100)))


def test_no_key_frame_for_five_minutes_ends_the_run() -> None:
    """A camera that stops sending key frames has its run ended before a segment is longer than 5 minutes, and the cause says so."""
    session = a_session()
    track = VideoTrack(Codec.H264, 640, 360, SETS)
    units = (AccessUnit(0, i * TIMESCALE // 5, None, i == 0, KEY if i == 0 else INTER) for i in range(320 * 5))
    written = recorded(session, [track], units)

    assert [end.cause for end in written.ends] == [Cause.NO_KEY_FRAME]
    lengths = [sum(fragment.duration for fragment in found) for found in written.fragments.values()]
    assert max(lengths) <= 300 * TIMESCALE


def test_a_camera_that_never_sends_a_key_frame_is_named() -> None:
    """Pictures without any key frame record nothing, and after 10 s the camera's state says why."""
    track = VideoTrack(Codec.H264, 640, 360, SETS)
    step = WAIT_FOR_KEY // 50
    written = recorded(a_session(), [track], (AccessUnit(0, i * step, None, key=False, data=INTER) for i in range(60)))

    assert written.segments == {}
    assert [why.cause for why in written.without] == [Cause.NO_KEY_FRAME]


def test_sound_and_picture_stay_together(clips: Clips) -> None:
    """In every segment the sound covers the time of the pictures to within two frames of sound."""
    tracks, units = access_units(clips.get(seconds=4, gop_frames=25, audio="aac"))
    session = a_session()
    written = recorded(session, tracks, repeated(units, 4))

    for name in written.sealed:
        video, sound = tail_of(written, name).tracks
        assert abs(video.first_dts - sound.first_dts) <= 2 * 1024 * TIMESCALE // 48_000 + TIMESCALE // 25
        assert abs(video.end_dts - sound.end_dts) <= 2 * 1024 * TIMESCALE // 48_000 + TIMESCALE // 25


SETS = (bytes.fromhex("6742c01ed900a02ff97016e0404050000003001000000303c8f162e480"), bytes.fromhex("68cb83cb20"))
KEY = b"\0\0\0\x04\x65\x88\x80\x40"
INTER = b"\0\0\0\x04\x41\x9a\x80\x40"
