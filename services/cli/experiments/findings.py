"""What an experiment found: tables in words and figures, as JSON, Markdown and one HTML page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from trainer.report_page import Section, figures_table, folded, page, paragraph, shown, table
from trainer.runs import Run, write_text


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation; None of one value."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.deviation is None else f"{self.mean:.3f} ± {self.deviation:.3f}"


@dataclass(frozen=True)
class Grid:
    """A table: `head` names its columns, the first cell of a row names the row; `note` says how to read it."""

    title: str
    head: tuple[str, ...]
    rows: list[list[Any]]
    note: str = ""


@dataclass(frozen=True)
class Findings:
    """What was asked, what came of it, and the folder that holds both.

    `plots` is HTML, for the page alone, as are the sections `more`, which stand behind the tables.
    """

    title: str
    lead: str
    grids: list[Grid]
    folder: Path
    plots: str = ""
    more: tuple[Section, ...] = ()


def spread(values: Sequence[float | None]) -> Spread | None:
    """What seeds came to; None where a figure is missing."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Spread(fmean(known), stdev(known) if len(known) > 1 else None)


def write_findings(findings: Findings, config: Any) -> Findings:
    """Write `figures.json`, `report.md` and `report.html` beside `config.json`; returns the findings."""
    with Run(findings.folder) as run:
        run.write_config(config)
        run.write_json("figures.json", {grid.title: _records(grid) for grid in findings.grids})
    write_text(findings.folder / "report.md", markdown(findings))
    sections = [
        Section(grid.title, (paragraph(grid.note) if grid.note else "") + table(grid.head, grid.rows))
        for grid in findings.grids
    ]
    plots = [Section("Curves", findings.plots)] if findings.plots else []
    settings = Section("Settings", folded("Settings", figures_table(asdict(config))))
    shown_sections = [*plots, *sections, *findings.more, settings]
    write_text(findings.folder / "report.html", page(findings.title, findings.lead, shown_sections))
    return findings


def markdown(findings: Findings) -> str:
    """The findings as Markdown."""
    parts = [f"# {findings.title}", findings.lead]
    for grid in findings.grids:
        lines = [grid.head, ["---"] * len(grid.head), *([shown(cell) for cell in row] for row in grid.rows)]
        parts += [f"## {grid.title}", grid.note, "\n".join(f"| {' | '.join(line)} |" for line in lines)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _records(grid: Grid) -> list[dict[str, Any]]:
    return [dict(zip(grid.head, row, strict=True)) for row in grid.rows]
