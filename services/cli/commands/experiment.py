"""`linewise experiment ...`: questions about the method, each answered with figures and a report in its run folder."""

from typing import TYPE_CHECKING

import typer

from services.cli.lazy_command import LazyCommand

if TYPE_CHECKING:
    from services.cli.experiments.findings import Findings

_PRM_ACCURACY = LazyCommand(
    name="prm-accuracy",
    help="How accurate is a PRM on problems that it never saw?",
    epilog="Example:  linewise experiment prm-accuracy --problems mbpp:601-974 --seeds 3",
    module="services.cli.experiments.prm_accuracy",
    config_class="PrmAccuracy",
    function="prm_accuracy",
)
_AUGMENTED_LABELS = LazyCommand(
    name="labels-augmented-vs-original",
    help="How many labels do a problem's own tests get wrong, and what does a PRM make of it?",
    epilog="Example:  linewise experiment labels-augmented-vs-original --problems mbpp:601-974",
    module="services.cli.experiments.augmented_labels",
    config_class="AugmentedLabels",
    function="augmented_labels",
)
_TEST_COUNT = LazyCommand(
    name="test-count-vs-accuracy",
    help="How many tests must a problem have for good labels?",
    epilog="Example:  linewise experiment test-count-vs-accuracy --counts 1 --counts 3 --counts 11 --counts 35",
    module="services.cli.experiments.count_of_tests",
    config_class="CountOfTests",
    function="count_of_tests",
)
_TEACHER_AGREEMENT = LazyCommand(
    name="teacher-agreement",
    help="How far do teachers agree, and does a PRM of one's labels judge the other's?",
    epilog="Example:  linewise experiment teacher-agreement --teachers rules --teachers deepseek.yaml",
    module="services.cli.experiments.teacher_agreement",
    config_class="TeacherAgreement",
    function="teacher_agreement",
)
_STEP_BOUNDARIES = LazyCommand(
    name="step-boundaries",
    help="What should a step be: a line, a statement, a block?",
    epilog="Example:  linewise experiment step-boundaries --problems mbpp:601-974",
    module="services.cli.experiments.step_boundaries",
    config_class="StepBoundaries",
    function="step_boundaries",
)
_CONVERGENCE = LazyCommand(
    name="convergence",
    help="Does a PRM learn sooner than an outcome reward model, taught by the same programs?",
    epilog="Example:  linewise experiment convergence --problems mbpp:601-974 --shares 0.1 --shares 0.3 --shares 1",
    module="services.cli.experiments.convergence",
    config_class="Convergence",
    function="convergence",
)
_PROCESS_VS_OUTCOME = LazyCommand(
    name="process-vs-outcome",
    help="Does a reward at every line train a policy further than one at the end?",
    epilog="Example:  linewise experiment process-vs-outcome --seeds 5 --arms outcome --arms process",
    module="services.cli.experiments.process_vs_outcome",
    config_class="ProcessVsOutcome",
    function="process_vs_outcome",
)

_COMMANDS = (
    _PRM_ACCURACY,
    _AUGMENTED_LABELS,
    _TEST_COUNT,
    _TEACHER_AGREEMENT,
    _STEP_BOUNDARIES,
    _CONVERGENCE,
    _PROCESS_VS_OUTCOME,
)

_HELP = "Questions about the method, each answered with figures and a report; an interrupted one goes on."


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    for command in _COMMANDS:
        command.register(group, _show)
    app.add_typer(group, name="experiment")


def _show(findings: "Findings") -> None:
    from rich.table import Table

    from services.cli.console import say, stdout
    from trainer.report_page import shown

    for grid in findings.grids:
        table = Table(*grid.head, title=grid.title)
        for row in grid.rows:
            table.add_row(*map(shown, row))
        stdout().print(table)
    say(f"the report is {findings.folder / 'report.html'}; report.md and figures.json are beside it.")
