"""What the API counts of its register: acts that could not be written, so that what was asked was not done."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from segments.audit import Act, Register
from segments.errors import KeepsightError


class CountedRegister:
    """A register whose failures are counted; see `segments.audit.Register`."""

    def __init__(self, registry: CollectorRegistry, register: Register) -> None:
        self._register = register
        self._refused = Counter(
            "keepsight_register_refused", "Acts that could not be written into the register, and so were not done.", registry=registry
        )

    async def write(self, act: Act) -> None:
        """See `Register`."""
        try:
            await self._register.write(act)
        except KeepsightError:
            self._refused.inc()
            raise
