"""How a source ends: each way has its cause and a sentence, within its limit, with nothing left open and no secret told."""

from __future__ import annotations

import asyncio
import gc
import ssl
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from recorder.sources.limits import DEFAULT_LIMITS
from recorder.sources.poller import BUFFER_BYTES, Poller
from segments.clock import SystemClock
from segments.errors import TryAgain
from segments.model import Cause
from tests.quirk_camera import VIDEO, QuirkCamera, some_pictures
from tests.rtp_builders import Packets, frame, fu_a, inter, sender_report
from tests.rtsp_client import KeepingSink, a_source, ending_of, run_until

SPEED = 100
PATIENT = replace(DEFAULT_LIMITS, silence_s=1000)
"""For tests in fast time, where a tenth of a second without a read is long."""


class FastClock(SystemClock):
    """A clock that runs a hundred times too fast."""

    def monotonic_ns(self):
        return super().monotonic_ns() * SPEED

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / SPEED)


def answered(status: str, *headers: str) -> bytes:
    """An answer to any request."""
    return "\r\n".join([f"RTSP/1.0 {status}", "CSeq: {cseq}", *headers, "", ""]).encode()


def refusing(method: str, status: str, *headers: str) -> QuirkCamera:
    """A camera that answers one method badly."""
    return QuirkCamera(answers={method: answered(status, *headers)})


@pytest.mark.parametrize(
    ("camera", "cause", "word"),
    [
        (refusing("DESCRIBE", "404 Not Found"), Cause.CAMERA_AWAY, "404"),
        (refusing("DESCRIBE", "301 Moved", "Location: rtsp://169.254.169.254/"), Cause.CAMERA_AWAY, "redirects"),
        (refusing("SETUP", "302 Found", "Location: rtsp://10.0.0.1/"), Cause.CAMERA_AWAY, "redirects"),
        (refusing("DESCRIBE", "403 Forbidden"), Cause.LOGIN_REFUSED, "403"),
        (refusing("DESCRIBE", "401 Unauthorized", 'WWW-Authenticate: Digest realm="r", nonce="n"'), Cause.LOGIN_REFUSED, "none is set"),
        (refusing("SETUP", "461 Unsupported Transport"), Cause.UNSUPPORTED, "TCP"),
        (refusing("PLAY", "453 Not Enough Bandwidth"), Cause.CAMERA_AWAY, "453"),
        (refusing("PLAY", "500 Oops"), Cause.CAMERA_AWAY, "500"),
        (QuirkCamera(transports=("RTP/AVP/UDP;unicast;client_port=4-5",)), Cause.UNSUPPORTED, "TCP"),
        (QuirkCamera(transports=("RTP/AVP/TCP;interleaved=999-1000",)), Cause.UNSUPPORTED, "channel"),
        (QuirkCamera(sdp=VIDEO.replace("H264", "AV1")), Cause.UNSUPPORTED, "neither"),
        (QuirkCamera(sdp=""), Cause.UNSUPPORTED, "neither"),
        (QuirkCamera(sdp="m=video\r\n"), Cause.UNSUPPORTED, "description"),
        (QuirkCamera(controls=("*", "a b")), Cause.UNSUPPORTED, "control"),
        (QuirkCamera(session="a b"), Cause.UNSUPPORTED, "session"),
        (QuirkCamera(answers={"OPTIONS": b"HTTP/1.1 400 Bad Request\r\n\r\n"}), Cause.CAMERA_AWAY, "does not speak RTSP"),
        (refusing("DESCRIBE", "200 OK", "Content-Length: 70000"), Cause.CAMERA_AWAY, "65536"),
        (QuirkCamera(answers={"DESCRIBE": b"RTSP/1.0 200 OK\r\nX: " + b"x" * 20_000}), Cause.CAMERA_AWAY, "16384"),
        (QuirkCamera(media=[b"\xff" * 70_000]), Cause.CAMERA_AWAY, "neither RTP nor RTSP"),
        (QuirkCamera(then="close"), Cause.CAMERA_AWAY, "closed the connection"),
        (QuirkCamera(then="reset"), Cause.CAMERA_AWAY, "the connection"),
        (QuirkCamera(media=[*some_pictures(), frame(b"\x81\xcb\0\1abcd", 1)]), Cause.CAMERA_AWAY, "BYE"),
    ],
)  # fmt: skip
async def test_each_way_to_end_has_its_cause(camera, cause, word):
    """Bad answers, wrong descriptions, broken streams: the cause a timeline shows, and a sentence that helps."""
    async with camera:
        ended = await ending_of(a_source(camera.url()))
    assert ended.cause is cause
    assert word in str(ended)


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
async def test_a_camera_that_does_not_answer_is_away(method):
    """Silence after any request ends at the limit."""
    limits = replace(DEFAULT_LIMITS, answer_s=0.1)
    async with QuirkCamera(answers={method: b""}) as camera:
        ended = await ending_of(a_source(camera.url(), limits=limits))
    assert ended.cause is Cause.CAMERA_AWAY
    assert f"did not answer {method} within 0.1 s" in str(ended)


