"""Sensitive footage: who may see it, with which reason and whose consent."""

from __future__ import annotations

from typing import Protocol

from segments.access import Subject
from segments.audit import Action
from segments.model import Span


class Consents(Protocol):
    """Knows which footage is sensitive, and who may see it now."""

    async def check(self, who: Subject, action: Action, camera: str, span: Span, reason: str) -> None:
        """Returns if this footage needs no more than it was asked with; else raises NeedsReason or NeedsConsent."""


class NoConsents:
    """Nothing is sensitive."""

    async def check(self, who: Subject, action: Action, camera: str, span: Span, reason: str) -> None:
        """See `Consents`."""
