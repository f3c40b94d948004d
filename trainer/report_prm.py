"""A process reward model in a report: what its scores are worth, and how well they find the first wrong step."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.plots import curves, reliability_plot
from trainer.report_data import TITLES
from trainer.report_page import folded, paragraph, side_by_side, table


def probe_curves(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """What validation said of each classifier on a frozen backbone: a line for each penalty, over the layers kept."""
    panels = []
    for name in ("prm/validation_loss", "prm/validation_accuracy"):
        lines: dict[str, list[tuple[float, float]]] = {}
        for line in metrics:
            lines.setdefault(f"C = {line['prm/penalty']:g}", []).append((line["prm/layers"], line[name]))
        panels.append(curves(TITLES[name], lines, "layers kept"))
    return panels


def held_out_body(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """A PRM's reliability and its figures by selection of steps."""
    head = ("steps", "count", "accuracy", "majority", "balanced", "F1 wrong", "F1 right", "ROC AUC", "ECE")
    rows: dict[bool, list[list[object]]] = {True: [], False: []}
    for name, report in reports.items():
        figures = [report[key] for key in ("count", "accuracy", "majority", "balanced_accuracy")]
        f1 = [report["negative"]["f1"], report["positive"]["f1"]]
        rows[name.startswith("operator:")].append([name, *figures, *f1, report["roc_auc"], report["ece"]])
    explained = paragraph(
        "Each distinct program prefix of a held-out problem counts once. Majority: what always answering the commoner "
        "label would reach; balanced: the mean accuracy of the two classes. Changed: only the steps that a mutation or "
        "a refactoring changed."
    )
    plot = side_by_side([reliability_plot("Reliability on held-out steps", reports["all"]["reliability"])])
    by_operator = folded("By mutation operator", table(head, rows[True])) if rows[True] else ""
    return explained + table(head, rows[False]) + by_operator + plot


def first_error_body(reports: Mapping[str, Mapping[str, Any] | None]) -> str:
    """ProcessBench's measure at each threshold; a report is None where the problems lack right or wrong programs."""
    head = ("threshold", "is", "found, of wrong programs", "there are", "spared, of right programs", "there are", "F1")
    keys = ("threshold", "accuracy_wrong", "wrong", "accuracy_right", "right", "f1")
    rows = [
        [name.removeprefix("at_").replace("_", " "), *(report[key] for key in keys)]
        for name, report in reports.items()
        if report
    ]
    if not rows:
        return paragraph("The held-out problems lack right programs, or wrong ones, so nothing can be said.")
    explained = paragraph(
        "The PRM’s answer for a program is its first step with a score at or below the threshold, or none. Found: the "
        "answer is the step that is wrong, neither an earlier nor a later one. Spared: a right program has no such "
        "step. F1 is the harmonic mean of both (ProcessBench), so neither suspicion nor trust pays."
    )
    return explained + table(head, rows)
