"""R20: a camera URL or stream reaches no file and no inner service, and takes one recorder at most.

Hostile URLs go through `camera add` and the opener of the recorder, hostile RTSP cameras, web servers and senders stand at the end of good
URLs; canaries on other loopback addresses, in the file system and beside the camera count every touch. Each input must end with a refusal,
and honest cameras in the same process must be read. The full form goes around several times. Control: libav alone opens the same inputs.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.promise import read_form, report
from tests.faults.hostile import hostile_inputs, hostile_to_libav
from tests.faults.siege import besiege, open_all_barely
from tests.media import Clips

SHORT, FULL = 1, 10
"""Times around."""


async def main() -> bool:
    """Besieges and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    inputs = [*hostile_inputs(), *hostile_to_libav()]
    n, touched, other = 0, 0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = Clips(folder).get(".ts")
        for _ in range(FULL if form.full else SHORT):
            siege = await besiege(inputs, clip, folder)
            n, touched = n + siege.n, touched + len(siege.hits)
            other += [*siege.unclear, *siege.honest_refused]
            print(f"{siege.n} inputs, the longest {siege.longest_s:.1f} s; {siege.hits} {siege.suspects}", flush=True)
            print(f"  without a clear end: {siege.unclear}; honest cameras refused: {siege.honest_refused}", flush=True)
        control = Counter(await open_all_barely(inputs, clip, folder))
    print(f"control, libav alone: {dict(control)}", flush=True)
    result = report(
        promise="R20",
        form=form.name,
        n=n,
        value=touched,
        unit="canaries touched",
        gate="0 of 200 inputs",
        control="red" if control else "green",
        met=touched == 0 and not other and len(inputs) >= 200,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
