"""Cameras played by GStreamer's RTSP server, a third party's RTSP, RTP and RTCP; run by the system's Python, which has `gi`.

    /usr/bin/python3 rtsp_cameras.py --auth ops:secret cam=clip.mp4 load+=clip.mp4

Prints `ready <RTSP port> <control port>`. A camera `cam` answers at /cam/<anything>: each reader gets a pipeline of its own, from the
clip's first key frame, looped for ever. With `+` all readers share one running pipeline and join in the middle of a GOP, which
costs the server least. The control port takes one line a connection (`drop PATH`, `restore PATH`, `freeze PATH`, `thaw PATH`) and
answers `ok`.
"""

import argparse
import socketserver
import threading
from collections import defaultdict
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ROLE = "reader"
COPY = Gst.BufferCopyFlags.FLAGS | Gst.BufferCopyFlags.META | Gst.BufferCopyFlags.MEMORY
PARSERS = {
    "video/x-h264": "h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
    "video/x-h265": "h265parse ! video/x-h265,stream-format=byte-stream,alignment=au",
    "audio/mpeg": "aacparse ! audio/mpeg,stream-format=raw",
    "audio/x-alaw": "identity",
    "audio/x-mulaw": "identity",
}
PAYLOADERS = {
    "video/x-h264": "rtph264pay config-interval=-1 mtu=1400 pt=96",
    "video/x-h265": "rtph265pay config-interval=-1 mtu=1400 pt=96",
    "audio/mpeg": "rtpmp4gpay mtu=1400 pt=97",
    "audio/x-alaw": "rtppcmapay pt=8 min-ptime=20000000 max-ptime=20000000",
    "audio/x-mulaw": "rtppcmupay pt=0 min-ptime=20000000 max-ptime=20000000",
}


class Stream:
    """One elementary stream of a clip, its access units in memory."""

    def __init__(self, samples):
        self.caps = samples[0].get_caps()
        self.kind = self.caps.get_structure(0).get_name()
        self.units = [sample.get_buffer() for sample in samples]
        self.start = min(unit.pts for unit in self.units)
        self.end = max(unit.pts + unit.duration for unit in self.units)


def read_clip(path):
    """All streams of a file, video first."""
    pipeline = Gst.parse_launch(f'filesrc location="{path}" ! parsebin name=parse')
    sinks = []

    def on_pad(_, pad):
        kind = pad.query_caps(None).get_structure(0).get_name()
        unlimited = "max-size-buffers=0 max-size-bytes=0 max-size-time=0"
        line = f"queue {unlimited} ! {PARSERS[kind]} ! appsink name=sink sync=false async=false wait-on-eos=false"
        branch = Gst.parse_bin_from_description(line, ghost_unlinked_pads=True)
        pipeline.add(branch)
        branch.set_state(Gst.State.PLAYING)
        pad.link(branch.get_static_pad("sink"))
        sinks.append(branch.get_by_name("sink"))

    pipeline.get_by_name("parse").connect("pad-added", on_pad)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    if message is None or message.type == Gst.MessageType.ERROR:
        raise SystemExit(f"cannot read {path}: {message.parse_error() if message else 'no end within 60 s'}")
    streams = []
    for sink in sinks:
        samples = []
        while sample := sink.emit("try-pull-sample", 0):
            samples.append(sample)
        streams.append(Stream(samples))
    pipeline.set_state(Gst.State.NULL)
    return sorted(streams, key=lambda stream: not stream.kind.startswith("video"))


