"""Addresses of cameras: hostile URLs, names, descriptions and redirects reach nothing; honest ones do (promise R20)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from functools import partial
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.address import (
    CAMERA_SCHEMES,
    LOOPBACK_NETWORKS,
    PRIVATE_NETWORKS,
    RTSP_SCHEMES,
    allowed,
    parse_url,
    redact,
    resolve_and_pin,
    split_credentials,
)
from segments.errors import BadInput, TryAgain
from segments.model import Credential
from tests.quirk_camera import VIDEO, QuirkCamera
from tests.rtsp_client import KeepingSink, a_source, ending_of

NAMES = {
    "inside.example": ["127.0.0.1"],
    "mixed.example": ["169.254.169.254", "10.0.0.5", "127.0.0.1"],
    "mapped.example": ["::ffff:10.0.0.5"],
    "metadata.example": ["169.254.169.254"],
    "public.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "zone.example": ["fe80::1%eth0"],
    "odd.example": ["not an address"],
    "empty.example": [],
}

HOSTILE_URLS = [
    # schemes and forms that read files, start programs or speak other protocols
    "/etc/passwd", "etc/passwd", "./camera.sdp", "file:///etc/passwd", "file:/etc/passwd", "FILE://localhost/etc/passwd",
    "//10.0.0.5/live", "rtsp:/etc/passwd",
    "concat:/etc/passwd|/etc/hosts", "concat://x", "subfile,,start,0,end,0,,:/etc/passwd", "subfile://x/etc/passwd",
    "crypto:///etc/passwd", "cache:///etc/passwd",
    "async:file:///etc/passwd", "data:text/plain,x", "data://text/plain,x", "pipe:0", "pipe://0", "fd:0", "fd://0",
    "unix:///run/docker.sock", "exec:id", "exec://id",
    "lavfi://testsrc", "v4l2:///dev/video0", "alsa://default", "x11grab://:0", "hls+file:///etc/passwd", "hls+http://10.0.0.5/x",
    "gopher://10.0.0.5/_x",
    "dict://10.0.0.5:11211/", "ftp://10.0.0.5/x", "sftp://10.0.0.5/x", "smb://10.0.0.5/x", "ldap://10.0.0.5/", "jar:http://10.0.0.5!/",
    "tls://10.0.0.5:443", "rtp://10.0.0.5:5004",
    "sdp://x", "javascript:alert(1)", "rtsp+file:///etc/passwd", "rtspx://10.0.0.5/", "", " ", ":", "://", "rtsp", "rtsp:", "rtsp://",
    "rtsp:///live", "rtsp://:554/",
    # what would break out of a request line or fool a parser
    "rtsp://10.0.0.5/a b", "rtsp://10.0.0.5/\r\nX: y", "rtsp://10.0.0.5/\nX: y", "rtsp://10.0.0.5/\0", "rtsp://10.0.0.5/\t",
    " rtsp://10.0.0.5/", "rtsp://10.0.0.5\\@127.0.0.1/",
    "rtsp://10.0.0.5/ü", "rtsp://kamera-ü/", "rtsp://10.0.0.5/#@127.0.0.1/", "rtsp://10.0.0.5#@127.0.0.1/", "rtsp://user@10.0.0.5/",
    "rtsp://10.0.0.5@127.0.0.1/",
    "rtsp://a:b@c:d@10.0.0.5/", "rtsp://10.0.0.5:0/", "rtsp://10.0.0.5:65536/", "rtsp://10.0.0.5:-1/", "rtsp://10.0.0.5:abc/",
    "rtsp://10.0.0.5:999999/", "rtsp://10.0.0.5:55:4/",
    "rtsp://[10.0.0.5]:x/", "rtsp://[::1/", "rtsp://::1/", "rtsp://10.0.0.5%00.evil.example/", "rtsp://10.0.0.5%2f/",
    "rtsp://{10.0.0.5}/", "rtsp://10.0.0.5;x/", "rtsp://10.0.0.5,127.0.0.1/",
    "rtsp://$(id)/", "rtsp://`id`/", "rtsp://10.0.0.5|id/", "rtsp://10.0.0.5/" + "x" * 3000, "tcp://10.0.0.5", "udp://10.0.0.5/",
    "srt://10.0.0.5",
    # addresses where no camera lives
    "rtsp://127.0.0.1/", "rtsp://127.0.0.1:6379/", "rtsp://127.1/", "rtsp://127.255.255.254/", "rtsp://0.0.0.0/", "rtsp://0/",
    "rtsp://0.1.2.3/", "rtsp://localhost/", "rtsp://LOCALHOST/",
    "rtsp://2130706433/", "rtsp://0x7f000001/", "rtsp://0x7f.1/", "rtsp://017700000001/", "rtsp://0177.0.0.1/",
    "rtsp://169.254.169.254/latest/meta-data/", "rtsp://169.254.0.1/",
    "rtsp://2852039166/", "http://169.254.169.254/latest/", "https://100.100.100.200/", "rtsp://[::1]/", "rtsp://[::]/",
    "rtsp://[::ffff:127.0.0.1]/", "rtsp://[::ffff:10.0.0.5]/",
    "rtsp://[::ffff:a9fe:a9fe]/", "rtsp://[0:0:0:0:0:ffff:7f00:1]/", "rtsp://[::127.0.0.1]/", "rtsp://[64:ff9b::7f00:1]/",
    "rtsp://[2002:7f00:1::]/", "rtsp://[fe80::1]/", "rtsp://[ff02::1]/",
    "rtsp://224.0.0.1/", "rtsp://239.255.255.250:1900/", "rtsp://255.255.255.255/", "rtsp://240.0.0.1/", "rtsp://8.8.8.8/",
    "rtsp://172.32.0.1/", "rtsp://192.169.0.1/",
    "rtsp://11.0.0.1/", "rtsp://[2001:db8::1]/", "rtsp://[fec0::1]/",
    # names that lead there
    "rtsp://inside.example/", "rtsp://mapped.example/", "rtsp://metadata.example/", "rtsp://public.example/", "rtsp://zone.example/",
    "rtsp://odd.example/",
    "rtsp://empty.example/", "rtsp://unknown.example/", "srt://inside.example:9000", "http://inside.example:8080/metrics",
]  # fmt: skip

HONEST_URLS = {
    "rtsp://10.0.0.5/live": ("10.0.0.5", 554),
    "RTSP://10.0.0.5:8554/live": ("10.0.0.5", 8554),
    "rtsps://192.168.1.64/Streaming/Channels/101?transportmode=unicast": ("192.168.1.64", 322),
    "rtsp://172.31.255.1/cam/realmonitor?channel=1&subtype=0": ("172.31.255.1", 554),
    "rtsp://[fd00::5]:8554/live": ("fd00::5", 8554),
    "rtsp://mixed.example/live": ("10.0.0.5", 554),
    "http://10.0.0.5:8080/stream.ts": ("10.0.0.5", 8080),
    "srt://10.0.0.5:9000?mode=caller": ("10.0.0.5", 9000),
    "rtsp://10.0.0.5/user=admin_channel=1_stream=0.sdp?": ("10.0.0.5", 554),
}


async def names(host):
    """A resolver that knows the names above, and numbers as the system's resolver reads them."""
    if host in NAMES:
        return NAMES[host]
    if host.lower() == "localhost":
        return ["127.0.0.1", "::1"]
    return [socket.inet_ntoa(socket.inet_aton(host))]


