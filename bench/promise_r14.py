"""R14: a site is lost: what would be lost with it, how soon its cameras are recorded again, and that nothing differs once it is back.

Two whole sites with all their processes record cameras and copy each other's footage. Their link is cut and mended; then all processes of
one are killed, the other takes its cameras over and plays them, the lost one comes back with its disks and is given them back. At the end
both sites are compared row by row and object by object, by hash. The delay from commit to copy is measured there while both sites and
their link are up; and, at the same time, on a stream of many more commits in one process, so that one in 10,000 means something. Control:
a copier that hears news and never compares, after a cut of which the source has forgotten its news.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.copy_delays import CAMERAS, SEGMENT_S, NewsOnly, left_by_a_cut, stream_delays
from bench.promise import read_form, report
from bench.site_loss import Outcome, Story, lose_a_site
from replication.copier import Copier

SHORT, FULL = Story(8, 4, run_s=20, cut_s=10), Story(8, 4, run_s=1500, cut_s=120)
STREAM = {"short": 10_000, "full": 100_000}
SOON_S, LATE_S = 60.0, 900.0
SOON_SHARE, IN_TIME_SHARE = 0.999, 0.9999
RTO_S = 60.0


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from commit to copy, in order."""

    ordered: Sequence[float]

    def at(self, share: float) -> float:
        """What this share of all does not exceed, by nearest rank."""
        return self.ordered[max(0, math.ceil(share * len(self.ordered)) - 1)]

    @property
    def met(self) -> bool:
        """Whether enough of them are soon enough."""
        return bool(self.ordered) and self.at(SOON_SHARE) <= SOON_S and self.at(IN_TIME_SHARE) <= LATE_S

    def __str__(self) -> str:
        shares = ", ".join(f"{share:.4g} %: {self.at(share / 100):.1f}" for share in (50, 99, 99.9, 99.99, 100))
        return f"{len(self.ordered)} segments, seconds from commit to copy {shares}"


def delays(found: Sequence[float]) -> Delays:
    """In order."""
    return Delays(sorted(found))


@contextmanager
def a_folder() -> Iterator[Path]:
    """One that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


async def differences() -> tuple[int, int]:
    """What a cut leaves: with our copier, and with one that never compares."""
    logging.disable()  # each look at a cut link is told
    with a_folder() as ours, a_folder() as theirs:
        found = await left_by_a_cut(ours, Copier), await left_by_a_cut(theirs, NewsOnly)
    logging.disable(logging.NOTSET)
    print(f"  after a cut with forgotten news: {found[0]} segments differ; control, without comparing: {found[1]}", flush=True)
    return found


async def measure(name: str, story: Story) -> tuple[Delays, Outcome]:
    """The stream and the sites, beside each other."""
    with a_folder() as folder, a_folder() as place:
        streaming = asyncio.create_task(asyncio.to_thread(asyncio.run, stream_delays(place, STREAM[name])))
        outcome = await lose_a_site(folder, story)
        stream = delays(await streaming)
    print(f"  in one process, {CAMERAS} cameras with a segment each {SEGMENT_S} s: {stream}", flush=True)
    print(f"  between two sites: {delays(outcome.delays_s)}", flush=True)
    print(f"  footage that was at the lost site alone, by camera: {_seconds(outcome.rpo_s)} s", flush=True)
    print(f"  from the loss to playing what was recorded in its place: {_seconds(outcome.rto_s)} s", flush=True)
    print(f"  {outcome.rows} segments at both sites at the end, {outcome.differing} differ", flush=True)
    return stream, outcome


def _seconds(values: Sequence[float]) -> str:
    return " ".join(f"{value:.1f}" for value in sorted(values))


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form, began_s = read_form(__doc__), time.monotonic()
    ours, control = await differences()
    stream, outcome = await measure(form.name, FULL if form.full else SHORT)
    sites, rto_s, differing = delays(outcome.delays_s), max(outcome.rto_s), outcome.differing + ours
    print(f"  it took {time.monotonic() - began_s:.0f} s", flush=True)
    result = report(
        promise="R14",
        form=form.name,
        n=len(stream.ordered) + len(sites.ordered),
        value=round(sites.at(SOON_SHARE), 1),
        unit=(
            f"s from commit to copy (99.9 % of {len(sites.ordered)} between two sites; "
            f"in one process {stream.at(SOON_SHARE):.1f} s, 99.99 %: {stream.at(IN_TIME_SHARE):.1f} s of {len(stream.ordered)}); "
            f"RPO {max(outcome.rpo_s):.1f} s of footage at worst; RTO {rto_s:.1f} s at worst; difference {differing} of {outcome.rows}"
        ),
        gate="99.9 % copied <= 60 s after their commit, 99.99 % <= 15 min; RTO <= 60 s; difference after healing 0",
        control="red" if control else "green",
        met=stream.met and sites.met and rto_s <= RTO_S and differing == 0,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
