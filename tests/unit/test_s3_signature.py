"""The signature of a request, against botocore's own signer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from segments.stores.s3_client import S3Settings
from segments.stores.s3_signature import signed
from tests.contract.object_contract import sha256

SETTINGS = S3Settings("https://store.example:9000", "pool", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region="cn-east-3")
NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "path", ["/pool/a", "/pool/gate/2026-01-31/home-a-1-1/12/00-00.000000Z.0.mp4", "/pool/a%20b%2B%25/%C3%A9~%27%28%29"]
)
@pytest.mark.parametrize("headers", [{}, {"if-none-match": "*", "x-amz-meta-place": "%E9%97%A8 2", "x-amz-meta-empty": "%"}])
def test_the_signature_is_botocores(path: str, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same request at the same moment, over every header that is sent."""
    body = b"some bytes"
    given = {"host": "store.example:9000", "content-type": "video/mp4", **headers}
    ours = signed(SETTINGS, "PUT", path, given, sha256=sha256(body), now=NOW)

    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: NOW.replace(tzinfo=None))
    request = AWSRequest("PUT", f"https://store.example:9000{path}", headers=given, data=body)
    request.context.update(timestamp="20260131T235959Z", client_config=None)
    S3SigV4Auth(Credentials(SETTINGS.access_key_id, SETTINGS.secret_access_key), "s3", SETTINGS.region).add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours["x-amz-content-sha256"] == request.headers["X-Amz-Content-SHA256"]


@pytest.mark.parametrize("spoiled", ["path", "header", "hash", "secret", "time"])
def test_every_part_is_signed(spoiled: str) -> None:
    """Another path, header, body, key or moment gives another signature."""
    good = {"path": "/pool/a", "headers": {"host": "h", "x-amz-meta-a": "1"}, "sha256": sha256(b"a"), "now": NOW}

    def signature(secret: str = "secret", **more: object) -> str:
        values = {**good, **more}
        path, headers = values.pop("path"), values.pop("headers")
        return signed(S3Settings("https://h", "pool", "key", secret), "PUT", path, headers, **values)["authorization"]

    other = {
        "path": {"path": "/pool/b"},
        "header": {"headers": {"host": "h", "x-amz-meta-a": "2"}},
        "hash": {"sha256": sha256(b"b")},
        "secret": {"secret": "another"},
        "time": {"now": NOW.replace(second=0)},
    }[spoiled]
    assert signature() == signature()
    assert signature() != signature(**other)
