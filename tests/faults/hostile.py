"""Hostile camera URLs and streams. Words in braces stand for canaries (see `canaries.py`) and, `{port}`, for the hostile camera itself."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.quirk_camera import VIDEO

NAMES: Mapping[str, Sequence[str]] = {
    "inside.example": ["127.0.0.2"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.2"],
    "compatible.example": ["::127.0.0.2"],
    "any.example": ["0.0.0.0"],
    "any6.example": ["::"],
    "metadata.example": ["169.254.169.254"],
    "zone.example": ["fe80::1%lo"],
    "many.example": ["169.254.169.254", "0.0.0.0", "::1", "127.0.0.2"],
    "odd.example": ["not an address", "127.0.0.2/8", "127.2"],
    "empty.example": [],
}
"""What the tests' resolver answers; numbers it reads as the system does, everything else is unknown."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """One input: a URL, and what stands at its end: an RTSP camera with these habits, or a peer that speaks."""

    url: str
    transport: str = "auto"
    habits: Mapping[str, Any] | None = None
    says: bytes = b""
    pages: Mapping[str, bytes] = field(default_factory=dict)


# --- URLs --------------------------------------------------------------------------------------------------------------

_HOSTS = (
    "{two}", "{three}", "{six}", "127.2:{twoport}", "127.0.2:{twoport}", "2130706434:{twoport}", "0x7f000002:{twoport}",
    "0x7f.0.0.2:{twoport}", "017700000002:{twoport}", "0177.0.0.02:{twoport}", "127.000.000.002:{twoport}", "0.0.0.0:{otherport}",
    "0:{otherport}", "[::]:{sixport}", "[::ffff:127.0.0.2]:{twoport}", "[::ffff:7f00:2]:{twoport}", "[0:0:0:0:0:ffff:7f00:2]:{twoport}",
    "[::127.0.0.2]:{twoport}", "[64:ff9b::7f00:2]:{twoport}", "[2002:7f00:2::]:{twoport}", "[0:0:0:0:0:0:0:1]:{sixport}",
    "[::1%25lo]:{sixport}", "127.255.255.254:{twoport}", "169.254.169.254:80", "2852039166:80", "100.100.100.200:80", "[fe80::1]:80",
    "[fd00:ec2::254]:80", "224.0.0.1:5004", "255.255.255.255:80", "a@b@{two}", "127.0.0.1:554@{two}", "127.0.0.1@{six}",
    *(f"{name}:{{twoport}}" for name in NAMES), "unknown.example:{twoport}", "inside.example.:{twoport}",
)  # fmt: skip
_PLACES = [f"{scheme}://{host}/latest/" for host in _HOSTS for scheme in ("rtsp", "http", "tcp")] + [
    f"{scheme}://{host}/x" for host in _HOSTS[:5] for scheme in ("rtsps", "https", "udp", "rtmp", "srt", "RTSP", "hTTp")
]

