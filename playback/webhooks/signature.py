"""Signatures of what is sent, as the Standard Webhooks specification 1.0 says: HMAC-SHA256 over id, timestamp and body. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence

from segments.errors import BadInput

PREFIX = "whsec_"
SECRET_BYTES = 32
TOLERANCE_S = 300
"""A receiver refuses what is older or newer, so that what was overheard cannot be sent again."""


def new_secret() -> str:
    """A secret nobody has: `whsec_` and 32 bytes as base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(message_id: str, timestamp_s: int, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """The three headers of a message; a signature for each secret, parted by spaces."""
    signatures = " ".join(f"v1,{_signature(key, message_id, timestamp_s, body)}" for key in keys)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp_s), "webhook-signature": signatures}


def verified(headers: Mapping[str, str], body: bytes, secret: str, *, now_s: float) -> bool:
    """What a receiver asks: whether this came from who has the secret, a moment ago. `headers` have names in lower case."""
    message_id, timestamp, said = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not timestamp.isdecimal() or len(timestamp) > 12 or abs(now_s - int(timestamp)) > TOLERANCE_S:
        return False
    right = f"v1,{_signature(secret, message_id, int(timestamp), body)}".encode()
    return any(hmac.compare_digest(one.encode(), right) for one in said.split(" "))


def _signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise BadInput(f"the secret of a webhook is {PREFIX} and base64") from None
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
