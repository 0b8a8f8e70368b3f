"""R17: locked evidence resists our own administrator and the bucket's owner.

On two S3 servers of different make evidence is put and held through our adapter. Then every role (our service's key, which is its
administrator's too; the keeper's, who may lift holds; a reader's; the owner's) tries every verb by which S3 can delete, replace, unlock or
expire it, in the full form every verb after every other; and the version is read again and hashed. Guarded once by the hold alone and once
by a retention in compliance mode on the version besides. What S3 allows is counted apart: an owner who lifts the hold first may delete what
nothing else guards. The stores' own tools and machines are out of scope. Control: the same in a bucket without locks.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.promise import read_form, report
from tests.faults.locked_evidence import Guard, Keys, versitygw_with_roles, weed_with_roles
from tests.faults.locked_trials import attacked


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    trials = lost = lifted = 0
    controls: list[bool] = []
    for started in (weed_with_roles, versitygw_with_roles):
        with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as server:
            keys = Keys(server)
            for guard in (Guard.HOLD, Guard.HOLD_AND_RETENTION):
                tally = await attacked(keys, guard, pairs=form.full)
                print(f"  {server.name}, {guard.value}: {tally.trials} attacks, {len(tally.lost)} destroyed it", flush=True)
                print("".join(f"    {attack}\n" for attack in tally.lost), end="", flush=True)
                print(f"    and {len(tally.lifted)} of an owner who lifted the hold first, as S3 allows", flush=True)
                trials, lost, lifted = trials + tally.trials, lost + len(tally.lost), lifted + len(tally.lifted)
            control = await attacked(keys, Guard.NOTHING)
            print(f"  {server.name}, control without locks: {len(control.lost)} of {control.trials} destroyed it", flush=True)
            controls.append(bool(control.lost))
            keys.close()
    result = report(
        promise="R17",
        form=form.name,
        n=trials,
        value=lost,
        unit=f"attacks that destroyed a locked version, on two S3 servers ({lifted} more by owners who lift the hold first, as S3 allows)",
        gate="0 of roles x verbs",
        control="red" if all(controls) else "green",
        met=lost == 0,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
