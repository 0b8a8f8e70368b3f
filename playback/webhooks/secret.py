"""The secrets of webhooks, sealed: made, replaced, and opened for signing. Pure but for chance."""

from __future__ import annotations

from dataclasses import replace

from playback.webhooks.signature import new_secret
from playback.webhooks.subscription import Secret, Webhook
from segments.clock import US_PER_HOUR
from segments.errors import DataDamaged
from segments.model import Credential
from segments.secrets import Sealer

BOTH_US = 24 * US_PER_HOUR
"""So long the secret before signs, too, after a new one was made: receivers have the time to change."""


def with_new_secret(webhook: Webhook, sealer: Sealer, now_us: int) -> tuple[Webhook, str]:
    """The webhook with one more secret, and that secret: it is shown now and never again. At most two sign at once."""
    secret = new_secret()
    sealed = Secret(sealer.seal(_bound(webhook.id), Credential("", secret)).hex())
    before = tuple(one._replace(until_us=now_us + BOTH_US) for one in webhook.secrets[:1])
    return replace(webhook, secrets=(sealed, *before)), secret


def signing_secrets(webhook: Webhook, sealer: Sealer, now_us: int) -> list[str]:
    """Those that count now; raises DataDamaged."""
    try:
        return [sealer.open(_bound(webhook.id), bytes.fromhex(one)).password for one in webhook.signing(now_us)]
    except (DataDamaged, ValueError):
        raise DataDamaged(f"the secret of webhook {webhook.id} does not open with this key: make a new one") from None


def _bound(webhook: str) -> str:
    return f"webhook:{webhook}"
