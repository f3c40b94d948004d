"""`linewise problems SPEC -o FILE`: a problem set as JSONL, a problem a line."""

from pathlib import Path
from typing import Annotated

import typer

_HELP = "Write a problem set as JSONL, one problem a line, as `linewise label` and POST /jobs take them."

_EPILOG = """
  linewise problems mbpp:601-974 -o mbpp.jsonl

  linewise problems "lists:train?count=200&seed=1" -o lists.jsonl
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("problems", help=_HELP, epilog=_EPILOG)(_problems)


def _problems(
    spec: Annotated[
        str,
        typer.Argument(
            help="mbpp[:IDS], mbpp-plus[:IDS], humaneval[:IDS], lists:SPLIT[?count=N&seed=N], or a JSONL file."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; it appears whole or not at all.")],
) -> None:
    from services.cli.atomic_file import written_whole
    from services.cli.console import say
    from trainer.problems import load_problems

    problems = load_problems(spec)
    with written_whole(output) as file:
        for problem in problems:
            file.write(problem.model_dump_json() + "\n")
    say(f"{len(problems)} problems in {output}.")
