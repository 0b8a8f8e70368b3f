"""Links of our own: tokens that let whoever has them do one thing, to one camera, over one span, until a moment. Pure.

A token is `<key id>.<what it lets do>.<HMAC-SHA256 of that>`, in letters an address may hold. It is signed, not sealed: it says whose it
is and of which camera, and nothing that is secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from segments.access import Verb
from segments.clock import US_PER_S
from segments.errors import BadInput, KeepsightError
from segments.model import Span

LONGEST_START_S = 300
"""A link is handed to a player at once; what it then fetches has tokens of its own."""

LONGEST_ENTRY_US = 12 * 3600 * US_PER_S
"""Longest life of a token within a playlist."""

SLACK_US = 3600 * US_PER_S
"""So much longer than its span lasts may somebody watch it: pauses, and looking twice."""

MAX_TOKEN_CHARS = 2048
LEAST_KEY_CHARS = 32


class LinkRefused(KeepsightError):
    """A link that does not let do what it is used for. The sentence does not say more than whoever has it knows."""


class Use(StrEnum):
    """What a link is for."""

    HLS = "hls"
    MP4 = "mp4"
    SNAPSHOT = "snapshot"


VERB_OF = {Use.HLS: Verb.VIEW, Use.MP4: Verb.EXPORT, Use.SNAPSHOT: Verb.VIEW}
"""The right that is asked for when a link is made, and each time that it is used."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a token lets do. `start` tells the link that was handed out from those that a playlist made of it for its entries."""

    subject_id: str
    camera: str
    span: Span
    use: Use
    start: bool
    expires_us: int
    nonce: str

    def holds(self, span: Span) -> bool:
        """Whether a span lies inside of its own."""
        return self.span.start_us <= span.start_us and span.end_us <= self.span.end_us

    def for_entries(self, now_us: int) -> Link:
        """The link for what is fetched later: good for as long as the span takes to watch, and some more; given on as it is by entries."""
        if not self.start:
            return self
        lasts_us = min(self.span.end_us - self.span.start_us + SLACK_US, LONGEST_ENTRY_US)
        return replace(self, start=False, expires_us=now_us + lasts_us)


def new_link(subject_id: str, camera: str, span: Span, use: Use, expires_us: int) -> Link:
    """A link to begin with; its nonce makes it differ from any other."""
    return Link(subject_id, camera, span, use, start=True, expires_us=expires_us, nonce=secrets.token_urlsafe(9))


class LinkKeys:
    """The keys of a site's links: the first one signs, all of them are good for reading. One that is off the list opens nothing."""

    def __init__(self, site: str, keys: Sequence[str]) -> None:
        """Raises BadInput for no key, or one that could be guessed."""
        if not keys or any(len(key) < LEAST_KEY_CHARS for key in keys):
            raise BadInput(f"keys of links are at least one, each of {LEAST_KEY_CHARS} characters or more")
        made = [hmac.digest(key.encode(), f"keepsight links of {site}".encode(), "sha256") for key in keys]
        self._keys = {hashlib.sha256(key).hexdigest()[:8]: key for key in made}
        self._newest = hashlib.sha256(made[0]).hexdigest()[:8]

    @classmethod
    def of_this_process(cls) -> LinkKeys:
        """A key that nobody else has."""
        return cls("", [secrets.token_hex(32)])

    def token(self, link: Link) -> str:
        """The token of a link."""
        values = [link.subject_id, link.camera, *link.span, link.use, int(link.start), link.expires_us, link.nonce]
        said = _letters(json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode())
        return f"{self._newest}.{said}.{self._mac(self._newest, said)}"

    def read(self, token: str, now_us: int) -> Link:
        """The link of a token that is still good; raises LinkRefused. Nothing of it is looked at before its signature was found right."""
        name, _, rest = token.partition(".")
        said, _, mac = rest.partition(".")
        if len(token) > MAX_TOKEN_CHARS or not token.isascii() or name not in self._keys:
            raise LinkRefused("this link is not one of this site")
        if not hmac.compare_digest(mac, self._mac(name, said)):
            raise LinkRefused("this link is not one of this site")
        subject_id, camera, start_us, end_us, use, start, expires_us, nonce = json.loads(
            base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))
        )
        if now_us >= expires_us:
            raise LinkRefused("this link has expired: ask for a new one")
        return Link(subject_id, camera, Span(start_us, end_us), Use(use), bool(start), expires_us, nonce)

    def _mac(self, name: str, said: str) -> str:
        return _letters(hmac.digest(self._keys[name], f"{name}.{said}".encode(), "sha256"))


def _letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
