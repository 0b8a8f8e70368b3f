"""Real S3 servers for tests, on loopback, all behind one interface, with a raw way in through boto3.

with SeaweedFs(folder) as server:     # or VersityGw(folder)
    bucket = server.make_bucket()
    server.settings(bucket)           # S3Settings of a user who may do everything
    server.client                     # boto3: the tests' back door
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from segments.stores.s3_client import S3Settings
from tests.servers.processes import Program

ACCESS_KEY = "keepsight-tests"
SECRET_KEY = "canary-secret-of-the-store"
READ_ONLY = ("keepsight-reader", "canary-secret-of-the-reader")
"""Access key and secret of a user who may only read and list."""

_STARTS = 3


class S3Server(ABC):
    """A server in `folder`; a context manager."""

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca_file: Path | None = None
        """Where it is set, the server is behind TLS, with a certificate that this authority signed."""
        self._numbers = itertools.count()
        self._program: Program | None = None
        self.port = 0
        self.client: Any = None

    def __enter__(self) -> Self:
        for attempt in range(1, _STARTS + 1):
            try:
                self._program, self.port = self._launch()
                self.client = self._raw_client()
                self._program.wait_for(self._stores, limit_s=60)
                self.client = self._raw_client()  # a connection on which a busy server answered before it had read all is not used again
                return self
            except RuntimeError:  # another program may have taken one of its ports meanwhile
                self._end()
                if attempt == _STARTS:
                    raise
        raise AssertionError

    def __exit__(self, *_: object) -> None:
        self._end()

    def make_bucket(self, *, locks: bool = False) -> str:
        """A new empty bucket; `locks`: with Object Lock, which brings versions."""
        name = f"pool-{next(self._numbers)}"
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        return name

    def settings(self, bucket: str, *, port: int | None = None) -> S3Settings:
        """How to reach a bucket, through a proxy's `port` if given."""
        endpoint = f"{'https' if self._ca_file else 'http'}://127.0.0.1:{port or self.port}"
        return S3Settings(endpoint, bucket, ACCESS_KEY, SECRET_KEY, allow_http=self._ca_file is None, ca_file=self._ca_file)

    def read_only_settings(self, bucket: str) -> S3Settings:
        """The same for the user who may only read."""
        return replace(self.settings(bucket), access_key_id=READ_ONLY[0], secret_access_key=READ_ONLY[1])

    @abstractmethod
    def _launch(self) -> tuple[Program, int]:
        """Starts the program; gives it back with the port it will answer on. Raises RuntimeError if it is to be tried again."""

    def _end(self) -> None:
        """At once: polite ends take seconds, and nothing is kept."""
        if self._program is not None:
            self._program.kill()

    def _stores(self) -> bool:
        """Whether a put is answered, which may come later than the port."""
        try:
            if "probe" not in [bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]]:
                self.client.create_bucket(Bucket="probe")
            self.client.put_object(Bucket="probe", Key="probe", Body=b"probe")
        except (BotoCoreError, ClientError):
            return False
        return True

    def _raw_client(self) -> Any:
        """boto3 as it comes, past our own; it repeats nothing."""
        return boto3.client(
            "s3",
            endpoint_url=self.settings("").endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            verify=str(self._ca_file) if self._ca_file else None,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=30),
        )
