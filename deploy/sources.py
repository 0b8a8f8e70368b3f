"""Chooses the source of a camera by its URL and its setting: our own RTSP client, or libav for everything else."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_network

from recorder.address import RTSP_SCHEMES, Resolver, resolve, resolve_and_pin
from recorder.link import AssignedCamera
from recorder.sound import make_sound_encoder
from recorder.source import Source
from recorder.sources.libav import LibavSettings, LibavSource
from recorder.sources.limits import Limits
from recorder.sources.poller import Poller
from recorder.sources.rtsp import RtspSource
from segments.clock import Clock
from segments.model import Credential, Sound, Transport

LOOPBACK = ("127.0.0.0/8", "::1/128")


class SourceOpener:
    """Makes the source of a camera; one a process, since all RTSP cameras share a poller."""

    def __init__(
        self, networks: Sequence[str], *, allow_loopback: bool, silence_s: float, clock: Clock, resolver: Resolver = resolve
    ) -> None:
        allowed = [ip_network(text) for text in (*networks, *(LOOPBACK if allow_loopback else ()))]
        self._check = partial(resolve_and_pin, networks=allowed, resolver=resolver)
        self._clock = clock
        self._poller = Poller()
        self._limits = Limits(silence_s=silence_s)
        self._tls = _camera_tls()

    async def __call__(self, assigned: AssignedCamera) -> Source:
        """The source of an assigned camera; nothing is connected yet."""
        camera = assigned.camera
        credential = Credential(assigned.user, assigned.password) if assigned.user or assigned.password else None
        scheme = camera.url.partition("://")[0]
        if camera.transport is Transport.LIBAV or scheme not in RTSP_SCHEMES:
            return LibavSource(camera.url, credential, LibavSettings(self._clock, self._check, self._tls, self._limits), sound=camera.sound)
        sound = make_sound_encoder if camera.sound is Sound.AAC else None
        return RtspSource(
            camera.url,
            credential,
            clock=self._clock,
            poller=self._poller,
            address_check=self._check,
            tls=self._tls,
            sound_factory=sound,
            limits=self._limits,
        )


def _camera_tls() -> ssl.SSLContext:
    """Cameras bear certificates they made themselves: the connection is encrypted, its end is known by its pinned address only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
