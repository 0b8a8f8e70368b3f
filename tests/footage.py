"""Recorded footage for tests of playback: real segments of an encoded clip, in a store and an index, without a recorder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from recorder.fragment import Sample, SegmentWriter
from segments.boxes import codecs
from segments.clock import US_PER_S
from segments.facts import Facts
from segments.media import TIMESCALE, AccessUnit, Track
from segments.model import Fragment, Row, Run
from segments.ports import PutObject, Runs, WriteRows
from tests.builders import RUN
from tests.media import access_units

FIRST_PTS = 10 * TIMESCALE
"""Where the media time of a run begins."""

FRAGMENT_TICKS = 2 * TIMESCALE


class FootageIndex(WriteRows, Runs, Protocol):
    """What recorded footage is written to."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as it was stored: its rows, and the bytes of each segment by key."""

    run: Run
    rows: tuple[Row, ...]
    objects: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Take:
    """How a clip becomes footage: which run of which camera, when its first picture was, and how long segments are at least."""

    camera: str = "gate"
    start_us: int = 0
    run: str = RUN
    segment_s: float = 10
    pool: str = "main"


async def recorded(index: FootageIndex, objects: PutObject, clip: Path, take: Take) -> Recorded:
    """Cuts a clip (an MP4 of tests.media) into segments of one run, and stores and indexes them.

    Picture n of the clip lies at `take.start_us` + n / fps. Two runs are two calls.
    """
    made = cut(clip, take)
    await index.put_run(made.run)
    for row in made.rows:
        data = made.objects[row.key]
        await objects.put(row.key, data, sha256=row.sha256, attributes={})
        await index.publish(row)
    return made


def cut(clip: Path, take: Take) -> Recorded:
    """The same without storing anything; the same file is cut the same way once."""
    return _cut(clip, clip.stat().st_mtime_ns, take)


@lru_cache(maxsize=32)
def _cut(clip: Path, changed_ns: int, take: Take) -> Recorded:
    tracks, units = access_units(clip)
    writer = SegmentWriter()
    rows: list[Row] = []
    objects: dict[str, bytes] = {}
    init = b""
    for fragments in _segments(_fragments(tracks, units), round(take.segment_s * TIMESCALE)):
        init = writer.begin(tracks)
        body = init + b"".join(writer.add(samples) for samples in fragments)
        facts = _facts(take, tracks, len(rows), writer.fragments)
        body += writer.finish(facts.as_json())
        row = facts.row(writer.fragments, size=len(body), sha256=hashlib.sha256(body).hexdigest(), pool=take.pool)
        rows.append(row)
        objects[row.key] = body
    run = _facts(take, tracks, 0, rows[0].fragments).run_as_of_here(init)
    return Recorded(_until(run, rows[-1].end_us), tuple(rows), objects)


def _until(run: Run, last_us: int) -> Run:
    return Run(run.camera, run.id, run.start_us, last_us, run.init, run.codecs, run.width, run.height, ended=True)


def _facts(take: Take, tracks: Sequence[Track], counter: int, fragments: Sequence[Fragment]) -> Facts:
    picture = tracks[0]
    first, last = fragments[0], fragments[-1]
    return Facts(
        camera=take.camera,
        run=take.run,
        counter=counter,
        start_us=take.start_us + _us(first.pts - FIRST_PTS),
        end_us=take.start_us + _us(last.pts + last.duration - FIRST_PTS),
        run_start_us=take.start_us,
        codecs=codecs(tracks),
        width=picture.width,
        height=picture.height,
        notes=(),
        clock_synced=True,
    )


def _fragments(tracks: Sequence[Track], units: Sequence[AccessUnit]) -> Iterator[list[list[Sample]]]:
    """Samples of all tracks, GOP by GOP, a longer GOP in pieces of 2 s; sound goes with the pictures it is decoded beside."""
    by_track = [[unit for unit in units if unit.track == n] for n in range(len(tracks))]
    shift = FIRST_PTS - min(unit.pts for unit in by_track[0])
    samples = [list(_samples(each, shift)) for each in by_track]
    starts = [0]
    for place, sample in enumerate(samples[0]):
        if place and (sample.key or sample.dts - samples[0][starts[-1]].dts >= FRAGMENT_TICKS):
            starts.append(place)
    edges = [samples[0][place].dts for place in starts[1:]] + [1 << 62]
    start = -(1 << 62)
    for edge in edges:
        yield [[sample for sample in each if start <= sample.dts < edge] for each in samples]
        start = edge


def _samples(units: Sequence[AccessUnit], shift: int) -> Iterator[Sample]:
    times = [unit.dts for unit in units]
    lasting = [b - a for a, b in pairwise(times)]
    for unit, duration in zip(units, [*lasting, lasting[-1]], strict=True):
        yield Sample(unit.dts + shift, unit.pts + shift, duration, unit.key, unit.data)


def _segments(fragments: Iterator[list[list[Sample]]], least_ticks: int) -> Iterator[list[list[list[Sample]]]]:
    """Fragments in segments, each of which starts with a key frame."""
    segment: list[list[list[Sample]]] = []
    for samples in fragments:
        if segment and samples[0][0].key and samples[0][0].dts - segment[0][0][0].dts >= least_ticks:
            yield segment
            segment = []
        segment.append(samples)
    yield segment


def _us(ticks: int) -> int:
    return ticks * US_PER_S // TIMESCALE
