"""A live service full of canary secrets, driven into errors of every kind, and a search for the canaries in all that it says and leaves."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx2

from segments.clock import US_PER_S
from tests.faults.store import a_bucket_service, objects_in
from tests.media import Clips
from tests.quirk_camera import QuirkCamera
from tests.scripted_camera import ScriptedCamera, looped
from tests.servers.processes import free_port
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.service import Service, moment

PASSWORD = "canary-Pass/w0rd#of the camera"
TOKEN = "canary-token-of-the-api-5a1e0c93"
ENVIRONMENT = "canary-of-the-environment-77b1"
INDEX_PASSWORD = "canary-password-of-the-index-90b2"
WRONG_KEY = "canary-key-that-no-store-knows-3d7f"
PRINTED = "canary-that-is-printed-on-purpose"
"""The control: it is a camera's name, and must be found."""
DIGEST = ('Digest realm="cam", nonce="{nonce}", qop="auth", algorithm=SHA-256', 'Basic realm="cam"')
RECORDED_S = 6


@dataclass
class Said:
    """All that came out, by place: what processes, API and commands said, and the bytes of every file that is no key."""

    places: dict[str, bytes] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def leaks(self) -> list[str]:
        """Each place with the secret it holds in any form."""
        return sorted(f"{name} in {place}" for name, secret in self.secrets.items() for place in self.holding(secret))

    def holding(self, secret: str) -> list[str]:
        """The places that hold it."""
        wanted = forms(secret)
        return [place for place, data in self.places.items() if any(form in data for form in wanted)]


def leaks_below(folder: Path, secrets: Mapping[str, str], *, but: Collection[str] = ()) -> list[str]:
    """Each file below a folder with the secret (by what it is called) that it holds in any form; files of the names `but` may.

    For what other programs keep: the sessions and logs of Ray, the folder of a database.
    """
    said = Said({f"{path.relative_to(folder)}": data for path, data in files_below(folder) if path.name not in but}, dict(secrets))
    return said.leaks()


def files_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every plain file below a folder with its bytes; one that goes meanwhile is passed over."""
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):
            if path.is_file():
                yield path, path.read_bytes()


def forms(secret: str) -> set[bytes]:
    """A secret as it is, percent-encoded, in hex, and in base64 at any of its three places."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote(secret).encode(), raw.hex().encode(), json.dumps(secret)[1:-1].encode()}
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + raw)
        whole = coded[4 if shift else 0 : len(coded) - 4]  # ends depend on neighbours
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    return found


async def listen(folder: Path, clips: Clips, server: S3Server) -> Said:
    """Runs such a service for some seconds and collects what it said and left."""
    said = Said()
    token_file = _secret_file(folder / "api.token", TOKEN)
    async with AsyncExitStack() as stack:
        cameras = await stack.enter_async_context(_cameras(clips))
        os.environ["KEEPSIGHT_TEST_CANARY"] = ENVIRONMENT
        stack.callback(os.environ.pop, "KEEPSIGHT_TEST_CANARY")
        service, bucket = a_bucket_service(folder / "service", cameras, server, server.port, api={"token_file": str(token_file)})
        await stack.enter_async_context(service)
        service.token = TOKEN
        await service.wait_for(lambda: service.is_recording("good", "odd"))
        began_us = time.time_ns() // 1000
        await asyncio.sleep(RECORDED_S)
        said.places |= await _api_says(service, began_us) | _processes_say(service)
        said.places |= await asyncio.to_thread(_commands_say, service)
        said.places |= await asyncio.to_thread(_failures_say, service, server)
        service.kill("recorder-0")
        await service.wait_for(lambda: service.is_recording("good"))
        await service.stop()
        said.places |= await asyncio.to_thread(_exported, service)
    said.places["log"] = service.log.encode()
    said.places |= {f"object {key}": data for key, data in objects_in(server, bucket).items()}
    said.places |= _files(service.data)
    said.secrets = {"password": PASSWORD, "token": TOKEN, "key of the store": SECRET_KEY}
    said.secrets |= {"password of the index": INDEX_PASSWORD, "key no store knows": WRONG_KEY}
    for name in ("internal", "metrics", "cameras"):
        said.secrets[f"{name}.key"] = (service.data / "keys" / f"{name}.key").read_text().strip()
    return said


