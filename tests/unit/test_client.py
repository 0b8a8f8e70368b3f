"""The Python client against the whole application, and against a service that fails."""

from __future__ import annotations

import ast
import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from playback import client
from playback.client import Keepsight
from playback.client.errors import error_of
from playback.client.http import Patience
from playback.webhooks.signature import new_secret, signed_headers
from segments.clock import to_datetime
from tests.api import Api
from tests.builders import NOON_US, a_camera, a_change
from tests.footage import Take, recorded
from tests.house.tree import imports, is_of, modules
from tests.media import Clips

NOON = to_datetime(NOON_US)
TOKEN = "secret-token"


def after(seconds: float) -> datetime:
    """A moment after noon."""
    return NOON + timedelta(seconds=seconds)


async def an_api(clips: Clips) -> Api:
    """Twelve seconds of footage of `gate` from noon, in two segments, asked with a token."""
    api = Api(token=TOKEN)
    await api.index.add_camera(a_camera())
    await api.index.put_state(a_change())
    await recorded(api.index, api.objects, clips.get(seconds=12, gop_frames=50), Take(start_us=NOON_US, segment_s=6))
    return api


@asynccontextmanager
async def client_of(api: Api, key: str = TOKEN) -> AsyncIterator[Keepsight]:
    """The client over the application itself."""
    async with Keepsight("http://keepsight", key, transport=httpx2.ASGITransport(app=api.app())) as keepsight:
        yield keepsight


async def test_cameras_are_listed_page_by_page(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, with what they do, however many pages it takes; and one by its id."""
    monkeypatch.setattr("playback.client.keepsight.PAGE", 3)
    api = await an_api(clips)
    for number in range(10):
        await api.index.add_camera(a_camera(f"c{number}", area="harbour", camera_class=1))
    async with client_of(api) as keepsight:
        assert [one.id async for one in keepsight.cameras(area="harbour", camera_class=1)] == [f"c{number}" for number in range(10)]
        gate = await keepsight.camera("gate")
    assert (gate.name, gate.camera_class, gate.state, gate.since) == ("Camera gate", 3, "recording", NOON)


async def test_a_timeline_says_what_there_is(clips: Clips) -> None:
    """Footage and the gap behind it with its cause, and the same in buckets."""
    api = await an_api(clips)
    async with client_of(api) as keepsight:
        exact = await keepsight.timeline("gate", NOON, after(20))
        summed = await keepsight.timeline("gate", NOON, after(20), resolution_s=10)
    footage, gap = exact.stretches
    assert (footage.kind, footage.start, footage.end, footage.sites) == ("footage", NOON, after(12), ("home",))
    assert (gap.kind, gap.end, gap.cause) == ("gap", after(20), "unknown")
    assert exact.footage_s == summed.footage_s == 12.0


async def test_pictures_playlists_and_links(clips: Clips) -> None:
    """A snapshot with its time; a playlist's address that the key opens, and a link that opens without."""
    api = await an_api(clips)
    async with client_of(api) as keepsight:
        picture = await keepsight.snapshot("gate", after(7.32), width=320)
        address = keepsight.playlist("gate", NOON, after(12))
        link = await keepsight.link("gate", NOON, after(12))
    assert (picture.jpeg[:2], picture.at) == (b"\xff\xd8", after(6))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=api.app())) as other:
        assert (await other.get(address)).status_code == 401
        assert (await other.get(address, headers={"Authorization": f"Bearer {TOKEN}"})).text.startswith("#EXTM3U")
        assert (await other.get(link.url)).text.startswith("#EXTM3U")
    assert link.expires > to_datetime(api.clock.now_us())


async def test_footage_is_downloaded_as_a_file(clips: Clips, tmp_path: Path) -> None:
    """Whole, of the length that was said, and with nothing left beside it."""
    api = await an_api(clips)
    seen: list[tuple[int, int]] = []
    async with client_of(api) as keepsight:
        (file,) = await keepsight.files("gate", NOON, after(12))
        path = await keepsight.download(file, tmp_path / "gate.mp4", lambda *so_far: seen.append(so_far))
    assert path.stat().st_size == file.size == seen[-1][0] == seen[-1][1]
    assert path.read_bytes()[4:8] == b"ftyp"
    assert list(tmp_path.iterdir()) == [path]


