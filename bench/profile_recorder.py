"""Where a recorder's time goes: `python -m bench.profile_recorder [CAMERAS]` samples a recorder process while it records.

A timer looks at the main thread's stack, and what is met while it waits for something to do does not count; a system call or a C function
counts for the line that called it. (A timer of CPU time would go with the kernel's tick, as the polling does, and see the same again and
again.)
What a camera costs is measured before, by the kernel's own count: the sampling itself wakes the process up three hundred times a second.
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

CAMERAS, SETTLE_S, SECONDS = 50, 3.0, 20.0
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
            module = frame.f_globals.get("__name__", "?").rpartition(".")[2]
            stack.append((f"{module}.{frame.f_code.co_qualname}", frame.f_lineno))
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
            await _say_cost(process.pid, count)
            process.send_signal(signal.SIGUSR1)
            await asyncio.sleep(SECONDS)
            process.send_signal(signal.SIGUSR2)


async def _say_cost(pid: int, count: int) -> None:
    """What a camera costs while nobody samples: by mode, and by thread."""
    before, threads_before, start = usage([pid]), thread_cpu_s(pid), time.monotonic()
    await asyncio.sleep(SECONDS / 2)
    used, threads = usage([pid]).since(before), thread_cpu_s(pid)
    scale = 1000 / (time.monotonic() - start) / count
    print(f"{scale * used.cpu_s:.2f} mcore a camera ({scale * used.user_s:.2f} user, {scale * used.system_s:.2f} system)")
    for thread, cpu_s in threads.items():
        name = "main thread" if thread == pid else f"thread {thread}"
        print(f"{name}: {scale * (cpu_s - threads_before.get(thread, 0.0)):.3f} mcore a camera", flush=True)


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
