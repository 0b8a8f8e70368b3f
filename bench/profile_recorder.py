"""Where a recorder's time goes: `python -m bench.profile_recorder [CAMERAS]` samples a recorder process while it records.

A timer looks at the main thread's stack, and what is met while it waits for something to do does not count; a system call or a C function
counts for the line that called it. (A timer of CPU time would go with the kernel's tick, as the polling does, and see the same again and
again.)
The threads' and modes' CPU time is the kernel's own count.
"""

from __future__ import annotations

import asyncio
import collections
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from bench.load import load_cameras, recorder
from bench.process_cost import thread_cpu_s, usage
from deploy import recorder_process

CAMERAS, SETTLE_S, SECONDS = 50, 5.0, 20.0
SAMPLE_S = 0.0031
LINES, FUNCTIONS = 25, 25
WAITING = "selectors.EpollSelector.select"

Samples = collections.Counter[tuple[tuple[str, int], ...]]


class Sampler:
    """Counts stacks, innermost first, as (function, line)."""

    def __init__(self) -> None:
        self.stacks: Samples = collections.Counter()

    def start(self) -> None:
        """Samples from now on, in the main thread."""
        signal.signal(signal.SIGALRM, self._take)
        signal.setitimer(signal.ITIMER_REAL, SAMPLE_S, SAMPLE_S)

    def stop(self) -> None:
        """Samples no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _take(self, _signal: int, frame: FrameType | None) -> None:
        stack = []
        while frame is not None:
            stack.append((f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}", frame.f_lineno))
            frame = frame.f_back
        if stack[0][0] != WAITING:
            self.stacks[tuple(stack)] += 1


def table(stacks: Samples) -> str:
    """Shares of all samples: functions by themselves, functions with all they call, and the lines where most time is spent."""
    total = sum(stacks.values())
    alone: collections.Counter[str] = collections.Counter()
    whole: collections.Counter[str] = collections.Counter()
    lines: collections.Counter[str] = collections.Counter()
    for stack, count in stacks.items():
        alone[stack[0][0]] += count
        lines["{}:{}".format(*stack[0])] += count
        for name in {name for name, _ in stack}:
            whole[name] += count
    parts = [f"{total} samples"]
    for title, counter, most in (("alone", alone, FUNCTIONS), ("with all they call", whole, FUNCTIONS), ("by line", lines, LINES)):
        parts += [f"\n{title}:", *(f"{100 * count / total:6.1f} %  {name}" for name, count in counter.most_common(most))]
    return "\n".join(parts)


def sampled_recorder(orders: str) -> None:
    """The recorder program as it is, sampled between SIGUSR1 and SIGUSR2; prints the table when it ends."""
    sampler = Sampler()
    signal.signal(signal.SIGUSR1, lambda *_: sampler.start())
    signal.signal(signal.SIGUSR2, lambda *_: sampler.stop())
    recorder_process.main([orders])
    print(table(sampler.stacks), flush=True)


async def profile(count: int) -> None:
    """Records with a sampled recorder, and says what its threads took."""
    with load_cameras() as cameras, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "spool").mkdir(mode=0o700)
        program = [sys.executable, "-m", "bench.profile_recorder"]
        async with recorder(Path(folder), cameras.urls(count), program) as (process, stand_in):
            await stand_in.all_recording()
            await asyncio.sleep(SETTLE_S)
            process.send_signal(signal.SIGUSR1)
            before, threads_before, start = usage([process.pid]), thread_cpu_s(process.pid), time.monotonic()
            await asyncio.sleep(SECONDS)
            after, threads, seconds = usage([process.pid]), thread_cpu_s(process.pid), time.monotonic() - start
            process.send_signal(signal.SIGUSR2)
        scale = 1000 / seconds / count
        print(f"{scale * (after.user_s - before.user_s):.2f} user + {scale * (after.system_s - before.system_s):.2f} system mcore a camera")
        for thread, cpu_s in threads.items():
            name = "main thread" if thread == process.pid else f"thread {thread}"
            print(f"{name}: {scale * (cpu_s - threads_before.get(thread, 0.0)):.3f} mcore a camera")


def main() -> None:
    """Profiles; or, given a recorder's orders, is the recorder that is profiled."""
    match sys.argv[1:]:
        case [orders] if orders.startswith("{"):
            sampled_recorder(orders)
        case [count]:
            asyncio.run(profile(int(count)))
        case _:
            asyncio.run(profile(CAMERAS))


if __name__ == "__main__":
    main()