async def test_errors_are_the_service_own(clips: Clips) -> None:
    """Each problem is an error of its own kind, with its sentence."""
    api = await an_api(clips)
    async with client_of(api) as keepsight, client_of(api, "wrong") as stranger:
        with pytest.raises(client.NoFootage) as nothing:
            await keepsight.files("gate", after(60), after(90))
        with pytest.raises(client.NotFound):
            await keepsight.camera("nowhere")
        with pytest.raises(client.BadInput, match="must be later"):
            await keepsight.timeline("gate", after(1), NOON)
        with pytest.raises(client.NotKnown):
            await stranger.camera("gate")
        with pytest.raises(ValueError, match="no time zone"):
            await keepsight.timeline("gate", datetime(2026, 1, 1), NOON)  # noqa: DTZ001
    assert (nothing.value.status, nothing.value.kind, nothing.value.cause) == (404, "no-footage", "unknown")


async def test_holds_are_placed_and_found(clips: Clips) -> None:
    """As values, with and without an end."""
    api = await an_api(clips)
    async with client_of(api) as keepsight:
        placed = await keepsight.place_hold("2026-17", "collision", ["gate"], NOON, by="Li")
        found = await keepsight.holds(case="2026")
    assert [placed] == list(found)
    assert (placed.case, placed.cameras, placed.start, placed.end, placed.stands) == ("2026-17", ("gate",), NOON, None, True)


# --- a service that fails

BODY = bytes(range(256)) * 4096
ETAG = f'"{hashlib.sha256(BODY).hexdigest()}"'


class Failing(httpx2.AsyncBaseTransport):
    """Serves a file in pieces that break off; `answers` come first, each once."""

    def __init__(self, *answers: httpx2.Response | Exception, breaks_after: int = 0, body: bytes = BODY, etag: str = ETAG) -> None:
        self.answers = list(answers)
        self.asked: list[httpx2.Request] = []
        self.breaks_after = breaks_after
        self.body, self.etag = body, etag

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        start = 0
        if request.headers.get("if-range") == self.etag:
            start = int(request.headers["range"].removeprefix("bytes=").rstrip("-"))
        length = {"content-length": str(len(self.body) - start), "etag": self.etag}
        return httpx2.Response(206 if start else 200, headers=length, stream=_Breaking(self.body[start:], self.breaks_after))


class _Breaking(httpx2.AsyncByteStream):
    def __init__(self, body: bytes, after_bytes: int) -> None:
        self._body, self._after = body, after_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._after and len(self._body) > self._after:
            yield self._body[: self._after]
            raise httpx2.ReadError("gone")
        yield self._body


def over(transport: Failing, **patience: float) -> Keepsight:
    """A client over a transport."""
    return Keepsight("http://keepsight", "k", transport=transport, patience=Patience(**patience) if patience else None)


async def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    """By Range and If-Range, over several breaks and by another process; the result has the hash of its ETag."""
    async with over(Failing(breaks_after=300_000)) as keepsight:
        path = await keepsight.download_export("job12345", tmp_path / "a.zip")
    assert path.read_bytes() == BODY

    (tmp_path / "b.zip.part").write_bytes(BODY[:1000])
    (tmp_path / "b.zip.part.etag").write_text(f"{ETAG}\n{len(BODY)}")
    transport = Failing()
    async with over(transport) as keepsight:
        await keepsight.download_export("job12345", tmp_path / "b.zip")
    assert transport.asked[0].headers["range"] == "bytes=1000-"
    assert (tmp_path / "b.zip").read_bytes() == BODY


