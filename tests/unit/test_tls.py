"""TLS of the service's own routes: who is believed, who is not, and what is refused before a start."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from deploy.settings import Settings, load_settings
from deploy.tls import api_certificate, index_tls, internal_certificate, trust_in_nodes, trust_in_own_api
from deploy.web_server import Listening, serve_http
from segments.errors import StartRefused
from tests.certificates import Authority
from tests.servers.processes import free_port


def settings_of(folder: Path, **values: Any) -> Settings:
    """A configuration of these keys (`__` for the dot)."""
    (folder / "keepsight.toml").write_text(
        "".join(
            f"{key.replace('__', '.')} = {json.dumps(value if isinstance(value, list) else str(value))}\n" for key, value in values.items()
        )
    )
    return load_settings(folder / "keepsight.toml", {})


def nodes(folder: Path, authority: Authority, *addresses: str) -> Settings:
    """Routes between nodes by TLS, with a certificate for these addresses."""
    certificate, key = authority.certify("node", *addresses)
    files = {"internal__certificate_file": certificate, "internal__certificate_key_file": key}
    return settings_of(folder, **files, internal__ca_file=authority.ca_file)


@asynccontextmanager
async def serving(at: Listening) -> AsyncIterator[str]:
    """A service that answers `{}`; gives its address without the scheme."""
    app = Starlette(routes=[Route("/status", lambda _: JSONResponse({}))])
    task = asyncio.create_task(serve_http(app, at))
    for _ in range(500):
        await asyncio.sleep(0.01)
        try:
            (await asyncio.open_connection(at.host, at.port))[1].close()
            break
        except OSError:
            continue
    try:
        yield f"{at.host}:{at.port}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def answer(url: str, tls: ssl.SSLContext | None) -> int | str:
    """The status of an answer, or why there is none."""
    async with httpx2.AsyncClient(trust_env=False, verify=tls or True) as client:
        try:
            return (await client.get(f"{url}/status")).status_code
        except httpx2.HTTPError as error:
            return type(error).__name__


async def test_nodes_believe_their_authority_and_nobody_else(tmp_path: Path) -> None:
    """A node with a certificate of the site's authority for its address is answered; one of another authority, or plain, is not."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    settings = nodes(tmp_path, ours, "127.0.0.1")
    stranger = settings_of(
        tmp_path,
        **{f"internal__{name}": tmp_path / "node.pem" for name in ("certificate_file", "certificate_key_file")},
        internal__ca_file=theirs.ca_file,
    )

    async with serving(Listening("127.0.0.1", free_port(), internal_certificate(settings))) as place:
        assert await answer(f"https://{place}", trust_in_nodes(settings)) == 200
        assert await answer(f"https://{place}", trust_in_nodes(stranger)) == "ConnectError"
        assert await answer(f"https://{place}", None) == "ConnectError"
        assert await answer(f"http://{place}", None) in {"RemoteProtocolError", "ReadError"}


async def test_a_certificate_of_another_address_is_not_believed(tmp_path: Path) -> None:
    """Though the same authority signed it: a node cannot pass for another."""
    settings = nodes(tmp_path, Authority(tmp_path), "127.0.0.2")
    async with serving(Listening("127.0.0.1", free_port(), internal_certificate(settings))) as place:
        assert await answer(f"https://{place}", trust_in_nodes(settings)) == "ConnectError"


async def test_commands_believe_the_very_certificate_of_the_settings(tmp_path: Path) -> None:
    """Under the loopback address too, which it does not name; another of the same authority is not believed."""
    authority = Authority(tmp_path)
    certificate, key = authority.certify("keepsight.example")
    settings = settings_of(tmp_path, api__certificate_file=certificate, api__key_file=key)
    another = settings_of(tmp_path, api__certificate_file=authority.certify("other.example")[0], api__key_file=key)

    async with serving(Listening("127.0.0.1", free_port(), api_certificate(settings))) as place:
        assert await answer(f"https://{place}", trust_in_own_api(settings)) == 200
        assert await answer(f"https://{place}", trust_in_own_api(another)) == "ConnectError"


async def test_without_certificates_all_is_plain(tmp_path: Path) -> None:
    """The embedded form: loopback, http."""
    settings = settings_of(tmp_path)
    found = (api_certificate(settings), internal_certificate(settings), trust_in_nodes(settings), trust_in_own_api(settings))
    assert found == (None, None, None, None)
    async with serving(Listening("127.0.0.1", free_port())) as place:
        assert await answer(f"http://{place}", None) == 200


@pytest.mark.parametrize("spoil", ["certificate gone", "key gone", "key of another", "key readable", "no certificate", "key encrypted"])
def test_a_certificate_that_cannot_be_used_is_refused(tmp_path: Path, spoil: str) -> None:
    """Before anything is served; the sentence names the setting or the file."""
    authority = Authority(tmp_path)
    certificate, key = authority.certify("node", "127.0.0.1")
    other = authority.certify("other", "127.0.0.1")[1]
    match spoil:
        case "certificate gone":
            certificate.unlink()
        case "key gone":
            key.unlink()
        case "key of another":
            key = other
        case "key readable":
            key.chmod(0o644)
        case "no certificate":
            certificate.write_text("not PEM")
        case "key encrypted":
            key.write_text(ENCRYPTED)
    settings = settings_of(tmp_path, api__certificate_file=certificate, api__key_file=key)
    with pytest.raises(StartRefused, match=r"api\.certificate_file"):
        api_certificate(settings)


@pytest.mark.parametrize("text", [None, "not PEM"])
def test_an_authority_that_cannot_be_used_is_refused(tmp_path: Path, text: str | None) -> None:
    """Of nodes and of the index alike."""
    if text is not None:
        (tmp_path / "ca.pem").write_text(text)
    cassandra = {"index__kind": "cassandra", "index__datacenter": "east", "index__hosts": ["127.0.0.1"], "index__ca_file": "ca.pem"}
    settings = settings_of(
        tmp_path, internal__ca_file="ca.pem", internal__certificate_file="a", internal__certificate_key_file="b", **cassandra
    )
    with pytest.raises(StartRefused, match=r"internal\.ca_file: .*ca\.pem"):
        trust_in_nodes(settings)
    with pytest.raises(StartRefused, match=r"index\.ca_file: .*ca\.pem"):
        index_tls(settings.index)


ENCRYPTED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj5
-----END ENCRYPTED PRIVATE KEY-----
"""
