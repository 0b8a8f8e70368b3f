"""Versity S3 Gateway over a folder: the second S3 server of the tests, of another make, so that no rule holds only on the first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from segments.stores.s3_client import S3Settings
from tests.certificates import Authority
from tests.servers.processes import Program, free_port, require
from tests.servers.s3 import ACCESS_KEY, READ_ONLY, SECRET_KEY, S3Server

PROGRAM = Path(__file__).parents[2] / ".parts" / "bin" / "versitygw"


class VersityGw(S3Server):
    """`versitygw posix`, with versions; its users lie in a folder. `authority`: it is behind TLS, with a certificate of theirs.

    `more_users`: access keys and secrets of users who may nothing until a bucket's policy says so.
    """

    name = "versitygw"

    def __init__(self, folder: Path, authority: Authority | None = None, *, more_users: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(folder)
        self._more_users = list(more_users)
        self._tls: list[str] = []
        if authority is not None:
            self._ca_file = authority.ca_file
            certificate, key = authority.certify("versitygw", "127.0.0.1")
            self._tls = ["--cert", str(certificate), "--key", str(key)]

    def read_only_settings(self, bucket: str) -> S3Settings:
        """See `S3Server`. Here rights belong to buckets."""
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        allowed = {"Effect": "Allow", "Principal": [READ_ONLY[0]], "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": resources}
        self.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
        return super().read_only_settings(bucket)

    def _launch(self) -> tuple[Program, int]:
        program = require(PROGRAM if PROGRAM.exists() else None, "versitygw is not there; run: scripts/parts")
        port = free_port()
        folders = {name: self._folder / f"{name}-{port}" for name in ("data", "versions", "users")}
        for folder in folders.values():
            folder.mkdir()
        accounts = {key: {"access": key, "secret": secret, "role": "user"} for key, secret in (READ_ONLY, *self._more_users)}
        (folders["users"] / "users.json").write_text(json.dumps({"accessAccounts": accounts}))
        login = ["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--iam-dir", str(folders["users"])]
        listen = ["--port", f"127.0.0.1:{port}", "--quiet", "--keep-alive", *self._tls]
        return Program([str(program), *listen, *login, "posix", "--versioning-dir", str(folders["versions"]), str(folders["data"])]), port