class Media:
    """The feeding of one pipeline: its clip over and over, held while frozen."""

    def __init__(self, element, streams):
        self.length = max(stream.end for stream in streams) - min(stream.start for stream in streams)
        self.frozen_ns = None
        self.late_ns = 0
        self.lock = threading.Lock()
        self.waiting = []
        for n, stream in enumerate(streams):
            source = element.get_by_name(f"s{n}")
            source.set_property("caps", stream.caps)
            source.connect("need-data", self.feed, stream, iter(range(1 << 62)))

    def feed(self, source, _size, stream, counter):
        """Pushes one unit with its time on the media's own line; the sinks' clock does the pacing."""
        with self.lock:
            if self.frozen_ns is not None:
                self.waiting.append((source, stream, counter))
                return
            loop, place = divmod(next(counter), len(stream.units))
            shift = loop * self.length + self.late_ns
        unit = stream.units[place]
        copy = unit.copy_region(COPY, 0, unit.get_size())  # copy() would be the same buffer, times and all
        copy.pts = unit.pts + shift
        copy.dts = unit.dts + shift if unit.dts != Gst.CLOCK_TIME_NONE else Gst.CLOCK_TIME_NONE
        source.emit("push-buffer", copy)

    def freeze(self):
        """No media from now on; connection and RTCP live."""
        with self.lock:
            self.frozen_ns = GLib.get_monotonic_time() * 1000

    def thaw(self):
        """Goes on with the next picture, at the present time; nothing to do for a reader that came after the freeze."""
        with self.lock:
            if self.frozen_ns is None:
                return
            self.late_ns += GLib.get_monotonic_time() * 1000 - self.frozen_ns
            self.frozen_ns, waiting, self.waiting = None, self.waiting, []
        for arguments in waiting:
            self.feed(arguments[0], 0, *arguments[1:])


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes the pipelines of one path."""

    __gtype_name__ = "CameraFactory"

    def __init__(self, name, streams, shared, cameras):
        super().__init__()
        self.name, self.streams, self.cameras = name, streams, cameras
        self.set_shared(shared)

    def do_gen_key(self, url):
        """One key for all paths of a shared camera."""
        return self.name if self.is_shared() else url.abspath

    def do_create_element(self, url):
        """The pipeline of one reader, or of all."""
        parts = [
            f"appsrc name=s{n} is-live=false format=time max-bytes=1 ! {PAYLOADERS[stream.kind]} name=pay{n}"
            for n, stream in enumerate(self.streams)
        ]
        element = Gst.parse_launch("( " + " ".join(parts) + " )")
        self.cameras.media[url.abspath].append(Media(element, self.streams))
        return element


class Cameras:
    """The server and what the control port may do to it."""

    def __init__(self, cameras, auth):
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address("127.0.0.1")
        self.server.set_service("0")
        self.server.connect("client-connected", self.on_client)
        self.cameras = cameras
        self.auth = auth
        self.media = defaultdict(list)
        self.readers = defaultdict(list)
        self.dropped = set()
        if auth:
            self.server.set_auth(digest(*auth.split(":", 1)))
        self.factories = {}

    def on_client(self, _, client):
        """Paths are mounted when they are first asked for."""
        client.connect("pre-describe-request", self.on_describe)
        client.connect("closed", self.on_closed)

    def on_describe(self, client, context):
        """Mounts the path unless it is dropped; 404 follows by itself otherwise."""
        path = context.uri.abspath
        name = path.split("/")[1]
        if path not in self.dropped and name in self.cameras:
            self.readers[path].append(client)
            if path not in self.factories:
                self.factories[path] = self.make_factory(name)
                self.server.get_mount_points().add_factory(path, self.factories[path])
        return GstRtsp.RTSPStatusCode.OK

    def on_closed(self, client):
        """Forgets the reader."""
        for readers in self.readers.values():
            if client in readers:
                readers.remove(client)

    def make_factory(self, name):
        """The factory of a new path; a shared camera has one for all its paths."""
        streams, shared = self.cameras[name]
        if shared and (known := next((f for f in self.factories.values() if f.name == name), None)):
            return known
        factory = Factory(name, streams, shared, self)
        if self.auth:
            permissions = GstRtspServer.RTSPPermissions.new()
            permissions.add_role(ROLE)
            for right in ("media.factory.access", "media.factory.construct"):
                permissions.add_permission_for_role(ROLE, right, True)  # noqa: FBT003 - not ours
            factory.set_permissions(permissions)
        return factory

    def drop(self, path):
        """The camera at this path is gone: its readers are closed, DESCRIBE gets 404."""
        self.dropped.add(path)
        if self.factories.pop(path, None):
            self.server.get_mount_points().remove_factory(path)
        for client in list(self.readers[path]):
            client.close()

    def restore(self, path):
        """The camera is back."""
        self.dropped.discard(path)

    def freeze(self, path):
        """Media stops at this path while its connections live."""
        for media in self.media[path]:
            media.freeze()

    def thaw(self, path):
        """Media goes on."""
        for media in self.media[path]:
            media.thaw()

    def command(self, line):
        """Carries one line of the control port out, in the main loop."""
        word, _, path = line.partition(" ")
        if word not in ("drop", "restore", "freeze", "thaw"):
            return f"unknown command {word}"
        getattr(self, word)(path)
        return "ok"


def digest(user, password):
    """Digest access for one user."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    auth.add_digest(user, password, token)
    return auth


def serve_control(cameras):
    """Starts the control port and gives its number back."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            line, done, answer = self.rfile.readline().decode().strip(), threading.Event(), []

            def run():
                try:
                    answer.append(cameras.command(line))
                except Exception as error:  # noqa: BLE001 - whatever it was, the test must hear of it
                    answer.append(repr(error))
                done.set()

            GLib.idle_add(run)
            done.wait(10)
            self.wfile.write(((answer or ["no answer from the main loop in 10 s"])[0] + "\n").encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    """Reads the clips, serves them, prints `ready`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--auth")
    parser.add_argument("camera", nargs="+")
    arguments = parser.parse_args()
    Gst.init(None)
    clips, wanted = {}, {}
    for text in arguments.camera:
        name, _, path = text.partition("=")
        if path not in clips:
            clips[path] = read_clip(Path(path).resolve())
        wanted[name.rstrip("+")] = (clips[path], name.endswith("+"))
    cameras = Cameras(wanted, arguments.auth)
    if not cameras.server.attach(None):
        raise SystemExit("no RTSP port to be had on 127.0.0.1")
    print("ready", cameras.server.get_bound_port(), serve_control(cameras), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
