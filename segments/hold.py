"""Legal holds: while one stands, nothing it covers is deleted, what is not recorded yet included. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, NamedTuple

from segments.errors import BadInput
from segments.model import Camera, Span
from segments.record import Record

HOLDS = "hold"
"""The kind of their records."""
FOR_EVER_US = 1 << 62
"""The end of a hold that has none."""
LIFTED, ASKED, APPROVED = "lifted", "asked to lift", "approved"
"""What changes that end a hold, or prepare that, are called; all others prolong it, or show that it is still needed."""


class HoldChange(NamedTuple):
    """What was done to a hold after it was placed, by whom and why. `over`: of a lifting, the marks of the changes it was decided over."""

    at_us: int
    by: str
    what: str
    why: str
    over: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """What it is called in `over`: a short hash of what it says."""
        return hashlib.blake2b(repr(self[:4]).encode(), digest_size=8).hexdigest()

    @property
    def prolongs(self) -> bool:
        """Whether a lifting that was decided without it leaves the hold standing."""
        return self.what not in (LIFTED, ASKED, APPROVED)


class Stretch(NamedTuple):
    """Footage of a camera."""

    camera: str
    start_us: int
    end_us: int


class HoldAtSite(NamedTuple):
    """What another site said of a hold. `why`: '' where it binds there as it is given, else a sentence on what is wrong. `gone`: footage of
    its time that it came too late for there, as far as told; `looking`: that is not known to the end yet."""

    why: str = ""
    gone: Sequence[Stretch] = ()
    looking: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold of a case. It covers the cameras it names, and those that lie in its areas or below, from `start_us` to `end_us`.

    `seen` are the cameras of the areas when the hold was placed: one that is moved away later stays covered. `lifted_us` is 0 while the
    hold stands.
    """

    id: str
    case: str
    reason: str
    placed_by: str
    placed_us: int
    start_us: int
    end_us: int = FOR_EVER_US
    cameras: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    review: date | None = None
    lifted_us: int = 0
    lifted_by: str = ""
    lifted_reason: str = ""
    approved_by: str = ""
    """The second person of a lifting, where the tier asks for one."""
    changes: tuple[HoldChange, ...] = ()

    def __post_init__(self) -> None:
        """Raises BadInput if it could cover nothing, or something is missing."""
        if self.start_us >= self.end_us:
            raise BadInput(f"hold {self.id}: it ends before it begins")
        if not self.cameras and not self.areas:
            raise BadInput(f"hold {self.id}: it names no camera and no area")
        if any(not area.strip("/") for area in self.areas):
            raise BadInput(f"hold {self.id}: an area is empty, which would be all cameras; name the outermost area")
        for what, text in (("a case", self.case), ("a reason", self.reason), ("who places it", self.placed_by)):
            if not text.strip():
                raise BadInput(f"hold {self.id}: {what} is missing")

    @property
    def stands(self) -> bool:
        """Whether it has not been lifted."""
        return not self.lifted_us

    @property
    def span(self) -> Span:
        """The time it covers."""
        return Span(self.start_us, self.end_us)

    def covers(self, camera: Camera) -> bool:
        """Whether it is about this camera, at some time."""
        return camera.id in self.cameras or camera.id in self.seen or any(f"{camera.area}/".startswith(f"{area}/") for area in self.areas)


def holding(holds: Iterable[Hold], camera: Camera, span: Span) -> list[Hold]:
    """The standing holds that cover some of this time of a camera, in the order given."""
    return [hold for hold in holds if hold.stands and hold.start_us < span.end_us and span.start_us < hold.end_us and hold.covers(camera)]


def hold_values(hold: Hold) -> dict[str, Any]:
    """What its record says; `hold_of` gives it back."""
    return asdict(hold) | {"review": hold.review.isoformat() if hold.review else None}


def hold_of(record: Record) -> Hold:
    """The hold of a record."""
    values = record.values
    lists = {name: tuple(values[name]) for name in ("cameras", "areas", "seen")}
    changes = tuple(HoldChange(at_us, by, what, why, *map(tuple, over)) for at_us, by, what, why, *over in values["changes"])
    return Hold(**values | lists | {"review": date.fromisoformat(values["review"]) if values["review"] else None, "changes": changes})
