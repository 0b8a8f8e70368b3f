"""The page as the API serves it."""

from __future__ import annotations

from pathlib import Path

import httpx2
from fastapi import FastAPI

from playback.app import create_app
from playback.live import NoLive
from playback.services import Services
from segments.clock import SystemClock
from segments.stores.memory_index import MemoryIndex
from tests.api import entrance


async def test_hashed_files_are_kept_and_the_page_is_asked_for_anew(tmp_path: Path) -> None:
    """Assets may stay in a browser's cache for ever; the page that names them may not."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-abc.js").write_text("1")
    (tmp_path / "index.html").write_text("<title>page</title>")
    app = create_app(Services(MemoryIndex(), {}, NoLive(), SystemClock(), "home", console=tmp_path))

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://page") as client:
        page, script = await client.get("/"), await client.get("/assets/index-abc.js")

    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    assert "immutable" in script.headers["cache-control"]


async def test_a_page_of_another_name_cannot_read_without_a_token() -> None:
    """A browser led to the service under a foreign name (DNS rebinding) is refused; its own names, and any name with a token, are not."""
    open_app = create_app(Services(MemoryIndex(), {}, NoLive(), SystemClock(), "home", hosts=("localhost", "127.0.0.1")))
    index, clock = MemoryIndex(), SystemClock()
    access = entrance(index, clock, "secret")
    closed_app = create_app(Services(index, {}, NoLive(), clock, "home", access=access, hosts=("localhost",)))

    async def answer(app: FastAPI, host: str) -> int:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=f"http://{host}:8480") as client:
            return (await client.get("/api/v1/health")).status_code

    assert [await answer(open_app, host) for host in ("evil.example", "localhost", "127.0.0.1")] == [400, 200, 200]
    assert await answer(closed_app, "video.example") == 200
