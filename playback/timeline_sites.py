"""At which sites the footage of a timeline is. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from segments.coverage import Gap
from segments.model import Footage
from segments.timeline import joined


class Sited(NamedTuple):
    """A piece of footage, and the sites it is at, in order."""

    footage: Footage
    sites: tuple[str, ...]


def sited(pieces: Sequence[Footage | Gap], by_site: Mapping[str, Iterable[Footage]]) -> list[Sited | Gap]:
    """The pieces of a coverage with the sites that have each, cut where those change."""
    if len(by_site) == 1:
        return [piece if isinstance(piece, Gap) else Sited(piece, tuple(by_site)) for piece in pieces]
    at_sites = {site: joined(footage) for site, footage in sorted(by_site.items())}
    edges = sorted({edge for footage in at_sites.values() for one in footage for edge in (one.start_us, one.end_us)})
    found: list[Sited | Gap] = []
    for piece in pieces:
        found += [piece] if isinstance(piece, Gap) else _cut(piece, edges, at_sites)
    return found


def _cut(piece: Footage, edges: Sequence[int], at_sites: Mapping[str, Sequence[Footage]]) -> list[Sited]:
    """One piece, cut; where a clock's slew left a moment to nobody, it belongs to what is beside it."""
    inner = edges[bisect_right(edges, piece.start_us) : bisect_right(edges, piece.end_us - 1)]
    cut: list[Sited] = []
    for start_us, end_us in zip([piece.start_us, *inner], [*inner, piece.end_us], strict=True):
        sites = tuple(site for site, footage in at_sites.items() if _has(footage, start_us, piece.run))
        if cut and sites in (cut[-1].sites, ()):
            cut[-1] = Sited(cut[-1].footage._replace(end_us=end_us), cut[-1].sites)
        else:
            cut.append(Sited(piece._replace(start_us=start_us, end_us=end_us), sites))
    return cut


def _has(footage: Sequence[Footage], at_us: int, run: str) -> bool:
    """Whether settled footage shows this run at a moment."""
    before = bisect_right(footage, at_us, key=lambda one: one.start_us) - 1
    return before >= 0 and footage[before].end_us > at_us and footage[before].run == run
