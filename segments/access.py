"""Who may do what, to which cameras: subjects, roles, verbs and scopes. Pure; deny by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from segments.model import Camera


class Verb(StrEnum):
    """What a request wants to do."""

    PROBE = "probe"
    """Ask whether the process serves, or sign in: open to everybody, and tells nothing."""
    OWN = "own"
    """See and end what is one's own: session, links, jobs, usage. For everybody who is somebody."""
    LIST = "list"
    """See which cameras there are, and how the service is."""
    VIEW = "view"
    """See the footage of a camera, or when there is some."""
    EXPORT = "export"
    """Take footage away as a file."""
    INSPECT = "inspect"
    """See how long footage is kept and why, what holds it, and what was deleted."""
    HOLD = "hold"
    """Place, extend and lift legal holds."""
    CONSENT = "consent"
    """Be the second person who lets another see sensitive footage."""
    PLAN = "plan"
    """See usage, forecasts and plans of storage."""
    AUDIT = "audit"
    """Read the register: who saw and did what."""
    ADMINISTER = "administer"
    """Change policies, cameras' rules, users, keys and webhooks."""


class Reach(StrEnum):
    """How far a route without a camera in its path reaches."""

    SITE = "site"
    """It is about the whole site: only for those whose scope is everything. What a route is that does not say otherwise."""
    SCOPE = "scope"
    """It tells and changes only what lies in the asker's scope, and sees to that itself."""


class Role(StrEnum):
    """What people and platforms are; one may be several."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"
    PLANNER = "planner"
    AUDITOR = "auditor"
    PLATFORM = "platform"


VERBS: Mapping[Role, frozenset[Verb]] = {
    Role.VIEWER: frozenset({Verb.OWN, Verb.LIST, Verb.VIEW}),
    Role.OPERATOR: frozenset({Verb.OWN, Verb.LIST, Verb.VIEW, Verb.EXPORT, Verb.INSPECT, Verb.HOLD, Verb.CONSENT}),
    Role.ADMINISTRATOR: frozenset({Verb.OWN, Verb.LIST, Verb.INSPECT, Verb.HOLD, Verb.CONSENT, Verb.ADMINISTER}),
    Role.PLANNER: frozenset({Verb.OWN, Verb.LIST, Verb.PLAN}),
    Role.AUDITOR: frozenset({Verb.OWN, Verb.LIST, Verb.INSPECT, Verb.AUDIT}),
    Role.PLATFORM: frozenset({Verb.OWN, Verb.LIST, Verb.VIEW, Verb.EXPORT}),
}
"""What each role may do. An administrator sees no footage by that role, and an auditor changes nothing."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The cameras somebody has to do with: all; or those named, and those that lie in an area named and are of a class named.

    Areas are paths and reach all areas below. Without areas any area counts, without classes any class; with neither, only `cameras` do.
    """

    everything: bool = False
    areas: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()
    cameras: tuple[str, ...] = ()

    def covers(self, camera: Camera) -> bool:
        """Whether a camera is in it."""
        if self.everything or camera.id in self.cameras:
            return True
        if not self.areas and not self.classes:
            return False
        in_area = not self.areas or any(lies_in(camera.area, area) for area in self.areas)
        return in_area and (not self.classes or camera.camera_class in self.classes)

    def covers_area(self, area: str) -> bool:
        """Whether all cameras of an area are in it, also those that come later."""
        return self.everything or (not self.classes and any(lies_in(area, path) for path in self.areas))


EVERYTHING = Scope(everything=True)
NOTHING = Scope()


def lies_in(area: str, path: str) -> bool:
    """Whether an area is the one of a path, or below it."""
    return area == path or area.startswith(f"{path}/")


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks. `id` says where it is known from and never changes: `key:...`, `user:...`, `oidc:ISSUER#SUB`, `token`, `open`."""

    id: str
    name: str
    unit: str = ""
    roles: frozenset[Role] = frozenset()
    scope: Scope = NOTHING

    def may(self, verb: Verb) -> bool:
        """Whether one of its roles has this verb."""
        return verb is Verb.PROBE or any(verb in VERBS[role] for role in self.roles)


NOBODY = Subject("", "")
EVERYBODY = Subject("open", "", "", frozenset(Role), EVERYTHING)
"""Who asks where no access is controlled, on the machine itself."""