async def test_a_closed_port_and_an_unknown_host_are_away():
    """Refused connections and failing resolvers are the camera's absence."""
    async with QuirkCamera() as camera:
        url = camera.url()
    assert (await ending_of(a_source(url))).cause is Cause.CAMERA_AWAY

    async def unknown(_url):
        raise TryAgain("the camera's host is not known")

    assert (await ending_of(a_source(url, address_check=unknown))).cause is Cause.CAMERA_AWAY


@pytest.mark.parametrize("alive", ["nothing", "reports", "sound"])
async def test_media_that_stops_is_told_from_a_lost_connection(alive):
    """No video for so many seconds ends with its own cause, whatever else still comes."""
    sound = Packets(channel=9)
    sound.add(b"x", 0)
    drip = {"nothing": [], "reports": [frame(sender_report(4_000_000_000, 0, 1), 1)] * 500, "sound": sound.frames * 500}[alive]
    async with QuirkCamera(media=[*some_pictures(), *drip], pause_s=0.002) as camera:
        sink = KeepingSink()
        ended = await ending_of(a_source(camera.url(), clock=FastClock(), limits=replace(DEFAULT_LIMITS, silence_s=50)), sink)
    assert ended.cause is Cause.MEDIA_STOPPED
    assert sink.units


async def test_video_without_a_key_frame_ends_with_its_cause():
    """Pictures that nothing can be made of do not go on for ever."""
    packets = Packets()
    for n in range(2000):
        packets.unit(fu_a(inter(fill=n % 200)), n * 3600)
    async with QuirkCamera(media=packets.frames, pause_s=0.001) as camera:
        ended = await ending_of(a_source(camera.url(), clock=FastClock(), limits=replace(PATIENT, key_frame_s=60)))
    assert ended.cause is Cause.NO_KEY_FRAME


@pytest.mark.parametrize(
    ("public", "method"), [("OPTIONS, PLAY, GET_PARAMETER", "GET_PARAMETER"), ("OPTIONS, PLAY", "OPTIONS"), ("", "OPTIONS")]
)
async def test_the_session_is_kept_alive_as_the_camera_asks(public, method):
    """About each half of the session's timeout, by GET_PARAMETER where it is known, in the session; answers do not disturb the media."""
    async with QuirkCamera(public=public, session="abc;timeout=20", media=some_pictures() * 300, pause_s=0.001) as camera:
        source = a_source(camera.url(), clock=FastClock(), limits=PATIENT)
        await run_until(source, KeepingSink(), lambda: len(camera.asked) >= 9 if method == "OPTIONS" else len(camera.of(method)) >= 4)
        alive = camera.of(method)[-3:]
    assert {asked.headers["session"] for asked in alive} == {"abc"}
    assert {asked.uri for asked in alive} == {camera.of("PLAY")[0].uri}


async def test_a_session_that_is_gone_ends_the_source():
    """454 to a keep-alive: nothing will come any more."""
    camera = QuirkCamera(session="abc;timeout=4", answers={"GET_PARAMETER": answered("454 Session Not Found")})
    async with camera:
        ended = await ending_of(a_source(camera.url(), clock=FastClock(), limits=PATIENT))
    assert "454" in str(ended)


async def test_a_camera_that_never_answers_keep_alives_is_recorded_on():
    """Some do not; as long as video comes, nothing is wrong, and unanswered requests do not pile up."""
    camera = QuirkCamera(session="abc;timeout=4", answers={"GET_PARAMETER": b""}, media=some_pictures() * 300, pause_s=0.001)
    async with camera:
        sink = KeepingSink()
        await run_until(a_source(camera.url(), clock=FastClock(), limits=PATIENT), sink, lambda: len(camera.of("GET_PARAMETER")) > 12)


CANARY = "canary-9f3b71"


