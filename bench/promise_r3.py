"""R3: a segment cut at every byte offset gives back every whole fragment.

Real segments (H.264, with B-frames, with sound, H.265) are cut at each offset and repaired; exactly the fragments that were whole must be
there, bit for bit, under a tail that tells of them. Control: a repair that does not cut back.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.promise import bound95, read_form, report
from recorder.repair import SegmentFormat, fmp4
from tests.faults.truncate import CLIPS, failures, written
from tests.media import Clips

SHORT_S, FULL_S = 1.2, 4.0
CONTROL_STEP = 50
MEMORY = Path("/dev/shm")
"""Each offset is synced twice, and the disk is not the question here."""


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    right = fmp4()
    uncut = SegmentFormat(lambda data: replace(right.scan(data), good_bytes=len(data)), right.tail)
    offsets, wrong, red = 0, 0, True
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        clips = Clips(Path(folder))
        for name, clip in CLIPS.items():
            whole = written(clips, replace(clip, seconds=FULL_S if form.full else SHORT_S))
            found = failures(whole, range(len(whole.data) + 1), Path(folder), right)
            cut_inside = range(whole.ends[0] + 1, whole.ends[1], CONTROL_STEP)
            red = red and len(failures(whole, cut_inside, Path(folder), uncut)) == len(cut_inside)
            offsets += len(whole.data) + 1
            wrong += len(found)
            print(f"{name}: {len(whole.data) + 1} offsets, {len(whole.ends)} fragments, wrong: {found[:3] or 'none'}", flush=True)
    result = report(
        promise="R3",
        form=form.name,
        n=offsets,
        value=100 * (offsets - wrong) / offsets,
        unit="% of offsets",
        gate="100 % of offsets",
        bound95=bound95(offsets) if wrong == 0 else None,
        control="red" if red else "green",
        met=wrong == 0,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