_FORMS = (
    "{file}", "file:{file}", "file://{file}", "FILE://localhost{file}", "fIle:///{file}", "file://127.0.0.1{file}", "concat:{file}|{file}",
    "concat://{file}", "subfile,,start,0,end,0,,:{file}", "subfile://{file}", "crypto:{file}", "crypto://{file}", "crypto+file:{file}",
    "cache:{file}", "cache:///{file}", "async:{file}", "async:file:{file}", "concatf:{file}", "data:text/plain,{file}",
    "data:application/x-mpegurl,%23EXTM3U%0A{file}", "data://text/plain,x", "pipe:0", "pipe://0", "fd:0", "fd://0", "unix:{sock}",
    "unix://{sock}", "http+unix://{sock}", "exec:cat {file}", "exec://cat%20{file}", "ffmpeg:{file}", "lavfi://movie={file}",
    "lavfi:movie={file}", "hls+file://{file}", "hls+http://{two}/x", "mmsh://{two}/x", "mmst://{two}/x", "icecast://{two}/x",
    "httpproxy://{two}/x", "gopher://{two}/_x", "gophers://{two}/_x", "ftp://{two}/x", "sftp://{two}/x", "ftps://{two}/x", "smb://{two}/x",
    "dict://{two}/", "ldap://{two}/", "tls://{two}", "rtp://{two}", "srtp://{two}", "udplite://{two}", "sctp://{two}", "rtmpt://{two}/x",
    "rtmps://{two}/x", "rtmpe://{two}/x", "amqp://{two}/x", "zmq:tcp://{two}", "ipfs://{two}/x", "tee:{file}", "md5:{file}", "sdp://{file}",
    "rtsp+file://{file}", "rtsp:{file}", "rtsp://{file}", "rtsp:///{file}", "rtsp:\\\\{two}\\x", "rtsp:/{two}/x", "//{two}/x", "{two}/x",
    "rtsp://127.0.0.1:1\\@{two}/", "rtsp://127.0.0.1:1/\\..\\{file}", "rtsp://{two}#@127.0.0.1:1/", "http://127.0.0.1:1#@{two}/",
    "http://127.0.0.1:1?@{two}/", "tcp://127.0.0.1:1?@{two}/", "rtsp://127.0.0.1:1?@{two}/", "rtmp://127.0.0.1:1?@{two}/x",
    "rtsp://127.0.0.1:1/@{two}/", "rtmp://127.0.0.1:1//{two}/x", "rtsp://a%40{two}%2F:b@127.0.0.1:1/", "rtmp://a%40{two}%2F:b@127.0.0.1:1/",
    "http://127.0.0.1:1%2f@{two}/", "rtsp://127.0.0.1:1%00.{two}/", "rtsp://127.0.0.1:1\0@{two}/", "rtsp://127.0.0.1:1\r\nHost: {two}/",
    "rtsp://127.0.0.1:1/\r\n\r\nGET http://{two}/", "http://127.0.0.1:1/ HTTP/1.1\r\nX: {two}", "rtsp://127.0.0.1:1/\t{two}",
    "rtsp://127。0。0。2:{twoport}/", "rtsp://127．0．0．2:{twoport}/", "rtsp://①②⑦.0.0.2:{twoport}/", "rtsp://ｉnside.example:{twoport}/",
    "rtsp://127.0.0.1:1/\u202e{two}", "rtsp://127.0.0.1:1/\u2028{two}", "rtsp://[{two}]/", "rtsp://[::ffff:127.0.0.2%lo]:{twoport}/",
    "rtsp://127.0.0.1,{two}/", "rtsp://127.0.0.1;{two}/", "rtsp://127.0.0.1 {two}/", "rtsp://$(cat {file})/", "rtsp://`cat {file}`/",
    "rtsp://{two}/" + "a" * 3000, "rtsp://" + "a" * 250 + ".inside.example/", "rtsp://" + "a." * 900 + "/",
    "rtsp://" + "a@" * 900 + "{two}/",
    "rtsp://127.0.0.1:0/", "rtsp://127.0.0.1:65536/", "rtsp://127.0.0.1:-1/", "rtsp://127.0.0.1:00000{twoport}/", "tcp://127.0.0.1/", "srt://{two}",
    "udp://@{two}", "udp://:{udp}", "udp://127.0.0.2:{udp}?localaddr=127.0.0.2", "tcp://{two}?listen=1", "rtsp://", "://", "", "?", "rtsp",
)  # fmt: skip

# --- RTSP --------------------------------------------------------------------------------------------------------------

_INNER = ("rtsp://{two}/x", "rtsp://{six}/x", "rtsp://{other}/x", "rtsps://{two}/x", "http://{two}/x", "file://{file}", "tcp://{two}")
_CODECS = (
    "AV1",
    "VP8",
    "VP9",
    "JPEG",
    "THEORA",
    "H261",
    "H263-1998",
    "H263-2000",
    "MP4V-ES",
    "MPV",
    "X-QT",
    "X-SV3V-ES",
    "VC2",
    "RAW",
    "MP2T",
)


