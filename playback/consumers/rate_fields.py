"""The header fields RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10), and the error that carries them. Pure."""

from __future__ import annotations

import math

from playback.consumers.allowance import Allowance
from playback.problems import TooMuch

REQUESTS, STREAMS, BYTES, EXPORT, TIMELINE = "requests", "streams", "bytes", "export", "timeline"
POLICIES = (REQUESTS, STREAMS, BYTES, EXPORT, TIMELINE)
"""The names of the policies."""
WINDOW_S = 2
"""The window of the policy of requests: that many seconds' worth may come at once."""


class OverQuota(TooMuch):
    """A consumer asks for more than its limits allow. `retry_after_s`: when it is worth asking again."""

    def __init__(self, sentence: str, policy: str, allowance: Allowance, retry_after_s: float) -> None:
        wait_s = max(1, math.ceil(retry_after_s))
        fields = {"RateLimit": limit_field(policy, 0, wait_s), "RateLimit-Policy": policy_field(allowance)}
        super().__init__(sentence, {"Retry-After": str(wait_s), **fields})


def limit_field(policy: str, remaining: float, reset_s: float) -> str:
    """What is left of a policy, and in how many seconds there is more."""
    return f'"{policy}";r={max(0, math.floor(remaining))};t={max(0, math.ceil(reset_s))}'


def policy_field(allowance: Allowance) -> str:
    """All policies of a consumer: quota (q), its unit (qu) where it is not requests, and window (w) in seconds. Empty without limits."""
    policies = (
        (allowance.requests_per_s, f'"{REQUESTS}";q={math.floor(allowance.requests_per_s * WINDOW_S)};w={WINDOW_S}'),
        (allowance.streams, f'"{STREAMS}";q={allowance.streams};qu="streams"'),
        (allowance.bytes_per_s, f'"{BYTES}";q={allowance.bytes_per_s};qu="content-bytes";w=1'),
        (
            allowance.export_hours_per_day,
            f'"{EXPORT}";q={math.floor(allowance.export_hours_per_day * 3600)};qu="seconds-of-footage";w=86400',
        ),
        (
            allowance.timeline_days_per_minute,
            f'"{TIMELINE}";q={math.floor(allowance.timeline_days_per_minute)};qu="days-of-timeline";w=60',
        ),
    )
    return ", ".join(text for limit, text in policies if limit)
