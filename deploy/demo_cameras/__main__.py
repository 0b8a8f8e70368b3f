"""Runs demo cameras as one process: `python -m deploy.demo_cameras --port 0 --cameras 4`.

The password of the user `demo` is the first line of standard input; the process ends when that input does, so it never outlives whoever
started it. Prints `ready PORT` once it can be connected to.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable

from deploy.demo_cameras.cameras import MAX_CAMERAS, demo_cameras
from deploy.demo_cameras.child import USER
from deploy.demo_cameras.live_camera import LiveCamera
from deploy.demo_cameras.rtsp_login import Account
from deploy.demo_cameras.rtsp_server import RtspServer
from segments.clock import SystemClock


async def run(port: int, count: int, silent: str, password: str) -> None:
    """Offers the cameras until standard input ends."""
    clock = SystemClock()
    cameras = [LiveCamera(camera, clock) for camera in demo_cameras(count, silent)]
    server = await RtspServer(cameras, Account(USER, password), clock).listen(port)
    filming = [asyncio.create_task(camera.run()) for camera in cameras]
    sys.stdout.write(f"ready {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    threading.Thread(target=_until_input_ends, args=(lambda: loop.call_soon_threadsafe(told.set),), daemon=True).start()
    await told.wait()
    server.close()
    for task in filming:
        task.cancel()


def _until_input_ends(then: Callable[[], object]) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    then()


def main() -> None:
    """The program."""
    about = "Demo cameras on loopback; the password comes on standard input."
    parser = argparse.ArgumentParser(prog="deploy.demo_cameras", description=about)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--cameras", type=int, default=4, choices=range(1, MAX_CAMERAS + 1), metavar=f"1-{MAX_CAMERAS}")
    parser.add_argument("--silent", default="", metavar="ID", help="a camera that connects and then sends nothing")
    asked = parser.parse_args()
    password = sys.stdin.readline().strip()
    if not password:
        parser.error("the password is missing: write it as the first line of standard input")
    asyncio.run(run(asked.port, asked.cameras, asked.silent, password))


if __name__ == "__main__":
    main()
