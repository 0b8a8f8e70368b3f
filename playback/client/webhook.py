"""What a receiver of webhooks asks of a message: whether it is from who has the secret, a moment ago (Standard Webhooks)."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping

TOLERANCE_S = 300


def verified(headers: Mapping[str, str], body: bytes, secret: str, *, now_s: float | None = None) -> bool:
    """Whether the signature fits; `headers` may be written in any case, `body` is what came, byte for byte."""
    given = {name.lower(): value for name, value in headers.items()}
    message, timestamp, said = (given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    now_s = time.time() if now_s is None else now_s
    if not timestamp.isdecimal() or abs(now_s - int(timestamp[:12])) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = base64.b64encode(hmac.digest(key, f"{message}.{timestamp}.".encode() + body, "sha256")).decode()
    return any(hmac.compare_digest(one.encode(), f"v1,{right}".encode()) for one in said.split(" "))
