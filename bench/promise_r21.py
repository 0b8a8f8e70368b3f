"""R21: no secret ever leaves.

A live service records, is refused, misled and killed, with canaries as camera password, API token, key of the store and key between its
processes. Then log, API answers, metrics, commands (also of installations whose index or store fails), process list, environments, index,
spool, objects and exports are searched for each canary in every form. The full form does it several times. Control: a text that is printed
on purpose is found by the same search.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.promise import read_form, report
from tests.leaks import PRINTED, listen
from tests.media import Clips
from tests.servers.seaweedfs import SeaweedFs

SHORT, FULL = 1, 5


def main() -> bool:
    """Listens and searches; returns whether the promise is met."""
    form = read_form(__doc__)
    leaks: list[str] = []
    searched = printed = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("clips", "s3"):
            (place / name).mkdir()
        clips = Clips(place / "clips")
        with SeaweedFs(place / "s3") as server:
            for number in range(FULL if form.full else SHORT):
                (place / str(number)).mkdir()
                said = asyncio.run(listen(place / str(number), clips, server))
                leaks += said.leaks()
                searched += len(said.places)
                printed += len(said.holding(PRINTED))
                print(f"{len(said.places)} places searched for {len(said.secrets)} secrets: {said.leaks()}", flush=True)
    print(f"control: what was printed on purpose was found in {printed} places", flush=True)
    result = report(
        promise="R21",
        form=form.name,
        n=searched,
        value=len(leaks),
        unit="places that hold a secret",
        gate="0 places",
        control="red" if printed else "green",
        met=not leaks and searched > 100,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not main())
