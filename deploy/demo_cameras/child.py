"""Starts the demo cameras as a child process."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from deploy.demo_cameras.cameras import DemoCamera
from segments.errors import StartRefused

USER = "demo"
START_LIMIT_S = 60.0
END_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class CameraPlace:
    """Where the demo cameras are, and the password of their user."""

    port: int
    password: str = field(repr=False)

    def url(self, camera: DemoCamera) -> str:
        """The URL of a camera, with its login."""
        return f"rtsp://{USER}:{self.password}@127.0.0.1:{self.port}/{camera.id}"


@asynccontextmanager
async def camera_process(cameras: Sequence[DemoCamera]) -> AsyncIterator[CameraPlace]:
    """The cameras as a child process, which ends when its standard input does; raises StartRefused if it does not begin in time."""
    silent = next((camera.id for camera in cameras if camera.silent), "")
    command = [sys.executable, "-m", "deploy.demo_cameras", "--cameras", str(len(cameras)), "--silent", silent]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True)
    assert process.stdin is not None
    assert process.stdout is not None
    password, word = secrets.token_urlsafe(12), ""
    try:
        process.stdin.write(f"{password}\n".encode())
        with suppress(TimeoutError):
            word, _, port = (await asyncio.wait_for(process.stdout.readline(), START_LIMIT_S)).decode().partition(" ")
        if word != "ready":
            raise StartRefused("the demo cameras do not start")
        yield CameraPlace(int(port), password)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_LIMIT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