@asynccontextmanager
async def _cameras(clips: Clips) -> AsyncIterator[dict[str, Mapping[str, str]]]:
    """Cameras that accept the password, refuse it, are not there, or send what cannot be used; with our client and with libav."""
    clip = clips.get()
    login = f"ops:{quote(PASSWORD, safe='')}@"
    script = lambda: looped(clip)  # noqa: E731
    async with (
        ScriptedCamera(clip=clip, script=script, login=("ops", PASSWORD, DIGEST)) as good,
        ScriptedCamera(clip=clip, script=script, login=("ops", PASSWORD, DIGEST[1:])) as odd,
        QuirkCamera(login=("ops", "another", DIGEST)) as refusing,
        QuirkCamera(answers={"DESCRIBE": b"RTSP/1.0 500 " + login.encode() + b"\r\nCSeq: {cseq}\r\n\r\n"}) as repeating,
        QuirkCamera(sdp="m=video 0 RTP/AVP 96\r\na=rtpmap:96 AV1/90000\r\n") as strange,
    ):
        away = f"127.0.0.1:{free_port()}/live"
        urls = {
            "good": good.url(login=login),
            "odd": odd.url(login=login),
            "refusing": refusing.url(login=login),
            "repeating": repeating.url(login=login),
            "strange": strange.url(login=login),
            "away": f"rtsp://{login}{away}",
            "nowhere": f"rtsp://{login}no-such-host.invalid/live",
            "forbidden": f"rtsp://{login}192.0.2.1/live",
            "http-away": f"http://{login}{away}",
            "rtmp-away": f"rtmp://{login}{away}",
            "tls-away": f"rtsps://{login}{away}",
            "libav-refusing": refusing.url(login=login),
        }
        yield {
            name: {"url": url, "name": PRINTED if name == "good" else name, "transport": "libav" if name == "libav-refusing" else "auto"}
            for name, url in urls.items()
        }


async def _api_says(service: Service, began_us: int) -> dict[str, bytes]:
    """Every route, asked well, badly, and without or with a wrong token."""
    span = f"from={moment(began_us)}&to={moment(began_us + 5 * US_PER_S)}"
    routes = ["/health", "/status", "/cameras", "/openapi.json", "/cameras?limit=x", "/cameras/none", f"/cameras/none/timeline?{span}"]
    for camera in ("good", "refusing", "repeating", "nowhere", "libav-refusing"):
        routes += [f"/cameras/{camera}", f"/cameras/{camera}/timeline?{span}", f"/cameras/{camera}/timeline?from=x&to=y"]
        routes += [f"/cameras/{camera}/hls/{name}.m3u8?{span}" for name in ("multivariant", "media", "iframes")]
        routes += [f"/cameras/{camera}/snapshot.jpg?at={moment(began_us + 2 * US_PER_S)}"]
    found = {}
    for route in routes:
        for kind, headers in (("", None), (" without token", {}), (" with a wrong token", {"Authorization": "Bearer wrong"})):
            answer = await service.get(route, headers=headers)
            found[f"API {route}{kind}"] = answer.content + str(answer.headers.raw).encode()
    keys = {name: (service.data / "keys" / f"{name}.key").read_text().strip() for name in ("internal", "metrics")}
    for program, port in (("API", service.api_port), ("uploader", service.internal_port)):
        for path in ("/metrics", "/health/ready", "/health/live", "/status", "/live/good", "/live/refusing"):
            for name, key in (("", ""), (" with its key", keys["internal" if path[1] in "sl" else "metrics"])):
                found[f"{program} {path}{name}"] = await _plain(port, path, key)
    for program in ("API", "uploader"):
        assert b"keepsight_" in found[f"{program} /metrics with its key"], found[f"{program} /metrics with its key"][:500]
    return found


async def _plain(port: int, path: str, key: str) -> bytes:
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {key}"} if key else {})
    return answer.content + str(answer.headers.raw).encode()


