"""How amounts are written for people: three digits and a unit they know, in decimal steps (1 TB is 10^12 bytes, as disks are sold)."""

from __future__ import annotations

from capacity.ranges import Range

_STEPS = ("", "k", "M", "G", "T", "P", "E", "Z")
_COUNT_STEPS = ((1e9, " billion"), (1e6, " million"))


def amount(value: float, unit: str) -> str:
    """A value in its unit: `1.09 EB`, `1.1 Tbit/s`, `29 billion`, `4,420`."""
    if unit in {"B", "bit/s"}:
        step = 0
        while abs(value) >= 1000 and step < len(_STEPS) - 1:
            value, step = value / 1000, step + 1
        return f"{_digits(value)} {_STEPS[step]}{unit}"
    for size, word in _COUNT_STEPS:
        if abs(value) >= size:
            return f"{_digits(value / size)}{word}{f' {unit}' if unit else ''}"
    return f"{value:,.0f}{f' {unit}' if unit else ''}" if abs(value) >= 100 or value == int(value) else f"{_digits(value)} {unit}".rstrip()


def likely(value: Range, unit: str) -> str:
    """What is likely, and in brackets where 90 of 100 worlds lie; the one number where it is known."""
    if value.low == value.high:
        return amount(value.likely, unit)
    return f"{amount(value.likely, unit)} ({amount(value.low, unit)} to {amount(value.high, unit)})"


def _digits(value: float) -> str:
    """Three significant digits."""
    places = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