def _response(status: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"RTSP/1.0 {status}", "CSeq: {cseq}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


def _described(sdp: str) -> dict[str, bytes]:
    return {"DESCRIBE": _response("200 OK", "Content-Type: application/sdp", body=sdp.encode())}


def _habits() -> Iterator[dict[str, Any]]:
    """Cameras that send their client elsewhere, each in one way."""
    for status in ("300 x", "301 x", "303 x", "305 x", "307 x", "399 x"):
        yield {"answers": {"DESCRIBE": _response(status, "Location: rtsp://{two}/x")}}
    for method in ("OPTIONS", "SETUP", "PLAY"):
        yield {"answers": {method: _response("302 x", "Location: rtsp://{two}/x")}}
    yield {"answers": {"DESCRIBE": b"RTSP/1.0\t302 x\nLocation:rtsp://{two}/x\nCSeq:{cseq}\n\n"}}
    yield {"answers": {"DESCRIBE": _response("401 x", 'WWW-Authenticate: Digest realm="rtsp://{two}/", nonce="x", domain="rtsp://{two}/"')}}
    for inner in _INNER:
        yield {"answers": {"DESCRIBE": _response("302 x", f"Location: {inner}")}}
        yield {"base": ("Content-Base", inner)}
        yield {"controls": (inner, "trackID=1", "trackID=2")}
        yield {"controls": ("*", inner, inner)}
        yield {"rtp_info": f"url={inner};seq=1;rtptime=1"}
        yield {"media": (f"REDIRECT {inner} RTSP/1.0\r\nCSeq: 1\r\nLocation: {inner}\r\n\r\n".encode(),)}
    yield {"base": ("Content-Location", "rtsp://{two}/x")}
    yield {"controls": ("*", "//{two}/x", "//{two}/x")}
    yield {"controls": ("*", "../../../../{file}", "x")}
    yield {"controls": ("*", "x RTSP/1.0\r\nHost: {two}", "x")}
    for where in ("destination=127.0.0.2", "source=127.0.0.2", "destination=127.0.0.2;source=127.0.0.2"):
        yield {"transports": (f"RTP/AVP/UDP;unicast;client_port=40000-40001;server_port={{udp}}-{{udp}};{where}",) * 2}
        yield {"transports": (f"RTP/AVP;multicast;port={{udp}}-{{udp}};ttl=1;{where}",) * 2}
        yield {"transports": (f"RTP/AVP/TCP;unicast;interleaved=0-1;server_port={{udp}}-{{udp}};{where}",) * 2}
    for line in ("c=IN IP4 127.0.0.2", "a=rtcp:{udp} IN IP4 127.0.0.2", "a=source-filter: incl IN IP4 * 127.0.0.2", "u=http://{two}/x"):
        yield {"answers": _described(VIDEO.replace("m=video 0", f"{line}\r\nm=video {{udp}}") + f"{line}\r\n")}


_MOVED = b"CSeq: {cseq}\r\nLocation: rtsp://{two}/x\r\n\r\n"
_SMUGGLED = b"RTSP/1.0 302 x\r\nCSeq: 2\r\nLocation: rtsp://127.0.0.2:{twoport}/x\r\n\r\n"
_SMUGGLED_BYTES = len(_SMUGGLED) - len("{twoport}") + 5
"""With a port of five digits in it."""
_SENDER = "RTP/AVP/UDP;unicast;client_port=40000-40001;server_port={udp}-{udp}"


def _misread() -> Iterator[dict[str, Any]]:
    """Answers that a careless reader, such as libav, takes for something else than a careful one does."""
    starts = (
        b"RTSP/2 302",
        b"RTSP/ 302",
        b"RTSP/1.0x 302",
        b"RTSP/10.0 302",
        b"RTSP/1.0 +302",
        b"RTSP/1.0 0302",
        b"RTSP/1.0 302x",
        b"rtsp/1.0 302",
    )
    for start in (*starts, b" \tRTSP/1.0 302", b"R\rTSP/1.0 302", b"\r\r\nRTSP/1.0 302", b"RTSP/1.0 4294967598", b"RTSP/1.0 \xa0302"):
        yield {"answers": {"DESCRIBE": start + b" x\r\n" + _MOVED}}
    length = str(_SMUGGLED_BYTES).encode()
    for end in (
        b"\n\r\r\n", b"\r\r\n\r\n", b"\r\nContent-Length: " + length + b"\r\nContent-Length: 0\r\n\r\n",
        b"\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\nx", b"\r\nContent-Length : " + length + b"\r\n\r\n",
        b"\r\nContent-Length: -1\r\n\r\n",
        b"\r\nX: y\rContent-Length: " + length + b"\r\n\r\n", b"\r\n Content-Length: " + length + b"\r\n\r\n", b"\r\n\0\r\n\r\n",
        b"\r\nContent-Length: 4294967296\r\n\r\n", b"\r\nContent-Length: 0x1\r\n\r\n", b"\r\nX: " + b"y" * 5000 + b"\r\n\r\n",
        b"\r\nContent-Length: " + length + b"\r\nCont\rent-Length: 0\r\n\r\n",
    ):  # fmt: skip
        yield {"answers": {"OPTIONS": b"RTSP/1.0 200 OK\r\nCSeq: {cseq}" + end + _SMUGGLED}}
    frame = b"\nX: y\r\n\r\n" + _SMUGGLED
    framed = b"$\0" + (len(frame) - len(_SMUGGLED) + _SMUGGLED_BYTES).to_bytes(2, "big") + frame
    for request in (b"OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n", b"GET_PARAMETER x RTSP/1.0\r\nCSeq: 9\r\n\r\n", b"\r\n", b"x\r\n\r\n"):
        yield {"answers": {"OPTIONS": request + framed + b"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n\r\n"}}
    for where in ("", ";sou\rrce=127.0.0.2", ";\tsource=127.0.0.2", ";/source=127.0.0.2", ";SOURCE=127.0.0.2", ";source=inside.example"):
        for end in ("", ";x=\0", ";x=" + "y" * 5000, ",RTP/AVP/TCP"):
            yield {"transports": (f"{_SENDER}{where}{end}",) * 2}
    yield {"transports": (f"RTP/AVP/TCP\r\nTrans\rport: {_SENDER};sou\rrce=127.0.0.2",) * 2}
    for inner in ("c=IN IP4 127.0.0.2\r\n", "c=IN IP6 ::1\r\n", "c=IN IP4 inside.example/9\r\n", ""):
        for where in ("", ";destination=127.0.0.2", ";/destination=127.0.0.2"):
            sdp = VIDEO.replace("m=video 0 RTP/AVP 96\r\n", f"m=video {{udp}} RTP/AVP 96\r\n{inner}")
            yield {"sdp": sdp, "transports": (f"RTP/AVP;multicast;port={{udp}}-{{udp}};ttl=1{where}",) * 2}


def _descriptions() -> Iterator[str]:
    """Session descriptions that name code nobody asked for, or too much of everything."""
    for codec in _CODECS:
        yield f"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {codec}/90000\r\na=fmtp:96 config=000001b0\r\na=control:x\r\n"
    yield "m=video 0 RTP/AVP 26\r\na=control:x\r\n"
    yield "m=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{file}\r\n"
    yield VIDEO.replace("sprop-parameter-sets=", "sprop-parameter-sets=" + "Z0" * 30_000)
    yield VIDEO.replace("sprop-parameter-sets=", "sprop-parameter-sets=" + "Z," * 20_000)
    yield VIDEO + "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 X-{file}/8000\r\n" * 1_000
    yield VIDEO + "m=audio 0 RTP/AVP 97\r\n" * 2_500
    yield "a=x\r\n" * 12_000
    yield VIDEO + "a" * 1_000_000
    yield ""


# --- everything else ---------------------------------------------------------------------------------------------------

_TARGETS = (
    *("http://{two}/x.ts", "https://{two}/x.ts", "http://{other}/x.ts", "http://{six}/x.ts", "http://127.2:{twoport}/x.ts", "//{two}/x.ts"),
    *("http://127.0.0.1:{port}@{two}/x.ts", "http://[::ffff:127.0.0.2]:{twoport}/x.ts", "tcp://{two}", "rtsp://{two}/x", "rtmp://{two}/x"),
    *("file://{file}", "{file}", "concat:{file}", "subfile,,start,0,end,0,,:{file}", "crypto+http://{two}/x", "crypto:{file}"),
    *("data:text/plain,x", "hls+http://{two}/x", "async:http://{two}/x", "cache:{file}", "gopher://{two}/_x", "pipe:0", "unix:{sock}"),
)
_PLAYLISTS = (
    "#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
    "#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n",
    '#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:2,\nx.ts\n#EXT-X-ENDLIST\n',
    '#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI="{target}"\n#EXTINF:2,\nx.ts\n#EXT-X-ENDLIST\n',
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="{target}"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n{target}\n',
)
_BODIES = (
    b"v=0\r\nc=IN IP4 127.0.0.2\r\nm=video {udp} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
    b"ffconcat version 1.0\nfile {file}\n",
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file://{file}">]><MPD><Period><BaseURL>http://{two}/</BaseURL>&y;</Period></MPD>',
    b"[Reference]\r\nRef1=http://{two}/x\r\n",
    b"<asx><entry><ref href='http://{two}/x'/></entry></asx>",
    b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://{two}/x.ts\n#EXT-X-ENDLIST\n",
    b"<html><script src='http://{two}/x'></script></html>",
    random.Random(20).randbytes(20_000),
    b"".join(b"\x47" + random.Random(n).randbytes(187) for n in range(500)),
    b"".join(b"\x47\x40\x00\x10" + random.Random(n).randbytes(184) for n in range(500)),
    b"\x47" * 100_000,
    b"\x47\x40",
)


def _page(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""]).encode() + body


