"""Terms as people write them: `30 days`, `1 month`, `longer of 90 days and 3 months`, each with `and 7 days more` behind it. Pure."""

from __future__ import annotations

import re

from segments.errors import BadInput
from segments.tier import Term

_PART = r"(\d{1,5}) (day|month)s?"
_MORE = r"(?:,? and (\d{1,5}) days? more)?"
_ONE = re.compile(_PART + _MORE)
_LONGER = re.compile(rf"(?:the )?longer of {_PART} and {_PART}{_MORE}")


def parse_term(text: str) -> Term:
    """The term a text names; reads back what a term prints. Raises BadInput."""
    plain = " ".join(text.lower().split())
    one, longer = _ONE.fullmatch(plain), _LONGER.fullmatch(plain)
    if one:
        number, unit, more = one.groups()
        return Term(**{f"{unit}s": int(number)}, more_days=int(more or 0))
    if longer and longer[2] != longer[4]:
        return Term(**{f"{longer[2]}s": int(longer[1]), f"{longer[4]}s": int(longer[3])}, more_days=int(longer[5] or 0))
    raise BadInput(f"{text!r} is no term: write it as 30 days, 1 month, or longer of 90 days and 3 months; behind it, and 7 days more")
