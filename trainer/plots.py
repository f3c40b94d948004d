"""Plots as inline SVG, drawn by Matplotlib without a display; each comes as a `<figure>` with a caption.

The text in them stays text, so that they are small and can be read aloud; colours are Okabe and Ito's, which
colour-blind readers can tell apart, and no two lines differ by colour alone.
"""

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

Series = Sequence[tuple[float, float]]
"""Points `(x, y)` of a line."""
Band = Sequence[tuple[float, float, float, float]]
"""Points `(x, y, low, high)` of a line with its interval."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_DASHES = ("-", "--", "-.", ":")
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "linewise",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8f98",
    "axes.labelcolor": "#4b5058",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8eaed",
    "xtick.color": "#4b5058",
    "ytick.color": "#4b5058",
    "legend.frameon": False,
}
_SMOOTH_FROM = 40  # points from which a line is drawn with its running mean


def curves(title: str, lines: Mapping[str, Series], x_label: str = "iteration") -> str:
    """One panel with a line for each name; long noisy ones are faint behind their running mean."""
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(4.3, 2.5), layout="constrained")
        for index, (name, points) in enumerate(lines.items()):
            _draw(axes, name, points, COLOURS[index % len(COLOURS)], _DASHES[index % len(_DASHES)])
        axes.set_xlabel(x_label)
        if len(lines) > 1:
            axes.legend()
        return _figure(figure, title)


def bands(title: str, lines: Mapping[str, Band], x_label: str, y_label: str) -> str:
    """One wide panel with a line for each name and its interval as a shade."""
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(8.6, 3.4), layout="constrained")
        for index, (name, points) in enumerate(lines.items()):
            colour = COLOURS[index % len(COLOURS)]
            xs, ys, lows, highs = zip(*points, strict=True)
            axes.plot(xs, ys, _DASHES[index % len(_DASHES)], color=colour, label=name)
            axes.fill_between(xs, lows, highs, color=colour, alpha=0.12, linewidth=0)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.legend(loc="upper left", ncols=3)
        return _figure(figure, title)


def reliability_plot(title: str, bins: Sequence[Mapping[str, Any]]) -> str:
    """Score against the share of positives, and how many steps each bin holds; the diagonal is perfect calibration."""
    filled = [item for item in bins if item["count"]]
    with mpl.rc_context(_STYLE):
        figure, (upper, lower) = plt.subplots(
            2, 1, figsize=(4.3, 3.4), layout="constrained", sharex=True, gridspec_kw={"height_ratios": [3, 1]}
        )
        upper.plot([0, 1], [0, 1], linestyle=":", color="#8a8f98", label="perfect")
        upper.plot(
            [item["mean_score"] for item in filled],
            [item["positive"] for item in filled],
            marker="o",
            color=COLOURS[0],
            label="this PRM",
        )
        upper.set(ylabel="share positive", ylim=(-0.03, 1.03), xlim=(0, 1))
        upper.legend(loc="upper left")
        lower.bar([(item["low"] + item["high"]) / 2 for item in bins], [item["count"] for item in bins], width=0.09)
        lower.set(xlabel="score", ylabel="steps")
        return _figure(figure, title)


def grouped_bars(title: str, groups: Mapping[str, Mapping[str, tuple[float, float]]], y_label: str) -> str:
    """Bars with 95 % intervals: `groups[group][series] = (value, standard error)`."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    width = 0.8 / max(1, len(names))
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(4.3, 2.8), layout="constrained")
        for index, name in enumerate(names):
            places = [at + (index - (len(names) - 1) / 2) * width for at in range(len(groups))]
            pairs = [group.get(name, (0.0, 0.0)) for group in groups.values()]
            values = [value for value, _ in pairs]
            errors = [1.96 * error for _, error in pairs]
            bars = axes.bar(places, values, width * 0.92, yerr=errors, capsize=3, color=COLOURS[index], label=name)
            axes.bar_label(bars, [f"{value:.3f}" for value in values], padding=3, fontsize=8)
        axes.set_xticks(range(len(groups)), list(groups))
        axes.set_ylabel(y_label)
        axes.margins(y=0.18)
        axes.legend(loc="upper left")
        return _figure(figure, title)


def _draw(axes: Any, name: str, points: Series, colour: str, dash: str) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if len(points) < _SMOOTH_FROM:
        axes.plot(xs, ys, dash, color=colour, label=name, marker="." if len(points) < 15 else None)
        return
    axes.plot(xs, ys, color=colour, alpha=0.25, linewidth=0.8)
    axes.plot(xs, _running_mean(ys, max(3, len(ys) // 20)), dash, color=colour, label=name)


def _running_mean(values: Sequence[float], width: int) -> list[float]:
    """The mean of the last `width` values at each place, of fewer at the beginning."""
    windows = (values[max(0, at - width + 1) : at + 1] for at in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def _figure(figure: Any, title: str) -> str:
    """The drawing as an element that stands in a page by itself."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
    return f"<figure>{svg}<figcaption>{escape(title)}</figcaption></figure>"
