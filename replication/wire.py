"""What sites say to each other, as JSON and back. A site is not trusted: whatever names a camera, a key or a run is checked for what it is.

Rows travel as lists, with their fragments as the index keeps them (segments/row_codec.py): a day of a camera is a few hundred KiB.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from replication.ports import MOST_DAYS, Commit, Has, Named, News
from replication.wire_values import from_json, items, members, plain_bytes, text, to_json, whole
from segments.clock import US_PER_DAY, day_of
from segments.digest import HOURS, Digest, parse_digest
from segments.errors import BadInput, DataDamaged
from segments.keys import CAMERA_ID, SegmentKey, parse_key, parse_run
from segments.model import Footage, Fragment, Partition, Row, RowPosition, Run, Span
from segments.ports import Page
from segments.row_codec import decode_fragments, encode_fragments, fragments_told
from segments.shards import CAMERA_BUCKETS

MOST_ROWS = 100_000
"""Of one answer: a camera-day of segments of a second."""
MOST_COMMITS = 10_000
MOST_FRAGMENTS = 1_000_000
"""Of all rows of one answer: ten times what a day of a camera has."""
MOST_OBJECT_BYTES = 1 << 30
"""What one put can be."""
MOST_EPOCH = 10**15
"""Of another site: who takes its cameras over goes on above it, and an epoch in a key has at most 18 digits."""
MOST_NOTES = 100
LONGEST_RUN_US = 20 * 366 * US_PER_DAY
"""A run is listed in every month of its time."""
MOST_CURSOR = 1024
_NAMED = 120
_FRAGMENTS, _MOST_TABLE = 10, 1 << 19
"""Where a row has its table of fragments, and how many bytes that may be."""
_LAST_US = 253_370_764_800 * 1_000_000
"""The year 9999 begins: later times have no date."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,31}")
POOL = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
_DIGEST = re.compile(r"\d{1,9}:[0-9a-f]{32}")

# --- small values --------------------------------------------------------------------------------------------------------


def camera_id(value: Any) -> str:
    """A camera's id; raises BadInput, as all of these do."""
    return matching(CAMERA_ID, value, "that is no camera id")


def site_name(value: Any) -> str:
    """A site's name."""
    return matching(_SITE, value, "that is no name of a site")


def run_id(value: Any) -> str:
    """A run's id, of ours or of cameras that upload by themselves."""
    found = matching(_RUN, value, "that is no run id")
    try:
        parsed = parse_run(found)
    except BadInput:
        return found
    epoch(parsed.epoch)
    return found


def epoch(value: Any) -> int:
    """An epoch of another site."""
    return whole(value, "epoch", most=MOST_EPOCH)


def sha256(value: Any) -> str:
    """A SHA-256 in hex."""
    return matching(_SHA256, value, "that is no SHA-256 in hexadecimal")


def bucket(value: Any) -> int:
    """A bucket of the camera archive."""
    return whole(value, "bucket", most=CAMERA_BUCKETS - 1)


def cursor(value: Any) -> str:
    """A cursor of a listing, which means something to the one who gave it."""
    return text(value, "cursor", most=MOST_CURSOR)


def day(value: Any) -> date:
    """A UTC date."""
    return from_json(date, value, "day")


def moment_us(value: Any, where: str = "time") -> int:
    """A moment that has a date."""
    return whole(value, where, most=_LAST_US)


def position(value: Any) -> RowPosition:
    """A segment's place in its camera-day."""
    start_us, run, counter = several(value, 3, "position")
    return RowPosition(moment_us(start_us), run_id(run), whole(counter, "counter", most=999_999_999))


def hours(value: Any) -> list[int]:
    """Hours of a day."""
    return [whole(each, "hour", most=HOURS - 1) for each in items(value, "hours", most=HOURS)]


def camera_day(value: Any) -> Partition:
    """A camera and a UTC date."""
    camera, of_day = several(value, 2, "camera-day")
    return Partition(camera_id(camera), day(of_day))


def camera_days(value: Any) -> list[Partition]:
    """As many as are asked for at once."""
    return [camera_day(each) for each in items(value, "days", most=MOST_DAYS)]


def span(value: Any) -> Span:
    """A span; how long it may be depends on the question."""
    start_us, end_us = (moment_us(each) for each in several(value, 2, "span"))
    return Span(start_us, end_us)


def check_span(span: Span, *, days: int = 1) -> None:
    """Raises BadInput for an empty span, and for one of more days."""
    if not 0 < span.end_us - span.start_us <= days * US_PER_DAY:
        raise BadInput(f"a span of at most {days * 24} h, and not empty, is wanted")


def digest(value: Any) -> Digest:
    """A digest from its text."""
    return parse_digest(matching(_DIGEST, value, "that is no digest"))


def days_with_digests(value: Any) -> Page[tuple[Partition, Digest], str]:
    """A page of camera-days; `next` is '' at the end."""
    found, following = members(value, "days", "next")
    listed = [several(each, 2, "days") for each in items(found, "days", most=MOST_DAYS)]
    return Page([(camera_day(each), digest(of_day)) for each, of_day in listed], cursor(following) or None)


# --- footage -------------------------------------------------------------------------------------------------------------


def row_values(row: Row) -> list[Any]:
    """A row without its camera."""
    fragments = base64.b64encode(encode_fragments(row.fragments)).decode()
    where = [row.pool, row.key, row.version]
    return [*row.position, row.end_us, row.size, *where, row.sha256, row.codecs, fragments, row.clock_synced]


