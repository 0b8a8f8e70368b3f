"""AWS Signature Version 4 of a request in its headers, or in its query (S3 API reference, "Authenticating Requests").

Written out here because the hash of what a put sends is known before, which no library takes without hashing the bytes once more; and
because a link that is signed for its range is made for each entry that is played, in a tenth of botocore's time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from segments.stores.s3_client import S3Settings

_ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"


def signed(settings: S3Settings, method: str, path: str, headers: Mapping[str, str], *, sha256: str, now: datetime) -> dict[str, str]:
    """The headers of a request with its signature; all of them are signed.

    `path` is percent-encoded, `headers` have names in lower case and values without spaces at their ends or in a row, `sha256` is that of
    the body, in hex. The store refuses a body of another hash, and a request a quarter of an hour from its own clock.
    """
    stamp = now.strftime(_STAMP)
    all_ = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": sha256}
    names, lines = _canonical(all_)
    request = f"{method}\n{path}\n\n{lines}\n{names}\n{sha256}"
    scope, signature = _signature(settings, stamp, request)
    credential = f"{settings.access_key_id}/{scope}"
    all_["authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return all_


def link_query(settings: S3Settings, path: str, headers: Mapping[str, str], *, seconds: int, now: datetime) -> str:
    """The query that makes a GET of this path, with these headers and no others of their names, a link that is good for so long.

    Whoever opens it has to send each of the headers as it was signed; `host` is one of them.
    """
    stamp = now.strftime(_STAMP)
    names, lines = _canonical(headers)
    scope = f"{stamp[:8]}/{settings.region}/s3/aws4_request"
    values = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{settings.access_key_id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names,
    }
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in values.items())
    _, signature = _signature(settings, stamp, f"GET\n{path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD")
    return f"{query}&X-Amz-Signature={signature}"


def _canonical(headers: Mapping[str, str]) -> tuple[str, str]:
    """The names of the headers as they are signed, and their lines."""
    names = sorted(headers)
    return ";".join(names), "".join(f"{name}:{headers[name]}\n" for name in names)


def _signature(settings: S3Settings, stamp: str, request: str) -> tuple[str, str]:
    """What a signature made at a moment is good for, and that of a request."""
    scope = [stamp[:8], settings.region, "s3", "aws4_request"]
    text = "\n".join([_ALGORITHM, stamp, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{settings.secret_access_key}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return "/".join(scope), hmac.digest(key, text.encode(), "sha256").hex()
