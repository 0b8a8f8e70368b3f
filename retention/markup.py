"""HTML and SVG as text in which nothing is markup that was not made here: every other text is escaped. Pure."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, *inner: str, **attributes: object) -> Markup:
    """An element around texts and elements; `class_` is the attribute class, `text_anchor` is text-anchor. One that is None is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"' for key, value in attributes.items() if value is not None
    )
    return Markup(f"<{name}{given}>{together(inner)}</{name}>")


def together(parts: tuple[str, ...] | list[str]) -> Markup:
    """Texts and elements one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
