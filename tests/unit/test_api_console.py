"""The page as the API serves it."""

from __future__ import annotations

from pathlib import Path

import httpx2

from playback.app import create_app
from playback.live import NoLive
from playback.services import Services
from segments.clock import SystemClock
from segments.stores.memory_index import MemoryIndex


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
