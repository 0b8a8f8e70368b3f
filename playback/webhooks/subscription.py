"""What a webhook is: where it tells what, of which cameras; its record, and what may be asked for. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from segments.access import EVERYTHING, Scope
from segments.errors import BadInput
from segments.model import Camera
from segments.record import Record

WEBHOOKS = "webhook"
"""The kind of their records."""
MAX_WEBHOOKS = 32
"""So many a site has at most: each asks about its cameras every few seconds."""
MAX_URL = 2048


class EventType(StrEnum):
    """What is told."""

    SEGMENT_STORED = "segment.stored"
    """A segment is stored and in the index."""
    GAP_OPENED = "gap.opened"
    """A camera stopped being recorded."""
    GAP_CLOSED = "gap.closed"
    """It is recorded again."""
    HOLD_PLACED = "hold.placed"
    EXPORT_READY = "export.ready"
    """An export job has its file."""
    TEST = "webhook.test"
    """An administrator tries the address; never asked for."""


ASKABLE = tuple(one for one in EventType if one is not EventType.TEST)
OF_CAMERAS = frozenset({EventType.SEGMENT_STORED, EventType.GAP_OPENED, EventType.GAP_CLOSED})


class Secret(NamedTuple):
    """A sealed secret (hexadecimal), signed with until `until_us` (0: until it is replaced)."""

    sealed: str
    until_us: int = 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told of events. `secrets`, newest first: while one is replaced, both sign. `pause` says why nothing is sent."""

    id: str
    url: str
    events: tuple[EventType, ...]
    created_us: int
    created_by: str
    scope: Scope = EVERYTHING
    within: Scope = EVERYTHING
    """The scope of who made it: it is told of no camera outside."""
    secrets: tuple[Secret, ...] = ()
    note: str = ""
    pause: str = ""
    removed_us: int = 0

    def __post_init__(self) -> None:
        """Raises BadInput if it could never tell anything."""
        if not self.events:
            raise BadInput(f"a webhook needs events: some of {', '.join(ASKABLE)}")
        if EventType.TEST in self.events:
            raise BadInput(f"{EventType.TEST} is sent when it is asked for only")

    def covers(self, camera: Camera) -> bool:
        """Whether it is told of a camera."""
        return self.scope.covers(camera) and self.within.covers(camera)

    @property
    def covers_all(self) -> bool:
        """Whether it is told of all cameras."""
        return self.scope.everything and self.within.everything

    @property
    def stands(self) -> bool:
        """Whether it was not removed."""
        return not self.removed_us

    def signing(self, now_us: int) -> tuple[str, ...]:
        """The sealed secrets that count now, newest first."""
        return tuple(one.sealed for one in self.secrets if not one.until_us or now_us < one.until_us)


def check_url(url: str, *, http: bool, loopback: bool) -> str:
    """An address a webhook may have, as written; raises BadInput. Where it leads is looked at when something is sent."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise BadInput(f"the address: at most {MAX_URL} printable ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInput("the address: https://host:port/path, with a port up to 65535") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise BadInput("the address: begins with https:// and a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadInput("the address: no user, no password and no fragment; what arrives is proven by its signature")
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme == "http" and not (http or (loopback and here)):
        raise BadInput("the address: https only, unless webhooks.http is set")
    return url


def webhook_values(webhook: Webhook) -> dict[str, Any]:
    """What its record says; `webhook_of` gives it back."""
    return asdict(webhook)


def webhook_of(record: Record) -> Webhook:
    """The webhook of a record."""
    values = record.values
    return Webhook(
        **values
        | {
            "events": tuple(map(EventType, values["events"])),
            "scope": _scope(values["scope"]),
            "within": _scope(values["within"]),
            "secrets": tuple(Secret(*one) for one in values["secrets"]),
        }
    )


def _scope(values: dict[str, Any]) -> Scope:
    return Scope(values["everything"], tuple(values["areas"]), tuple(values["classes"]), tuple(values["cameras"]))
