"""What a segment says of itself."""

from __future__ import annotations

import json

import pytest

from segments.errors import DataDamaged
from segments.facts import Facts, read_facts
from segments.keys import parse_key
from tests.builders import CODECS, NOON_US, RUN, some_fragments

GOOD = Facts(
    camera="gate",
    run=RUN,
    counter=3,
    start_us=NOON_US,
    end_us=NOON_US + 60_000_000,
    run_start_us=NOON_US - 180_000_000,
    codecs=CODECS,
    width=1920,
    height=1080,
    notes=("sound left out",),
    clock_synced=True,
    camera_offset_us=-250,
)


def test_facts_come_back_from_their_json() -> None:
    """What is written into the box is what is read out of it, an unknown camera clock included."""
    for facts in (GOOD, Facts(**{**GOOD.as_json(), "notes": (), "camera_offset_us": None})):
        assert read_facts(json.loads(json.dumps(facts.as_json()))) == facts


@pytest.mark.parametrize("name", [name for name in GOOD.as_json() if name != "camera_offset_us"])
def test_a_missing_fact_is_damage(name: str) -> None:
    """Facts are whole or they are not believed."""
    values = GOOD.as_json()
    del values[name]

    with pytest.raises(DataDamaged):
        read_facts(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("counter", "3"),
        ("start_us", 1.5),
        ("end_us", None),
        ("width", []),
        ("notes", "one text"),
        ("notes", None),
        ("camera_offset_us", "1"),
    ],
)
def test_a_fact_of_another_kind_is_damage(name: str, value: object) -> None:
    """A time must be a whole number, notes a list of texts."""
    with pytest.raises(DataDamaged):
        read_facts({**GOOD.as_json(), name: value})


def test_row_and_run_follow_from_the_facts() -> None:
    """The row lies under the key of its camera, run, start and counter; the run ends for now where the segment ends."""
    row = GOOD.row(some_fragments(2), size=10, sha256="ab", pool="main", version="v1")
    run = GOOD.run_as_of_here(b"init")

    key = parse_key(row.key)
    assert (key.camera, key.run, key.start_us, key.counter) == ("gate", RUN, NOON_US, 3)
    assert (row.pool, row.version, row.size, row.sha256) == ("main", "v1", 10, "ab")
    assert (run.start_us, run.last_us, run.init, run.ended) == (GOOD.run_start_us, GOOD.end_us, b"init", False)


def test_attributes_bear_the_names_of_the_annex() -> None:
    """ONVIF Recording Control: version, source, duration (ISO 8601), content type with codecs, picture size, bit rate, time scale."""
    said = GOOD.attributes(15_000_000)

    assert said == {
        "version": "1.0",
        "source": "gate",
        "duration": "PT60.000000S",
        "fullcontenttype": f'video/mp4; codecs="{CODECS}"',
        "videowidth": "1920",
        "videoheight": "1080",
        "videobitrate": "2000",
        "timescale": "90000",
    }
