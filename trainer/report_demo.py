"""The demo's report: labels, PRM, supervised policy, PPO, and the policy before and after, from its `summary.json`.

It tells what was measured and no more: a gain within the noise of the evaluation is called that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.plots import curves, grouped_bars, reliability_plot
from trainer.report_data import TITLES, RunFiles
from trainer.report_page import (
    Section,
    cards,
    duration,
    figures_table,
    folded,
    paragraph,
    shown,
    side_by_side,
    table,
)
from trainer.report_programs import KEY, program, shown_steps, task
from trainer.report_signs import signs_body

_PPO_CURVES = (
    "objective/scores",
    "objective/kl",
    "rollout/tokens",
    "rollout/code_steps",
    "rewards/accepted",
    "critic/vf_explained_var",
)


def demo_lead(files: RunFiles) -> str:
    """What the page is about, in one sentence."""
    total = files.summary["seconds"].get("total")
    environment = files.summary.get("environment", {})
    return (
        "Lines of reference solutions were mutated, run and labelled; a process reward model learnt from the labels "
        "and was served; a small policy learnt to program and was then trained by PPO with the scores of its lines. "
        f"All of it took {duration(total)} on {environment.get('cores', environment.get('cpus', '?'))} CPU cores."
    )


def demo_sections(files: RunFiles) -> list[Section]:
    """The sections, in the order of the method."""
    summary = files.summary
    return [
        Section("In short", _cards(summary) + paragraph(_verdict(summary))),
        Section("Labels", _labels(summary["labels"])),
        Section("Process reward model", _prm(files)),
        Section("Supervised policy", _sft(files)),
        Section("PPO with a reward at every line", _ppo(files)),
        Section("Before and after", _evaluation(summary["evaluation"])),
        Section("Programs", _programs(summary.get("samples", []))),
        Section("Time and settings", _settings(summary)),
    ]


def _cards(summary: Mapping[str, Any]) -> str:
    prm, evaluation = summary["prm"], summary["evaluation"]
    before, after = evaluation["before"], evaluation["after"]
    figures = [
        (
            "PRM accuracy, held-out problems",
            shown(prm["accuracy"]),
            f"always the commoner label: {shown(prm['majority'])}",
        ),
        (
            "PRM ROC AUC",
            shown(prm["roc_auc"]),
            f"F1 right {shown(prm['f1_positive'])}, wrong {shown(prm['f1_negative'])}",
        ),
    ]
    for k in _ks(before):
        figures.append((f"pass@{k}", f"{_pass(before, k)} → {_pass(after, k)}", "before → after PPO"))
    figures.append(("total time", duration(summary["seconds"].get("total")), "all phases, real services"))
    return cards(figures)


def _verdict(summary: Mapping[str, Any]) -> str:
    comparison = summary["evaluation"].get("pass_at_1")
    if not comparison:
        return ""
    error = comparison.get("standard_error")
    interval = f", 95 % interval ± {1.96 * error:.3f}" if error is not None else ""
    return (
        f"{comparison['verdict']}: pass@1 {comparison['before']:.3f} before and {comparison['after']:.3f} after, "
        f"a difference of {comparison['difference']:+.3f}{interval}, paired over {comparison['tasks']} held-out tasks."
    )


def _labels(labels: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [
            name,
            each["problems"]["total"],
            each["problems"]["rejected"],
            *(each["mutants"][key] for key in ("killed", "survived", "incompetent")),
            *(each["labels"][key] for key in ("positive", "negative", "unknown")),
        ]
        for name, each in labels.items()
    ]
    head = ("set", "problems", "rejected", "killed", "survived", "incompetent", "positive", "negative", "unknown")
    return (
        paragraph(
            "One line of a reference solution is changed at a time. A mutant that fails its tests makes the line "
            "negative and those before it positive; a refactoring that passes is positive; a mutant that survives "
            "says nothing."
        )
        + table(head, rows)
        + _rejected(labels)
    )


def _rejected(labels: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [[each["id"], each["reason"]] for part in labels.values() for each in part.get("rejected", [])]
    return folded("Rejected problems", table(("problem", "reason"), rows)) if rows else ""


def _prm(files: RunFiles) -> str:
    run = RunFiles.read(files.folder / "prm-run")
    keys = ("train_problems", "held_out_problems", "train_steps", "held_out_steps", "accuracy", "majority")
    more = ("balanced_accuracy", "f1_positive", "f1_negative", "roc_auc", "ece", "temperature", "parameters")
    figures = figures_table({key: files.summary["prm"].get(key) for key in (*keys, *more)})
    losses = {
        name: _points(run, f"prm/{key}") for name, key in (("training", "loss"), ("validation", "validation_loss"))
    }
    panels = [curves("Loss by epoch", losses, "epoch")] if run.metrics else []
    if run.held_out:
        panels.append(reliability_plot("Reliability on held-out steps", run.held_out["all"]["reliability"]))
    return side_by_side([f"<div>{figures}</div>", *panels]) + (_by_set(run.held_out) if run.held_out else "")


def _by_set(reports: Mapping[str, Mapping[str, Any]]) -> str:
    head = ("steps", "count", "accuracy", "majority", "balanced", "ROC AUC")
    keys = ("count", "accuracy", "majority", "balanced_accuracy", "roc_auc")
    wanted = [name for name in reports if not name.startswith(("operator:", "uncalibrated"))]
    return table(
        head, [[name, *(reports[name][key] for key in keys)] for name in wanted], "Held-out steps, each prefix once"
    )


def _sft(files: RunFiles) -> str:
    run = RunFiles.read(files.folder / "sft")
    keys = ("parameters", "problems", "iterations", "train_loss", "validation_loss", "seconds")
    figures = figures_table({key: files.summary["sft"].get(key) for key in keys})
    panels = [curves(TITLES["sft/loss"], {"loss": _points(run, "sft/loss")})] if run.metrics else []
    return side_by_side([f"<div>{figures}</div>", *panels])


def _ppo(files: RunFiles) -> str:
    run = RunFiles.read(files.folder / "ppo")
    keys = ("iterations", "rollouts", "dropped", "score", "kl", "seconds_per_iteration", "reward_wait_share")
    figures = figures_table({key: files.summary["ppo"].get(key) for key in keys})
    panels = [curves(TITLES[name], {name: _points(run, name)}) for name in _PPO_CURVES if _points(run, name)]
    signs = signs_body(run.metrics, run.config) if run.metrics else ""
    return figures + signs + side_by_side(panels)


def _evaluation(evaluation: Mapping[str, Any]) -> str:
    before, after = evaluation["before"], evaluation["after"]
    groups = {
        f"pass@{k}": {
            name: (_of(each["pass_at_k"], k) or 0.0, _of(each["standard_error"], k) or 0.0)
            for name, each in (("before", before), ("after", after))
        }
        for k in _ks(before)
    }
    verdicts = dict.fromkeys([*before["verdicts"], *after["verdicts"]])
    rows: list[list[object]] = [["greedy pass@1", before["greedy_pass_at_1"], after["greedy_pass_at_1"]]]
    rows += [[f"pass@{k}", _of(before["pass_at_k"], k), _of(after["pass_at_k"], k)] for k in _ks(before)]
    rows += [
        ["best of n by the PRM", before.get("best_of_n"), after.get("best_of_n")],
        ["lines a program", before.get("mean_lines"), after.get("mean_lines")],
        ["programs without a verdict", before["unanswered"], after["unanswered"]],
    ]
    rows += [
        [name.replace("_", " "), before["verdicts"].get(name, 0), after["verdicts"].get(name, 0)] for name in verdicts
    ]
    comparison = table(("held-out tasks", "before", "after"), rows)
    return side_by_side(
        [f"<div>{comparison}</div>", grouped_bars("pass@k with 95 % intervals", groups, "share of tasks")]
    )


def _programs(samples: Sequence[Mapping[str, Any]]) -> str:
    parts = [
        task(
            sample["prompt"],
            [
                program(f"{name} PPO", shown_steps(sample[name]["steps"]), sample[name]["verdict"])
                for name in ("before", "after")
            ],
        )
        for sample in samples
    ]
    return KEY + "".join(parts) if parts else paragraph("None were kept.")


def _settings(summary: Mapping[str, Any]) -> str:
    times = table(("phase", "took"), [[name, duration(seconds)] for name, seconds in summary["seconds"].items()])
    plan = folded("Settings", figures_table(summary.get("plan", {})))
    return times + plan + folded("Environment", figures_table(summary.get("environment", {})))


def _points(run: RunFiles, name: str) -> list[tuple[float, float]]:
    return [(line["iteration"], line[name]) for line in run.metrics if line.get(name) is not None]


def _ks(evaluation: Mapping[str, Any]) -> list[int]:
    return sorted(int(k) for k in evaluation["pass_at_k"])


def _of(by_k: Mapping[Any, float], k: int) -> float | None:
    """The value at k, whose keys JSON has made strings."""
    return by_k.get(str(k), by_k.get(k))


def _pass(evaluation: Mapping[str, Any], k: int) -> str:
    return shown(_of(evaluation["pass_at_k"], k))
