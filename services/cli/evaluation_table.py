"""An evaluation for people: every share with its interval, what the picks of n are worth, and what to say beside it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from trainer.bootstrap import Interval
    from trainer.evaluate import EvaluateSummary


def evaluation_table(summary: "EvaluateSummary") -> RenderableType:
    """The figures, then the picks where a problem has several samples, then the note."""
    parts: list[RenderableType] = [_figures(summary)]
    if summary.picks:
        parts.append(_picks(summary))
    if summary.note:
        parts.append(Text(summary.note))
    return Group(*parts)


def _figures(summary: "EvaluateSummary") -> Table:
    table = Table("figure", "value", "95 % over problems", title="Evaluation")
    for name, share, interval in _shares(summary):
        table.add_row(name, f"{share:.3f}", _between(interval))
    verdicts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in summary.verdicts.items())
    for name, value in (
        ("problems", f"{summary.problems} ({summary.unattempted} without a sample)"),
        ("samples", f"{summary.samples} ({summary.unanswered} without a verdict), {summary.distinct} distinct"),
        ("verdicts", verdicts),
        ("lines", f"{summary.mean_lines:.1f}"),
        ("seconds", f"{summary.seconds:.0f}"),
    ):
        table.add_row(name, value, "")
    return table


def _shares(summary: "EvaluateSummary") -> "Iterator[tuple[str, float, Interval | None]]":
    if summary.greedy_pass_at_1 is not None:
        yield "pass@1, greedy", summary.greedy_pass_at_1, summary.greedy_interval
    for k, share in summary.pass_at_k.items():
        yield f"pass@{k}", share, summary.intervals[k]


def _picks(summary: "EvaluateSummary") -> Table:
    table = Table("one sample picked by", "problems", "passes", "95 %", "over random", "95 %", title="Best of n")
    for pick in summary.picks:
        figures = f"{pick.share:.3f}", _between(pick.interval), f"{pick.gain:+.3f}", _between(pick.gain_interval)
        table.add_row(pick.rule, str(pick.problems), *figures)
    return table


def _between(interval: "Sequence[float] | None") -> str:
    return "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
