"""Every source but RTSP over TCP, by libav in a thread of its own.

HTTP(S) with MPEG-TS, FLV or HLS, and MPEG-TS over TCP and UDP go through our own connections (pipes.py), RTSP (over UDP, or of odd cameras)
through a guard that lets no redirect pass (rtsp_guard.py). RTMP libav connects to the pinned address itself. PyAV 18 carries no SRT.
Never `av.open(timeout=)`: it asks Python at every read. Never `fflags=nobuffer`: it loses frames.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import InputContainer
from av.stream import Stream

from recorder.address import CAMERA_SCHEMES, RTSP_SCHEMES, PinnedAddress, parse_url
from recorder.source import Sink, SourceEnded
from recorder.sources.handover import Handover
from recorder.sources.libav_sockets import LibavSocket
from recorder.sources.libav_tracks import LibavTracks, PacketFacts, StreamFacts
from recorder.sources.limits import DEFAULT_LIMITS, Limits
from recorder.sources.pipes import PIPE_SCHEMES, Pipes, Readable
from recorder.sources.rtsp_guard import RtspGuard
from segments.clock import Clock
from segments.errors import BadInput, DataDamaged, KeepsightError, Refused, TryAgain
from segments.media import TIMESCALE
from segments.model import Cause, Credential, Sound

AddressCheck = Callable[[str], Awaitable[PinnedAddress]]
"""Resolves, checks and pins the host of a URL (address.resolve_and_pin with the settings' networks)."""

_DECODERS = "h264,hevc,aac,pcm_alaw,pcm_mulaw,g726,g726le,mp2,mp2float,mp3,mp3float,opus,libopus"
_FORMATS = {"http": "mpegts,flv,hls,mov", "https": "mpegts,flv,hls,mov", "tcp": "mpegts", "udp": "mpegts", "rtmp": "flv"}
_PROTOCOLS = {"rtmp": "rtmp,tcp", "rtsp": "rtsp,rtp,udp,tcp"}
_HLS = {"http_persistent": "0", "http_multiple": "0", "max_reload": "10"}  # our pipes carry one answer each
_RTSP = {"probesize": "32", "allowed_media_types": "video+audio", "rtsp_transport": "udp+tcp"}  # reports by multicast could go anywhere
_PROBING_S = 3
_NEW_DESCRIPTION: Final = "new_extradata"
_GRACE_S = 2.0
_SHORTEST_STEP_S = 0.25


@dataclass(frozen=True, slots=True)
class LibavSettings:
    """What of a source by libav does not differ between cameras."""

    clock: Clock
    address_check: AddressCheck
    tls: ssl.SSLContext
    limits: Limits = DEFAULT_LIMITS


class LibavSource:
    """One camera by libav. `url` holds no credential; `sound` says what becomes of sound MP4 cannot hold."""

    def __init__(self, url: str, credential: Credential | None, settings: LibavSettings, *, sound: Sound = Sound.AAC) -> None:
        self._url = url
        self._credential = credential
        self._settings = settings
        self._sound = sound

    async def run(self, sink: Sink) -> None:
        """See `Source`. A thread that libav does not give back within 2 s of the end is left to end by its own time limit."""
        try:
            scheme = parse_url(self._url, CAMERA_SCHEMES).scheme
            place = await self._settings.address_check(self._url)
        except (BadInput, Refused, TryAgain) as error:
            raise SourceEnded(Cause.CAMERA_AWAY, str(error)) from None
        if scheme in PIPE_SCHEMES:
            pipes = Pipes(place, self._credential, self._settings.tls, self._settings.limits)
            await self._run(sink, _PipedInput(self._url, scheme, pipes))
        elif scheme in RTSP_SCHEMES:
            async with RtspGuard(place, self._settings.tls if scheme == "rtsps" else None, self._settings.limits) as guard:
                await self._run(sink, _GuardedInput(self._url, self._credential, guard, self._settings.limits))
        elif scheme in _PROTOCOLS:
            await self._run(sink, _LibavInput(self._url, self._credential, place, self._settings.limits))
        else:
            raise SourceEnded(Cause.UNSUPPORTED, f"{scheme}:// is not carried by this build of libav; use MPEG-TS over TCP, UDP or HTTP")

    async def _run(self, sink: Sink, source: _Input) -> None:
        handover = Handover(sink)
        reader = _Reader(source, LibavTracks(handover, self._sound, self._settings.limits), handover, self._settings.clock)
        thread = threading.Thread(target=reader.run, name="libav source", daemon=True)
        thread.start()
        watch = asyncio.ensure_future(self._watch(reader))
        try:
            await asyncio.wait((handover.ended, watch), return_when=asyncio.FIRST_COMPLETED)
            raise handover.ended.result() if handover.ended.done() else watch.result()
        finally:
            watch.cancel()
            handover.close()
            source.stop()
            await asyncio.wait((handover.ended,), timeout=_GRACE_S)

    async def _watch(self, reader: _Reader) -> SourceEnded:
        """Looks that video and key frames come, by the limits of our own client; returns how it ended."""
        limits, tracks = self._settings.limits, reader.tracks
        opening_s = limits.connect_s + limits.answer_s
        step_s = max(_SHORTEST_STEP_S, min(limits.silence_s, opening_s) / 4)
        packets, silent_s = 0, 0.0
        keys, keyless_s = 0, 0.0
        while True:
            await self._settings.clock.sleep(step_s)
            silent_s = silent_s + step_s if tracks.packets == packets else 0.0
            keyless_s = keyless_s + step_s if tracks.key_frames == keys else 0.0
            packets, keys = tracks.packets, tracks.key_frames
            if not packets and silent_s >= opening_s:
                return SourceEnded(Cause.CAMERA_AWAY, f"the camera sent nothing that can be read within {opening_s:g} s")
            if packets and silent_s >= limits.silence_s:
                return SourceEnded(Cause.MEDIA_STOPPED, f"the camera is connected, but sent no video for {limits.silence_s:g} s")
            if keyless_s >= limits.key_frame_s:
                return SourceEnded(Cause.NO_KEY_FRAME, f"the camera sent no key frame for {limits.key_frame_s:g} s")


class FileSource(LibavSource):
    """A file of this machine as a source, as fast as it can be read; ends at its end. No camera's URL can name it."""

    def __init__(self, path: Path, settings: LibavSettings, *, sound: Sound = Sound.AAC) -> None:
        super().__init__("", None, settings, sound=sound)
        self._path = path

    async def run(self, sink: Sink) -> None:
        """See `Source`."""
        await self._run(sink, _FileInput(self._path))


class _Input:
    """Something libav can open; `presentation_only` where its decoding times are guesses."""

    presentation_only = False

    def open(self) -> InputContainer:
        raise NotImplementedError

    def stop(self) -> None:
        """Ends a blocked read; called by the loop."""

    def close(self) -> None:
        """Lets go of everything; called by the thread."""

    def failure(self) -> SourceEnded | None:
        """Why it could not be opened, where that is known better than by libav's error."""
        return None


class _PipedInput(_Input):
    def __init__(self, url: str, scheme: str, pipes: Pipes) -> None:
        self._url, self._scheme, self._pipes = url, scheme, pipes

    def open(self) -> InputContainer:
        options = {
            **_common(self._scheme),
            "analyzeduration": str(_PROBING_S * 1_000_000),
            "fpsprobesize": "0",
            "protocol_whitelist": self._scheme,
            **_HLS,
        }

        def open_pipe(url: str, flags: int, options: Mapping[str, str]) -> Readable:  # noqa: ARG001 - libav's callback
            return self._pipes.open(url)

        return av.open(self._url, options=options, io_open=open_pipe)

    def stop(self) -> None:
        self._pipes.close()

    def close(self) -> None:
        self._pipes.release_all()

    def failure(self) -> SourceEnded | None:
        if self._pipes.failure is None and self._pipes.received_bytes:
            return SourceEnded(Cause.UNSUPPORTED, f"what the camera sends is none of {_FORMATS[self._scheme]}")
        return self._pipes.failure


class _LibavInput(_Input):
    def __init__(self, url: str, credential: Credential | None, place: PinnedAddress, limits: Limits) -> None:
        parts = parse_url(url, CAMERA_SCHEMES)
        host = f"[{place.address}]" if place.address.version == 6 else str(place.address)
        login = f"{quote(credential.user, safe='')}:{quote(credential.password, safe='')}@" if credential else ""
        self._url = f"{parts.scheme}://{login}{host}:{place.port}{parts.rest}"
        self._place = place
        self._socket: LibavSocket | None = None
        self.presentation_only = parts.scheme != "rtmp"
        self._options = _common(parts.scheme) | {"protocol_whitelist": _PROTOCOLS[parts.scheme]}
        if self.presentation_only:
            self._options |= {**_RTSP, "timeout": str(int(2 * limits.silence_s * 1_000_000))}  # a second line: the source is earlier
        else:  # no timeout: libav would take it as a wish to listen
            self._options |= {"analyzeduration": str(_PROBING_S * 1_000_000), "fpsprobesize": "0"}

    def open(self) -> InputContainer:
        self._socket = LibavSocket(self._place)
        container = av.open(self._url, options=self._options)
        self._socket.opened()
        return container

    def stop(self) -> None:
        if self._socket:
            self._socket.shut()

    def close(self) -> None:
        if self._socket:
            self._socket.release()


class _GuardedInput(_LibavInput):
    def __init__(self, url: str, credential: Credential | None, guard: RtspGuard, limits: Limits) -> None:
        super().__init__(f"rtsp://{url.partition('://')[2]}", credential, guard.place, limits)
        self._guard = guard

    def failure(self) -> SourceEnded | None:
        return self._guard.failure


class _FileInput(_Input):
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> InputContainer:
        options = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,mpegts", "codec_whitelist": _DECODERS}
        return av.open(str(self._path), options=options)


def _common(scheme: str) -> dict[str, str]:
    return {"codec_whitelist": _DECODERS, "format_whitelist": _FORMATS.get(scheme, "rtsp")}


class _Reader:
    """The thread: opens, reads and converts until the end."""

    def __init__(self, source: _Input, tracks: LibavTracks, handover: Handover, clock: Clock) -> None:
        self.tracks = tracks
        self._source = source
        self._handover = handover
        self._clock = clock

    def run(self) -> None:
        """Always ends by one `handover.end`, with everything closed."""
        self._handover.end(self._read())

    def _read(self) -> SourceEnded:
        container: InputContainer | None = None
        try:
            container = self._source.open()
            self.tracks.choose([_stream_facts(stream) for stream in container.streams], presentation_only=self._source.presentation_only)
            for packet in container.demux([container.streams[index] for index in self.tracks.wanted]):
                if packet.size:
                    self.tracks.take(_packet_facts(packet), self._clock.now_us())
            return SourceEnded(Cause.CAMERA_AWAY, "the camera ended the connection")
        except SourceEnded as error:
            return error
        except DataDamaged as error:
            return SourceEnded(Cause.UNSUPPORTED, str(error))
        except (av.error.FFmpegError, OSError, KeepsightError, ValueError) as error:
            return (self._source.failure() if container is None else None) or _ended(error)
        except Exception as error:  # noqa: BLE001 - whatever a stream makes us do wrong ends this camera with a reason
            return SourceEnded(Cause.UNKNOWN, f"reading the camera's stream failed inside: {type(error).__name__}")
        finally:
            if container is not None:
                container.close()
            self._source.close()


def _stream_facts(stream: Stream) -> StreamFacts:
    context = stream.codec_context
    description = bytes(context.extradata or b"") if context else b""
    facts = StreamFacts(stream.index, stream.type, context.name if context else "", description, stream.time_base or Fraction(1, TIMESCALE))
    if isinstance(context, AudioCodecContext):
        return facts._replace(rate_hz=context.sample_rate, channels=context.channels, decoder=context)
    return facts


def _packet_facts(packet: av.Packet[Any]) -> PacketFacts:
    described = bytes(packet.get_sidedata(_NEW_DESCRIPTION)) if packet.has_sidedata(_NEW_DESCRIPTION) else b""
    times = packet.pts, packet.dts, packet.duration or 0
    return PacketFacts(packet.stream_index, *times, packet.is_keyframe, packet.is_corrupt, bytes(packet), described)


def _ended(error: Exception) -> SourceEnded:
    """Our words for an error of libav, whose own text holds the URL with its password."""
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return SourceEnded(Cause.LOGIN_REFUSED, "the camera refuses the login: check its user and password")
    if isinstance(error, av.error.HTTPNotFoundError):
        return SourceEnded(Cause.CAMERA_AWAY, "the camera knows no such stream (404): check the path in its URL")
    if isinstance(error, TimeoutError):
        return SourceEnded(Cause.CAMERA_AWAY, "the camera did not answer in time")
    if isinstance(error, ConnectionRefusedError):
        return SourceEnded(Cause.CAMERA_AWAY, "the camera refused the connection")
    if isinstance(error, KeepsightError):
        return SourceEnded(Cause.CAMERA_AWAY, str(error))
    return SourceEnded(Cause.CAMERA_AWAY, f"the connection to the camera was lost ({type(error).__name__})")
