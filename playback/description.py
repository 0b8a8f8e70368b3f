"""The OpenAPI description of an application: every operation with a tag, a sentence, an id, examples, what opens it, and its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from playback import problems
from playback.access import Open
from playback.examples import example_of
from playback.identity.entrance import COOKIE

ABOUT = "Footage of the past: which cameras there are, what there is of each of them and why not, and the footage itself."
OPEN = frozenset({("/api/v1/health", "get"), ("/api/v1/session", "post"), ("/api/v1/session/ways", "get")})
"""The probe, and signing in: for everybody."""
_PROVIDER = "/api/v1/sign-in"
"""Where the routes of an identity provider begin: open, too."""
TAGS: Mapping[str, str] = {
    "cameras": "Which cameras there are, and what there is of each.",
    "play": "Playlists, live edge, groups on one clock, pictures, and links for players.",
    "files": "Any span as a playable mp4, and what it is made of.",
    "exports": "Films and archives that have to be made.",
    "consents": "Sensitive footage and the second person's consent.",
    "holds": "Legal holds.",
    "retention": "How long footage is kept and why, receipts of deletions, reports.",
    "capacity": "How much storage there is, when it is full, what a plan comes to, and what would help.",
    "webhooks": "What happens, told to other platforms.",
    "access": "Who asks: users, keys, sessions, limits and usage.",
    "register": "Who saw and did what.",
    "service": "How the service is.",
}
_PLACES: tuple[tuple[str, str], ...] = (
    ("/hls/", "play"),
    ("/links", "play"),
    ("/groups", "play"),
    ("/runs/", "play"),
    ("/segments/", "play"),
    ("/snapshot", "play"),
    ("/footage", "files"),
    ("/capacity/", "capacity"),
    ("/webhooks", "webhooks"),
    ("/exports", "exports"),
    ("/consents", "consents"),
    ("/sensitive", "consents"),
    ("/holds", "holds"),
    ("/retention", "retention"),
    ("/receipts", "retention"),
    ("/reports", "retention"),
    ("/audit", "register"),
    ("/cameras", "cameras"),
    ("/health", "service"),
    ("/status", "service"),
)
"""What a path holds, and the tag it then has; the first that fits. All else is about access."""
_GUARDED = (401, 403, 429, 503)
"""Problems that may meet any question of somebody: who they are, their rights, their limits, and the register that cannot be written."""


def describe(app: FastAPI) -> dict[str, Any]:
    """The description; made once for an application."""
    if app.openapi_schema is None:
        described = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
        described["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
        _tell_of_problems(described)
        for path, method, operation in operations(described):
            _name(path, method, operation)
        if not isinstance(app.state.services.access, Open):
            _tell_of_keys(described)
        _show(described)
        app.openapi_schema = described
    return app.openapi_schema


def operations(described: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation, of all."""
    for path, item in described["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def tag_of(path: str) -> str:
    """The one tag of a path."""
    return next((tag for part, tag in _PLACES if part in path), "access")


def _name(path: str, method: str, operation: dict[str, Any]) -> None:
    """Its tag, its first sentence as the summary, and an id of method and path that stays."""
    said = operation.get("description", "")
    operation["tags"] = [tag_of(path)]
    operation["summary"] = said.split("\n\n")[0].partition(". ")[0].partition("; ")[0].replace("\n", " ").removesuffix(".")
    words = path.partition("/v1/")[2].replace("{", "").replace("}", "").replace("/", "_").replace(".", "_").replace("-", "_")
    operation["operationId"] = f"{method}_{words}"


def _tell_of_problems(described: dict[str, Any]) -> None:
    """Bad input is answered with a problem like everything else, not with the framework's own form."""
    schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = described["components"]["schemas"]
    schemas |= {**schema.pop("$defs", {}), "Problem": schema}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for _, _, operation in operations(described):
        if "422" in operation["responses"]:
            operation["responses"] |= {str(status): answer for status, answer in problems.described(422).items()}


def _tell_of_keys(described: dict[str, Any]) -> None:
    """What opens each operation but the probe: a key or token, a session, and where it takes one a link."""
    described["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, the site's token, or a token of the identity provider"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of somebody who signed in"},
        "link": {"type": "apiKey", "in": "query", "name": "link", "description": "Made by `POST /cameras/{camera}/links`"},
    }
    for path, method, operation in operations(described):
        if (path, method) in OPEN or path.startswith(_PROVIDER):
            continue
        takes_link = any(one["name"] == "link" for one in operation.get("parameters", ()))
        operation["security"] = [{"key": []}, {"session": []}, *([{"link": []}] if takes_link else [])]
        missing = [status for status in _GUARDED if str(status) not in operation["responses"]]
        operation["responses"] |= {str(status): answer for status, answer in problems.described(*missing).items()}


def _show(described: dict[str, Any]) -> None:
    """Examples beside every parameter, body and answer that has a schema."""
    schemas = described["components"]["schemas"]
    for _, _, operation in operations(described):
        for parameter in operation.get("parameters", ()):
            if "example" not in parameter and "examples" not in parameter:
                parameter["example"] = example_of(parameter["schema"], schemas, parameter["name"])
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for kind, media in ((kind, media) for one in contents for kind, media in one.get("content", {}).items()):
            if "json" in kind and media.get("schema") and "example" not in media:
                media["example"] = example_of(media["schema"], schemas)
