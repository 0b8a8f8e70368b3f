"""Single create-only puts whose bytes are hashed by nobody here: the hash that is promised is signed, and the store checks it.

Bytes go from the file to the connection, a piece at a time. One request and one answer: nothing is repeated.
"""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from segments.errors import DataDamaged, KeepsightError, TryAgain, Unknown
from segments.ports import Body
from segments.stores.object_rules import read_verified
from segments.stores.s3_client import S3Settings, tls
from segments.stores.s3_errors import kind_of_answer
from segments.stores.s3_signature import signed

_PIECE_BYTES = 256 << 10
"""On a new connection each must be taken within the limit of connecting (urllib3): small, so that it is the whole put that is limited."""
_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")


class Putter:
    """Puts into one bucket, from any number of threads."""

    def __init__(self, settings: S3Settings, *, connections: int) -> None:
        self._settings = settings
        address = urlsplit(settings.endpoint)
        self._host = address.netloc
        self._folder = f"{address.path.rstrip('/')}/{settings.bucket}"
        options: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=settings.connect_timeout_s, read=settings.request_timeout_s),
            "maxsize": connections,
            "blocksize": _PIECE_BYTES,
        }
        if address.scheme == "https":
            options["ssl_context"] = tls(settings)
        kind = urllib3.HTTPSConnectionPool if address.scheme == "https" else urllib3.HTTPConnectionPool
        self._pool = kind(address.hostname or "", address.port, **options)

    def put(self, key: str, body: Body, *, sha256: str, metadata: Mapping[str, str], content_type: str) -> str:
        """The version of the new object ('' where there are none). Blocks, at most about `request_timeout_s`.

        Raises Conflict, DataDamaged, TryAgain, Unknown and Refused, as `PutObject` says.
        """
        what = f"put of {key!r} in bucket {self._settings.bucket}"
        path = f"{self._folder}/{quote(key, safe='/~')}"
        headers = {
            "host": self._host,
            "content-type": content_type,
            "if-none-match": "*",
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
            **{f"x-amz-meta-{name}": value for name, value in metadata.items()},
        }
        with _opened(body) as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            signature = signed(self._settings, "PUT", path, headers, sha256=sha256, now=datetime.now(UTC))
            sent = {**signature, "content-length": str(size)}
            try:
                timed = _InTime(file, self._settings.request_timeout_s)
                answer = self._pool.urlopen("PUT", path, timed, sent, retries=False, redirect=False)
            except (HTTPError, OSError) as error:
                raise _no_answer(error, what) from None
        if answer.status == 200:
            return str(answer.headers.get("x-amz-version-id", ""))
        found = _CODE.search(answer.data)
        code = found[1].decode() if found else ""
        kind = kind_of_answer(answer.status, code, once=True)
        if kind is DataDamaged:
            read_verified(key, body, sha256)  # tells whether the bytes were wrong here already, or became so on their way
        raise kind(f"{what}: {' '.join(filter(None, (str(answer.status), code)))}")

    def close(self) -> None:
        """Closes connections that nobody uses."""
        self._pool.close()


class _InTime(io.RawIOBase):
    """A body that ends a put which takes longer than it may: a store that takes a little at a time never falls silent."""

    def __init__(self, file: IO[bytes], limit_s: float) -> None:
        self._file = file
        self._end_s = time.monotonic() + limit_s

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._end_s:
            raise TimeoutError
        return self._file.read(size)


def _opened(body: Body) -> IO[bytes]:
    return body.open("rb", buffering=0) if isinstance(body, Path) else io.BytesIO(body)


def _no_answer(error: Exception, what: str) -> KeepsightError:
    """Unknown, but where nothing can have been sent. Of the foreign text nothing is taken over."""
    if isinstance(error, NewConnectionError | ConnectTimeoutError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return TryAgain(f"{what}: the store could not be reached")
    if isinstance(error, SSLError):
        return Unknown(f"{what}: the TLS connection broke")
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return Unknown(f"{what}: the store did not answer in time")
    return Unknown(f"{what}: the connection broke or the answer made no sense")
