"""The section of the configuration that says who may come in, and who may see what."""

from __future__ import annotations

from pydantic import Field

from deploy.oidc_sections import OidcSettings
from deploy.sections import Section


class AccessSettings(Section):
    """Who may come in, and who may see what."""

    consent_hours: float = Field(8.0, gt=0, le=168)
    """How long an approval of sensitive footage lasts."""
    oidc: OidcSettings = OidcSettings()
