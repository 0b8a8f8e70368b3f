"""R10: bit rot is found and healed from another site, and nothing corrupt is served.

A site keeps footage in a folder and in a bucket; another site has it, too. Among many segments some are damaged past our code: bits
flipped, cut short, removed, in the bucket overwritten and deleted by another client. The scrub goes over everything once. Then every object
is read past our code, and must be byte for byte what was recorded. Of some more the other site's copy is damaged as well: these must be
named as damaged, so that nobody is served them, and what is left of them must not be touched. Control: a healer that does not verify.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from bench.due_site import Amount, body_of, keep, rows_of
from bench.promise import bound95, read_form, report
from replication.heal import Healer, Here
from replication.mend import Mender
from replication.ports import Bytes
from replication.scrub import Scrub, ScrubParts
from replication.scrub_day import CheckParts
from segments.clock import SystemClock
from segments.damage import all_damage
from segments.duty import Duty
from segments.model import Row
from segments.pace import Pace
from segments.ports import Index, ObjectStore
from segments.stores.file_objects import FileObjects
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index
from tests.clocks import HandClock
from tests.scrub_site import Copy
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SeaweedFs

SHORT, FULL, CONTROL = Amount(3, 2, 25, 8 << 10), Amount(20, 2, 50, 32 << 10), Amount(1, 1, 20, 8 << 10)
"""Of each of the two pools."""
DAMAGED = {"short": 120, "full": 1_000, "control": 4}
BOTH = {"short": 15, "full": 100, "control": 8}
"""Beside those, damaged at both sites."""
HOW = ("flipped", "cut", "gone")
SEED = 10
HALF_CYCLE_S = 15 * 86_400


class Folder:
    """A folder as a pool, and the way to its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.objects: ObjectStore = FileObjects(folder, clock=SystemClock())

    def read(self, key: str) -> bytes | None:
        """What is there."""
        path = self._folder / key
        return path.read_bytes() if path.exists() else None

    def write(self, key: str, data: bytes | None) -> None:
        """Other bytes in the same file; None: it is gone."""
        (self._folder / key).unlink() if data is None else (self._folder / key).write_bytes(data)


class Bucket:
    """A bucket as a pool, and another client."""

    def __init__(self, server: S3Server) -> None:
        self._client, self._name = server.client, server.make_bucket()
        self.objects: ObjectStore = S3Objects(server.settings(self._name))

    def read(self, key: str) -> bytes | None:
        """What is there."""
        try:
            return bytes(self._client.get_object(Bucket=self._name, Key=key)["Body"].read())
        except self._client.exceptions.NoSuchKey:
            return None

    def write(self, key: str, data: bytes | None) -> None:
        """Another client puts other bytes, with what the store said of the right ones; None: it deletes it."""
        if data is None:
            self._client.delete_object(Bucket=self._name, Key=key)
            return
        told = self._client.head_object(Bucket=self._name, Key=key)["Metadata"]
        self._client.put_object(Bucket=self._name, Key=key, Body=data, Metadata=told)


class Trusting(Healer):
    """The control: it takes the bytes of another site as they come."""

    async def _read(self, found: Bytes, row: Row, file: IO[bytes]) -> Any:
        file.write(b"".join([piece async for piece in found.pieces]))
        file.flush()
        return found.attributes


@dataclass(frozen=True, slots=True)
class Tally:
    """What was found at the end. `corrupt`: neither right nor named as damaged, so it would be served; `touched`: what was left of segments
    that nobody could heal was changed.
    """

    segments: int = 0
    damaged: int = 0
    unhealed: int = 0
    corrupt: int = 0
    touched: int = 0
    unnamed: int = 0
    misnamed: int = 0

    @property
    def failures(self) -> int:
        """All that the promise forbids."""
        return self.unhealed + self.corrupt + self.touched + self.unnamed + self.misnamed


def spoiled(data: bytes, how: str, dice: random.Random) -> bytes | None:
    """The bytes after they were damaged; None: gone."""
    at = dice.randrange(len(data))
    match how:
        case "flipped":
            return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        case "cut":
            return data[:at]
        case _:
            return None


