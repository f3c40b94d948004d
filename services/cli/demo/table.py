"""What a demo ends with on the terminal: its figures, two versions of some programs, where to read on."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.score_table import colour_of


def final_tables(summary: dict[str, Any]) -> Group:
    """The figures and the sample programs of `summary.json`."""
    return Group(_figures(summary), *(_programs(sample) for sample in summary["samples"]))


def _figures(summary: dict[str, Any]) -> Table:
    seconds = summary["seconds"]
    table = Table("phase", "what came of it", "seconds", title=f"linewise demo, seed {summary['plan']['seed']}")
    for name, job in summary["labels"].items():
        table.add_row(f"labels, {name}", _labels(job), f"{seconds[f'label-{name}']:.0f}")
    table.add_row("PRM", _prm(summary["prm"]), f"{seconds['prm']:.0f}")
    table.add_row("SFT (beside)", _sft(summary["sft"]), f"{seconds['sft']:.0f}")
    table.add_row("before PPO", _evaluation(summary["evaluation"]["before"]), f"{seconds['evaluate-before']:.0f}")
    table.add_row("PPO", _ppo(summary["ppo"]), f"{seconds['ppo']:.0f}")
    table.add_row("after PPO", _evaluation(summary["evaluation"]["after"]), f"{seconds['evaluate-after']:.0f}")
    table.add_section()
    table.add_row("outcome", _outcome(summary["evaluation"]["pass_at_1"]), f"{seconds['total']:.0f}")
    return table


def _labels(job: dict[str, Any]) -> str:
    problems, mutants, labels = job["problems"], job["mutants"], job["labels"]
    return (
        f"{problems['total']} problems ({problems['rejected']} rejected), {mutants['total']} mutants "
        f"({mutants['killed']} killed, {mutants['survived']} survived), "
        f"{labels['positive']} positive and {labels['negative']} negative labels in {job['records']} programs"
    )


def _prm(prm: dict[str, Any]) -> str:
    auc = "none" if prm["roc_auc"] is None else f"{prm['roc_auc']:.3f}"
    return (
        f"{prm['parameters'] / 1e6:.1f}M parameters; on {prm['held_out_steps']} steps of {prm['held_out_problems']} "
        f"held-out problems: accuracy {prm['accuracy']:.3f} (always the commoner label: {prm['majority']:.3f}), "
        f"F1 {prm['f1_positive']:.3f} positive, {prm['f1_negative']:.3f} negative, AUC {auc}"
    )


def _sft(sft: dict[str, Any]) -> str:
    return f"{sft['parameters'] / 1e6:.1f}M parameters, {sft['problems']} tasks, loss {sft['train_loss']:.3f}"


def _ppo(ppo: dict[str, Any]) -> str:
    return (
        f"{ppo['iterations']} iterations, {ppo['rollouts']} programs scored over HTTP ({ppo['dropped']} unanswered), "
        f"mean score {ppo['score']:.3f}, KL {ppo['kl']:.2f}"
    )


def _evaluation(result: dict[str, Any]) -> str:
    figures = [
        f"pass@{k} {value:.3f}{_plus_minus(result['standard_error'].get(k))}"
        for k, value in result["pass_at_k"].items()
    ]
    greedy = result["greedy_pass_at_1"]
    return ", ".join(
        [f"{result['problems']} held-out tasks", *figures, *([f"greedy {greedy:.3f}"] if greedy is not None else [])]
    )


def _outcome(comparison: dict[str, Any]) -> str:
    difference = f"{comparison['difference']:+.3f}{_plus_minus(comparison['standard_error'])}"
    return f"{comparison['verdict']}: pass@1 {comparison['before']:.3f} -> {comparison['after']:.3f} ({difference})"


def _plus_minus(error: float | None) -> str:
    return "" if error is None else f" ± {error:.3f}"


def _programs(sample: dict[str, Any]) -> Table:
    table = Table("before PPO", "after PPO", title=Text(sample["prompt"]), title_justify="left")
    table.add_row(*(_program(sample[when]) for when in ("before", "after")))
    return table


def _program(program: dict[str, Any]) -> RenderableType:
    """Each line with its score and on its colour, the verdict below."""
    text = Text()
    for step in program["steps"]:
        score = step["score"]
        shown = "    " if score is None else f"{score:.2f}"
        text.append(f"{shown}  {step['text'].expandtabs(4)}\n", "dim" if score is None else colour_of(score))
    text.append(str(program["verdict"]), "bold")
    return text
