"""The camera archive as CSV."""

from __future__ import annotations

import time

import pytest

from deploy.archive import COLUMNS, MAX_TEXT, BadLine, entry_of, read_archive
from segments.errors import BadInput
from segments.model import Camera, Credential, Sound, Transport
from tests.builders import NOON_US


def read(text: str):
    return read_archive(text, now_us=NOON_US)


def good(**fields: str) -> dict[str, str]:
    return {"id": "gate", "url": "rtsp://192.0.2.10/1", **fields}


def line(**fields: str) -> str:
    """A CSV of one camera, one field spoiled."""
    values = good(**fields)
    return ",".join(values) + "\n" + ",".join(f'"{value}"' for value in values.values()) + "\n"


def test_every_column_is_read() -> None:
    """Chinese names, quoted commas and quotes, tags, areas, flags, and the credential taken off the URL."""
    text = (
        "id,name,url,class,area,owner,latitude,longitude,tier,tags,sound,transport,trust_clock,twice,enabled,pool\r\n"
        '35020000001320000001,"厦门, ""思明"" 大门",rtsp://admin:p%40ss@192.0.2.10:554/1,1,福建/厦门/思明,港务局,24.4453,-118.08,'
        "key,a; b;,omit,libav,是,yes,否,archive\r\n"
    )
    entries, bad = read(text)

    assert bad == []
    assert entries[0].credential == Credential("admin", "p@ss")
    assert entries[0].camera == Camera(
        id="35020000001320000001",
        name='厦门, "思明" 大门',
        url="rtsp://192.0.2.10:554/1",
        camera_class=1,
        area="福建/厦门/思明",
        owner="港务局",
        latitude=24.4453,
        longitude=-118.08,
        tier="key",
        tags=("a", "b"),
        enabled=False,
        sound=Sound.OMIT,
        transport=Transport.LIBAV,
        trust_clock=True,
        twice=True,
        pool="archive",
        added_us=NOON_US,
    )


def test_only_id_and_url_are_needed() -> None:
    """Everything else has its default; the order of columns is free; a byte order mark and spaces are passed over."""
    entries, bad = read("\ufeff url , id \n rtsp://192.0.2.10/1 , gate \n\n")

    assert bad == []
    assert entries[0].camera == Camera(id="gate", name="gate", url="rtsp://192.0.2.10/1", added_us=NOON_US)
    assert entries[0].credential is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": ""}, "id: ''"),
        ({"id": "../x"}, "id: '../x'"),
        ({"id": "x" * 65}, "id:"),
        ({"id": "门"}, "id: '门'"),
        ({"url": ""}, "url: is missing"),
        ({"url": "file:///etc/passwd"}, "must begin with one of rtsp://"),
        ({"url": "192.0.2.10"}, ""),
        ({"class": "4"}, "class: '4' is not 1, 2 or 3"),
        ({"area": "a//b"}, "area: 'a//b' has an empty part"),
        ({"latitude": "91"}, "latitude: 91 does not lie between -90 and 90"),
        ({"latitude": "north"}, "latitude: 'north' is not a number"),
        ({"longitude": "nan"}, "longitude"),
        ({"longitude": "inf"}, "longitude"),
        ({"enabled": "maybe"}, "enabled: 'maybe'"),
        ({"trust_clock": "2"}, "trust_clock"),
        ({"twice": "2"}, "twice: '2'"),
        ({"sound": "mp3"}, "sound: 'mp3' is not one of aac, omit"),
        ({"transport": "udp"}, "transport: 'udp' is not one of auto, libav"),
        ({"name": "x" * (MAX_TEXT + 1)}, "name: longer than 256"),
        ({"name": "a\nb"}, "name: holds a line break"),
        ({"owner": "a\x1b[31mb"}, "owner: holds a line break or another control character"),
    ],
)
def test_a_bad_line_is_named_with_its_reason(fields: dict[str, str], reason: str) -> None:
    """The line, the field and the rule."""
    entries, bad = read(line(**fields))

    assert entries == []
    assert [one.line for one in bad] == [2 + fields.get("name", "").count("\n")]
    assert reason in bad[0].reason


