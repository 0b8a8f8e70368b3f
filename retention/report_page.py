"""A retention report as one page to print: no scripts, nothing from elsewhere, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from retention.markup import Markup, element, together
from retention.rates import CameraLine, Rate, Rates
from retention.report import Report
from retention.report_plots import BARS, Row, bars, histogram, percent, strip
from retention.report_style import STYLE
from retention.report_words import DEFINITIONS, Language, Texts
from segments.clock import to_datetime

MOST_LINES = 1_000
"""Of a table; the others are counted below it."""
MOST_AREAS = 12
"""In the plots, those with the lowest integrity."""
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The content security policy of the page: it needs nothing but its own style."""


class Column(NamedTuple):
    """Of a table, by its word."""

    word: str
    is_number: bool = False


def page(report: Report, language: Language = Language.ENGLISH) -> str:
    """The page, a whole HTML document."""
    texts = Texts(language)
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{PAGE_POLICY}">'),
        element("title", f"{texts.word('title')} {report.order.site} {report.days.first}"),
        element("style", Markup(STYLE)),
    )
    sections = (_header(report, texts), _summary(report, texts), _left_out(report, texts), _plots(report, texts), _rates(report, texts))
    lists = (_short(report, texts), _gaps(report, texts), _definitions(report, texts))
    return "<!DOCTYPE html>\n" + element("html", head, element("body", element("main", *sections, *lists)), lang=language.value)


# --- what it is about


def _header(report: Report, texts: Texts) -> Markup:
    zone = report.days.zone
    made = to_datetime(report.made_us).astimezone(zone)
    facts = {
        "site": report.order.site,
        "scope": report.order.area or texts.word("all"),
        "period": texts.word("through", first=report.days.first, last=max(report.days), days=len(report.days)),
        "made": f"{made:%Y-%m-%d %H:%M} ({zone})",
        "by": report.order.by,
        "policy": texts.word("version", number=report.policy),
    }
    lines = (element("div", element("dt", texts.word(name)), element("dd", text)) for name, text in facts.items() if text)
    return element("header", element("h1", texts.word("title")), element("dl", *lines))


def _summary(report: Report, texts: Texts) -> Markup:
    total = report.total
    reached = texts.word("duration-of", part=f"{total.duration.part:,}", whole=f"{total.duration.whole:,}")
    times = [texts.word("time-of", part=texts.time(part), whole=texts.time(whole)) for part, whole in (total.integrity, total.online)]
    cards = (
        _card("duration", total.duration, texts, reached),
        _card("integrity", total.integrity, texts, times[0]),
        _card("online", total.online, texts, times[1], texts.word("unobserved", time=texts.time(total.unobserved_us))),
    )
    return element("section", *cards, class_="cards")


def _card(name: str, rate: Rate, texts: Texts, *counts: str) -> Markup:
    value = element("p", percent(rate), class_="value")
    return element("div", element("h2", texts.word(name)), value, *(element("p", text) for text in counts))


def _left_out(report: Report, texts: Texts) -> Markup:
    total = report.total
    lines = (
        texts.word("left-duration", counts=texts.counted(total.not_required)),
        texts.word("left-period", counts=texts.counted(total.not_expected)),
        texts.word("left-archive", count=f"{report.taken_out:,}"),
    )
    return element("section", element("h2", texts.word("left-out")), element("ul", *(element("li", line) for line in lines)))


def _definitions(report: Report, texts: Texts) -> Markup:
    lines = (element("li", text.format(zone=report.days.zone)) for text in DEFINITIONS[texts.language])
    return element("section", element("h2", texts.word("definitions")), element("ul", *lines), class_="definitions")


# --- plots


def _plots(report: Report, texts: Texts) -> Markup:
    lowest = sorted(report.areas.items(), key=lambda found: (2 if found[1].integrity.value is None else found[1].integrity.value, found[0]))
    shown = [(texts.word("total"), report.total), *((name or texts.word("none"), rates) for name, rates in lowest[:MOST_AREAS])]
    key = zip(BARS, ("duration", "integrity", "online"), strict=True)
    colours = [element("span", element("i", style=f"background:{colour}"), texts.word(name)) for colour, name in key]
    missing = [line.attainment.missing_days for line in report.lines if line.attainment.left_out is None]
    left = element("p", texts.word("lowest", some=MOST_AREAS, all=len(lowest))) if len(lowest) > MOST_AREAS else ""
    return element(
        "section",
        _figure("bars", texts, element("p", *colours, class_="key"), bars(_three(shown)), left),
        _figure("strip", texts, strip([Row(name, rates.days) for name, rates in shown], report.days), left),
        _figure("histogram", texts, histogram(missing, texts.word("lacking"))),
    )


