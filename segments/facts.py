"""What a segment says of itself: the facts in its own box, and the row, the run and the object attributes that follow from them.

The same facts make the row when it is committed and when the index is rebuilt from the pool, so both give the same row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from segments.errors import DataDamaged
from segments.keys import SegmentKey
from segments.media import TIMESCALE
from segments.model import Fragment, Row, Run

ONVIF_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one segment; those named `run_` and the codecs are the same in all segments of the run.

    `camera_offset_us` is the camera's clock minus the recorder's, None if the camera never said.
    """

    camera: str
    run: str
    counter: int
    start_us: int
    end_us: int
    run_start_us: int
    codecs: str
    width: int
    height: int
    notes: tuple[str, ...]
    clock_synced: bool
    camera_offset_us: int | None = None

    @property
    def key(self) -> str:
        """The object's key."""
        return str(SegmentKey(self.camera, self.run, self.start_us, self.counter))

    def as_json(self) -> dict[str, object]:
        """As it is written into the segment's box."""
        return {**asdict(self), "notes": list(self.notes)}

    def row(self, fragments: Sequence[Fragment], *, size: int, sha256: str, pool: str, version: str = "") -> Row:
        """The index entry of the segment."""
        return Row(
            camera=self.camera,
            start_us=self.start_us,
            run=self.run,
            counter=self.counter,
            end_us=self.end_us,
            size=size,
            pool=pool,
            key=self.key,
            version=version,
            sha256=sha256,
            codecs=self.codecs,
            fragments=tuple(fragments),
            clock_synced=self.clock_synced,
        )

    def run_as_of_here(self, init: bytes) -> Run:
        """The run as it stands with this segment."""
        return Run(
            camera=self.camera,
            id=self.run,
            start_us=self.run_start_us,
            last_us=self.end_us,
            init=init,
            codecs=self.codecs,
            width=self.width,
            height=self.height,
            notes=self.notes,
        )

    def attributes(self, size: int) -> dict[str, str]:
        """Object attributes by their names in the ONVIF annex (Recording Control 26.06, object attributes); stores fold their case."""
        seconds = max(self.end_us - self.start_us, 1) / 1_000_000
        return {
            "version": ONVIF_VERSION,
            "source": self.camera,
            "duration": f"PT{seconds:.6f}S",
            "fullcontenttype": f'video/mp4; codecs="{self.codecs}"',
            "videowidth": str(self.width),
            "videoheight": str(self.height),
            "videobitrate": str(round(size * 8 / seconds / 1000)),
            "timescale": str(TIMESCALE),
        }


def read_facts(values: Mapping[str, object]) -> Facts:
    """The facts out of a segment's box; raises DataDamaged if they are not whole."""
    try:
        offset = values.get("camera_offset_us")
        return Facts(
            camera=str(values["camera"]),
            run=str(values["run"]),
            counter=_whole(values["counter"]),
            start_us=_whole(values["start_us"]),
            end_us=_whole(values["end_us"]),
            run_start_us=_whole(values["run_start_us"]),
            codecs=str(values["codecs"]),
            width=_whole(values["width"]),
            height=_whole(values["height"]),
            notes=_texts(values["notes"]),
            clock_synced=bool(values["clock_synced"]),
            camera_offset_us=None if offset is None else _whole(offset),
        )
    except (KeyError, TypeError):
        raise DataDamaged("the facts in the segment's own box are not whole") from None


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(str(text) for text in value)
