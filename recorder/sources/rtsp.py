"""Our own RTSP client (RFC 2326) for RTP over TCP: from a camera's URL to access units, on the event loop.

Why our own: libav's reader costs three times the CPU and a thread a camera, and opens codecs and addresses nobody asked for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from recorder.address import RTSP_SCHEMES, PinnedAddress, parse_url
from recorder.source import Sink, SoundFactory, SourceEnded
from recorder.sources.chain import MediaChain
from recorder.sources.limits import DEFAULT_LIMITS, Limits
from recorder.sources.message import Message, interleaved_channels, rtp_times, session_of
from recorder.sources.offer import choose
from recorder.sources.poller import Poller
from recorder.sources.rtp import Losses
from recorder.sources.rtsp_connection import RtspConnection
from recorder.sources.sdp import control_url, parse_sdp
from segments.clock import Clock
from segments.errors import BadInput, DataDamaged, Refused, TryAgain
from segments.model import Cause, Credential

AddressCheck = Callable[[str], Awaitable[PinnedAddress]]
"""Resolves, checks and pins the host of a URL (address.resolve_and_pin with the settings' networks)."""

_SHORTEST_STEP_S = 0.25
_EARLY_S = 0.01
"""A timer may end a little early."""


@dataclass(slots=True)
class _Playing:
    """A session that plays."""

    url: str
    timeout_s: float
    keep_alive: str
    chain: MediaChain


class RtspSource:
    """One camera by RTSP over TCP, or over TLS for rtsps://.

    `url` holds no credential. `tls` is used for rtsps:// and says which certificates are accepted. Redirects are not followed.
    `sound_factory` makes AAC of G.711; None leaves G.711 out. `losses` counts what the present or last run has lost.
    """

    def __init__(
        self,
        url: str,
        credential: Credential | None,
        *,
        clock: Clock,
        poller: Poller,
        address_check: AddressCheck,
        tls: ssl.SSLContext,
        sound_factory: SoundFactory | None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.losses = Losses()
        self._url = url
        self._credential = credential
        self._clock = clock
        self._poller = poller
        self._address_check = address_check
        self._tls = tls
        self._sound_factory = sound_factory
        self._limits = limits

    async def run(self, sink: Sink) -> None:
        """See `Source`."""
        try:
            tls = self._tls if parse_url(self._url, RTSP_SCHEMES).scheme == "rtsps" else None
            async with asyncio.timeout(self._limits.connect_s):
                place = await self._address_check(self._url)
        except (BadInput, Refused, TryAgain) as error:
            raise SourceEnded(Cause.CAMERA_AWAY, str(error)) from None
        except TimeoutError:
            raise SourceEnded(Cause.CAMERA_AWAY, f"the camera's host was not resolved within {self._limits.connect_s:g} s") from None
        self.losses = Losses()
        connection = RtspConnection(self._credential, self._clock, self._limits)
        url = self._url
        try:
            await connection.open(place, self._poller, tls)
            playing = await self._play(connection, sink)
            url = playing.url
            await self._watch(connection, playing)
        except DataDamaged as error:
            raise SourceEnded(Cause.UNSUPPORTED, str(error)) from None
        finally:
            connection.close(url)

    # --- opening ---

    async def _play(self, connection: RtspConnection, sink: Sink) -> _Playing:
        options = await connection.exchange("OPTIONS", self._url)
        described = _accepted(await connection.exchange("DESCRIBE", self._url, {"Accept": "application/sdp"}))
        description = parse_sdp(described.body)
        choice = choose(description, self._sound_factory)
        if choice is None:
            raise SourceEnded(Cause.UNSUPPORTED, "the camera offers neither H.264 nor H.265 video over RTP")
        base = base_url(described, self._url)
        controls = [control_url(base, media.control) for media in choice.media]
        chain = MediaChain(choice, sink, self.losses, self._limits, lambda text: connection.fail(Cause.CAMERA_AWAY, text))
        connection.on_batch = chain.on_batch
        timeouts_s = [await _set_up(connection, chain, index, control) for index, control in enumerate(controls)]
        whole = control_url(base, description.control)
        played = _accepted(await connection.exchange("PLAY", whole, {"Range": "npt=0.000-"}))
        connection.stream()
        chain.delivery.begin(_rtp_info(played, controls))
        methods = {name.strip().upper() for name in options.header("public").split(",")}
        return _Playing(whole, min(timeouts_s), "GET_PARAMETER" if "GET_PARAMETER" in methods else "OPTIONS", chain)

    # --- playing ---

    async def _watch(self, connection: RtspConnection, playing: _Playing) -> None:
        """Keeps the session alive and looks that video comes; ends by SourceEnded only."""
        step_s = max(_SHORTEST_STEP_S, min(self._limits.silence_s / 4, playing.timeout_s / 4))
        alive_ns = self._clock.monotonic_ns()
        answer = None
        chain = playing.chain
        packets, silent_s = -1, 0.0  # the first step is a short one: it does not count
        keys, keyless_s = -1, 0.0
        while True:
            await connection.unless_ended(self._clock.sleep(until_step(self._clock.monotonic_ns() / 1e9, step_s)))
            silent_s = silent_s + step_s if chain.video.packets == packets else 0.0
            keyless_s = keyless_s + step_s if chain.delivery.key_frames == keys else 0.0
            packets, keys = chain.video.packets, chain.delivery.key_frames
            if silent_s >= self._limits.silence_s:
                raise SourceEnded(Cause.MEDIA_STOPPED, f"the camera is connected, but sent no video for {self._limits.silence_s:g} s")
            if keyless_s >= self._limits.key_frame_s:
                raise SourceEnded(Cause.NO_KEY_FRAME, f"the camera sent no key frame for {self._limits.key_frame_s:g} s")
            refused = answer is not None and answer.done() and _still_in(connection, answer.result())
            if refused or self._clock.monotonic_ns() - alive_ns >= playing.timeout_s / 2 * 1e9:
                alive_ns = self._clock.monotonic_ns()
                answer = connection.post(playing.keep_alive, playing.url)


def until_step(now_s: float, step_s: float) -> float:
    """Seconds to the next multiple of a step, one just ahead being taken as reached.

    All cameras look at the same moment: waking the process up for each costs as much as the looking.
    """
    return step_s - (now_s + _EARLY_S) % step_s + _EARLY_S


async def _set_up(connection: RtspConnection, chain: MediaChain, index: int, control: str) -> float:
    """Sets one track up; returns the session's timeout in seconds."""
    channels = (2 * index, 2 * index + 1)
    answer = _accepted(
        await connection.exchange("SETUP", control, {"Transport": f"RTP/AVP/TCP;unicast;interleaved={channels[0]}-{channels[1]}"})
    )
    transport = answer.header("transport").lower()
    if "udp" in transport or "client_port" in transport:
        raise SourceEnded(Cause.UNSUPPORTED, "the camera does not offer RTP over TCP")
    channels = interleaved_channels(transport) or channels
    connection.add_channels(channels, *chain.handlers(index, channels[0]))
    session, timeout_s = session_of(answer.header("session"))
    connection.session = connection.session or session
    return timeout_s


def base_url(described: Message, url: str) -> str:
    """What control attributes are relative to: Content-Base, else Content-Location, else the URL asked for (RFC 2326 part C.1.1)."""
    for name in ("content-base", "content-location"):
        try:
            base = control_url("", described.header(name))
        except DataDamaged:
            continue
        if "://" in base:
            return base
    return url


def _accepted(answer: Message) -> Message:
    """The answer if it is a good one; else raises SourceEnded, in our words, for the camera's could hold a secret."""
    status = answer.status
    if 200 <= status < 300:
        return answer
    if 300 <= status < 400:
        raise SourceEnded(
            Cause.CAMERA_AWAY, f"the camera redirects ({status}); this is not followed: set the address that it should be reached at"
        )
    if status == 403:
        raise SourceEnded(Cause.LOGIN_REFUSED, "the camera forbids this user to see the stream (403)")
    if status == 404:
        raise SourceEnded(Cause.CAMERA_AWAY, "the camera knows no such stream (404): check the path in its URL")
    if status == 461:
        raise SourceEnded(Cause.UNSUPPORTED, "the camera does not offer RTP over TCP (461)")
    raise SourceEnded(Cause.CAMERA_AWAY, f"the camera answered with an error ({status})")


def _still_in(connection: RtspConnection, answer: Message) -> bool:
    """Looks at the answer of a keep-alive: True if it must be sent again with a new login; raises SourceEnded if the session is gone."""
    if answer.status == 454:
        raise SourceEnded(Cause.CAMERA_AWAY, "the camera has ended the session (454)")
    if answer.status == 401:
        connection.log_in(answer)
        return True
    return False


def _rtp_info(played: Message, controls: Sequence[str]) -> list[int | None]:
    """The rtptime of each track, by its URL, or by its place where the camera writes URLs in another way."""
    pairs = rtp_times(",".join(played.headers.get("rtp-info", ())))
    by_url = {url.rstrip("/"): time for url, time in pairs}
    found = [by_url.get(control.rstrip("/")) for control in controls]
    if None in found and len(pairs) == len(controls):
        return [time for _, time in pairs]
    return found
