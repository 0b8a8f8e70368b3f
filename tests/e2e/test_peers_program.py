"""The program that answers other sites, as a process of its own, over the stores of a real configuration."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from deploy.peers import open_peers
from deploy.settings import Settings, load_settings
from deploy.wiring import open_stores
from replication.peer_client import PeerClient
from replication.ports import PROTOCOL, Named
from segments.errors import Refused, TryAgain
from segments.hold import HOLDS
from segments.model import Camera
from segments.shards import bucket_of
from tests.asked_site import ATTRIBUTES, KEY, a_small_row, all_of
from tests.builders import a_camera, a_run
from tests.certificates import Authority
from tests.retention_builders import a_hold
from tests.servers.processes import Program, free_port


def a_site(folder: Path, name: str, other: str, *, port: int, lines: str = "", replication: str = "") -> Settings:
    """The configuration of a site that knows another one at this port."""
    folder.mkdir()
    (folder / "other.key").touch(mode=0o600)
    (folder / "other.key").write_text(KEY)
    text = f'[site]\nname = "{name}"\n[sites.{other}]\nurl = "https://127.0.0.1:{port}"\nkey_file = "other.key"\n{lines}\n'
    text += f"[api]\nport = {free_port()}\n[internal]\nport = {free_port()}\n[replication]\n{replication}\n"
    (folder / "keepsight.toml").write_text(text)
    return load_settings(folder / "keepsight.toml", {})


async def _answers(north: PeerClient, program: Program) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await north.hello()
                return
            except (TryAgain, Refused):
                assert program.returncode is None, program.log
                await asyncio.sleep(0.05)


@pytest.mark.server
async def test_a_site_answers_another(tmp_path: Path) -> None:
    """What is in its index and its pool is told to a site that has the key, by TLS; a hold that is told binds there; it ends in order."""
    port = free_port()
    certificate, key = Authority(tmp_path, "sites").certify("north", "127.0.0.1")
    files = f'port = {port}\ncertificate_file = "{certificate}"\ncertificate_key_file = "{key}"'
    north = a_site(tmp_path / "north", "north", "south", port=1, replication=files)
    south = a_site(tmp_path / "south", "south", "north", port=port, lines=f'ca_file = "{tmp_path / "sites.pem"}"')
    row, data = a_small_row(3 << 20)
    camera: Camera = a_camera("gate", tier="")
    async with open_stores(north) as stores:
        await stores.pools["main"].put(row.key, data, sha256=row.sha256, attributes=ATTRIBUTES)
        await stores.index.put_run(a_run())
        await stores.index.publish(row)
        await stores.index.add_camera(camera)
    program = Program([sys.executable, "-m", "deploy.peers_process", str(tmp_path / "north" / "keepsight.toml")])
    try:
        async with open_peers(south) as peers:
            peer = peers["north"]
            await _answers(peer, program)
            hello = await peer.hello()
            assert (hello.site, hello.protocol) == ("north", PROTOCOL)
            (found,) = await peer.rows("gate", row.day, range(24))
            given = await peer.read(found)
            assert (given.attributes, await all_of(given.pieces)) == (ATTRIBUTES, data)
            assert await peer.has("gate", row.day, [Named(row.position, row.sha256)]) == ["here"]
            assert await peer.cameras_in(bucket_of("gate")) == [camera]
            await peer.tell_holds([a_hold()])
            assert await peer.holds() == [a_hold()]
        async with open_stores(north) as stores:
            assert [record.id for record in await stores.index.records(HOLDS)] == [a_hold().id]
    finally:
        program.stop()
    assert not [line for line in program.log if "ERROR" in line or KEY in line]
