"""AWS Signature Version 4 of a request without a query (S3 API reference, "Authenticating Requests: Using the Authorization Header").

Written out here because the hash of what a put sends is known before: no library takes it without hashing the bytes once more.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from segments.stores.s3_client import S3Settings

_ALGORITHM = "AWS4-HMAC-SHA256"


def signed(settings: S3Settings, method: str, path: str, headers: Mapping[str, str], *, sha256: str, now: datetime) -> dict[str, str]:
    """The headers of a request with its signature; all of them are signed.

    `path` is percent-encoded, `headers` have names in lower case and values without spaces at their ends or in a row, `sha256` is that of
    the body, in hex. The store refuses a body of another hash, and a request a quarter of an hour from its own clock.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    all_ = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": sha256}
    names = sorted(all_)
    signed_names = ";".join(names)
    request = "\n".join([method, path, "", *(f"{name}:{all_[name]}" for name in names), "", signed_names, sha256])
    scope = [stamp[:8], settings.region, "s3", "aws4_request"]
    text = "\n".join([_ALGORITHM, stamp, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{settings.secret_access_key}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{settings.access_key_id}/{'/'.join(scope)}"
    all_["authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={signed_names}, Signature={signature}"
    return all_