def _processes_say(service: Service) -> dict[str, bytes]:
    """What anybody on the machine sees in a process list, and what the recorder's environment holds."""
    found = {}
    for name, pid in {**service.pids(), "serve": service.pid("serve")}.items():
        found[f"command line of {name}"] = Path(f"/proc/{pid}/cmdline").read_bytes()
        found[f"environment of {name}"] = Path(f"/proc/{pid}/environ").read_bytes()
    return found


def _commands_say(service: Service) -> dict[str, bytes]:
    """What the command line prints, errors included."""
    bad = f"rtsp://ops:{PASSWORD}@127.0.0.1/live"  # not percent-encoded: it cannot be taken apart, and must not be repeated
    asked = {
        "camera list": ["camera", "list", "--json"],
        "camera show": ["camera", "show", "refusing"],
        "camera test": ["camera", "test", "refusing", "--seconds", "1"],
        "camera test of libav": ["camera", "test", "libav-refusing", "--seconds", "1"],
        "camera add": ["camera", "add", "bad", bad],
        "camera set": ["camera", "set", "good", f"url={bad}"],
        "status": ["status", "--json"],
        "doctor": ["doctor", "--json"],
        "pools": ["pools"],
        "pools probe": ["pools", "probe"],
        "fleet status": ["fleet", "status"],
        "config check": ["config", "check"],
    }
    done = {f"keepsight {name}": service.keepsight(*words) for name, words in asked.items()}
    done["keepsight camera import"] = service.keepsight("camera", "import", "-", text=f"id,url\nbad,{bad}\nworse,file://{PASSWORD}\n")
    return {name: (one.stdout + one.stderr).encode() for name, one in done.items()}


def _failures_say(service: Service, server: S3Server) -> dict[str, bytes]:
    """What commands print where a store refuses, and an index does not answer or speaks another protocol: errors of the drivers too."""
    key, password = (_secret_file(service.folder / name, text) for name, text in (("wrong", WRONG_KEY), ("index", INDEX_PASSWORD)))
    pool = {"kind": "s3", "endpoint": f"http://127.0.0.1:{server.port}", "bucket": server.make_bucket(), "access_key_id": ACCESS_KEY}
    index = {"kind": "cassandra", "hosts": ["127.0.0.1"], "datacenter": "east", "user": "keepsight", "password_file": str(password)}
    spoiled = {
        "a store that refuses": {"pools.main": {**pool, "secret_file": str(key), "minio_admin": True}},
        "an index that is away": {"index": {**index, "port": free_port()}},
        "an index that is none": {"index": {**index, "port": server.port}},
    }
    found = {}
    for number, (name, values) in enumerate(spoiled.items()):
        sections = {"api": {"port": free_port()}, "internal": {"port": free_port()}, "site": {"folder": f"spoiled-{number}"}, **values}
        lines = [f"{section}.{key} = {json.dumps(value)}" for section, keys in sections.items() for key, value in keys.items()]
        (service.folder / "spoiled.toml").write_text("\n".join(lines) + "\n")
        for words in (["serve"], ["doctor"], ["pools", "probe"])[: 3 if "pools.main" in values else 2 - number % 2]:
            done = service.keepsight(*words, config=service.folder / "spoiled.toml")
            assert done.returncode != 0, (name, words, done.stdout)
            found[f"keepsight {' '.join(words)} with {name}"] = (done.stdout + done.stderr).encode()
    return found


def _exported(service: Service) -> dict[str, bytes]:
    done = service.keepsight("export", "good", str(service.folder / "export.mp4"))
    files = {path.name: path.read_bytes() for path in service.folder.glob("export*")}
    assert files, done.stderr
    return {"keepsight export": (done.stdout + done.stderr).encode(), **files}


def _files(data: Path) -> dict[str, bytes]:
    """Everything of the service's folder but its keys."""
    return {f"file {path.relative_to(data)}": found for path, found in files_below(data) if path.parent.name != "keys"}


def _secret_file(path: Path, secret: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(secret)
    return path