async def test_another_file_is_not_joined_to_what_was_there(tmp_path: Path) -> None:
    """Where the ETag has changed it begins anew; a body that is not what its hash says is refused and forgotten."""
    (tmp_path / "a.zip.part").write_bytes(b"old")
    (tmp_path / "a.zip.part.etag").write_text(f'"other"\n{len(BODY)}')
    async with over(Failing()) as keepsight:
        assert (await keepsight.download_export("job12345", tmp_path / "a.zip")).read_bytes() == BODY
    async with over(Failing(body=BODY[:-1] + b"x")) as keepsight:
        with pytest.raises(client.Damaged):
            await keepsight.download_export("job12345", tmp_path / "b.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


async def test_passing_faults_are_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as Retry-After says, within the patience; then the error comes."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    busy = [httpx2.Response(429, headers={"retry-after": "7"}, json={}), httpx2.Response(503, headers={"retry-after": "2"}, json={})]
    async with over(Failing(httpx2.ConnectError("no"), *busy, httpx2.Response(200, json=[]))) as keepsight:
        assert await keepsight.holds() == []
    assert slept == [0.5, 7.0, 2.0]
    async with over(Failing(*[httpx2.Response(429, headers={"retry-after": "7"}, json={})] * 9), tries=9, longest_s=30) as keepsight:
        with pytest.raises(client.TooMuch):
            await keepsight.holds()
    assert slept[3:] == [7.0] * 4


async def test_what_may_have_been_done_is_not_asked_twice() -> None:
    """A POST that got no answer, or a 503, is told to the caller."""
    for answer in (httpx2.ReadError("gone"), httpx2.Response(503, json={})):
        transport = Failing(answer)
        async with over(transport) as keepsight:
            with pytest.raises((client.NoAnswer, client.TryAgain)):
                await keepsight.place_hold("c", "r", ["gate"], NOON, by="Li")
        assert len(transport.asked) == 1


def _job(state: str, **fields: object) -> httpx2.Response:
    good = {"id": "job12345", "state": state, "progress": 0.5, "said": "", "form": "zip", "size": None, "sha256": None, "expires": None}
    return httpx2.Response(200, json=good | fields)


async def test_an_export_is_waited_for() -> None:
    """With its progress, until it is done; a job that fails or takes too long says so."""
    seen: list[str] = []
    async with over(Failing(_job("queued"), _job("running"), _job("done", size=3))) as keepsight:
        done = await keepsight.wait_for_export("job12345", every_s=0, progress=lambda job: seen.append(job.state))
    assert (done.size, seen) == (3, ["queued", "running", "done"])
    async with over(Failing(_job("failed", said="no footage"))) as keepsight:
        with pytest.raises(client.ExportFailed, match="no footage"):
            await keepsight.wait_for_export("job12345")
    async with over(Failing(_job("running"))) as keepsight:
        with pytest.raises(TimeoutError):
            await keepsight.wait_for_export("job12345", limit_s=0.5)


def test_errors_follow_status_and_kind() -> None:
    """A kind of ours goes before the status; what is not known is told apart by its class."""
    assert isinstance(error_of(403, {"type": "urn:keepsight:problem:needs-consent"}), client.NeedsConsent)
    assert isinstance(error_of(403, {}), client.NotAllowed)
    assert isinstance(error_of(500, {}), client.TryAgain)
    assert isinstance(error_of(418, {}), client.BadInput)
    assert str(error_of(409, {"detail": "it is taken"})) == "it is taken"


def test_a_receiver_verifies_with_the_client() -> None:
    """What the service signs, the client takes; with another secret, or later, it does not."""
    secret = new_secret()
    headers = {name.title(): value for name, value in signed_headers("msg_1", 1_000, b"{}", [new_secret(), secret]).items()}
    assert client.verified(headers, b"{}", secret, now_s=1_100)
    assert not client.verified(headers, b"{}", new_secret(), now_s=1_100)
    assert not client.verified(headers, b"{ }", secret, now_s=1_100)
    assert not client.verified(headers, b"{}", secret, now_s=2_000)
    assert not client.verified({}, b"{}", secret)


def test_the_client_knows_nothing_of_the_service() -> None:
    """It imports no module of ours but its own, so that it could be taken elsewhere; the package says that it is typed."""
    ours = ("segments", "playback", "retention", "recorder", "replication", "capacity", "deploy")
    names = [name for path, tree in modules("playback") if path.startswith("playback/client/") for name in imports(tree)]
    assert len(names) > 20
    assert [name for name in names if any(is_of(name, one) for one in ours) and not is_of(name, "playback.client")] == []
    assert list(imports(ast.parse("from segments.clock import iso"))) == ["segments.clock.iso"]
    assert (Path(client.__file__).parents[1] / "py.typed").is_file()
    assert NOON.tzinfo == UTC
