"""What a site agrees with its identity provider (OpenID Connect), and who somebody is by the provider's claims. Pure; deny by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from segments.access import EVERYTHING, NOTHING, Role, Scope, Subject

SOURCE = "oidc"
"""How sessions and subjects of a provider are told from others."""
MOST_VALUES = 1000
"""A claim that lists more counts as damaged: it gives nothing."""
_MOST_SUB, _MOST_NAME = 255, 200
_CLASSES = {"1": 1, "2": 2, "3": 3}


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claims say what: a claim's name, or the names of claims within claims joined by `.` (`realm_access.roles`)."""

    roles: str = "roles"
    name: str = "name"
    unit: str = "unit"
    areas: str = "areas"
    classes: str = "classes"
    cameras: str = "cameras"


@dataclass(frozen=True, slots=True)
class Oidc:
    """The agreement: who the provider is, who we are to it, and what of its words counts here.

    `base_url` is where browsers reach this service, as `https://video.example.org`. `audience` is what access tokens for this service name
    in `aud`; never the client's id, which ID tokens name. `roles` maps the provider's roles to ours; any other counts nothing.
    `without_scope` is the scope of those of whom no claim says a scope.
    """

    issuer: str
    client_id: str
    base_url: str
    audience: str
    client_secret: str = field(default="", repr=False)
    algorithms: tuple[str, ...] = ("RS256", "ES256", "PS256")
    scopes: tuple[str, ...] = ("openid", "profile")
    claims: ClaimNames = ClaimNames()
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    without_scope: Scope = NOTHING
    session_s: int = 8 * 3600

    def subject(self, claims: Mapping[str, Any]) -> Subject | None:
        """Who somebody is by checked claims; None if `sub` is no name of anybody."""
        sub = claims.get("sub")
        if not isinstance(sub, str) or not sub.isprintable() or not 0 < len(sub) <= _MOST_SUB:
            return None
        named = (self._one(claims, name) for name in (self.claims.name, "preferred_username", "client_id"))
        name = next(filter(None, named), sub)
        return Subject(self.subject_id(sub), name, self._one(claims, self.claims.unit), self._roles(claims), self._scope(claims))

    def subject_id(self, sub: str) -> str:
        """How a subject of the provider is called here."""
        return f"{SOURCE}:{self.issuer}#{sub}"

    def _one(self, claims: Mapping[str, Any], name: str) -> str:
        found = _value(claims, name)
        return "".join(filter(str.isprintable, found))[:_MOST_NAME].strip() if isinstance(found, str) else ""

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        named = _texts(_value(claims, self.claims.roles)) or ()
        return frozenset(self.roles[role] for role in named if role in self.roles)

    def _scope(self, claims: Mapping[str, Any]) -> Scope:
        found = [_value(claims, name) for name in (self.claims.areas, self.claims.classes, self.claims.cameras)]
        if all(value is None for value in found):
            return self.without_scope
        areas, classes, cameras = map(_texts, found)
        if areas is None or classes is None or cameras is None or not _CLASSES.keys() >= set(classes):
            return NOTHING
        if "*" in areas:
            return EVERYTHING
        return Scope(areas=tuple(area.strip("/") for area in areas), classes=tuple(_CLASSES[one] for one in classes), cameras=cameras)


def _value(claims: Mapping[str, Any], name: str) -> Any:
    """The value of a claim; None if there is none. A claim of exactly this name goes before one within another."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _texts(value: Any) -> tuple[str, ...] | None:
    """A claim's values: one, or a list of them; none at all where there is no claim; None if it is something else."""
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    if len(values) > MOST_VALUES or not all(isinstance(one, str | int) and not isinstance(one, bool) for one in values):
        return None
    texts = tuple(str(one) for one in values)
    return texts if all(text.strip("/") and text.isprintable() for text in texts) else None
