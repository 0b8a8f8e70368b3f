"""A capacity plan as one page to print: no scripts, nothing from elsewhere, every text escaped. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from capacity.amounts import amount, likely
from capacity.formulas import FORMULAS, SHOWN
from capacity.plan_file import Input, Plan
from capacity.plots import by_year
from capacity.ranges import Range
from capacity.tables import beside, whole
from deploy.capacity_words import FIGURES, WORDS
from retention.markup import Markup, element
from retention.report_style import STYLE
from retention.report_words import Language

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The page needs its own style, and plots that stand in it."""
PLOTTED = ("cameras", "stored_bytes", "raw_bytes", "storage_nodes")
BY_SITE = ("cameras", "ingest_bit_per_s", "stored_bytes", "raw_bytes", "storage_nodes", "recorder_nodes")
CARDS = ("cameras", "stored_bytes", "storage_nodes")


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and its figures (`tables.table`)."""

    plan: Plan
    figures: pl.DataFrame


def capacity_page(planned: Planned, language: Language, *, year: int, other: Planned | None = None) -> str:
    """The page, a whole HTML document; with another plan it stands beside the first in table and plots."""
    page = _Page(planned, language, year, other)
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{PAGE_POLICY}">'),
        element("title", page.title),
        element("style", Markup(STYLE)),
    )
    parts = (page.header(), page.cards(), page.summary(), page.plots(), page.sites(), page.assumptions(), page.sources(), page.formulas())
    return "<!DOCTYPE html>\n" + element("html", head, element("body", element("main", *parts)), lang=language.value)


@dataclass(frozen=True, slots=True)
class _Page:
    planned: Planned
    language: Language
    year: int
    other: Planned | None

    @property
    def title(self) -> str:
        return _title(self.planned.plan, self.language)

    def word(self, name: str, **values: object) -> str:
        return WORDS[self.language][name].format(**values)

    def figure(self, name: str) -> str:
        return FIGURES[self.language][name]

    def header(self) -> Markup:
        against = []
        if self.other is not None:
            against = [element("p", self.word("compared", left=self.title, right=_title(self.other.plan, self.language)))]
        return element("header", element("h1", self.title), *against, element("p", self.word("ranges")))

    def cards(self) -> Markup:
        found = self._whole_of(self.planned)
        cards = (
            element(
                "div",
                element("h2", self.figure(name)),
                element("p", amount(value.likely, unit), class_="value"),
                element("p", "" if value.known else f"{amount(value.low, unit)} – {amount(value.high, unit)}"),
            )
            for name, unit, value in found
            if name in CARDS
        )
        return element("section", *cards, class_="cards")

    def summary(self) -> Markup:
        rows: Iterable[Sequence[str]]
        if self.other is None:
            heads = ["figure", "likely", "low", "high"]
            rows = (
                [self.figure(name), *(amount(each, unit) for each in (value.likely, value.low, value.high))]
                for name, unit, value in self._whole_of(self.planned)
            )
        else:
            both = beside(self.planned.figures, self.other.figures).filter((pl.col("site") == "") & (pl.col("year") == self.year))
            heads = ["figure", "likely", "likely", "change"]
            rows = (
                [
                    self.figure(row["figure"]),
                    _ranged(row, ""),
                    _ranged(row, "_other"),
                    "" if row["change"] is None else f"{row['change']:+.1%}",
                ]
                for row in both.iter_rows(named=True)
            )
        return element("section", element("h2", self.word("summary", year=self.year)), self._table(heads, rows))

    def plots(self) -> Markup:
        plans = [self.planned, *([self.other] if self.other is not None else [])]
        return element("section", element("h2", self.word("over-years")), *(self._plot(name, plans) for name in PLOTTED))

    def _plot(self, name: str, plans: Sequence[Planned]) -> Markup:
        drawn = base64.b64encode(by_year([whole(each.figures, name) for each in plans], "svg")).decode()
        picture = element("img", src=f"data:image/svg+xml;base64,{drawn}", alt=self.figure(name), style="width:100%")
        return element("figure", element("h2", self.figure(name)), picture)

    def sites(self) -> Markup:
        found = self.planned.figures.filter((pl.col("year") == self.year) & (pl.col("site") != ""))
        cells = {
            (row["site"], row["figure"]): likely(Range(row["low"], row["likely"], row["high"]), row["unit"])
            for row in found.iter_rows(named=True)
        }
        sites = self.planned.plan.sites
        rows = (
            [
                sites[site].name_zh or sites[site].name if self.language is Language.CHINESE else sites[site].name,
                *(cells.get((site, name), "").partition(" (")[0] for name in BY_SITE),
            ]
            for site in sites
            if (site, "cameras") in cells
        )
        heads = [self.word("site"), *(self.figure(name) for name in BY_SITE)]
        return element("section", element("h2", self.word("by-site", year=self.year)), self._table(heads, rows))

    def assumptions(self) -> Markup:
        lines = (element("li", self._assumed(name, each)) for name, each in self._inputs() if each.assumption)
        return element("section", element("h2", self.word("assumptions")), element("ul", *lines))

    def _assumed(self, name: str, given: Input) -> str:
        said = given.assumption_zh if self.language is Language.CHINESE and given.assumption_zh else given.assumption
        return f"{said} ({name}: {_plain(given.value)}{f' {given.unit}' if given.unit else ''})"

    def sources(self) -> Markup:
        rows = ([name, f"{_plain(each.value)} {each.unit}".strip(), each.source] for name, each in self._inputs() if not each.assumption)
        return element("section", element("h2", self.word("sources")), self._table(["name", "value", "why"], rows, texts=True))

    def formulas(self) -> Markup:
        rows = ([each.name, f"{each.text}{f'  [{each.unit}]' if each.unit else ''}", each.why] for each in FORMULAS)
        return element(
            "section", element("h2", self.word("formulas")), self._table(["name", "formula", "why"], rows, texts=True), class_="definitions"
        )

    def _inputs(self) -> list[tuple[str, Input]]:
        plan = self.other.plan if self.other is not None else self.planned.plan
        return sorted({**self.planned.plan.inputs, **plan.inputs}.items())

    def _whole_of(self, planned: Planned) -> list[tuple[str, str, Range]]:
        found = planned.figures.filter((pl.col("year") == self.year) & (pl.col("site") == ""))
        by_name = {row["figure"]: (row["unit"], Range(row["low"], row["likely"], row["high"])) for row in found.iter_rows(named=True)}
        return [(name, *by_name[name]) for name in SHOWN if name in by_name]

    def _table(self, heads: Sequence[str], rows: Iterable[Sequence[str]], *, texts: bool = False) -> Markup:
        said = [WORDS[self.language].get(head, head) for head in heads]
        lines = (_row("td", row, texts=texts) for row in rows)
        return element("table", element("thead", _row("th", said, texts=texts)), element("tbody", *lines))


def _row(cell: str, texts_of_row: Sequence[str], *, texts: bool) -> Markup:
    return element("tr", *(element(cell, text, class_=None if texts or not place else "number") for place, text in enumerate(texts_of_row)))


def _title(plan: Plan, language: Language) -> str:
    return plan.title_zh if language is Language.CHINESE and plan.title_zh else plan.title


def _ranged(row: dict[str, float], suffix: str) -> str:
    return likely(Range(row[f"low{suffix}"], row[f"likely{suffix}"], row[f"high{suffix}"]), str(row["unit"]))


def _plain(value: Range) -> str:
    return f"{value.likely:g}" if value.known else f"{value.low:g} / {value.likely:g} / {value.high:g}"
