"""The forms a retention report is written in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum

from retention.report import Report
from retention.report_page import page
from retention.report_tables import as_csv, as_json
from retention.report_words import Language


class Form(StrEnum):
    """For programs, for tables, and to print."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


def written(report: Report, form: Form, language: Language) -> Iterator[str]:
    """The text of a report, in pieces; `language` is that of the printed form, the others are the same in all."""
    match form:
        case Form.JSON:
            yield json.dumps(as_json(report), ensure_ascii=False, indent=2) + "\n"
        case Form.CSV:
            yield from as_csv(report)
        case Form.HTML:
            yield page(report, language)
