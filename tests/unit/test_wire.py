"""Values between sites: they come back as they went, and whatever is not exactly one is refused with a sentence."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replication import wire, wire_site
from replication.ports import PROTOCOL, Hello
from replication.wire_values import as_bytes, parsed, to_json
from segments.errors import BadInput
from segments.hold import FOR_EVER_US, HoldChange
from segments.model import Fragment, Sound, Span
from segments.row_codec import MAX_FRAGMENTS, encode_fragments
from tests.builders import NOON_US, a_camera, a_run, some_rows
from tests.retention_builders import a_hold

DAY = date(2026, 3, 14)
ROWS = some_rows(3)
NEVER_US = FOR_EVER_US - 1
HOLD = a_hold(review=DAY, areas=("a/b",), changes=(HoldChange(1, "Li", "extended", "why"),))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
READERS: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda value: wire.rows_of("gate", DAY, value), [wire.row_values(row) for row in ROWS]),
    (lambda value: wire.run_of("gate", value), to_json(a_run(notes=("a", "门")))),
    (lambda value: wire.rows_with_runs_of("gate", value), wire.rows_with_runs([(row, a_run()) for row in ROWS])),
    (wire.named, [[to_json(ROWS[0].position), ROWS[0].sha256]]),
    (wire.has, ["here", "gone", "missing"]),
    (wire.news_of, {"commits": [["gate", to_json(ROWS[0].position), NOON_US]], "next": "n", "lost": False}),
    (wire.days_with_digests, {"days": [[["gate", "2026-03-14"], "3:" + "0" * 32]], "next": ""}),
    (wire.footage_of, [[NOON_US, NOON_US + 1, "home-a-1-1", "avc1"]]),
    (wire_site.hello_of, to_json(Hello("north", PROTOCOL, "1", NOON_US, 3, "k"))),
    (wire_site.camera_of, wire_site.cameras_values([a_camera()])[0]),
    (wire_site.holds_of, [to_json(HOLD)]),
    (wire_site.credentials_of, [["gate", "AAEC"]]),
    (wire_site.stamps_of, [[3, "s1"]]),
]


def over_the_wire(value: Any) -> Any:
    return parsed(as_bytes(value))


def test_values_come_back() -> None:
    """Rows, runs, cameras and holds are the same behind the wire, and JSON as others read it."""
    assert wire.rows_of("gate", DAY, over_the_wire([wire.row_values(row) for row in ROWS])) == (ROWS, [])
    assert wire.run_of("gate", over_the_wire(to_json(a_run(init=bytes(range(256)))))) == a_run(init=bytes(range(256)))
    camera = a_camera(sound=Sound.OMIT, longitude=None, tags=("门",), home="east")
    assert wire_site.camera_of(over_the_wire(wire_site.cameras_values([camera]))[0]) == a_camera(
        sound=Sound.OMIT, longitude=None, tags=("门",)
    )
    assert wire_site.holds_of(over_the_wire([to_json(HOLD)])) == [HOLD]
    assert json.loads(as_bytes({"place": "门"})) == {"place": "门"}


@pytest.mark.parametrize(("read", "good"), READERS)
def test_good_values_are_read(read: Callable[[Any], Any], good: Any) -> None:
    """The counterpart of the tests below."""
    read(over_the_wire(good))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_anything_else_is_refused_in_words(data: st.DataObject) -> None:
    """Any JSON in the place of any part of a good value is read, or refused as bad input: no other error leaves."""
    read, good = data.draw(st.sampled_from(READERS))
    spoiled = _spoiled(copy.deepcopy(over_the_wire(good)), data)
    with suppress(BadInput):
        read(spoiled)


def _spoiled(value: Any, data: st.DataObject) -> Any:
    """The value with one part of it, at any depth, replaced or left out."""
    if isinstance(value, list | dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        if data.draw(st.integers(0, 9)) == 0:
            del value[key]
        else:
            value[key] = _spoiled(value[key], data)
        return value
    return data.draw(JSON)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, -1),
        (0, True),
        (0, 1.0),
        (0, NOON_US + 1),
        (0, 10**17),
        (1, "../../etc"),
        (1, "home-a-2-1"),
        (2, 1),
        (2, -1),
        (3, NOON_US - 1),
        (3, NOON_US + 2 * 86_400_000_000),
        (4, -1),
        (4, 1 << 40),
        (4, 10),
        (5, "../main"),
        (6, "gate/2026-03-14/home-a-1-1/12/00-00.000000Z.0.mp4_end"),
        (6, "door/2026-03-14/home-a-1-1/12/00-00.000000Z.0.mp4"),
        (6, "../gate/2026-03-14/home-a-1-1/12/00-00.000000Z.0.mp4"),
        (6, "_keepsight/backup"),
        (7, "v\n"),
        (8, ""),
        (8, "A" * 64),
        (9, "x" * 300),
        (10, "AAAA"),
        (10, "not base64"),
        (11, 1),
    ],
)
def test_rows_that_cannot_be_are_refused(column: int, value: Any) -> None:
    """A row whose key is not that of what it says, or with any value that no row of ours has; those beside it are taken."""
    row, *others = map(wire.row_values, ROWS)
    found, wrong = wire.rows_of("gate", DAY, [[*row[:column], value, *row[column + 1 :]], *others])
    assert found == ROWS[1:]
    assert [text.startswith("row 0, ") for text in wrong] == [True]
    assert len(wrong[0]) < 2000


def test_rows_of_others_are_refused() -> None:
    """Rows of another camera or day, in another order, doubled, or no rows at all."""
    values = [wire.row_values(row) for row in ROWS]
    assert wire.rows_of("door", DAY, values)[0] == wire.rows_of("gate", date(2026, 3, 15), values)[0] == []
    assert wire.rows_of("gate", DAY, values[::-1])[0] == ROWS[2:]
    assert wire.rows_of("gate", DAY, [values[0], values[0], None, "x" * 5000])[0] == ROWS[:1]
    with pytest.raises(BadInput):
        wire.rows_of("gate", DAY, {})


@pytest.mark.parametrize("camera", ["", ".", "..", "../x", "a/b", "a" * 65, "门", "a\n", None, 3])
def test_ids_that_lead_elsewhere_are_refused(camera: Any) -> None:
    """Nothing is made of a camera's id before it is one."""
    with pytest.raises(BadInput):
        wire.camera_id(camera)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "rtsp://admin:canary@192.0.2.1/"},
        {"url": "rtsp://[/"},
        {"id": "../gate"},
        {"camera_class": 4},
        {"latitude": 91},
        {"latitude": float("inf")},
        {"home": "east"},
        {"name": "a\nb"},
        {"sound": "loud"},
        {"tags": "a"},
        {"enabled": 1},
        {"more": 1},
        {"pool": "../x"},
    ],
)
def test_cameras_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    """Also a password in an address, which is not said again."""
    with pytest.raises(BadInput) as caught:
        wire_site.camera_of(wire_site.cameras_values([a_camera()])[0] | changes)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "a/b"},
        {"cameras": ["../x"]},
        {"cameras": []},
        {"start_us": -1},
        {"start_us": NEVER_US, "end_us": NEVER_US + 1},
        {"end_us": NEVER_US},
        {"placed_us": NEVER_US},
        {"lifted_us": 10**30},
        {"changes": [[-1, "Li", "extended", "why", []]]},
        {"changes": [[NEVER_US, "Li", "lifted", "why", []]]},
        {"areas": [""]},
        {"case": ""},
    ],
)
def test_holds_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    """One that covers nothing or everything, that names what is no camera, or moments that no calendar has."""
    with pytest.raises(BadInput):
        wire_site.holds_of([to_json(a_hold()) | changes])


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000, b"9" * 10_000])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    """Nor what a JSON reader could be worn out by."""
    with pytest.raises(BadInput):
        parsed(text)


