"""All errors of the ports and rooms, chosen by what the caller does about them.

KeepsightError
├── BadInput          the user's input is wrong: say what and where, change nothing
├── NotFound          there is no such thing
├── Conflict          it is there already, or somebody was faster
├── TryAgain          a passing fault: the same call may succeed later
│   └── Unknown       the call may have taken effect or not: read again
├── Refused           the other side refuses us: a person must look (credentials, rights)
├── DataDamaged       bytes are not what they should be
└── StartRefused      this configuration or machine cannot be started on
"""

from __future__ import annotations


class KeepsightError(Exception):
    """Any error of Keepsight's own; its text is fit for a user and holds no secret."""


class BadInput(KeepsightError):
    """The input breaks a rule; the text names the field, the rule and what to do."""


class NotFound(KeepsightError):
    """There is no such camera, row, object or run."""


class Conflict(KeepsightError):
    """A conditional write lost: the thing is there already or has changed."""


class TryAgain(KeepsightError):
    """A passing fault of a store, an index or a network; repeat with backoff."""


class Unknown(TryAgain):
    """No answer came: the write may have happened. Read before writing again."""


class Refused(KeepsightError):
    """Credentials or rights were refused; repeating will not help."""


class DataDamaged(KeepsightError):
    """Bytes differ from their hash, or a structure in them is broken."""


class StartRefused(KeepsightError):
    """The service will not start: the text says what is wrong, where, and what to do."""
