"""A drill's report as one page to print: no scripts, nothing from elsewhere, every text escaped. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from replication.drill import DrillReport, Spread, seconds
from retention.markup import Markup, element
from retention.report_page import PAGE_POLICY
from retention.report_plots import BARS
from retention.report_style import STYLE
from segments.clock import US_PER_S, iso

MOST_LINES = 1_000
"""Of the table; those that failed come first, then the slowest."""
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 220, 46, 190
_STEPS_S = (1, 2, 5, 10, 20, 60, 120, 300, 600, 1200, 3600, 7200, 18_000, 43_200, 86_400)
MOST_STEPS = 8
"""Of the scale of seconds, up to eight days."""
_RPO = "Footage that would have been lost (RPO)"
_RTO = "Until it was recorded here (RTO)"


def drill_page(report: DrillReport) -> str:
    """The page, a whole HTML document."""
    title = f"Drill: cameras of {report.site} recorded at {report.own}"
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{PAGE_POLICY}">'),
        element("title", f"{title} {iso(report.since_us)}"),
        element("style", Markup(STYLE)),
    )
    body = element("main", _header(report, title), _summary(report), _plots(report), _table(report), _definitions())
    return "<!DOCTYPE html>\n" + element("html", head, element("body", body), lang="en")


def _header(report: DrillReport, title: str) -> Markup:
    facts = {
        "home site": report.site,
        "recorded at": report.own,
        "decided": iso(report.since_us),
        "undone": iso(report.until_us),
        "cameras": f"{len(report.cameras):,}",
        "not recorded": f"{len(report.failed):,}",
        "by": report.by,
    }
    lines = (element("div", element("dt", name), element("dd", text)) for name, text in facts.items())
    return element("header", element("h1", title), element("dl", *lines))


def _summary(report: DrillReport) -> Markup:
    return element("section", _card(_RPO, report.rpo), _card(_RTO, report.rto), class_="cards")


def _card(title: str, values: Spread) -> Markup:
    lines = (f"median {told(values.p50_us)}", f"99th percentile {told(values.p99_us)}")
    value = element("p", told(values.max_us), class_="value")
    return element("div", element("h2", title), value, element("p", "the worst camera"), *(element("p", line) for line in lines))


def _plots(report: DrillReport) -> Markup:
    rpo, rto = [each.rpo_us for each in report.cameras], [each.rto_us for each in report.cameras]
    drawn = (element("figure", element("h2", f"{title}: share of cameras"), _steps(values)) for title, values in ((_RPO, rpo), (_RTO, rto)))
    return element("section", *drawn)


def _steps(values: Sequence[int | None]) -> Markup:
    """The share of cameras that stayed within so many seconds: what was never reached is missing at the top right."""
    ordered = sorted(value / US_PER_S for value in values if value is not None)
    step_s = next((step for step in _STEPS_S if step * MOST_STEPS >= max([*ordered, 0.0])), _STEPS_S[-1])
    most_s = step_s * math.ceil(max([*ordered, step_s]) / step_s)
    drawn = [*_scale(most_s, step_s)]
    points, share = [f"{_x(0, most_s):g},{_y(0):g}"], 0.0
    for count, value in enumerate(ordered, 1):
        points += [f"{_x(value, most_s):.1f},{_y(share):.1f}", f"{_x(value, most_s):.1f},{_y(count / len(values)):.1f}"]
        share = count / len(values)
    points.append(f"{_x(most_s, most_s):.1f},{_y(share):.1f}")
    drawn.append(element("polyline", points=" ".join(points), fill="none", stroke=BARS[0], stroke_width=1.8))
    return element("svg", *drawn, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img")


def _scale(most_s: int, step_s: int) -> list[Markup]:
    drawn = []
    for quarter in range(5):
        share, y = quarter / 4, _y(quarter / 4)
        drawn.append(element("line", x1=_LEFT, y1=y, x2=_WIDTH - 30, y2=y, class_="grid"))
        drawn.append(element("text", f"{share:.0%}", x=_LEFT - 6.0, y=y + 3.5, text_anchor="end", class_="small"))
    steps = range(0, most_s + 1, step_s)
    below = {"y": _BOTTOM + 16.0, "text_anchor": "middle", "class_": "small"}
    return drawn + [element("text", f"{value_s:,} s", x=_x(value_s, most_s), **below) for value_s in steps]


def _x(value_s: float, most_s: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - 30) * value_s / most_s


def _y(share: float) -> float:
    return _BOTTOM - (_BOTTOM - 12) * share


def _table(report: DrillReport) -> Markup:
    worst_first = sorted(report.cameras, key=lambda each: (each.rto_us is not None, -(each.rto_us or 0), each.camera))
    names = ("camera", "RPO", "RTO", "")
    heads = element("thead", element("tr", *(element("th", name) for name in names)))
    lines = (
        element("tr", *(element("td", text) for text in (each.camera, told(each.rpo_us), told(each.rto_us), each.finding)))
        for each in worst_first[:MOST_LINES]
    )
    left = len(worst_first) - MOST_LINES
    more = element("p", f"and {left:,} more; all are in the JSON beside this page") if left > 0 else Markup("")
    return element("section", element("h2", "Cameras"), element("table", heads, element("tbody", *lines)), more)


def _definitions() -> Markup:
    text = (
        "RPO: from the end of the newest footage of the home site that was here when the takeover was decided, to that moment. RTO: from "
        "that moment to the start of the first segment recorded here, whose bytes were read back and compared. Both are read from footage; "
        "the home site went on recording, so nothing was lost."
    )
    return element("section", element("p", text), class_="definitions")


def told(value_us: int | None) -> str:
    """Seconds for people."""
    found = seconds(value_us)
    return "never" if found is None else f"{found:,.1f} s"