def row_of(camera: str, value: Any, *, durable_only: bool = True) -> Row:
    """A row of this camera whose key says the very facts it does; with `durable_only` not one that may still grow."""
    start_us, run, counter, end_us, size, pool, key, version, sum_, codecs, fragments, synced = several(value, 12, "row")
    place = position([start_us, run, counter])
    if parse_key(text(key, "key", most=1024)) != SegmentKey(camera, place.run, place.start_us, place.counter):
        raise BadInput(f"row: its key {key!r} is not that of what it says")
    return Row(
        camera=camera,
        start_us=place.start_us,
        run=place.run,
        counter=place.counter,
        end_us=whole(end_us, "end", least=place.start_us, most=place.start_us + US_PER_DAY),
        size=whole(size, "size", most=MOST_OBJECT_BYTES),
        pool=matching(POOL, pool, "that is no name of a pool"),
        key=key,
        version=text(version, "version", most=1024),
        sha256=sum_ if sum_ == "" and not durable_only else sha256(sum_),
        codecs=text(codecs, "codecs", most=256),
        fragments=_fragments(fragments, size),
        clock_synced=from_json(bool, synced, "clock"),
    )


def rows_of(camera: str, of_day: date, value: Any) -> tuple[list[Row], list[str]]:
    """Rows of a camera-day, in order of position; and of those that are none, which they are and why. One of them spoils no other."""
    found: list[Row] = []
    wrong: list[str] = []
    for number, each in enumerate(_rows(value)):
        try:
            row = row_of(camera, each)
            if day_of(row.start_us) != of_day:
                raise BadInput(f"it is not of {of_day}")
            if found and row.position <= found[-1].position:
                raise BadInput("it is not in order, each once")
        except BadInput as error:
            wrong.append(f"row {number}, {_name(each)}: {error}")
        else:
            found.append(row)
    return found, wrong


def _rows(value: Any) -> list[Any]:
    """A list of what may be rows. Together their fragments are not too many: ten thousand alike take no more room in an answer than one."""
    found = items(value, "rows", most=MOST_ROWS)
    if sum(map(_fragments_told, found)) > MOST_FRAGMENTS:
        raise BadInput(f"rows: more than {MOST_FRAGMENTS} fragments in all")
    return found


def _fragments_told(row: Any) -> int:
    """0 of what is no row."""
    try:
        return fragments_told(plain_bytes(row[_FRAGMENTS], "fragments", most=_MOST_TABLE))
    except (TypeError, LookupError, BadInput):
        return 0


def _name(row: Any) -> str:
    """What a row that is none is called in a log: where it says it is."""
    return repr(row[:3] if isinstance(row, list) else row)[:_NAMED]


def run_of(camera: str, value: Any) -> Run:
    """A run of this camera."""
    found = from_json(Run, value, "run")
    moment_us(found.start_us), moment_us(found.last_us), run_id(found.id)
    sized = 0 <= found.width < 1 << 16 and 0 <= found.height < 1 << 16 and len(found.notes) <= MOST_NOTES
    if found.camera != camera or not sized or not 0 <= found.last_us - found.start_us <= LONGEST_RUN_US:
        raise BadInput(f"run: {found.id} is not a run of {camera}, or cannot be")
    return found


def rows_with_runs(pairs: Sequence[tuple[Row, Run]]) -> Any:
    """Rows, and each run once."""
    runs = {run.id: run for _, run in pairs}
    return {"rows": [row_values(row) for row, _ in pairs], "runs": [to_json(run) for run in runs.values()]}


def rows_with_runs_of(camera: str, value: Any) -> list[tuple[Row, Run]]:
    """Rows of a camera with their runs; rows of what is not indexed may still grow."""
    rows, runs = members(value, "rows", "runs")
    known = {run.id: run for run in (run_of(camera, each) for each in items(runs, "runs", most=MOST_ROWS))}
    found = [row_of(camera, each, durable_only=False) for each in _rows(rows)]
    if missing := {row.run for row in found} - known.keys():
        raise BadInput(f"rows: their run {min(missing)} is missing")
    return [(row, known[row.run]) for row in found]


def named(value: Any) -> list[Named]:
    """Segments as they are asked about."""
    pairs = (several(each, 2, "segments") for each in items(value, "segments", most=MOST_DAYS))
    return [Named(position(place), sha256(sum_)) for place, sum_ in pairs]


def has(value: Any) -> list[Has]:
    """Answers about them."""
    return [from_json(Has, each, "has") for each in items(value, "has", most=MOST_DAYS)]


def news_of(value: Any) -> News:
    """What was committed."""
    commits, following, lost = members(value, "commits", "next", "lost")
    listed = (several(each, 3, "commits") for each in items(commits, "commits", most=MOST_COMMITS))
    found = [Commit(camera_id(camera), position(place), moment_us(at_us)) for camera, place, at_us in listed]
    return News(found, cursor(following), from_json(bool, lost, "lost"))


def footage_of(value: Any) -> list[Footage]:
    """Stretches of footage."""
    found = [from_json(Footage, each, "footage") for each in items(value, "footage")]
    for one in found:
        moment_us(one.start_us), moment_us(one.end_us), run_id(one.run)
    return found


def _fragments(value: Any, size: int) -> tuple[Fragment, ...]:
    try:
        found = decode_fragments(plain_bytes(value, "fragments", most=_MOST_TABLE))
    except DataDamaged as error:
        raise BadInput(f"fragments: {error}") from None
    for one in found:
        if one.offset < 0 or not 0 <= one.key_length <= one.length or one.offset + one.length > size or one.duration < 0:
            raise BadInput("fragments: one does not lie in its segment")
    return found


def several(value: Any, count: int, where: str) -> list[Any]:
    """A list of exactly so many."""
    found = items(value, where, most=count)
    if len(found) != count:
        raise BadInput(f"{where}: a list of {count} is wanted")
    return found


def matching(pattern: re.Pattern[str], value: Any, wrong: str) -> str:
    """A text that is all of this pattern."""
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise BadInput(wrong)
    return value
