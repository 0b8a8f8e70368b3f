"""Checks before footage whether it is sensitive, and if it is, whether a second person lets this one see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from playback.consents import NeedsConsent, NeedsReason
from playback.lately import Lately
from playback.sensitive.consent import Consent
from playback.sensitive.declared import Declaration, Kind, why_sensitive
from playback.sensitive.kept import consents_of, declarations
from segments.access import Subject
from segments.audit import Action
from segments.clock import Clock, iso
from segments.errors import NotFound
from segments.hold import HOLDS, Hold, hold_of
from segments.model import Camera, Span
from segments.ports import Cameras, Records


class ConsentIndex(Records, Cameras, Protocol):
    """What the check reads."""


class RecordedConsents:
    """Consents as the records have them, at most a second old: what is declared, approved or withdrawn anywhere binds within two.

    Where nothing is declared it costs one read a second. An index that does not answer lets nobody through (TryAgain).
    """

    def __init__(self, index: ConsentIndex, clock: Clock) -> None:
        self._index = index
        self._clock = clock
        self._declared = Lately(self._read_declared, clock)
        self._cameras = Lately(self._read_camera, clock)
        self._consents = Lately(self._read_consents, clock)

    async def check(self, who: Subject, action: Action, camera: str, span: Span, reason: str) -> str:
        """See `Consents`."""
        if action not in (Action.VIEW, Action.EXPORT):
            return reason
        declared, holds = await self._declared(None)
        if not declared:
            return reason
        known = await self._cameras(camera) if any(one.kind is not Kind.CAMERA for one in declared) else None
        found = why_sensitive(declared, holds, camera, known, span)
        if found is None:
            return reason
        now_us = self._clock.now_us()
        consent = next((one for one in await self._consents(who.id) if one.lets(who.id, action, camera, span, now_us)), None)
        if consent is not None:
            return reason or consent.reason
        raise _lacking(found, action, camera, span, reason)

    async def _read_declared(self, _: None) -> tuple[Sequence[Declaration], Mapping[str, Hold]]:
        found = await declarations(self._index)
        holds: dict[str, Hold] = {}
        for one in found:
            if one.kind is Kind.HOLD:
                try:
                    holds[one.name] = hold_of(await self._index.record(HOLDS, one.name))
                except NotFound:
                    continue  # a hold that is not here covers nothing here
        return found, holds

    async def _read_camera(self, camera: str) -> Camera | None:
        try:
            return await self._index.camera(camera)
        except NotFound:
            return None

    async def _read_consents(self, subject_id: str) -> Sequence[Consent]:
        return await consents_of(self._index, subject_id)


def _lacking(found: Declaration, action: Action, camera: str, span: Span, reason: str) -> NeedsReason | NeedsConsent:
    what = f"footage of {camera} from {iso(span.start_us)} to {iso(span.end_us)} is sensitive ({found.kind} {found.name})"
    if not reason.strip():
        return NeedsReason(
            f"{what}: say why you ask for it, in `reason` or the header Keepsight-Reason; it also needs a second person's consent"
        )
    return NeedsConsent(
        f"{what}: ask for a second person's consent with POST /api/v1/consents "
        f"(cameras, from, to, reason, action {action}); somebody else then approves it there"
    )