def pin(url, networks=PRIVATE_NETWORKS):
    """Resolves and pins with the names above."""
    return resolve_and_pin(url, networks, resolver=names)


@pytest.mark.parametrize("url", HOSTILE_URLS)
async def test_a_hostile_url_is_refused(url):
    """Not one of them gives an address to connect to, and no refusal repeats what it refuses."""
    with pytest.raises((BadInput, TryAgain)) as refusal:
        await pin(url)
    assert "passwd" not in str(refusal.value)


def test_the_table_is_as_long_as_promised():
    """At least a hundred, each once."""
    assert len(set(HOSTILE_URLS)) == len(HOSTILE_URLS) >= 100


@pytest.mark.parametrize("url", HONEST_URLS)
async def test_an_honest_url_is_pinned(url):
    """Cameras of private networks are reached at the one address that was checked."""
    pinned = await pin(url)
    assert (str(pinned.address), pinned.port) == HONEST_URLS[url]


async def test_control_without_the_check_hostile_addresses_would_be_reached():
    """Control: with every network allowed, the very same machinery gives their addresses; what refuses is the network check."""
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    reached = 0
    for url in HOSTILE_URLS:
        with contextlib.suppress(BadInput, TryAgain):
            await pin(url, everything)
            reached += 1
    assert reached > 10
    for never in ("0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "::ffff:10.0.0.5", "fe80::1", "ff02::1"):
        assert not allowed(ip_address(never), everything)


async def test_loopback_only_by_setting():
    """A camera on this machine is reached only where a setting adds the loopback networks."""
    assert str((await pin("rtsp://127.0.0.1:8554/", LOOPBACK_NETWORKS)).address) == "127.0.0.1"


async def test_a_name_is_resolved_once_and_the_connection_goes_to_that_address():
    """DNS rebinding: a name that changes its address after the check is not asked again."""
    asked = []

    async def rebinding(host):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.66"]

    async with QuirkCamera() as camera:
        check = partial(resolve_and_pin, networks=LOOPBACK_NETWORKS, resolver=rebinding)
        source = a_source(f"rtsp://camera.example:{camera.port}/live", address_check=check)
        sink = KeepingSink()
        running = asyncio.ensure_future(source.run(sink))
        async with asyncio.timeout(5):
            while not sink.units:
                sink.changed.clear()
                await sink.changed.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert asked == ["camera.example"]
    assert camera.asked[0].uri == f"rtsp://camera.example:{camera.port}/live"


async def test_no_camera_can_send_the_recorder_elsewhere():
    """Redirects, base and control addresses that name an inner service: it is never connected to."""
    hits = []

    async def canary(_reader, writer):
        hits.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(canary, "127.0.0.1", 0)
    inner = f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    moved = "\r\n".join(["RTSP/1.0 302 Moved", "CSeq: {cseq}", f"Location: {inner}", "", ""]).encode()
    redirect = f"REDIRECT {inner} RTSP/1.0\r\nCSeq: 1\r\nLocation: {inner}\r\n\r\n".encode()
    cameras = [QuirkCamera(answers={method: moved}, then="close") for method in ("OPTIONS", "DESCRIBE", "SETUP", "PLAY")]
    cameras += [QuirkCamera(controls=(inner, f"{inner}v"), then="close"), QuirkCamera(base=("Content-Base", inner), then="close")]
    cameras += [
        QuirkCamera(media=[redirect], then="close"),
        QuirkCamera(sdp=VIDEO.replace("m=video 0", "c=IN IP4 127.0.0.1\r\nm=video 6379"), then="close"),
    ]
    cameras += [QuirkCamera(transports=(f"RTP/AVP/TCP;unicast;interleaved=0-1;destination=127.0.0.1;source={inner}",), then="close")]
    async with server:
        for camera in cameras:
            async with camera:
                await ending_of(a_source(camera.url()))
        assert hits == []
        with socket.create_connection(server.sockets[0].getsockname()):  # control: the canary does see a connection
            await asyncio.sleep(0.05)
        assert len(hits) == 1


@pytest.mark.parametrize(
    ("url", "clean", "credential"),
    [
        ("rtsp://10.0.0.5/live", "rtsp://10.0.0.5/live", None),
        ("rtsp://admin:secret@10.0.0.5:554/live?x=1", "rtsp://10.0.0.5:554/live?x=1", Credential("admin", "secret")),
        ("RTSP://admin:p%40ss%2Fw%23rd%20@10.0.0.5", "rtsp://10.0.0.5", Credential("admin", "p@ss/w#rd ")),
        ("rtsp://admin:a@b@10.0.0.5/", "rtsp://10.0.0.5/", Credential("admin", "a@b")),
        ("rtsp://admin:a:b@10.0.0.5/", "rtsp://10.0.0.5/", Credential("admin", "a:b")),
        ("rtsp://admin@10.0.0.5/", "rtsp://10.0.0.5/", Credential("admin", "")),
        ("rtsp://%E7%94%A8:%E5%AF%86@10.0.0.5/", "rtsp://10.0.0.5/", Credential("用", "密")),
        ("srt://u:p@[fd00::5]:9000?a=b", "srt://[fd00::5]:9000?a=b", Credential("u", "p")),
    ],
)
def test_credentials_are_split_off_at_the_door(url, clean, credential):
    """Percent-encoded or not, with @ and : inside a password; what remains can be kept and shown."""
    assert split_credentials(url) == (clean, credential)


@pytest.mark.parametrize(
    "url", ["rtsp://admin:canary/x@10.0.0.5/", "rtsp://admin:canary#x@10.0.0.5/", "rtsp://admin:can ary@10.0.0.5/", "admin:canary@10.0.0.5"]
)
def test_a_password_that_breaks_the_url_is_not_repeated(url):
    """The refusal says how to write it, without saying it."""
    with pytest.raises(BadInput) as refusal:
        parse_url(split_credentials(url)[0])
    assert "canary" not in str(refusal.value)
    assert "can ary" not in str(refusal.value)


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_text_is_taken_apart_or_refused(text, rest):
    """Nothing raises anything but BadInput, and nothing clean holds a credential."""
    for url in (text, f"rtsp://{text}/{rest}", f"rtsp://{text}@10.0.0.5/"):
        try:
            clean, _ = split_credentials(url)
            assert "@" not in parse_url(clean).host
        except BadInput:
            pass


def test_our_own_client_speaks_rtsp_only():
    """Schemes are an allow-list, and a narrower one may be given."""
    assert set(RTSP_SCHEMES) < set(CAMERA_SCHEMES)
    with pytest.raises(BadInput):
        parse_url("http://10.0.0.5/", RTSP_SCHEMES)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("open rtsp://ops:s3cret@10.0.0.5/live failed", "open rtsp://***@10.0.0.5/live failed"),
        ("rtsp://ops:a@b:c@h/x and http://u:p@h", "rtsp://***@h/x and http://***@h"),
        ("rtsp://h/user=admin_password=s3cret_channel=1", "rtsp://h/user=admin_password=***"),
        ("http://h/?a=1&pwd=s3cret&b=2", "http://h/?a=1&pwd=***&b=2"),
        ("Password: s3cret, user: x", "Password: ***, user: x"),
        ("nothing to hide at rtsp://h/live", "nothing to hide at rtsp://h/live"),
    ],
)
def test_text_is_redacted(text, shown):
    """Users and passwords of URLs and password-like parameters are masked, the rest stays readable."""
    assert redact(text) == shown
