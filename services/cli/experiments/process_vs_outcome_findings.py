"""The findings of process against outcome: tables with intervals, curves with bands, and what the data say in words."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from services.cli.experiments.findings import Findings, Grid
from services.cli.experiments.signatures import signature_grids
from trainer.experiments.outcome import Measured, Trained
from trainer.experiments.statistics import Estimate, bootstrap, first_at_least, paired, smoothed, spread
from trainer.plots import Band, bands
from trainer.report_page import Section, broad

_Measure = Callable[[Measured], Sequence[float]]

BASELINE = "outcome"
_PASSED = "rewards/accepted"
_SMOOTHED = 320
"""Rollouts that a pass rate is the mean of, where that is no more than a quarter of a run."""


def findings(folder: Path, runs: Sequence[Trained], more: tuple[Section, ...] = (), *, rollouts: int) -> Findings:
    """Everything that can be said of the runs; `more` sections stand behind it."""
    arms: dict[str, list[Trained]] = {}
    for run in runs:
        arms.setdefault(run.arm, []).append(run)
    grids = [
        _after(arms),
        _differences(arms),
        _gains(arms),
        _efficiency(arms, rollouts),
        _signatures(arms),
        *signature_grids(arms),
    ]
    lead, plots = _lead(arms, rollouts), _plots(arms, rollouts)
    return Findings("Process against outcome", lead, grids, folder, plots, more)


def _after(arms: Mapping[str, Sequence[Trained]]) -> Grid:
    before = _starts(arms)
    ends = {arm: [run.after for run in runs] for arm, runs in arms.items()}
    rows: list[list[Any]] = [
        [
            arm,
            _interval(bootstrap([each.pass_at_1 for each in measured])),
            _interval(bootstrap([each.pass_at_10 for each in measured])),
            fmean(each.greedy for each in measured),
            spread([fmean(each.pass_at_1) for each in measured]),
            len(measured),
        ]
        for arm, measured in {"before": before, **ends}.items()
    ]
    head = ("arm", "pass@1", "pass@10", "greedy", "deviation between them", "policies")
    note = (
        "Held-out tasks, temperature 1; 95 % intervals by bootstrap over policies and tasks. Each seed's run ends in a "
        "policy; before are those that they start from."
    )
    return Grid("Where the arms end", head, rows, note)


def _starts(arms: Mapping[str, Sequence[Trained]]) -> list[Measured]:
    """The different policies that runs start from."""
    found: list[Measured] = []
    for run in (run for runs in arms.values() for run in runs):
        if run.before not in found:
            found.append(run.before)
    return found


def _differences(arms: Mapping[str, Sequence[Trained]]) -> Grid:
    """Each arm against the baseline with the same seed."""
    baseline = {run.seed: run.after for run in arms.get(BASELINE, ())}
    pairs = {
        arm: [(run.after, baseline[run.seed]) for run in runs if run.seed in baseline]
        for arm, runs in arms.items()
        if arm != BASELINE
    }
    note = (
        "Runs of one seed are a pair: same policy to start from, same tasks in the same order. The smallest p that "
        "five seeds can give is .0625."
    )
    return _compared(f"Against {BASELINE}", f"above {BASELINE}", pairs, note)


def _gains(arms: Mapping[str, Sequence[Trained]]) -> Grid:
    """Each arm against the policy that it started from."""
    pairs = {arm: [(run.after, run.before) for run in runs] for arm, runs in arms.items()}
    return _compared("Against the policy before", "above before", pairs, "Same held-out tasks, before and after.")


def _compared(title: str, above: str, pairs: Mapping[str, Sequence[tuple[Measured, Measured]]], note: str) -> Grid:
    rows: list[list[Any]] = []
    for arm, measured in pairs.items():
        for name, measure in _MEASURES.items():
            if measured:
                compared = paired([measure(ours) for ours, _ in measured], [measure(theirs) for _, theirs in measured])
                by_seed = ", ".join(f"{each:+.3f}" for each in compared.by_seed)
                rows.append([arm, name, _interval(compared.difference), by_seed, compared.p_value])
    return Grid(title, ("arm", "figure", above, "seed by seed", "p, sign flips"), rows, note)


def _efficiency(arms: Mapping[str, Sequence[Trained]], rollouts: int) -> Grid:
    window = _window(arms, rollouts)
    curves = {(arm, run.seed): _curve(run, window) for arm, runs in arms.items() for run in runs}
    goals = {
        seed: curve[-1] for (arm, seed), curve in curves.items() if arm == BASELINE and curve and curve[-1] > curve[0]
    }
    rows: list[list[Any]] = []
    for arm in arms:
        reached = [
            first_at_least(curve, goals[seed])
            for (name, seed), curve in curves.items()
            if name == arm and seed in goals
        ]
        later = [(at + window) * rollouts for at in reached if at]
        rows.append([arm, len(reached), reached.count(0), len(later), fmean(later) if later else None])
    head = ("arm", "seeds", "there from the start", "reach it later", "rollouts, mean of the latter")
    note = (
        f"Rollouts until the pass rate on the tasks of PPO, mean of the last {window * rollouts} rollouts, first "
        f"reaches what the same seed's {BASELINE} run ended with. A seed whose {BASELINE} run ended no higher than it "
        "began has no such goal. Every task is new when it is tried."
    )
    return Grid(f"How soon they reach {BASELINE}'s end", head, rows, note)


def _signatures(arms: Mapping[str, Sequence[Trained]]) -> Grid:
    names = {
        "KL, nats a program": "objective/kl",
        "entropy": "objective/entropy",
        "tokens": "rollout/tokens",
        "variance explained": "critic/vf_explained_var",
        "clipped ratios": "policy/clipfrac_avg",
        "waiting for rewards": "timing_share/rewards_wait",
    }
    rows: list[list[Any]] = []
    for arm, runs in arms.items():
        ended = [_mean_of([run.ended_at(metric) for run in runs]) for metric in names.values()]
        rows.append([arm, *ended, fmean(run.after.lines for run in runs), fmean(run.after.distinct for run in runs)])
    head = ("arm", *names, "lines", "distinct programs")
    note = "Means of the last tenth of the iterations; lines and the share of distinct programs on the held-out tasks."
    return Grid("How the runs went", head, rows, note)


def _lead(arms: Mapping[str, Sequence[Trained]], rollouts: int) -> str:
    iterations = _longest(arms)
    starts = _starts(arms)
    began = ", ".join(f"{fmean(each.pass_at_1):.3f}" for each in starts)
    return (
        f"{iterations} iterations of {rollouts} rollouts, from supervised policies with pass@1 {began} on "
        f"{len(starts[0].pass_at_1)} held-out tasks; arms differ in their reward and how far it reaches."
    )


def _plots(arms: Mapping[str, Sequence[Trained]], rollouts: int) -> str:
    """Pass rate and KL over the rollouts, the mean over seeds with its interval."""
    window = _window(arms, rollouts)
    drawn = {
        f"Share of rollouts that pass, mean of the last {window * rollouts}": (_PASSED, "pass rate"),
        "KL to the policy at the start": ("objective/kl", "nats a program"),
    }
    curves = [
        bands(title, {arm: _band(runs, metric, window, rollouts) for arm, runs in arms.items()}, "rollouts", label)
        for title, (metric, label) in drawn.items()
    ]
    if all(run.along for runs in arms.values() for run in runs):
        curves += [
            bands(
                f"{name} on validation tasks",
                {arm: _points(runs, measure, rollouts) for arm, runs in arms.items()},
                "rollouts",
                name,
            )
            for name, measure in _MEASURES.items()
        ]
    return broad(curves)


def _points(runs: Sequence[Trained], measure: _Measure, rollouts: int) -> Band:
    """The policies that were kept on the way, with the intervals of the table of ends."""
    points = []
    for at in sorted(set.intersection(*(set(run.along) for run in runs))):
        estimate = bootstrap([measure(run.along[at]) for run in runs], resamples=400)
        points.append((at * rollouts, estimate.mean, estimate.low, estimate.high))
    return points


def _band(runs: Sequence[Trained], metric: str, window: int, rollouts: int) -> Band:
    lines = [_curve(run, window, metric) for run in runs]
    points = []
    for at, values in enumerate(zip(*lines, strict=False)):
        estimate = bootstrap([[value] for value in values], resamples=400)
        points.append(((at + window) * rollouts, estimate.mean, estimate.low, estimate.high))
    return points


def _window(arms: Mapping[str, Sequence[Trained]], rollouts: int) -> int:
    """The iterations that a smoothed figure is the mean of."""
    return max(1, min(round(_SMOOTHED / rollouts), _longest(arms) // 4))


def _longest(arms: Mapping[str, Sequence[Trained]]) -> int:
    """The iterations of the longest run."""
    return max((len(run.metrics) for runs in arms.values() for run in runs), default=0)


def _curve(run: Trained, window: int, metric: str = _PASSED) -> list[float]:
    """A metric's mean over the last `window` iterations, from the first that has as many behind it."""
    return smoothed(run.curve(metric), window)[window - 1 :]


def _interval(estimate: Estimate) -> str:
    return f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


_MEASURES: Mapping[str, _Measure] = {
    "pass@1": lambda measured: measured.pass_at_1,
    "pass@10": lambda measured: measured.pass_at_10,
}
