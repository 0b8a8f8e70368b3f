"""Whether a bucket keeps versions: asked of a store that answers by the book, and counts how often it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from segments.errors import TryAgain
from segments.stores.s3_client import S3Settings
from segments.stores.s3_versions import BucketVersions

ANSWER = '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{status}</VersioningConfiguration>'


class Store(ThreadingHTTPServer):
    """Answers `GetBucketVersioning` with a status, or nothing but 503."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.status = ""
        self.away = False
        self.asked = 0


class _Answers(BaseHTTPRequestHandler):
    server: Store

    def do_GET(self) -> None:
        assert self.path.endswith("?versioning")
        self.server.asked += 1
        status = f"<Status>{self.server.status}</Status>" if self.server.status else ""
        body = ANSWER.format(status=status).encode()
        self.send_response(503 if self.server.away else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def store() -> Iterator[Store]:
    """It runs."""
    with Store() as store:
        serving = Thread(target=store.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield store
        store.shutdown()
        serving.join()


@pytest.fixture
def versions(store: Store) -> Iterator[BucketVersions]:
    """What is tested, over a bucket of it."""
    versions = BucketVersions(S3Settings(f"http://127.0.0.1:{store.server_port}", "pool", "key", "secret", allow_http=True))
    yield versions
    versions.close()


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
async def test_a_bucket_that_keeps_versions_is_asked_once(store: Store, versions: BucketVersions, status: str) -> None:
    """It never goes back to having none; one that keeps none any more still has those of old."""
    store.status = status
    assert [await versions.kept() for _ in range(3)] == [True] * 3
    assert store.asked == 1


async def test_a_bucket_without_versions_is_asked_again(store: Store, versions: BucketVersions) -> None:
    """It may begin at any time, and what is deleted from then on leaves versions behind."""
    assert [await versions.kept() for _ in range(2)] == [False] * 2
    store.status = "Enabled"
    assert await versions.kept()
    assert store.asked == 3


async def test_no_answer_is_not_remembered(store: Store, versions: BucketVersions) -> None:
    """Neither as a yes nor as a no."""
    store.status, store.away = "Enabled", True
    with pytest.raises(TryAgain):
        await versions.kept()
    store.away = False
    assert await versions.kept()
    assert store.asked == 2