class Sites:
    """The site that scrubs, with a folder and a bucket, and the other one, with a folder."""

    def __init__(self, folder: Path, server: S3Server, index: Index, other: Index) -> None:
        self.index, self.other, self._folder = index, other, folder
        self.pools: dict[str, Folder | Bucket] = {"folder": Folder(folder / "here"), "bucket": Bucket(server)}
        self.there = Folder(folder / "there")
        self.rows: list[Row] = []

    async def record(self, amount: Amount) -> None:
        """The same footage at both."""
        for name in self.pools:
            rows = rows_of(amount, pool=name, name=f"{name}-")
            self.rows += await keep(rows, self.index, self.pools[name].objects)
            await keep([replace(row, pool="main") for row in rows], self.other, self.there.objects)

    def damage(self, doomed: Sequence[Row], both: Sequence[Row], dice: random.Random) -> dict[str, bytes | None]:
        """Damages these; what is left of those damaged at both sites, by key."""
        for number, row in enumerate((*doomed, *both)):
            self.pools[row.pool].write(row.key, spoiled(body_of(row), HOW[number % 3], dice))
        for row in both:
            self.there.write(row.key, spoiled(body_of(row), "flipped", dice))
        return {row.key: self.pools[row.pool].read(row.key) for row in both}

    async def scrub(self, healer: type[Healer]) -> None:
        """One cycle: two walks, by a clock that is moved."""
        clock, pools = HandClock(), {name: pool.objects for name, pool in self.pools.items()}
        pace = Pace(float("inf"), clock)
        here = Here(self.index, pools, {}, self._folder / "healing")
        mender = Mender(self.index, healer(here, {"b": Copy(self.other, self.there.objects)}, clock, pace), clock)
        scrub = Scrub(Duty("scrub"), ScrubParts(self.index, CheckParts(self.index, pools, mender, pace, clock)))
        for _ in range(2):
            while await scrub.round() == 0:
                pass
            clock.move(HALF_CYCLE_S)

    async def tally(self, doomed: Sequence[Row], left: dict[str, bytes | None]) -> Tally:
        """Reads everything past our code."""
        named = {each.key for each in await all_damage(self.index)}
        now = {row.key: self.pools[row.pool].read(row.key) for row in self.rows}
        wrong = {row.key for row in self.rows if (data := now[row.key]) is None or hashlib.sha256(data).hexdigest() != row.sha256}
        return Tally(
            segments=len(self.rows),
            damaged=len(doomed),
            unhealed=len(wrong.intersection(row.key for row in doomed)),
            corrupt=len(wrong - named),
            touched=sum(now[key] != data for key, data in left.items()),
            unnamed=len(left.keys() - named),
            misnamed=len(named - wrong),
        )

    def close(self) -> None:
        """Lets go of the stores."""
        for pool in (*self.pools.values(), self.there):
            pool.objects.close()  # type: ignore[attr-defined]


@contextmanager
def a_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new one."""
    (parent / name).mkdir()
    yield parent / name


async def measure(folder: Path, server: S3Server, amount: Amount, name: str, healer: type[Healer] = Healer) -> Tally:
    """Records, damages, scrubs, and looks at everything."""
    dice = random.Random(SEED)
    index, other = [await open_sqlite_index(folder / f"{side}.sqlite") for side in "ab"]
    sites = Sites(folder, server, index, other)
    await sites.record(amount)
    drawn = dice.sample(sites.rows, DAMAGED[name] + BOTH[name])
    doomed, both = drawn[: DAMAGED[name]], drawn[DAMAGED[name] :]
    left = await asyncio.to_thread(sites.damage, doomed, both, dice)
    print(f"  {len(sites.rows)} segments recorded, {len(doomed)} damaged, {len(both)} more at both sites", flush=True)
    await sites.scrub(healer)
    found = await sites.tally(doomed, left)
    sites.close()
    for each in (index, other):
        await each.close()
    return found


async def main() -> bool:
    """Measures and reports; returns whether the promise is met."""
    form = read_form(__doc__)
    logging.disable()  # each segment that stays damaged is told
    with tempfile.TemporaryDirectory() as folder, SeaweedFs(Path(folder)) as server:
        place = Path(folder)
        with a_folder(place, "ours") as ours:
            found = await measure(ours, server, FULL if form.full else SHORT, form.name)
            print(f"  {found}", flush=True)
        with a_folder(place, "control") as theirs:
            control = await measure(theirs, server, CONTROL, "control", Trusting)
            print(f"  control, which does not verify: {control}", flush=True)
    result = report(
        promise="R10",
        form=form.name,
        n=found.damaged,
        value=found.failures,
        unit="segments not healed, touched without need, or served corrupt",
        gate="100 % of 1,000 found and healed in the full form; 0 served corrupt",
        bound95=bound95(found.damaged) if found.failures == 0 else None,
        control="red" if control.failures else "green",
        met=found.failures == 0,
    )
    return bool(result["met"])


if __name__ == "__main__":
    sys.exit(not asyncio.run(main()))
