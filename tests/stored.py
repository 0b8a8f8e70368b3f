"""What lies in a folder pool, read past our own code: the objects by run, decoded by libav, looked at by ffprobe."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.media import frame_numbers
from tests.servers.processes import require_program


@dataclass(frozen=True)
class StoredRun:
    """The segments of a run in order of their counters, and its `_end` objects."""

    camera: str
    run: str
    segments: tuple[Path, ...]
    ends: tuple[Path, ...]

    def numbers(self) -> list[int]:
        """The numbers of all its pictures, in the order they are shown."""
        return [number for path in self.segments for number in frame_numbers(path)]


def stored_runs(pool: Path, camera: str = "*") -> list[StoredRun]:
    """All runs of a camera, or of all; the layout is `<camera>/<day>/<run>/<hour>/<minute>-<second>Z.<counter>.mp4`."""
    segments, ends = defaultdict(list), defaultdict(list)
    for path in pool.glob(f"{camera}/*/*/*/[0-9]*.mp4*"):
        name = path.parts[-5], path.parts[-3]
        (ends if path.name.endswith("_end") else segments)[name].append(path)
    order = lambda path: int(path.name.split(".")[2])  # noqa: E731 - <mm-ss>.<microseconds>Z.<counter>.mp4
    return [
        StoredRun(*name, tuple(sorted(segments[name], key=order)), tuple(ends[name]))
        for name in sorted(
            segments.keys() | ends.keys(), key=lambda name: (name[0], int(name[1].split("-")[2]), int(name[1].split("-")[3]))
        )
    ]


def breaks(numbers: list[int], loop: int) -> list[tuple[int, int]]:
    """Neighbours that do not follow each other in a clip of `loop` pictures played over and over."""
    return [(a, b) for a, b in pairwise(numbers) if b != (a + 1) % loop]


def probe(path: Path) -> dict[str, str]:
    """The codecs of a file by kind, as ffprobe reads all of it; fails if it says a word."""
    command = [require_program("ffprobe", "ffmpeg"), "-v", "warning", "-count_packets", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "", done.stderr
    return {stream["codec_type"]: stream["codec_name"] for stream in json.loads(done.stdout)["streams"]}