@pytest.mark.parametrize(
    "camera",
    [
        QuirkCamera(login=("ops", "other", ['Digest realm="r", nonce="{nonce}"'])),
        QuirkCamera(login=("ops", "other", ['Basic realm="r"'])),
        QuirkCamera(then="close"),
        QuirkCamera(answers={"DESCRIBE": answered(f"404 {CANARY}", f"X: {CANARY}")}),
        QuirkCamera(answers={"DESCRIBE": answered(f"301 {CANARY}", f"Location: rtsp://ops:{CANARY}@10.0.0.1/")}),
        QuirkCamera(session=f"{CANARY} {CANARY}"),
    ],
)
async def test_no_ending_tells_the_password(camera, caplog):
    """Neither text, arguments, traceback nor log hold the password, not even where the camera echoes it."""
    async with camera:
        source = a_source(camera.url(login=f"ops:{CANARY}@"))
        ended = await ending_of(source)
    told = "".join(traceback.format_exception(ended)) + repr(ended) + repr(ended.args) + repr(source) + caplog.text
    assert CANARY not in told


async def test_control_the_canary_is_found_where_it_is():
    """Control: an error that quotes the URL would be caught."""
    ended = TryAgain(f"rtsp://ops:{CANARY}@10.0.0.1/ cannot be reached")
    assert CANARY in "".join(traceback.format_exception(ended))


async def test_cancelling_closes_everything():
    """A source that is cancelled at any moment says TEARDOWN if it plays, closes its socket, and leaves the poller idle."""
    poller = Poller()
    async with QuirkCamera() as camera:
        for moment_s in (0, 0.001, 0.005, 0.02, 0.3):
            running = asyncio.ensure_future(a_source(camera.url(), poller=poller).run(KeepingSink()))
            await asyncio.sleep(moment_s)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert running.cancelled()
        await asyncio.wait_for(camera.closed.wait(), 5)
        assert camera.asked[-1].method == "TEARDOWN"
        await asyncio.sleep(0.2)
    assert poller._timer is None
    gc.collect()


async def test_a_camera_that_sends_too_fast_is_given_up():
    """Whoever fills the whole buffer at each visit holds up the others; after so many visits in a row it ends."""
    flood = frame(b"x" * 65_000, 77) * (4 * BUFFER_BYTES // 65_000)
    async with QuirkCamera(media=[flood] * 4) as camera:
        ended = await ending_of(a_source(camera.url(), poller=Poller(interval_s=0.4), limits=replace(DEFAULT_LIMITS, full_visits=3)))
    assert ended.cause is Cause.CAMERA_AWAY
    assert "faster" in str(ended)


async def test_media_without_an_answer_to_play_is_held_up_to_a_limit():
    """A camera that never answers PLAY and sends on is given up before it fills the memory."""
    camera = QuirkCamera(answers={"PLAY": b""}, before_play=some_pictures() * 30)
    async with camera:
        ended = await ending_of(a_source(camera.url(), limits=replace(DEFAULT_LIMITS, held_bytes=20_000)))
    assert "without answering PLAY" in str(ended)


async def test_a_sink_that_fails_costs_its_own_camera_only():
    """Whatever goes wrong inside ends this source; one beside it on the same poller goes on."""

    class Failing(KeepingSink):
        def unit(self, unit, arrival_us):
            raise RuntimeError("a bug")

    poller, good = Poller(), KeepingSink()
    async with QuirkCamera(media=some_pictures() * 50, pause_s=0.002) as camera:
        beside = asyncio.ensure_future(run_until(a_source(camera.url(), poller=poller), good, lambda: len(good.units) > 30))
        ended = await ending_of(a_source(camera.url(), poller=poller), Failing())
        await beside
    assert ended.cause is Cause.UNKNOWN
    assert "RuntimeError" in str(ended)


# --- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1, signed by itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1)
    )
    address = x509.IPAddress(ip_address("127.0.0.1"))
    signed = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "camera.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


async def test_rtsps_is_the_same_inside_tls(certificate):
    """The same pictures, and TEARDOWN at the end; with a certificate nobody vouches for, nothing."""
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    camera = QuirkCamera(tls=inside)
    async with camera:
        sink = KeepingSink()
        await run_until(a_source(camera.url(), tls=trusting), sink, lambda: len(sink.units) >= 9)
        await asyncio.wait_for(camera.closed.wait(), 5)
        assert camera.asked[-1].method == "TEARDOWN"
        ended = await ending_of(a_source(camera.url()))
    assert ended.cause is Cause.CAMERA_AWAY
    assert "TLS" in str(ended)
