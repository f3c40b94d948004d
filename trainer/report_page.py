"""The building blocks of a report: a page with its style, sections, tables, figures in words. All text is escaped.

Nothing is fetched: the style is inline, there is no script, and fonts are the reader's own.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Self

_STYLE_FILE = Path(__file__).parent / "report.css"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, as HTML."""

    title: str
    body: str


class Marked(str):
    """Text of a cell that the style shows in a way of its own: `mark` is a class of `report.css`."""

    __slots__ = ("mark",)
    mark: str

    def __new__(cls, text: str, mark: str) -> Self:
        """`text`, to be shown as `mark`."""
        marked = super().__new__(cls, text)
        marked.mark = mark
        return marked


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """A whole HTML document."""
    links = "".join(f'<a href="#s{at}">{escape(section.title)}</a>' for at, section in enumerate(sections))
    body = "".join(
        f'<section id="s{at}"><h2>{escape(section.title)}</h2>{section.body}</section>'
        for at, section in enumerate(sections)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE_FILE.read_text(encoding='utf-8')}</style></head><body>"
        f"<header><p class=brand>Linewise</p><h1>{escape(title)}</h1><p class=lead>{escape(lead)}</p></header>"
        f"<nav aria-label=Sections>{links}</nav><main>{body}</main></body></html>\n"
    )


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def cards(figures: Sequence[tuple[str, str, str]]) -> str:
    """The figures that matter most: `(name, value, remark)` each."""
    items = (
        f"<li><span>{escape(name)}</span><strong>{escape(value)}</strong><small>{escape(remark)}</small></li>"
        for name, value, remark in figures
    )
    return f"<ul class=cards>{''.join(items)}</ul>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table whose first column names its rows; numbers are set in columns."""
    headings = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr><th scope=row>{escape(str(row[0]))}</th>{_cells(row[1:])}</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<div class=wide><table>{title}<thead><tr>{headings}</tr></thead><tbody>{lines}</tbody></table></div>"


def figures_table(figures: Mapping[str, Any], caption: str = "") -> str:
    """Names and values, one a row."""
    return table(("figure", "value"), [(name.replace("_", " "), value) for name, value in figures.items()], caption)


def side_by_side(figures: Iterable[str]) -> str:
    """Figures in a grid."""
    return f"<div class=grid>{''.join(figures)}</div>"


def broad(figures: Iterable[str]) -> str:
    """Figures below each other, as wide as the page."""
    return f"<div class=broad>{''.join(figures)}</div>"


def folded(summary: str, body: str) -> str:
    """A part that opens on demand."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def shown(value: object) -> str:
    """A value for people: four significant digits, a dash for null, pairs for mappings."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _compound(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    return f"{value:.3f}" if 0.001 <= abs(value) < 10 or value == 0 else f"{value:,.4g}"


def duration(seconds: float | None) -> str:
    """Seconds in minutes where there are any."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def _compound(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "–"
    return str(value)


def _cells(values: Sequence[object]) -> str:
    return "".join(f"<td{_kind(value)}>{escape(shown(value))}</td>" for value in values)


def _kind(value: object) -> str:
    if isinstance(value, Marked):
        return f" class={value.mark}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return " class=n" if is_number or value is None else ""
