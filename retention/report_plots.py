"""The plots of the printed report, drawn as SVG: bars of rates, how many days cameras lack, integrity by day. Pure.

Units are those of a page 720 wide. Darker is worse, so that a printer without colours shows the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import NamedTuple

from retention.civil_days import Days
from retention.markup import Markup, element, together
from retention.rates import Rate

WIDTH = 720
_NAMES = 170
"""Where names end and what is drawn begins."""
_ROOM = WIDTH - _NAMES - 60
_BAR = 11
BARS = ("#1f5f8b", "#5b9a68", "#c98a2b")
LEVELS = ((995, "#e4eef6"), (980, "#b3cfe5"), (950, "#f2c37c"), (900, "#df8046"), (0, "#a8281f"))
"""Colours by the least per mille of integrity; 98 % and 95 % are where operators note and alarm."""
NO_LEVEL = "#ffffff"
_BINS = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 14), (15, 30), (31, 1 << 30))


class Row(NamedTuple):
    """A line of a plot: its name, and a rate for each of its bars or days."""

    name: str
    rates: Sequence[Rate]


def percent(rate: Rate) -> str:
    """Rounded down, so that nothing is called whole that is not; a dash where there is nothing to count."""
    if not rate.whole:
        return "–"
    hundredths = rate.part * 10_000 // rate.whole
    return f"{hundredths // 100}.{hundredths % 100:02} %"


def bars(rows: Sequence[Row]) -> Markup:
    """A group of bars for each row, one for each of its rates."""
    height = _BAR * max((len(row.rates) for row in rows), default=1) + 9
    drawn: list[str] = [*_scale(len(rows) * height)]
    for number, row in enumerate(rows):
        top = number * height + 4
        drawn.append(_text(_short(row.name), _NAMES - 8, top + _BAR * len(row.rates) / 2 + 3.5, text_anchor="end"))
        for place, rate in enumerate(row.rates):
            y, length = top + _BAR * place, _ROOM * (rate.value or 0)
            drawn.append(element("rect", x=_NAMES, y=y, width=length, height=_BAR - 2, fill=BARS[place % len(BARS)]))
            drawn.append(_text(percent(rate), _NAMES + length + 5, y + 8, class_="small"))
    return _picture(drawn, len(rows) * height + 22)


def _scale(height: float) -> Iterator[Markup]:
    for share in (0, 25, 50, 75, 100):
        x = _NAMES + _ROOM * share / 100
        yield element("line", x1=x, y1=0, x2=x, y2=height, class_="grid")
        yield _text(f"{share} %", x, height + 14, text_anchor="middle", class_="small")


def histogram(missing_days: Sequence[int], title: str) -> Markup:
    """How many cameras lack so many days."""
    counts = [sum(least <= days <= most for days in missing_days) for least, most in _BINS]
    drawn: list[str] = []
    step, most = WIDTH / len(_BINS), max([*counts, 1])
    for place, (bin_, count) in enumerate(zip(_BINS, counts, strict=True)):
        tall, x = 120 * count / most, place * step + 12
        drawn.append(element("rect", x=x, y=140 - tall, width=step - 24, height=tall, fill=BARS[0] if place == 0 else LEVELS[-1][1]))
        drawn.append(_text(f"{count:,}", x + step / 2 - 12, 134 - tall, text_anchor="middle", class_="small"))
        drawn.append(_text(_bin(*bin_), x + step / 2 - 12, 155, text_anchor="middle", class_="small"))
    drawn.append(element("line", x1=0, y1=140, x2=WIDTH, y2=140, class_="axis"))
    drawn.append(_text(title, WIDTH / 2, 172, text_anchor="middle", class_="small"))
    return _picture(drawn, 178)


def _bin(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least}+" if most > 1_000 else f"{least}–{most}"


def strip(rows: Sequence[Row], days: Days) -> Markup:
    """A row of days for each of these, coloured by `LEVELS`; neighbours of one colour are one piece."""
    step = (WIDTH - _NAMES) / max(len(days), 1)
    drawn: list[str] = []
    for number, row in enumerate(rows):
        y = number * 20
        drawn.append(_text(_short(row.name), _NAMES - 8, y + 13, text_anchor="end"))
        place = 0
        for colour, same in groupby(colour_of(rate) for rate in row.rates):
            count = len(list(same))
            drawn.append(element("rect", x=_NAMES + place * step, y=y, width=count * step, height=17, fill=colour, class_="cell"))
            place += count
    every, form = -(-len(days) // 9), "%m-%d" if len(days) < 300 else "%Y-%m"
    for place in range(0, len(days), every):
        day = days.first + timedelta(place)
        drawn.append(_text(day.strftime(form), _NAMES + place * step, len(rows) * 20 + 13, class_="small"))
    return together([_picture(drawn, len(rows) * 20 + 20), _legend()])


def colour_of(rate: Rate) -> str:
    """Of a day's integrity."""
    if not rate.whole:
        return NO_LEVEL
    return next(colour for least, colour in LEVELS if rate.part * 1000 >= least * rate.whole)


def _legend() -> Markup:
    texts = [f"≥ {least / 10:g} %" for least, _ in LEVELS[:-1]] + [f"< {LEVELS[-2][0] / 10:g} %", "–"]
    drawn: list[str] = []
    for place, (colour, text) in enumerate(zip([*(colour for _, colour in LEVELS), NO_LEVEL], texts, strict=True)):
        x = _NAMES + place * 85
        drawn.append(element("rect", x=x, y=3, width=14, height=11, fill=colour, class_="cell"))
        drawn.append(_text(text, x + 19, 12.5, class_="small"))
    return _picture(drawn, 18)


def _picture(drawn: Sequence[str], height: float) -> Markup:
    return element("svg", *drawn, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height:g}", role="img")


def _text(text: str, x: float, y: float, **attributes: object) -> Markup:
    return element("text", text, x=float(x), y=float(y), **attributes)


def _short(name: str) -> str:
    """The end of a name that is too long: the deeper part of an area tells more."""
    return name if len(name) <= 24 else f"…{name[-23:]}"
