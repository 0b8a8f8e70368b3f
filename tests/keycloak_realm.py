"""The realm of the tests as the guide describes it: roles, people, the page's client and a service, with what their tokens say."""

from __future__ import annotations

import json
from typing import Any

CLIENT, SECRET, AUDIENCE = "keepsight", "the secret of the page's client", "keepsight-api"
SERVICE, SERVICE_SECRET = "export-tool", "the secret of the service"
PASSWORD = "correct horse battery"

_BOTH = {"access.token.claim": "true", "id.token.claim": "true", "jsonType.label": "String"}
_PROFILE = {
    "attributes": [{"name": name, "permissions": {"view": ["admin"], "edit": ["admin"]}} for name in ("username", "email")],
    "unmanagedAttributePolicy": "ADMIN_EDIT",
}


def realm(base_url: str) -> dict[str, Any]:
    """The realm of a site that browsers reach at this address."""
    page = {
        **_client(CLIENT, SECRET),
        "redirectUris": [f"{base_url}/api/v1/sign-in/done"],
        "standardFlowEnabled": True,
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{base_url}/",
            "backchannel.logout.url": f"{base_url}/api/v1/sign-in/logout",
            "backchannel.logout.session.required": "true",
        },
    }
    service = {**_client(SERVICE, SERVICE_SECRET), "standardFlowEnabled": False, "serviceAccountsEnabled": True}
    profile = {"providerId": "declarative-user-profile", "subComponents": {}, "config": {"kc.user.profile.config": [json.dumps(_PROFILE)]}}
    account = _person(f"service-account-{SERVICE}", ["video-operator"], areas=["fujian/xiamen"])
    return {
        "roles": {"realm": [{"name": name} for name in ("video-viewer", "video-operator", "other-system")]},
        "clients": [page, service],
        "components": {"org.keycloak.userprofile.UserProfileProvider": [profile]},
        "users": [
            _person("anna", ["video-viewer", "other-system"], areas=["fujian/xiamen"], unit=["Harbour police"]),
            _person("ben", ["video-operator"], areas=["fujian/fuzhou"]),
            _person("carl", ["other-system"], areas=["*"]),
            {**account, "serviceAccountClientId": SERVICE},
        ],
    }


def _client(name: str, secret: str) -> dict[str, Any]:
    says = [_mapper("oidc-usermodel-attribute-mapper", one, {"user.attribute": one, "multivalued": "true"}) for one in ("areas", "classes")]
    says.append(_mapper("oidc-usermodel-attribute-mapper", "unit", {"user.attribute": "unit"}))
    says.append(_mapper("oidc-usermodel-realm-role-mapper", "roles", {"multivalued": "true"}))
    audience = {"included.custom.audience": AUDIENCE, "access.token.claim": "true", "id.token.claim": "false"}
    says.append({"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": audience})
    return {"clientId": name, "secret": secret, "publicClient": False, "directAccessGrantsEnabled": False, "protocolMappers": says}


def _mapper(kind: str, claim: str, config: dict[str, str]) -> dict[str, Any]:
    return {"name": claim, "protocol": "openid-connect", "protocolMapper": kind, "config": {"claim.name": claim, **_BOTH, **config}}


def _person(name: str, roles: list[str], **attributes: list[str]) -> dict[str, Any]:
    password = {"type": "password", "value": PASSWORD, "temporary": False}
    about = {"username": name, "firstName": name.title(), "lastName": "Chen", "email": f"{name}@example.org", "emailVerified": True}
    return {**about, "enabled": True, "credentials": [password], "realmRoles": roles, "attributes": attributes}