def _playlist(text: str) -> bytes:
    return _page(f"#EXTM3U\n#EXT-X-VERSION:7\n{text}".encode(), "200 OK", "Content-Type: application/vnd.apple.mpegurl")


def _pages() -> Iterator[dict[str, bytes]]:
    """Answers to `/x.m3u8` that lead elsewhere."""
    for status in ("300 x", "301 x", "303 x", "307 x", "308 x"):
        yield {"/x.m3u8": _page(b"", status, "Location: http://{two}/x.ts")}
    for target in _TARGETS:
        yield {"/x.m3u8": _page(b"", "302 x", f"Location: {target}")}
        yield {"/x.m3u8": _playlist(_PLAYLISTS[0].replace("{target}", target))}
    for form in _PLAYLISTS[1:]:
        for target in _TARGETS[:4] + _TARGETS[11:14]:
            yield {"/x.m3u8": _playlist(form.replace("{target}", target)), "/x.ts": _page(b"\x47" * 1880)}
    yield {"/x.m3u8": _playlist(_PLAYLISTS[0].replace("{target}", "moved.ts")), "/moved.ts": _page(b"", "302 x", "Location: http://{two}/")}
    yield {"/x.m3u8": _playlist(_PLAYLISTS[1].replace("{target}", "x.m3u8"))}
    yield {"/x.m3u8": _playlist(_PLAYLISTS[1].replace("{target}", "y?x") * 2_000)}
    yield {"/x.m3u8": _page(b"", "200 OK", *["X: http://{two}/"] * 1_000)}
    yield {"/x.m3u8": _page(b"", "200 OK", "Refresh: 0; url=http://{two}/", "Content-Location: http://{two}/", "Link: <http://{two}/>")}
    yield from ({"/x.m3u8": _page(body)} for body in _BODIES)


def hostile_inputs() -> list[Hostile]:
    """All of them, in a fixed order."""
    inputs = [Hostile(url) for url in (*_PLACES, *_FORMS)]
    inputs += [Hostile("rtsp://127.0.0.1:{port}/live", habits=habits) for habits in (*_habits(), *_misread())]
    inputs += [Hostile("rtsp://127.0.0.1:{port}/live", habits={"answers": _described(sdp)}) for sdp in _descriptions()]
    inputs += [Hostile("http://127.0.0.1:{port}/x.m3u8", pages=pages) for pages in _pages()]
    inputs += [Hostile(f"{scheme}://127.0.0.1:{{port}}/x", says=body) for body in _BODIES for scheme in ("tcp", "rtmp", "rtsp")]
    return inputs


def hostile_to_libav() -> list[Hostile]:
    """What RTSP cameras do to libav where a camera is set to `transport=libav`."""
    return [
        Hostile(each.url, "libav", each.habits, each.says)
        for each in hostile_inputs()
        if each.url.startswith("rtsp:") and "{port}" in each.url
    ]
