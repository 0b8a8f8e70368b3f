"""The client: each method is one question of a platform, with values and errors of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, urlencode, urljoin

import httpx2

from playback.client.download import Progress, download
from playback.client.errors import ExportFailed
from playback.client.http import Http, Patience
from playback.client.values import (
    Camera,
    Export,
    ExportItem,
    FootageFile,
    Hold,
    Link,
    Snapshot,
    Timeline,
    camera_of,
    export_of,
    file_of,
    hold_of,
    moment_of,
    text_of,
    timeline_of,
)

PAGE = 500


class Keepsight:
    """A service, asked with one key. `reason` is said with every question: sensitive footage wants one.

    429, 503 and lost connections are waited out within `patience`; every method raises KeepsightError.
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        reason: str = "",
        timeout_s: float = 60.0,
        patience: Patience | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = Http(url, key, reason=reason, timeout_s=timeout_s, patience=patience or Patience(), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    # --- cameras and timelines

    async def cameras(self, *, area: str = "", camera_class: int | None = None) -> AsyncIterator[Camera]:
        """All cameras of the key's scope, in order of id; pages are fetched as they are needed."""
        query: dict[str, Any] = {"limit": PAGE} | ({"area": area} if area else {}) | ({"class": camera_class} if camera_class else {})
        after: str | None = ""
        while after is not None:
            page = await self._http.json("GET", "cameras", params={**query, "after": after})
            for said in page["cameras"]:
                yield camera_of(said)
            after = page["next"]

    async def camera(self, camera: str) -> Camera:
        """One camera; raises NotFound."""
        return camera_of(await self._http.json("GET", f"cameras/{_part(camera)}"))

    async def timeline(
        self, camera: str, start: datetime, end: datetime, *, resolution_s: int | None = None, all_sites: bool = False
    ) -> Timeline:
        """Footage and gaps of up to 400 days; in buckets where there would be more than 2,000 stretches."""
        query = _span(start, end) | ({"resolution": str(resolution_s)} if resolution_s else {}) | ({"sites": "true"} if all_sites else {})
        return timeline_of(await self._http.json("GET", f"cameras/{_part(camera)}/timeline", params=query))

    # --- pictures and files

    def playlist(self, camera: str, start: datetime, end: datetime) -> str:
        """The address of an HLS playlist of up to 24 h; a player sends the key with each request, as this client does."""
        return f"{self._http.api}cameras/{_part(camera)}/hls/multivariant.m3u8?{urlencode(_span(start, end))}"

    async def link(
        self, camera: str, start: datetime, end: datetime, *, use: Literal["hls", "mp4", "snapshot"] = "hls", seconds: int = 60
    ) -> Link:
        """An address for a player that cannot send the key: of this camera, span and use alone, to be opened within so many seconds."""
        wanted = {"from": text_of(start), "to": text_of(end), "use": use, "seconds": seconds}
        said = await self._http.json("POST", f"cameras/{_part(camera)}/links", json=wanted)
        return Link(urljoin(self._http.api, said["address"]), moment_of(said["expires"]))

    async def snapshot(self, camera: str, at: datetime, *, width: int | None = None, exact: bool = False) -> Snapshot:
        """The key frame at or before a moment, or with `exact` the very frame; raises NoFootage."""
        query = {"at": text_of(at)} | ({"width": str(width)} if width else {}) | ({"exact": "true"} if exact else {})
        answer = await self._http.ask("GET", f"cameras/{_part(camera)}/snapshot.jpg", params=query)
        return Snapshot(answer.content, moment_of(answer.headers["keepsight-time"]))

    async def files(self, camera: str, start: datetime, end: datetime) -> Sequence[FootageFile]:
        """The mp4s that up to 7 days make: one where codecs stay the same and it is at most a day."""
        said = await self._http.json("GET", f"cameras/{_part(camera)}/footage", params=_span(start, end))
        return [file_of(_part(camera), one) for one in said["files"]]

    async def download(self, file: FootageFile, to: Path, progress: Progress = lambda *_: None) -> Path:
        """Fetches one of the `files` into `to`; a download that broke off is gone on with, also by another process."""
        return await download(self._http, file.address, to, progress, hashed=False)

    # --- exports

    async def export(
        self,
        items: Sequence[ExportItem],
        *,
        form: Literal["mp4", "zip"] = "zip",
        height: int | None = None,
        bitrate_kbps: int = 0,
        watermark: bool = False,
        reason: str = "",
    ) -> Export:
        """Asks for an export job; with a height, a rate or a watermark pictures are made anew as H.264, else they stay as they are."""
        wanted: dict[str, Any] = {
            "items": [{"camera": one.camera, "from": text_of(one.start), "to": text_of(one.end)} for one in items],
            "form": form,
            "reason": reason,
        }
        if height is not None or bitrate_kbps or watermark:
            wanted["transcode"] = {"height": height or 0, "bitrate_kbps": bitrate_kbps, "watermark": watermark}
        return export_of(await self._http.json("POST", "exports", json=wanted))

    async def exports(self) -> Sequence[Export]:
        """The key's export jobs, the newest first."""
        return [export_of(one) for one in (await self._http.json("GET", "exports"))["exports"]]

    async def wait_for_export(
        self, export: str, *, every_s: float = 1.0, limit_s: float = 3600.0, progress: Callable[[Export], None] = lambda _: None
    ) -> Export:
        """Waits until a job is done; raises ExportFailed if it does not come to a result, TimeoutError after `limit_s`."""
        end_s = time.monotonic() + limit_s
        while True:
            job = export_of(await self._http.json("GET", f"exports/{_part(export)}"))
            progress(job)
            if job.state == "done":
                return job
            if job.state not in ("queued", "running"):
                raise ExportFailed(f"export {job.id} is {job.state}: {job.said or 'it has no result'}", kind=job.state)
            if time.monotonic() + every_s > end_s:
                raise TimeoutError(f"export {job.id} is still {job.state} ({job.progress:.0%})")
            await asyncio.sleep(every_s)

    async def download_export(self, export: str, to: Path, progress: Progress = lambda *_: None) -> Path:
        """Fetches a result, and compares its SHA-256; raises Damaged."""
        return await download(self._http, f"exports/{_part(export)}/file", to, progress, hashed=True)

    async def end_export(self, export: str) -> Export:
        """Cancels a job, or removes its result."""
        return export_of(await self._http.json("DELETE", f"exports/{_part(export)}"))

    # --- holds

    async def holds(self, *, case: str = "", camera: str = "") -> Sequence[Hold]:
        """Legal holds, the newest first; for keys that may inspect."""
        query = ({"case": case} if case else {}) | ({"camera": camera} if camera else {})
        said = await self._http.json("GET", "holds", params=query)
        return [hold_of(one) for one in said]

    async def place_hold(
        self, case: str, reason: str, cameras: Sequence[str], start: datetime, end: datetime | None = None, *, by: str
    ) -> Hold:
        """Places a hold: nothing of it is deleted. Without an end it has none. For keys that may hold."""
        wanted = {"case": case, "reason": reason, "cameras": list(cameras), "from": text_of(start), "to": text_of(end) if end else None}
        said = await self._http.json("POST", "holds", json=wanted, headers={"Keepsight-By": quote(by)})
        return hold_of(said["hold"])


def _part(name: str) -> str:
    return quote(name, safe="")


def _span(start: datetime, end: datetime) -> dict[str, str]:
    return {"from": text_of(start), "to": text_of(end)}
