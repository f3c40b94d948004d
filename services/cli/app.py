"""The tree of commands, and the one place where an exception becomes a sentence and an exit code."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from services.cli.commands import (
    compare_teachers,
    demo,
    execute,
    experiment,
    label,
    migrate,
    operators,
    problems,
    score,
    serve,
    status,
    train,
    up,
    worker,
)
from services.cli.console import put, say
from services.cli.failures import sentence_and_code

_INTERRUPTED = 130

_EPILOG = """
First steps:

  linewise demo                                    the whole method, on this machine, in minutes

  linewise up --model runs/demo/prm                the three services; Ctrl-C ends them

  linewise score program.py --prompt "Add one."    every line with its score

Exit codes: 0 done, 1 the job failed or the program is wrong, 2 it cannot be done here (one sentence says why).
"""

app = typer.Typer(
    name="linewise",
    help="Rewards for every line of a program: serve them, label them, train on them.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        put(f"linewise {version('linewise')}")
        raise typer.Exit


@app.callback()
def _linewise(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Nothing of its own: everything is in the commands."""


up.register(app)
serve.register(app)
status.register(app)
worker.register(app)
migrate.register(app)
execute.register(app)
score.register(app)
label.register(app)
operators.register(app)
compare_teachers.register(app)
problems.register(app)
train.register(app)
experiment.register(app)
demo.register(app)


def main() -> None:
    """The console script: run a command, exit with its code."""
    # OpenMP reads it when torch is imported: threads that spin while they wait slow a shared machine tenfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except Exception as error:
        expected = sentence_and_code(error)
        if expected is None:
            raise
        sentence, code = expected
        say(sentence)
        sys.exit(code)
