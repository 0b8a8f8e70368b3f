"""Who somebody is by the provider's claims: an allow-list of roles, scopes that give nothing when they are damaged, names fit to show."""

from __future__ import annotations

from typing import Any

import pytest

from playback.identity.oidc import ClaimNames
from segments.access import EVERYTHING, NOTHING, Role, Scope
from tests.oidc_site import an_agreement


def subject(said: dict[str, Any], **changes: Any) -> Any:
    """Who Anna is by these claims."""
    return an_agreement(**changes).subject({"sub": "anna"} | said)


@pytest.mark.parametrize(
    ("said", "roles"),
    [
        (["video-viewer", "video-operator", "offline_access"], {Role.VIEWER, Role.OPERATOR}),
        ("video-viewer", {Role.VIEWER}),
        (["administrator", "viewer", "operator"], set()),
        ({"video-viewer": True}, set()),
        ([["video-viewer"]], set()),
        (None, set()),
        (True, set()),
        (["video-viewer"] * 1001, set()),
    ],
)
def test_only_mapped_roles_count(said: object, roles: set[Role]) -> None:
    """The provider's names are no names of ours, not even where they are the same."""
    assert subject({"roles": said}).roles == roles


def test_a_claim_may_lie_within_others() -> None:
    """A dotted name leads into claims within claims; a claim of just that name goes first."""
    names = ClaimNames(roles="realm_access.roles", unit="https://example.org/unit")
    claims = {"realm_access": {"roles": ["video-viewer"]}, "https://example.org/unit": "Harbour police"}
    found = subject(claims, claims=names)
    assert (found.roles, found.unit) == ({Role.VIEWER}, "Harbour police")
    assert subject(claims | {"realm_access.roles": []}, claims=names).roles == set()
    assert subject({"realm_access": ["video-viewer"]}, claims=names).roles == set()


@pytest.mark.parametrize(
    ("claims", "scope"),
    [
        ({"areas": ["/fujian/xiamen", "fujian/fuzhou/"]}, Scope(areas=("fujian/xiamen", "fujian/fuzhou"))),
        ({"areas": "fujian", "classes": [1, "2"]}, Scope(areas=("fujian",), classes=(1, 2))),
        ({"cameras": ["gate"]}, Scope(cameras=("gate",))),
        ({"areas": ["*"]}, EVERYTHING),
        ({}, NOTHING),
        ({"areas": []}, NOTHING),
        ({"areas": [""]}, NOTHING),
        ({"areas": ["/"]}, NOTHING),
        ({"areas": {"fujian": True}}, NOTHING),
        ({"areas": True}, NOTHING),
        ({"areas": ["*"], "classes": [4]}, NOTHING),
        ({"areas": ["fujian"], "classes": "all"}, NOTHING),
        ({"areas": ["fujian"], "cameras": [None]}, NOTHING),
    ],
)
def test_scopes_are_what_claims_say_and_nothing_else(claims: dict[str, Any], scope: Scope) -> None:
    """What is damaged gives nothing, rather than what is left of it."""
    assert subject(claims).scope == scope


def test_who_is_not_narrowed_sees_everything_only_where_the_site_says_so() -> None:
    """The setting for sites whose provider knows no scopes; a claim that is there counts all the same, damaged or not."""
    assert subject({}, without_scope=EVERYTHING).scope == EVERYTHING
    for claims in ({"areas": []}, {"areas": [None]}, {"cameras": True}):
        assert subject(claims, without_scope=EVERYTHING).scope == NOTHING


def test_names_are_fit_to_show() -> None:
    """The name of a person, else of the account, else of the client, else what the provider calls it; without control characters."""
    assert subject({"name": "陈安娜\n\x1b[31m", "preferred_username": "anna"}).name == "陈安娜[31m"
    assert subject({"preferred_username": "anna.chen"}).name == "anna.chen"
    assert subject({"client_id": "export-tool", "name": 7}).name == "export-tool"
    assert subject({"name": ""}).name == "anna"
    assert len(subject({"name": "a" * 1000}).name) == 200


@pytest.mark.parametrize("sub", [None, "", 7, ["anna"], "a" * 256, "a\tb"])
def test_without_a_name_of_its_own_it_is_nobody(sub: object) -> None:
    """A subject is called by issuer and sub together, and by nothing else."""
    assert an_agreement().subject({"sub": sub, "roles": ["video-viewer"]}) is None
    assert an_agreement().subject({"sub": "anna"}).id == "oidc:https://id.example.org/realms/video#anna"  # type: ignore[union-attr]
