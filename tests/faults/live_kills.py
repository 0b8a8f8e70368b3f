"""Kills the recorder and the uploader of a live service again and again, at random moments of recording and uploading (promises R2, R9)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segments.clock import US_PER_S
from tests.builders import at
from tests.faults.witness import Judgement, Witness, judge, objects_of
from tests.service import Service

VICTIMS = (("recorder-0",), ("uploader",), ("recorder-0", "uploader"))
SEGMENT_S = 3


@dataclass
class LiveKills:
    """What so many kills came to. `back_s`: from each kill to the first footage after it, over all cameras."""

    judgement: Judgement | None = None
    kills: int = 0
    back_s: list[float] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)
    """Why there was no footage in between."""

    @property
    def back_p99_s(self) -> float:
        """The time within which 99 of 100 were back."""
        return sorted(self.back_s)[int(0.99 * (len(self.back_s) - 1) + 0.5)]


async def kill_live(
    folder: Path,
    urls: Sequence[str],
    kills: int,
    *,
    seed: int = 1,
    keepsight: Sequence[str] | None = None,
    index: Mapping[str, Any] = {},
    say: Callable[[str], None] = lambda _: None,
) -> LiveKills:
    """Records cameras of these URLs while their processes are killed; stops, and judges. `index`: the section of the configuration.

    `keepsight`: see `Service`; then the index is not compared with the pool.
    """
    cameras = {f"cam{n}": url for n, url in enumerate(urls)}
    service = Service(folder, cameras, keepsight=keepsight, index=index, recording={"segment_s": SEGMENT_S})
    done, dice = LiveKills(), random.Random(seed)
    async with service:
        await service.wait_for(lambda: service.is_recording(*cameras))
        began_us, moments_us = time.time_ns() // 1000, []
        async with Witness(service, list(cameras)) as witness:
            for number in range(kills):
                await asyncio.sleep(dice.uniform(0.5, SEGMENT_S + 0.5))  # the instant itself is what is random here
                moments_us.append(time.time_ns() // 1000)
                service.kill(*VICTIMS[number % len(VICTIMS)])
                await service.wait_for(lambda: _records_again(service, cameras, moments_us[-1]))
                say(f"{number + 1} kills, {len(witness.pieces)} fragments acknowledged")
            await asyncio.sleep(2 * SEGMENT_S)
        for camera in cameras:
            _add_timeline(done, await service.timeline(camera, began_us, time.time_ns() // 1000 - 4 * US_PER_S), moments_us)
        await service.stop()
        done.kills, done.judgement = kills, await asyncio.to_thread(judge, witness, objects_of(service.pool), verified=keepsight is None)
    return done


async def _records_again(service: Service, cameras: Sequence[str], since_us: int) -> bool:
    """Whether something of each camera that was taken since is acknowledged."""
    for camera in cameras:
        if not any(segment["row"]["end_us"] > since_us + US_PER_S for segment in await service.live(camera)):
            return False
    return await service.is_recording(*cameras)


def _add_timeline(done: LiveKills, spans: list[dict[str, str]], moments_us: Sequence[int]) -> None:
    footage = [(at(span["from"]), at(span["to"])) for span in spans if span["kind"] == "footage"]
    done.causes |= {span["cause"] for span in spans if span["kind"] == "gap"}
    for moment_us in moments_us:
        behind = [start_us for start_us, end_us in footage if end_us > moment_us]
        done.back_s.append(max(0, behind[0] - moment_us) / US_PER_S if behind else float("inf"))
