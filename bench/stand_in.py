"""Stands in for the uploader's side of a recorder's socket: assigns cameras, counts what is acknowledged, removes what is sealed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from recorder.link import MAX_MESSAGE_BYTES, Assign, AssignedCamera, Durable, Hello, LeaseIs, Link, Sealed, StateIs
from segments.duty import Duty
from segments.model import Camera, CameraState

DUTY = Duty("record-a")
EPOCH = 1
LEASE_S = 3600.0
ALL_RECORDING_LIMIT_S = 60.0


class StandIn:
    """Listens at a socket; each recorder that comes is given all the cameras. It stores nothing."""

    def __init__(self, socket: Path, spool: Path, urls: Sequence[str]) -> None:
        self.durable_bytes = 0
        """Of fragments acknowledged so far."""
        self.sealed = 0
        self._socket = socket
        self._spool = spool
        self._cameras = tuple(
            AssignedCamera(Camera(id=f"camera-{n:04}", name=f"Camera {n}", url=url), "", "") for n, url in enumerate(urls)
        )
        self._recording: set[str] = set()
        self._all_recording = asyncio.Event()
        self._connected = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Future[None], Link] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._accept, self._socket, limit=MAX_MESSAGE_BYTES)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for link in self._serving.values():
            link.close()
        await asyncio.gather(*self._serving)

    async def connected(self) -> None:
        """Waits for the recorder."""
        await asyncio.wait_for(self._connected.wait(), ALL_RECORDING_LIMIT_S)

    async def all_recording(self) -> None:
        """Waits until each camera was recorded once; raises TimeoutError, naming how many were."""
        try:
            await asyncio.wait_for(self._all_recording.wait(), ALL_RECORDING_LIMIT_S)
        except TimeoutError:
            raise TimeoutError(f"{len(self._recording)} of {len(self._cameras)} cameras are being recorded") from None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        self._serving[asyncio.ensure_future(self._serve(link))] = link

    async def _serve(self, link: Link) -> None:
        while (message := await link.receive()) is not None:
            match message:
                case Hello():
                    self._connected.set()
                    link.send(Assign("bench", DUTY, EPOCH, self._cameras))
                    link.send(LeaseIs(DUTY, EPOCH, LEASE_S, answers=False))
                case Durable():
                    self.durable_bytes += sum(fragment.length for fragment in message.fragments)
                case StateIs() if message.state is CameraState.RECORDING:
                    self._recording.add(message.camera)
                    if len(self._recording) == len(self._cameras):
                        self._all_recording.set()
                case Sealed():
                    self._remove(message)
        link.close()

    def _remove(self, sealed: Sealed) -> None:
        for file in (self._spool / sealed.camera / sealed.run).glob(f"*.{sealed.counter}.mp4"):
            file.unlink()
            self.sealed += 1