@pytest.mark.parametrize("url", ["rtsp://admin:hunter2@", "gopher://admin:hunter2@192.0.2.1/", "rtsp://admin:hunter2@host name/"])
def test_a_bad_url_is_refused_without_its_password(url: str) -> None:
    """The reason goes to screens and logs."""
    _, bad = read(line(url=url))

    assert len(bad) == 1
    assert "hunter2" not in bad[0].reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "lacks id, url"),
        ("id,name\n", "lacks url"),
        ("id,url,colour\n", "unknown columns 'colour'"),
        ("id,url,id\n", "twice"),
        ('"id,url\n', "not CSV"),
    ],
)
def test_a_bad_header_is_line_1(header: str, reason: str) -> None:
    """And tells the columns there are."""
    entries, bad = read(header)

    assert entries == []
    assert len(bad) == 1
    assert bad[0].line <= 1
    assert reason in bad[0].reason


def test_all_bad_lines_are_named_and_good_ones_are_not() -> None:
    """One look finds all there is to mend."""
    text = "id,url\ngate,rtsp://192.0.2.1/\n!,rtsp://192.0.2.1/\ndoor\nyard,rtsp://192.0.2.1/,x\ngate,rtsp://192.0.2.2/\nhall,rtsp://192.0.2.3/\n"
    entries, bad = read(text)

    assert [entry.camera.id for entry in entries] == ["gate", "hall"]
    assert [one.line for one in bad] == [3, 4, 5, 6]
    assert bad[1:] == [
        BadLine(4, "it has fewer fields than the header"),
        BadLine(5, "it has more fields than the header"),
        BadLine(6, "camera gate is on line 2 already"),
    ]


def test_a_quote_that_never_ends_is_named() -> None:
    """What was read before is no excuse to take it."""
    _, bad = read('id,url\ngate,rtsp://192.0.2.1/\ndoor,"rtsp://192.0.2.1/\n')

    assert "not CSV" in bad[-1].reason


def test_lines_are_those_of_an_editor() -> None:
    """A quoted line break before does not shift the count."""
    _, bad = read('id,name,url\ngate,"a\nb",rtsp://192.0.2.1/\n!,x,rtsp://192.0.2.1/\n')

    assert [one.line for one in bad] == [3, 4]


@pytest.mark.slow
def test_a_hundred_thousand_lines_take_seconds() -> None:
    """A province is imported in one go; and the last line's fault is found."""
    rows = [
        f"3502000000132{n:07d},摄像机 {n},rtsp://admin:secret@10.{n >> 16}.{n >> 8 & 255}.{n & 255}/1,3,fujian/xiamen"
        for n in range(100_000)
    ]
    text = "\n".join(["id,name,url,class,area", *rows, "x,y,rtsp://10.0.0.1/,9,z"])
    began_s = time.process_time()
    entries, bad = read(text)

    assert (len(entries), [one.line for one in bad]) == (100_000, [100_002])
    assert time.process_time() - began_s < 15


def test_columns_are_those_of_a_camera() -> None:
    """Each column makes a difference: a name in the list that nothing reads would be a silent loss."""
    plain = entry_of(good(), now_us=0)
    other = {
        "id": "door",
        "name": "x",
        "url": "rtsp://192.0.2.11/",
        "class": "1",
        "area": "a",
        "owner": "o",
        "latitude": "1",
        "longitude": "1",
        "tier": "t",
        "tags": "a",
        "sound": "omit",
        "transport": "libav",
        "trust_clock": "yes",
        "twice": "yes",
        "enabled": "no",
        "pool": "p",
    }
    assert set(other) == set(COLUMNS)
    assert all(entry_of(good(**{name: value}), now_us=0) != plain for name, value in other.items())


def test_too_long_a_text_is_named() -> None:
    """For values given on the command line too."""
    with pytest.raises(BadInput, match="tier: longer than"):
        entry_of(good(tier="x" * 257), now_us=0)
