"""Sensitive footage: who may see it, with which reason and whose consent."""

from __future__ import annotations

from typing import Protocol

from segments.access import Subject
from segments.audit import Action
from segments.errors import KeepsightError
from segments.model import Span


class NeedsReason(KeepsightError):
    """The footage is sensitive, and nobody said why it is asked for."""


class NeedsConsent(KeepsightError):
    """The footage is sensitive, and no second person lets this one have it; the text says how to ask."""


class Consents(Protocol):
    """Knows which footage is sensitive, and who may see it now."""

    async def check(self, who: Subject, action: Action, camera: str, span: Span, reason: str) -> str:
        """The reason that counts, given or of the consent, if this footage needs no more; else raises NeedsReason or NeedsConsent."""


class NoConsents:
    """Nothing is sensitive."""

    async def check(self, who: Subject, action: Action, camera: str, span: Span, reason: str) -> str:  # noqa: ARG002
        """See `Consents`."""
        return reason
