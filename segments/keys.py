"""Keys of objects: the ONVIF object-storage recording layout (Recording Control 26.06, annex), prefix = camera, postfix = run.

`<camera>/<YYYY-MM-DD>/<run>/<HH>/<MM-SS.ffffff>Z.<counter>.mp4`, closed by an empty `..._end` object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from segments.clock import from_datetime, to_datetime
from segments.errors import BadInput

CAMERA_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a camera id may be: safe in a key, a URL and a file name. 20-digit GB/T 28181 codes are."""

OUR_FOLDER = "_keepsight/"
"""Where in a pool lies what is ours and no footage (backups); no camera can be called so."""

_KEY = re.compile(
    r"(?P<camera>[A-Za-z0-9][A-Za-z0-9_.-]{0,63})/(?P<day>\d{4}-\d\d-\d\d)/(?P<run>[A-Za-z0-9][A-Za-z0-9_.-]{0,95})/"
    r"(?P<hour>\d\d)/(?P<minute>\d\d)-(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?Z\.(?P<counter>\d{1,9})\.mp4(?P<end>_end)?"
)
_RUN = re.compile(r"(?P<site>[A-Za-z0-9][A-Za-z0-9_.]{0,31})-(?P<lane>[ab])-(?P<epoch>\d{1,18})-(?P<n>\d{1,18})")


@dataclass(frozen=True, slots=True)
class SegmentKey:
    """A key taken apart. `is_end` marks the empty object that closes a run; its time is the end of the last sample."""

    camera: str
    run: str
    start_us: int
    counter: int
    is_end: bool = False

    def __str__(self) -> str:
        moment = to_datetime(self.start_us)
        return (
            f"{self.camera}/{moment:%Y-%m-%d}/{self.run}/{moment:%H}/{moment:%M-%S}.{moment.microsecond:06d}Z."
            f"{self.counter}.mp4{'_end' if self.is_end else ''}"
        )


def parse_key(key: str) -> SegmentKey:
    """Takes a key apart; raises BadInput for anything that is not of the layout, impossible dates included."""
    found = _KEY.fullmatch(key)
    if found is None:
        raise BadInput(f"{key!r} is not a key of the recording layout")
    try:
        day = date.fromisoformat(found["day"])
        micro = int((found["fraction"] or "0").ljust(6, "0"))
        hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
        moment = datetime(day.year, day.month, day.day, hour, minute, second, micro, tzinfo=UTC)
    except ValueError as error:
        raise BadInput(f"{key!r}: {error}") from None
    return SegmentKey(found["camera"], found["run"], from_datetime(moment), int(found["counter"]), found["end"] is not None)


def day_prefix(camera: str, day: date) -> str:
    """The prefix under which all objects of a camera-day lie."""
    return f"{camera}/{day.isoformat()}/"


@dataclass(frozen=True, slots=True, order=True)
class RunId:
    """`<site>-<lane a or b>-<epoch>-<n>`: never used again, and ordered by epoch."""

    epoch: int
    n: int
    site: str
    lane: str = "a"

    def __str__(self) -> str:
        return f"{self.site}-{self.lane}-{self.epoch}-{self.n}"


def parse_run(run: str) -> RunId:
    """Takes a run id apart; raises BadInput where it is not ours (cameras that upload by themselves may use any)."""
    found = _RUN.fullmatch(run)
    if found is None:
        raise BadInput(f"{run!r} is not a run id of ours")
    return RunId(int(found["epoch"]), int(found["n"]), found["site"], found["lane"])
