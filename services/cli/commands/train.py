"""`linewise train sft|prm|ppo` and `linewise evaluate`: the trainer's phases, their options from its config classes."""

from typing import Any

import typer

from services.cli.lazy_command import LazyCommand

_SFT = LazyCommand(
    name="sft",
    help="Phase 1: supervised fine-tuning of a policy on reference solutions.",
    epilog="Example:  linewise train sft --run-dir runs/sft",
    module="trainer.sft",
    config_class="SftConfig",
    function="train_sft",
)
_PRM = LazyCommand(
    name="prm",
    help="Phase 3: a process reward model from labels (`linewise label` makes them, phase 2).",
    epilog="Example:  linewise train prm --labels labels.jsonl --run-dir runs/prm",
    module="trainer.prm",
    config_class="PrmConfig",
    function="train_prm",
)
_PPO = LazyCommand(
    name="ppo",
    help="Phase 4: PPO with rewards from POST /score, POST /execute or both; wants a running scorer and executor.",
    epilog="Example: `linewise up --model runs/prm/checkpoints/final` here, `linewise train ppo` there",
    module="trainer.ppo",
    config_class="PpoConfig",
    function="train_ppo",
)
_EVALUATE = LazyCommand(
    name="evaluate",
    help="pass@k of a policy by the unbiased estimator; wants a running executor.",
    epilog="Examples:  linewise evaluate --policy smollm2 --problems mbpp:1-100; "
    "linewise evaluate --samples samples.jsonl.gz --problems humaneval",
    module="trainer.evaluate",
    config_class="EvaluateConfig",
    function="evaluate",
)

_EPILOG = "Options may also come from a file: linewise train sft --config sft.yaml --seed 1"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(help="Train a policy or a process reward model.", epilog=_EPILOG, no_args_is_help=True)
    for phase in (_SFT, _PRM, _PPO):
        phase.register(group, _show)
    app.add_typer(group, name="train")
    _EVALUATE.register(app, _show_evaluation)


def _show(summary: Any) -> None:
    """The phase's summary as a table of names and values."""
    from dataclasses import asdict

    from rich.table import Table

    from services.cli.console import stdout

    table = Table("figure", "value", title=type(summary).__name__)
    for name, value in asdict(summary).items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    stdout().print(table)


def _show_evaluation(summary: Any) -> None:
    from services.cli.console import stdout
    from services.cli.evaluation_table import evaluation_table

    stdout().print(evaluation_table(summary))
