"""A report on copies as one page to print: no scripts, nothing from elsewhere, every text escaped. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from replication.copy_report import CopyDay, mean_s
from replication.lag import BOUNDS_S, Behind, Copied, Promise
from retention.markup import Markup, element, together
from retention.report_page import PAGE_POLICY
from retention.report_plots import BARS, LEVELS
from retention.report_style import STYLE
from segments.clock import US_PER_S, iso

MOST_LINES = 1_000
"""Of a table; the others are counted below it."""
_WIDTH, _HEIGHT, _BOTTOM = 720, 172, 150


@dataclass(frozen=True, slots=True)
class CopyReport:
    """Days of copies from other sites to `own`, and what of them was late and not here when it was made, by site."""

    own: str
    made_us: int
    promise: Promise
    days: Sequence[CopyDay]
    behind: Mapping[str, Sequence[Behind]]


def copy_page(report: CopyReport) -> str:
    """The page, a whole HTML document."""
    title = f"Copies at {report.own}"
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{PAGE_POLICY}">'),
        element("title", f"{title} {iso(report.made_us)}"),
        element("style", Markup(STYLE)),
    )
    total = sum((day.total for day in report.days), Copied())
    parts = (_header(report, title), _summary(total, report.promise), _plots(report), _days(report), _missed(report), _behind(report))
    return "<!DOCTYPE html>\n" + element("html", head, element("body", element("main", *parts, _definitions())), lang="en")


def _header(report: CopyReport, title: str) -> Markup:
    days = [day.day for day in report.days]
    facts = {
        "to": report.own,
        "from": ", ".join(sorted({day.site for day in report.days})) or "nobody",
        "days": " to ".join(f"{day}" for day in sorted({min(days), max(days)})) + " (UTC)" if days else "none",
        "made": iso(report.made_us),
    }
    lines = (element("div", element("dt", name), element("dd", text)) for name, text in facts.items())
    return element("header", element("h1", title), element("dl", *lines))


def _summary(total: Copied, promise: Promise) -> Markup:
    cards = (
        _card(f"Within {promise.soon_s} s", share(total.soon, total.segments), f"{total.soon:,} of {total.segments:,} segments"),
        _card(f"Within {promise.late_s} s", share(total.in_time, total.segments), f"{total.in_time:,} of {total.segments:,} segments"),
        _card("Later", f"{total.late:,}", "segments"),
    )
    return element("section", *cards, class_="cards")


def _card(title: str, value: str, said: str) -> Markup:
    return element("div", element("h2", title), element("p", value, class_="value"), element("p", said))


def _plots(report: CopyReport) -> Markup:
    sums: dict[str, Copied] = {}
    for day in report.days:
        sums[day.site] = sums.get(day.site, Copied()) + day.total
    drawn = [
        element("figure", element("h2", f"How long copies took from {site}"), _bars(each, report.promise)) for site, each in sums.items()
    ]
    return element("section", *drawn)


def _bars(copied: Copied, promise: Promise) -> Markup:
    """How many segments took so long; those that were late are dark."""
    counts, step = copied.delays.counts, _WIDTH / len(copied.delays.counts)
    most = max([*counts, 1])
    drawn: list[str] = []
    for place, count in enumerate(counts):
        tall, x = 120 * count / most, place * step + 4
        is_late = place == len(BOUNDS_S) or BOUNDS_S[place] > promise.late_s
        name = f"> {_short(BOUNDS_S[-1])}" if place == len(BOUNDS_S) else f"≤ {_short(BOUNDS_S[place])}"
        drawn.append(element("rect", x=x, y=_BOTTOM - tall, width=step - 8, height=tall, fill=LEVELS[-1][1] if is_late else BARS[0]))
        drawn.append(_text(f"{count:,}", x + step / 2 - 4, _BOTTOM - tall - 6))
        drawn.append(_text(name, x + step / 2 - 4, _BOTTOM + 15))
    drawn.append(element("line", x1=0, y1=_BOTTOM, x2=_WIDTH, y2=_BOTTOM, class_="axis"))
    return element("svg", *drawn, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img")


def _text(text: str, x: float, y: float) -> Markup:
    return element("text", text, x=x, y=float(y), text_anchor="middle", class_="small")


def _short(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"


def _days(report: CopyReport) -> Markup:
    heads = (
        "day",
        "from",
        "class",
        "segments",
        "MB",
        f"within {report.promise.soon_s} s",
        f"within {report.promise.late_s} s",
        "later",
        "mean",
    )
    rows = [
        (
            str(day.day),
            day.site,
            str(number),
            f"{each.segments:,}",
            f"{each.size_bytes / 1e6:,.1f}",
            share(each.soon, each.segments),
            share(each.in_time, each.segments),
            f"{each.late:,}",
            f"{mean_s(each):,.1f} s",
        )
        for day in report.days
        for number, each in day.classes.items()
    ]
    return _table("Days", heads, rows)


def _missed(report: CopyReport) -> Markup:
    rows = [
        (day.site, each.camera, iso(each.start_us), f"{each.delay_s:,.0f} s")
        for day in report.days
        for each in sorted(day.missed, key=lambda each: -each.delay_s)
    ]
    return _table("Copied late", ("from", "camera", "footage of", "after"), rows)


def _behind(report: CopyReport) -> Markup:
    rows = [
        (site, each.camera, iso(each.start_us), f"{(report.made_us - each.since_us) / US_PER_S:,.0f} s", each.text)
        for site, found in report.behind.items()
        for each in found
    ]
    return _table("Not here yet, and late", ("from", "camera", "footage of", "for", ""), rows)


def _table(title: str, heads: Sequence[str], rows: Sequence[Iterable[str]]) -> Markup:
    if not rows:
        return element("section", element("h2", title), element("p", "none"))
    head = element("thead", element("tr", *(element("th", name) for name in heads)))
    body = element("tbody", *(element("tr", *(element("td", text) for text in row)) for row in rows[:MOST_LINES]))
    more = element("p", f"and {len(rows) - MOST_LINES:,} more") if len(rows) > MOST_LINES else ""
    return element("section", element("h2", title), together([element("table", head, body), more]))


def _definitions() -> Markup:
    text = (
        "A segment counts for the day on which it was committed at its source. It took from that commit to the commit of its copy here; "
        "where the moment of its commit is not known, since it was found by comparing, from the end of its footage, which was before."
    )
    return element("section", element("p", text), class_="definitions")


def share(part: int, whole: int) -> str:
    """Rounded down, so that nothing is called whole that is not; a dash where there is nothing to count."""
    return f"{part * 10_000 // whole / 100:.2f} %" if whole else "–"
