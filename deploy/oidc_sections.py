"""The section of the configuration that names the identity provider, and what of its words counts here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from deploy.sections import Section
from playback.identity.oidc_provider import safe_address
from segments.access import Role

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""What tokens may be signed with: pairs of keys only, so that nobody who can check a token can make one."""


class ClaimSettings(Section):
    """Which claims of the provider say what; `.` leads into claims within claims."""

    roles: str = "roles"
    name: str = "name"
    unit: str = "unit"
    areas: str = "areas"
    classes: str = "classes"
    cameras: str = "cameras"


class OidcSettings(Section):
    """The identity provider (OpenID Connect) of people and of their tools; without an issuer there is none."""

    issuer: str = ""
    client_id: str = ""
    client_secret_file: Path | None = None
    base_url: str = Field("", pattern=r"^(https?://[^\s/@?#]+)?$")
    """Where browsers reach this service."""
    audience: str = ""
    """What access tokens for this service name in `aud`."""
    algorithms: tuple[Algorithm, ...] = Field(("RS256", "ES256", "PS256"), min_length=1)
    scopes: tuple[str, ...] = ("openid", "profile")
    claims: ClaimSettings = ClaimSettings()
    roles: dict[str, Role] = Field(default_factory=dict)
    """Roles of the provider to ours; those that are not here count nothing."""
    without_scope: Literal["nothing", "everything"] = "nothing"
    """What those see of whom no claim says it."""
    session_s: int = Field(8 * 3600, ge=60, le=7 * 86_400)
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _is_whole_and_safe(self) -> OidcSettings:
        if not self.issuer:
            return self
        missing = [name for name in ("client_id", "base_url", "audience", "roles") if not getattr(self, name)]
        if missing:
            raise ValueError(f"with an issuer, {' and '.join(missing)} must be set, too")
        for name in ("issuer", "base_url"):
            if not safe_address(getattr(self, name)):
                raise ValueError(f"{name} {getattr(self, name)} has to begin with https:// (http:// on this machine only)")
        if self.audience == self.client_id:
            raise ValueError("audience must not be the client_id: ID tokens name that one, and are no access tokens")
        if "openid" not in self.scopes:
            raise ValueError("scopes must have openid among them")
        return self
