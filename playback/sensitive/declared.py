"""What administrators declare sensitive: cameras, areas, and the footage under holds. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from segments.access import Scope, lies_in
from segments.errors import BadInput, Conflict
from segments.hold import Hold
from segments.model import Camera, Span
from segments.record import Record

SENSITIVE = "sensitive"
"""The kind of their records."""


class Kind(StrEnum):
    """What is declared sensitive."""

    CAMERA = "camera"
    AREA = "area"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Declaration:
    """Footage that is sensitive: all of a camera; of the cameras that lie in an area or below it; or what a hold covers while it stands.

    `removed_us` is 0 while it stands.
    """

    kind: Kind
    name: str
    reason: str
    by: str
    at_us: int
    removed_us: int = 0
    removed_by: str = ""
    removed_reason: str = ""

    def __post_init__(self) -> None:
        """Raises BadInput if it names nothing, or nobody says why."""
        if not self.name.strip("/ "):
            raise BadInput(f"which {self.kind} is sensitive? Name it")
        if not self.reason.strip():
            raise BadInput("a declaration needs a reason")

    @property
    def id(self) -> str:
        """Of what it names, so that nothing is declared twice."""
        return f"{self.kind}-{hashlib.sha256(self.name.encode()).hexdigest()[:16]}"

    @property
    def stands(self) -> bool:
        """Whether it has not been removed."""
        return not self.removed_us

    def removed(self, now_us: int, by: str, reason: str) -> Declaration:
        """The same, taken back; raises Conflict if it is already."""
        if not self.stands:
            raise Conflict(f"{self.kind} {self.name} is not sensitive any more")
        return replace(self, removed_us=now_us, removed_by=by, removed_reason=reason)

    def within(self, scope: Scope, camera: Camera | None = None) -> bool:
        """Whether all it is about lies in a scope; `camera` is the one it names. Holds reach over areas: for whom sees everything."""
        if scope.everything:
            return True
        if self.kind is Kind.CAMERA:
            return camera is not None and scope.covers(camera)
        return self.kind is Kind.AREA and not scope.classes and any(lies_in(self.name, area) for area in scope.areas)


def why_sensitive(
    declared: Sequence[Declaration], holds: Mapping[str, Hold], camera_id: str, camera: Camera | None, span: Span
) -> Declaration | None:
    """The first declaration that footage of a camera falls under. `camera` is None where the archive has it no more.

    Of such a one nobody knows the area: it counts as one of each that is declared, and of each area of a hold.
    """
    return next((one for one in declared if one.stands and _covers(one, holds, camera_id, camera, span)), None)


def _covers(one: Declaration, holds: Mapping[str, Hold], camera_id: str, camera: Camera | None, span: Span) -> bool:
    match one.kind:
        case Kind.CAMERA:
            return one.name == camera_id
        case Kind.AREA:
            return camera is None or lies_in(camera.area, one.name)
        case Kind.HOLD:
            hold = holds.get(one.name)
            if hold is None or not hold.stands or hold.start_us >= span.end_us or hold.end_us <= span.start_us:
                return False
            if camera is None:
                return bool(hold.areas) or camera_id in hold.cameras
            return hold.covers(camera)


def declaration_values(one: Declaration) -> dict[str, Any]:
    """What its record says; `declaration_of` gives it back."""
    return asdict(one)


def declaration_of(record: Record) -> Declaration:
    """The declaration of a record."""
    values = record.values
    return Declaration(**values | {"kind": Kind(values["kind"])})