def _three(named: Sequence[tuple[str, Rates]]) -> list[Row]:
    return [Row(name, (rates.duration, rates.integrity, rates.online)) for name, rates in named]


def _figure(name: str, texts: Texts, *drawn: str) -> Markup:
    return element("figure", element("h2", texts.word(name)), *drawn)


# --- tables


def _rates(report: Report, texts: Texts) -> Markup:
    areas = {texts.word("total"): report.total} | {name or texts.word("none"): rates for name, rates in report.areas.items()}
    classes = {str(number): rates for number, rates in report.classes.items()}
    owners = {name or texts.word("none"): rates for name, rates in report.owners.items()}
    kinds = (("areas", "area", areas), ("classes", "class", classes), ("owners", "owner", owners))
    return together([_group(title, kind, groups, texts) for title, kind, groups in kinds])


def _group(title: str, kind: str, groups: Mapping[str, Rates], texts: Texts) -> Markup:
    numbers = ("cameras", "reached", "duration", "integrity", "lost", "online", "offline", "unseen")
    columns = (Column(kind), *(Column(word, is_number=True) for word in numbers))
    rows = [(name, *_rate_cells(rates, texts)) for name, rates in groups.items()]
    return _section(title, columns, rows, texts)


def _rate_cells(rates: Rates, texts: Texts) -> tuple[str, ...]:
    reached = f"{rates.duration.part:,} / {rates.duration.whole:,}"
    lost, offline = (texts.time(rate.whole - rate.part) for rate in (rates.integrity, rates.online))
    shares = percent(rates.duration), percent(rates.integrity), lost, percent(rates.online), offline
    return f"{rates.cameras:,}", reached, *shares, texts.time(rates.unobserved_us)


def _short(report: Report, texts: Texts) -> Markup:
    short = sorted((line for line in report.lines if not line.attainment.reached), key=lambda line: -line.attainment.missing_days)
    columns = (*_CAMERA, *(Column(word, is_number=True) for word in ("required", "depth", "missing")), Column("because"))
    return _section("short", columns, [_short_cells(line, texts) for line in short], texts)


def _short_cells(line: CameraLine, texts: Texts) -> tuple[str, ...]:
    depth = line.attainment
    days = (f"{days:,}" for days in (depth.required_days, depth.depth_days, depth.missing_days))
    return *_name_cells(line), *days, texts.because(depth.missing)


def _gaps(report: Report, texts: Texts) -> Markup:
    gaps = sorted((line for line in report.lines if line.integrity.part < line.integrity.whole), key=lambda line: line.integrity.value or 0)
    columns = (*_CAMERA, *(Column(word, is_number=True) for word in ("integrity", "lost", "online")), Column("because"))
    return _section("gaps", columns, [_gap_cells(line, texts) for line in gaps], texts)


def _gap_cells(line: CameraLine, texts: Texts) -> tuple[str, ...]:
    lost = texts.time(line.integrity.whole - line.integrity.part)
    return *_name_cells(line), percent(line.integrity), lost, percent(line.online), texts.because(line.gaps)


_CAMERA = (Column("camera"), Column("name"), Column("area"))


def _name_cells(line: CameraLine) -> tuple[str, ...]:
    return line.camera.id, line.camera.name, line.camera.area


def _section(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], texts: Texts) -> Markup:
    shown = _table(columns, rows[:MOST_LINES], texts) if rows else element("p", texts.word("nobody"))
    more = element("p", texts.word("more", count=f"{len(rows) - MOST_LINES:,}")) if len(rows) > MOST_LINES else ""
    return element("section", element("h2", texts.word(title)), shown, more)


def _table(columns: Sequence[Column], rows: Iterable[Sequence[str]], texts: Texts) -> Markup:
    classes = ["number" if column.is_number else None for column in columns]
    head = element("tr", *(element("th", texts.word(column.word), class_=kind) for column, kind in zip(columns, classes, strict=True)))
    body = [element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, classes, strict=True))) for row in rows]
    return element("table", element("thead", head), element("tbody", *body))
