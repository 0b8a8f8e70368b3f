"""How subjects, scopes, users and keys are written in bodies and answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from playback.identity.api_keys import ApiKey
from playback.identity.users import User
from segments.access import VERBS, Role, Scope, Subject, Verb
from segments.clock import iso
from segments.keys import CAMERA_ID

_Area = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^/\x00-\x1f]+(/[^/\x00-\x1f]+)*$")]
_Camera = Annotated[str, Field(pattern=f"^{CAMERA_ID.pattern}$")]
Text = Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Password = Annotated[str, Field(min_length=1, max_length=256, json_schema_extra={"format": "password"})]


class Body(BaseModel):
    """What a change is asked with; what is not of it is refused."""

    model_config = ConfigDict(extra="forbid")


class ScopeView(Body):
    """The cameras somebody has to do with: all; or those named, and those in an area named and of a class named. Nothing named: none."""

    everything: bool = False
    areas: list[_Area] = Field(default_factory=list, max_length=1_000, description="Paths of areas; each with all below it")
    classes: list[Annotated[int, Field(ge=1, le=3)]] = Field(default_factory=list, max_length=3)
    cameras: list[_Camera] = Field(default_factory=list, max_length=10_000)

    @property
    def scope(self) -> Scope:
        """The value."""
        return Scope(self.everything, tuple(self.areas), tuple(self.classes), tuple(self.cameras))


def scope_view(scope: Scope) -> ScopeView:
    """A scope as it is answered."""
    return ScopeView.model_construct(
        everything=scope.everything, areas=list(scope.areas), classes=list(scope.classes), cameras=list(scope.cameras)
    )


class MeView(BaseModel):
    """Who asks, and what they may do."""

    id: str = Field(description="Says where it is known from and never changes: `user:...`, `key:...`, `oidc:...`, `token`, `open`")
    name: str
    unit: str
    roles: list[Role]
    verbs: list[Verb]
    scope: ScopeView


def me_view(subject: Subject) -> MeView:
    """A subject as it is answered to itself."""
    verbs = {verb for role in subject.roles for verb in VERBS[role]}
    return MeView(
        id=subject.id,
        name=subject.name,
        unit=subject.unit,
        roles=sorted(subject.roles),
        verbs=sorted(verbs),
        scope=scope_view(subject.scope),
    )


class UserView(BaseModel):
    """A user."""

    name: str
    full_name: str
    unit: str
    roles: list[Role]
    scope: ScopeView
    disabled: bool
    made: str = Field(json_schema_extra={"format": "date-time"})
    made_by: str


def user_view(user: User) -> UserView:
    """A user as it is answered; never its password, nor the hash of it."""
    return UserView(
        name=user.name,
        full_name=user.full_name,
        unit=user.unit,
        roles=sorted(user.roles),
        scope=scope_view(user.scope),
        disabled=user.disabled,
        made=iso(user.made_us),
        made_by=user.made_by,
    )


class KeyView(BaseModel):
    """An API key, without its secret. `revoked` is null unless it was."""

    id: str
    name: str
    unit: str
    roles: list[Role]
    scope: ScopeView
    ends: str = Field(json_schema_extra={"format": "date-time"})
    made: str = Field(json_schema_extra={"format": "date-time"})
    made_by: str
    revoked: str | None
    revoked_by: str


def key_view(key: ApiKey) -> KeyView:
    """A key as it is answered."""
    return KeyView(
        id=key.id,
        name=key.name,
        unit=key.unit,
        roles=sorted(key.roles),
        scope=scope_view(key.scope),
        ends=iso(key.ends_us),
        made=iso(key.made_us),
        made_by=key.made_by,
        revoked=iso(key.revoked_us) if key.revoked_us else None,
        revoked_by=key.revoked_by,
    )
