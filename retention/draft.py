"""What somebody wants changed in the newest policy, out of a plan file or single values, and the policy that makes. Pure.

What is not named stays as it is. An empty text takes an entry out: a tier, the rule of an area, the rule of a class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from retention.policy import Policy
from retention.term_text import parse_term
from segments.errors import BadInput
from segments.tier import Term, Tier

MOST_TIERS, MOST_AREAS, MOST_TEXT = 64, 2_000, 1_000
"""How many a policy may have, and how long a text in it may be."""

TERMS = ("floor", "keep_for", "ceiling")
_NAME = re.compile(r"\w[\w.-]{0,63}")
_FIELDS = (*TERMS, "purpose", "approver", "review", "copies", "two_persons")
_NEEDED = (*TERMS, "purpose", "approver", "review")
_SECTIONS = ("default", "zone", "tiers", "areas", "classes")


@dataclass(frozen=True, slots=True)
class Draft:
    """Changes. `tiers`: what of each is changed, None to take it out; `areas` and `classes`: the tier's name, '' to take the rule out.

    `on` is the version they were shown for; 0: whichever is the newest.
    """

    tiers: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    areas: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)
    default: str = ""
    zone: str = ""
    on: int = 0


def draft_of(values: Mapping[str, Any]) -> Draft:
    """A draft out of a plan, as TOML or JSON has it; raises BadInput naming the key and what is wrong with it."""
    if unknown := sorted(values.keys() - set(_SECTIONS)):
        raise BadInput(f"{unknown[0]} is not of a plan; it has {', '.join(_SECTIONS)}")
    tiers = {_name(name): _tier_changes(name, said) for name, said in _table(values, "tiers").items()}
    areas = {_area(area): _text(f"areas.{area}", tier) for area, tier in _table(values, "areas").items()}
    classes = {_class(number): _text(f"classes.{number}", tier) for number, tier in _table(values, "classes").items()}
    return Draft(tiers, areas, classes, _text("default", values.get("default", "")), _text("zone", values.get("zone", "")))


def with_values(plan: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """A plan with single values over it: `default`, `areas.harbour/east`, `classes.1`, `tiers.port.keep_for`; raises BadInput."""
    tables = ("tiers", "areas", "classes")
    whole: dict[str, Any] = dict(plan) | {name: dict(_table(plan, name)) for name in tables}
    for name, text in texts.items():
        section, _, key = name.partition(".")
        if section in ("default", "zone") and not key:
            whole[section] = text
        elif section in ("areas", "classes") and key:
            whole[section][key] = text
        elif section == "tiers" and key:
            _put_tier(whole[section], key, text)
        else:
            raise BadInput(
                f"{name!r} is none of default, areas.PATH, classes.NUMBER, tiers.NAME.FIELD ({', '.join(_FIELDS)}) and tiers.NAME"
            )
    return whole


def _put_tier(tiers: dict[str, Any], key: str, text: str) -> None:
    tier, _, name = key.rpartition(".")
    if name in _FIELDS and tier:
        before = tiers.get(tier)
        tiers[tier] = (dict(before) if isinstance(before, Mapping) else {}) | {name: text}
    elif not text:
        tiers[key] = ""
    else:
        raise BadInput(f"tiers.{key}: write tiers.NAME.FIELD, of {', '.join(_FIELDS)}; tiers.NAME= takes the tier out")


def drafted(draft: Draft, base: Policy, today: date) -> Policy:
    """`base` with these changes, of the same version still; raises BadInput if that is no policy that can be kept here."""
    if draft.zone not in ("", base.zone):
        raise BadInput(f"zone: it is {base.zone} and never changes; a site in another zone is another site")
    tiers = dict(base.tiers) | {name: drafted_tier(name, said, base, today) for name, said in draft.tiers.items() if said is not None}
    for name in (name for name, said in draft.tiers.items() if said is None):
        if tiers.pop(name, None) is None:
            raise BadInput(f"tiers.{name}: there is no such tier to take out")
    areas = {area: tier for area, tier in (dict(base.areas) | dict(draft.areas)).items() if tier}
    classes = {number: tier for number, tier in (dict(base.classes) | dict(draft.classes)).items() if tier}
    if len(tiers) > MOST_TIERS or len(areas) > MOST_AREAS:
        raise BadInput(f"a policy has at most {MOST_TIERS} tiers and {MOST_AREAS} areas, not {len(tiers)} and {len(areas)}")
    return replace(base, tiers=tiers, areas=areas, classes=classes, default=draft.default or base.default)


def drafted_tier(name: str, said: Mapping[str, Any], base: Policy, today: date) -> Tier:
    """A tier that is new, or changed; whose terms change says again who approved them, and when that is looked at next."""
    before = base.tiers.get(name)
    needed = _NEEDED if before is None else ("approver", "review") if _changes_terms(before, said) else ()
    if missing := [field_ for field_ in needed if field_ not in said]:
        why = "it is new" if before is None else "its terms change"
        raise BadInput(f"tiers.{name}: {why}, so it needs {', '.join(missing)}")
    tier = Tier(name, **said) if before is None else replace(before, **said)
    if "review" in said and tier.review <= today:
        raise BadInput(f"tiers.{name}.review: {tier.review} is over; name a day to come")
    return tier


def _changes_terms(tier: Tier, said: Mapping[str, Any]) -> bool:
    return any(getattr(tier, term) != said[term] for term in TERMS if term in said)


# --- single values


def _table(values: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    found = values.get(section, {})
    if not isinstance(found, Mapping):
        raise BadInput(f"{section}: a table is expected, not {found!r}")
    return found


def _tier_changes(name: str, said: Any) -> Mapping[str, Any] | None:
    if said == "":
        return None
    if not isinstance(said, Mapping):
        raise BadInput(f"tiers.{name}: a table is expected, or an empty text to take it out, not {said!r}")
    if unknown := sorted(said.keys() - set(_FIELDS)):
        raise BadInput(f"tiers.{name}.{unknown[0]}: a tier has {', '.join(_FIELDS)}")
    return {key: _tier_value(f"tiers.{name}.{key}", key, value) for key, value in said.items()}


def _tier_value(where: str, key: str, value: Any) -> Term | date | int | bool | str:
    if key == "copies":
        return _number(where, value)
    if key == "two_persons":
        return _flag(where, value)
    if key == "review":
        return _day(where, value)
    text = _text(where, value)
    if key not in TERMS:
        return text
    try:
        return parse_term(text)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT or any(ord(sign) < 32 for sign in value):
        raise BadInput(f"{where}: a line of text of up to {MOST_TEXT} characters is expected")
    return value.strip()


def _number(where: str, value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,4}", str(value)):
        raise BadInput(f"{where}: {value!r} is no number")
    return int(value)


def _flag(where: str, value: Any) -> bool:
    if str(value).lower() not in ("true", "false"):
        raise BadInput(f"{where}: {value!r} is neither true nor false")
    return str(value).lower() == "true"


def _day(where: str, value: Any) -> date:
    try:
        return value if type(value) is date else date.fromisoformat(str(value))
    except ValueError:
        raise BadInput(f"{where}: {value!r} is no day; write it as 2027-01-31") from None


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise BadInput(f"tiers.{text}: a name is 1 to 64 letters, digits, '.', '_' and '-', and begins with a letter or digit")
    return text


def _area(text: str) -> str:
    parts = [part.strip() for part in text.split("/")]
    if not all(parts):
        raise BadInput(f"areas.{text}: it has an empty part; write it as outer/inner")
    return "/".join(parts)


def _class(number: Any) -> int:
    if str(number) not in ("1", "2", "3"):
        raise BadInput(f"classes.{number}: a class is 1, 2 or 3")
    return int(number)
