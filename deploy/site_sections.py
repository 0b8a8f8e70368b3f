"""The sections of the configuration that say which other sites there are, and how footage is copied, checked and backed up."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from deploy.sections import Section, is_loopback

SITE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.]{0,31}$"


def _origin(text: str) -> str:
    """An address of a service without a path: `https://store.example.org:9000`."""
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname or found.path.strip("/") or found.query or found.fragment or "@" in text:
        raise ValueError("it has to be http(s)://host[:port], without user, password or path")
    return text.rstrip("/")


def _is_safe(origin: str) -> bool:
    address = urlsplit(origin)
    return address.scheme == "https" or is_loopback(address.hostname or "")


Origin = Annotated[str, AfterValidator(_origin)]
SiteName = Annotated[str, Field(pattern=SITE_NAME)]


class RateSection(Section):
    """How much may be copied at some hours, in the site's civil time; `to` at or before `from`: over midnight."""

    from_: time = Field(alias="from")
    to: time
    mbit_per_s: float = Field(gt=0, le=1e6)


class OtherSiteSettings(Section):
    """Another site: where it answers, and the key it shares with us."""

    url: Origin
    key_file: Path
    """A file with the key that both sites have; it signs requests and is never sent."""
    ca_file: Path | None = None
    """The authority that signed its certificate; none: those the system trusts."""
    copy_footage: bool = Field(default=True, alias="copy")
    """Whether we copy its footage to here."""
    links: tuple[Origin, ...] = ()
    """Origins of its stores that signed links to bytes may lead to; empty: bytes come through its own routes."""
    mbit_per_s: float | None = Field(None, gt=0, le=1e6)
    """None: as fast as it goes."""
    hours: tuple[RateSection, ...] = ()
    """Other rates at some hours; the first that fits counts."""
    plain: bool = False
    """Whether to do without TLS although others may listen."""

    @property
    def safe_url(self) -> bool:
        """Whether nobody else can listen to what is said there, as far as the address tells."""
        return _is_safe(self.url)

    @property
    def unsafe_links(self) -> list[str]:
        """The origins of its stores of which that is not so."""
        return [link for link in self.links if not _is_safe(link)]


class ReplicationSettings(Section):
    """Where we answer other sites, and how copies, checks of what is stored, backups and takeovers are done."""

    host: str = "127.0.0.1"
    port: int = Field(8482, ge=1, le=65535)
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    advertise: Origin | None = None
    """The address other sites reach us at."""
    late_s: int = Field(900, ge=10, le=7 * 86_400)
    """Footage that is not copied after so long is late."""
    soon_s: int = Field(60, ge=1, le=86_400)
    """Footage is to be copied within so long."""
    scrub_mib_per_s: float = Field(8, gt=0, le=10_000)
    """How much each shard reads at most to check stored bytes."""
    scrub_days: int = Field(30, ge=1, le=3650)
    """All that is stored is read once in so many days."""
    backup_pool: str = ""
    """The pool that backups of all but footage go to; empty: none are made."""
    backup_every_h: int = Field(24, ge=1, le=24 * 31)
    backup_keep: int = Field(14, ge=1, le=1000)
    """So many backups are kept."""
    witness: str = ""
    """The site that is asked before another one is taken over without a person; empty: that is never done."""
    take_over_after_s: int = Field(300, ge=30, le=86_400)
    """Of silence, to us and to the witness."""

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> ReplicationSettings:
        if (self.certificate_file is None) != (self.certificate_key_file is None):
            raise ValueError("certificate_file and certificate_key_file belong together: set both, or none")
        return self
