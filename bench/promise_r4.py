"""R4: a failed sync is never acknowledged and never retried on the same file.

The k-th sync of a writer is made to fail with EIO by a preloaded library, for each k, syncing by disk and file by file: its round may
acknowledge nothing, its files may never be synced or acknowledged again, and new segments must work. Control: calling the sync again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.promise import bound95, read_form, report
from tests.faults.failing_sync import build_shim, drive

SHORT, FULL = 20, 200
CONTROL_AT = 3


def main() -> bool:
    """Runs the promise and its control; returns whether it is met."""
    form = read_form(__doc__)
    each = FULL if form.full else SHORT
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        shim = build_shim(Path(folder))
        for kind in ("disk", "file"):
            for k in range(1, each + 1):
                wrong += drive(shim, Path(folder) / f"{kind}{k}", kind, k, rounds=each + 5)
            print(f"{kind}: each of the first {each} syncs failed once; wrong: {wrong[:3] or 'none'}", flush=True)
        controls = [drive(shim, Path(folder) / f"{kind}-retry", kind, CONTROL_AT, rounds=9, retry=True) for kind in ("disk", "file")]
    result = report(
        promise="R4",
        form=form.name,
        n=2 * each,
        value=len(wrong),
        unit="failed syncs acknowledged or retried",
        gate="0",
        bound95=bound95(2 * each) if not wrong else None,
        control="red" if all(controls) else "green",
        met=not wrong,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
