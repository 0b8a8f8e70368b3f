"""The browser of the tests: it plays and shows what is served, and reaches nothing else."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Error, Page

from tests.media import Clips, frame_numbers

pytestmark = pytest.mark.server

_READ_NUMBER = """async () => {
    const clip = await (await fetch("/clip.mp4")).blob();
    const video = document.querySelector("video");
    video.src = URL.createObjectURL(clip);
    video.currentTime = 1.02;
    await new Promise(done => video.onseeked = done);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const pen = canvas.getContext("2d");
    pen.drawImage(video, 0, 0);
    const square = i => pen.getImageData(16 * i + 24, 24, 1, 1).data[0] > 128 ? 1 : 0;
    let number = 0;
    for (let i = 1; i <= 16; i++) number = number * 2 + square(i);
    return [square(0), number, square(17)];
}"""


async def test_a_picture_gives_its_number_to_a_canvas(browser_page: Page, clips: Clips):
    """Chromium decodes a clip, and a canvas reads the number of the picture at 1.02 s, the same as libav reads."""
    clip = clips.get().read_bytes()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        kind, body = (b"video/mp4", clip) if b"GET /clip" in head else (b"text/html", b"<video muted></video>")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (kind, len(body)) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        await browser_page.goto(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        assert await browser_page.evaluate(_READ_NUMBER) == [1, frame_numbers(clips.get())[25], 0]
    finally:
        server.close()


async def test_no_name_is_resolved(browser_page: Page):
    """A page cannot reach anything but this machine."""
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        await browser_page.goto("http://localhost.example/")
