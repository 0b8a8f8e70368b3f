"""The guide's Python runs as it is printed, against the application."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from playback import client
from segments.clock import to_datetime
from tests.api import Api
from tests.builders import NOON_US, a_camera
from tests.footage import Take, recorded
from tests.house.test_docs import blocks
from tests.house.tree import ROOT
from tests.media import Clips


async def test_the_guide_runs(clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """The first hour of all cameras on the disk, and the cause where there is nothing."""
    api = Api(token="secret-token")
    for camera in ("empty", "gate"):
        await api.index.add_camera(a_camera(camera))
    await recorded(api.index, api.objects, clips.get(seconds=4), Take(start_us=NOON_US))
    (source,) = blocks((ROOT / "docs/guide/platform.md").read_text(), "python")
    names: dict[str, object] = {}
    exec(compile(source, "platform.md", "exec"), names)
    transport = httpx2.ASGITransport(app=api.app())
    monkeypatch.setitem(names, "Keepsight", lambda url, key: client.Keepsight(url, key, transport=transport))
    start = to_datetime(NOON_US)
    await names["first_hour"]("http://keepsight", "secret-token", start, start + timedelta(hours=1), tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["gate-0.mp4", "gate.jpg"]
    assert "nothing: " in capsys.readouterr().out
