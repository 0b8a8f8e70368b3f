"""Subjects and scopes as the values of records, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segments.access import Role, Scope, Subject
from segments.errors import DataDamaged


def scope_values(scope: Scope) -> dict[str, Any]:
    """A scope as it stands in a record."""
    return {
        "everything": scope.everything,
        "areas": list(scope.areas),
        "classes": list(scope.classes),
        "cameras": list(scope.cameras),
    }


def scope_of(values: Mapping[str, Any]) -> Scope:
    """The scope of such values; raises DataDamaged. What is not there covers nothing."""
    try:
        return Scope(
            everything=values.get("everything") is True,
            areas=tuple(str(area) for area in values.get("areas", ())),
            classes=tuple(int(one) for one in values.get("classes", ())),
            cameras=tuple(str(camera) for camera in values.get("cameras", ())),
        )
    except (AttributeError, TypeError, ValueError):
        raise DataDamaged("a record holds a scope that is none") from None


def roles_of(values: Mapping[str, Any]) -> frozenset[Role]:
    """The roles that values name under `roles`; one that this version does not know is none."""
    known = {role.value for role in Role}
    return frozenset(Role(role) for role in values.get("roles", ()) if role in known)


def subject_values(subject: Subject) -> dict[str, Any]:
    """A subject as it stands in a record."""
    return {
        "id": subject.id,
        "name": subject.name,
        "unit": subject.unit,
        "roles": sorted(subject.roles),
        "scope": scope_values(subject.scope),
    }


def subject_of_values(values: Mapping[str, Any]) -> Subject:
    """The subject of such values; raises DataDamaged."""
    try:
        return Subject(values["id"], values["name"], values["unit"], roles_of(values), scope_of(values["scope"]))
    except (KeyError, TypeError):
        raise DataDamaged("a record holds a subject that is none") from None
