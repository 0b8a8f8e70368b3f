"""The printed report: what is on it, that every text is escaped, and how a browser shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from retention.markup import Markup, element
from retention.rates import Rate
from retention.report import Order, Report, retention_report
from retention.report_page import MOST_LINES, page
from retention.report_plots import LEVELS, NO_LEVEL, colour_of, percent
from retention.report_words import DEFINITIONS, REASONS, WORDS, Language
from segments.model import Cause
from segments.stores.memory_index import MemoryIndex
from tests.builders import a_camera
from tests.reported_site import NOW_US, Site, at
from tests.servers.chromium import chromium_page

FEBRUARY = Order(date(2026, 2, 1), date(2026, 3, 1), site="home <b>", by="李雷")
VOID = {"meta"}
NOTHING_STICKS_OUT = """() => {
  const right = document.querySelector("main").getBoundingClientRect().right + 1;
  return [...document.querySelectorAll("table, svg")].every((each) => each.getBoundingClientRect().right <= right);
}"""


class Read(HTMLParser):
    """A document as a parser of another make reads it: that its elements nest, its cells by table, its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.classes: list[str | None] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.classes.append(dict(attrs).get("class"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@pytest.fixture
async def report() -> Report:
    index = MemoryIndex()
    await Site(index).fill()
    typed = {"name": "<script>alert(1)</script>", "area": 'a"><img src=x>', "owner": "O'Brien & Söhne"}
    await index.add_camera(a_camera("evil", tier="", added_us=at(date(2026, 2, 20), 12), **typed))
    return await retention_report(FEBRUARY, index=index, now_us=NOW_US)


def test_the_page_says_what_the_report_says(report: Report) -> None:
    """Site, period, who made it and when, the rates with their counts, and the cameras that fall short with the reasons."""
    read = Read(page(report))
    assert {"Site", "home <b>", "2026-02-01 to 2026-02-28 (28 days)", "2026-03-14 15:00 (Asia/Shanghai)", "李雷"} <= set(read.texts)
    assert {"57.14 %", "4 of 7 cameras"} <= set(read.texts)
    areas, classes, owners, short, gaps = read.tables
    assert [row[0] for row in areas] == ["Area", "Total", "none", 'a"><img src=x>', "harbour", "harbour/east", "harbour/west", "market"]
    assert areas[-1][1:5] == ["2", "1 / 2", "50.00 %", "73.21 %"]
    assert [row[0] for row in classes[1:]] == ["3"]
    assert "the <port> & co" in [row[0] for row in owners]
    assert [row[0] for row in short[1:]] == ["evil", "pressed", "away"]
    assert short[2][3:] == ["30", "19", "11", "deleted early 2.0 d"]
    assert [row[0] for row in gaps[1:]] == ["evil", "away", "pressed"]
    assert gaps[2][3:] == ["46.42 %", "15.0 d", "46.42 %", "camera away 15.0 d"]


def test_nothing_on_it_runs_or_comes_from_elsewhere(report: Report) -> None:
    """No script, no address, no image; what users typed is text, and a policy in the page forbids the rest."""
    text = page(report)
    read = Read(text)
    assert not {"script", "img", "link", "iframe", "object", "form"} & set(read.elements)
    assert read.addresses == []
    assert "<script>alert(1)</script>" in read.text
    assert not re.search(r"url\(|@import|javascript:", text)
    assert "default-src 'none'" in text


def test_a_text_that_is_not_escaped_is_seen() -> None:
    """The negative control: a name that is taken for markup is a script to the same parser."""
    trusted = element("p", Markup("<script>alert(1)</script>"))
    assert "script" in Read(trusted).elements
    assert "script" not in Read(element("p", "<script>alert(1)</script>")).elements


def test_it_is_told_in_both_languages(report: Report) -> None:
    """In Chinese the terms of the trade stand on it, and every word and cause has one in both languages."""
    read = Read(page(report, Language.CHINESE))
    assert {"视频图像信息存储情况报告", "存储时长达标率", "录像完整率", "摄像机在线率", "提前删除 2.0 天"} <= set(read.texts)
    assert not re.search(r"\b(Area|Rate|camera away)\b", read.text)
    assert len({frozenset(words) for words in WORDS.values()}) == 1
    assert len({frozenset(reasons) for reasons in REASONS.values()}) == 1
    assert set(Cause) - {Cause.DELETED} <= set(REASONS[Language.ENGLISH])
    assert len({len(paragraphs) for paragraphs in DEFINITIONS.values()}) == 1
    for name, word in WORDS[Language.ENGLISH].items():
        assert sorted(re.findall(r"\{\w+\}", word)) == sorted(re.findall(r"\{\w+\}", WORDS[Language.CHINESE][name])), name


def test_numbers_are_aligned_and_texts_are_not(report: Report) -> None:
    """Cells of numbers have the class that is set to the right, in heading and body alike."""
    read = Read(page(report))
    cells = [cell for table in read.tables for row in table for cell in row]
    wrong = [
        cell for cell, kind in zip(cells, read.classes, strict=True) if re.fullmatch(r"[\d.,]+( (%|d|h|min))?", cell) and kind != "number"
    ]
    assert wrong == ["3"], "only the class, which is a name"


def test_long_lists_are_cut_and_say_so(report: Report) -> None:
    """A thousand cameras are listed, those with the most missing; how many are not is said."""
    pressed = next(line for line in report.lines if line.camera.id == "pressed")
    many = [replace(pressed, camera=replace(pressed.camera, id=f"p{number}")) for number in range(MOST_LINES + 5)]
    read = Read(page(replace(report, lines=many)))
    assert [len(table) for table in read.tables[-2:]] == [MOST_LINES + 1] * 2
    assert read.text.count("5 more are left out here") == 2


def test_nothing_is_called_whole_that_is_not() -> None:
    """Rates are rounded down; a level is reached when its bound is."""
    assert [percent(rate) for rate in (Rate(99_999, 100_000), Rate(1, 1), Rate(0, 5), Rate())] == ["99.99 %", "100.00 %", "0.00 %", "–"]
    colours = [colour_of(rate) for rate in (Rate(995, 1000), Rate(994, 1000), Rate(0, 1), Rate())]
    assert colours == [LEVELS[0][1], LEVELS[1][1], LEVELS[-1][1], NO_LEVEL]


@pytest.mark.server
async def test_a_browser_shows_it(report: Report, tmp_path: Path) -> None:
    """Chromium: nothing is wider than the page, plots are drawn in the colours of their days, and on paper it is several pages of A4."""
    path = tmp_path / "report.html"
    path.write_text(page(report, Language.CHINESE))
    async with chromium_page(width=820, height=1160) as browser:
        await browser.goto(path.as_uri())
        assert await browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await browser.evaluate(NOTHING_STICKS_OUT)
        assert await browser.locator("svg").count() == 4
        names = await browser.locator("figure:nth-of-type(2) svg text").all_text_contents()
        assert {"合计", "harbour/west", "02-01"} <= set(names)
        worst = browser.locator(f"figure:nth-of-type(2) svg rect[fill='{LEVELS[-1][1]}']")
        assert await worst.count() > 1, "the legend's, and some days"
        assert await browser.locator("h1").text_content() == "视频图像信息存储情况报告"
        pdf = await browser.pdf(prefer_css_page_size=True)
        await browser.screenshot(path=tmp_path / "report.png", full_page=True)
    assert pdf.startswith(b"%PDF-")
    assert re.search(rb"/MediaBox \[0 0 59[45][.\d]* 84[12][.\d]*\]", pdf)
    assert len(re.findall(rb"/Type /Page\b", pdf)) in (2, 3, 4)


def test_a_year_is_drawn_too(report: Report) -> None:
    """Days of the same level are one piece, so that the page stays small."""
    days = replace(report.days, first=report.days.first - timedelta(1000))
    total = replace(report.total, days=[Rate(1, 1)] * len(days))
    text = page(replace(report, days=days, total=total, areas={}))
    assert len(text) < 60_000
