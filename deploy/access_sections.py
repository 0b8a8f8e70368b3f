"""The section of the configuration that says who may come in, and who may see what."""

from __future__ import annotations

from pydantic import Field

from deploy.oidc_sections import OidcSettings
from deploy.sections import Section


class AccessSettings(Section):
    """Who may come in, and who may see what."""

    open: bool = False
    """Whether everybody who reaches the API may do everything; only where it listens on this machine alone."""
    key_days: int = Field(365, ge=1, le=3650)
    """How long an API key may open at most."""
    session_idle_s: int = Field(1800, ge=60, le=86_400)
    """How long a session lasts unused."""
    session_lasts_s: int = Field(43_200, ge=60, le=30 * 86_400)
    """How long it lasts at all."""
    consent_hours: float = Field(8.0, gt=0, le=168)
    """How long an approval of sensitive footage lasts."""
    oidc: OidcSettings = OidcSettings()