def test_a_later_version_can_be_heard() -> None:
    """What a hello says beside what we know is passed over, so that another protocol can be refused by name."""
    later = to_json(Hello("north", PROTOCOL + 1, "9", NOON_US, 3, "k")) | {"more": [1]}
    assert wire_site.hello_of(later).protocol == PROTOCOL + 1


@pytest.mark.parametrize("span", [Span(2, 1), Span(1, 1), Span(0, 86_400_000_001)])
def test_spans_that_are_too_long_or_empty_are_refused(span: Span) -> None:
    """Of a day, where nothing else is said."""
    with pytest.raises(BadInput):
        wire.check_span(span)


def test_holds_without_end_are_taken() -> None:
    """The one end behind the calendar that is meant so."""
    (found,) = wire_site.holds_of([to_json(a_hold(end_us=FOR_EVER_US))])
    assert found.end_us == FOR_EVER_US


def test_tables_that_say_they_have_very_many_fragments_are_not_read() -> None:
    """32 bytes can say ten thousand: a thousand such rows would take gigabytes; one is refused or read, as any row is."""
    table = encode_fragments([Fragment(0, 0, 0, 0, 0)] * MAX_FRAGMENTS)
    assert len(table) < 50
    row = wire.row_values(ROWS[0])
    bomb = [*row[:10], to_json(table), row[11]]
    assert len(wire.rows_of("gate", DAY, [bomb])[0]) == 1
    many = [bomb] * (wire.MOST_FRAGMENTS // MAX_FRAGMENTS + 1)
    for read in (
        lambda: wire.rows_of("gate", DAY, many),
        lambda: wire.rows_with_runs_of("gate", {"rows": many, "runs": [to_json(a_run())]}),
    ):
        with pytest.raises(BadInput, match="fragments in all"):
            read()


def test_a_day_of_a_camera_has_not_too_many_fragments() -> None:
    """Two a second, in segments of ten seconds."""
    table = to_json(encode_fragments([Fragment(n, 1, 0, n, 1) for n in range(20)]))
    rows = [[*wire.row_values(ROWS[0])[:10], table, True]] * 8640
    assert len(wire._rows(rows)) == 8640


@pytest.mark.parametrize("changes", [{"start_us": 0}, {"last_us": NOON_US + 30 * 366 * 86_400_000_000}, {"notes": ["x"] * 101}])
def test_runs_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    """One of fifty years would be listed in six hundred months with each segment."""
    run = to_json(a_run())
    assert wire.run_of("gate", run) == a_run()
    with pytest.raises(BadInput):
        wire.run_of("gate", run | changes)


@pytest.mark.parametrize("epoch", [wire.MOST_EPOCH + 1, 10**18 - 1, (1 << 63) - 1])
def test_epochs_beyond_all_reason_are_refused(epoch: int) -> None:
    """Ours would have to go on above them, and there would be no more numbers for keys."""
    hello = Hello("north", PROTOCOL, "1", NOON_US, epoch, "k")
    with pytest.raises(BadInput, match="epoch"):
        wire_site.hello_of(to_json(hello))
    if epoch < 10**18:  # else it is no run of ours
        with pytest.raises(BadInput):
            wire.run_id(f"north-a-{epoch}-1")
    assert wire.run_id(f"north-a-{wire.MOST_EPOCH}-1")
    assert wire.run_id("UPLOAD.7")
