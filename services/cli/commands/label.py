"""`linewise label PROBLEMS.jsonl -o LABELS.jsonl`: process labels for your own problems."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.cli.errors import FailedError

if TYPE_CHECKING:
    from services.contracts import Job

_HELP = "Label the lines of reference solutions, by mutation, refactoring and execution."

_EPILOG = """
  linewise label problems.jsonl -o labels.jsonl

  linewise label mbpp:601-700 -o labels.jsonl --mutants-per-step 2 --format trl

  linewise label problems.jsonl -o labels.jsonl --teacher openai --teacher-url https://api.deepseek.com/v1
  --teacher-model deepseek-chat --teacher-key-env DEEPSEEK_API_KEY --teacher-max-requests 2000

  linewise label problems.jsonl -o labels.parquet --format parquet --card README.md --license MIT

A line of PROBLEMS.jsonl is {"id": ..., "prompt": ..., "solution": ..., "tests": \\["assert f(1) == 2", ...]}.

Without LINEWISE_LABELER_URL the services it needs are started for the time of the job. Exit code 1: the job failed.
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("label", help=_HELP, epilog=_EPILOG)(_label)


def _label(
    problems: Annotated[str, typer.Argument(metavar="PROBLEMS", help="A JSONL file, or a set: see `problems`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; it appears whole or not at all.")],
    teacher: Annotated[
        str,
        typer.Option(
            help="Who changes the lines: rules, openai, rollout, lines, or a YAML or JSON file that tells all."
        ),
    ] = "rules",
    teacher_url: Annotated[
        str | None, typer.Option(help="An OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")
    ] = None,
    teacher_model: Annotated[str | None, typer.Option(help="The model's name there.")] = None,
    teacher_key_env: Annotated[str | None, typer.Option(help="The variable that holds its key.")] = None,
    teacher_max_requests: Annotated[int | None, typer.Option(min=0, help="Ask no more than so often.")] = None,
    mutants_per_step: Annotated[int, typer.Option(min=0, help="Mutants of each line.")] = 4,
    refactorings_per_step: Annotated[int, typer.Option(min=0, help="Refactorings of each line.")] = 2,
    augmented_tests: Annotated[int, typer.Option(min=0, help="New tests for each problem.")] = 32,
    segment: Annotated[Literal["line", "statement", "block"], typer.Option(help="What gets a label.")] = "line",
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    form: Annotated[
        Literal["jsonl", "trl", "parquet"],
        typer.Option("--format", help="Our records by line, TRL's stepwise supervision, or our records as Parquet."),
    ] = "jsonl",
    card: Annotated[
        Path | None, typer.Option(help="Write a data card too: Markdown with counts, noise, settings, versions.")
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="Of the problems, for the card; known for mbpp, mbpp-plus, humaneval, lists.")
    ] = None,
) -> None:
    from services.cli.console import say
    from services.cli.labeling import export, follow, save_card
    from services.cli.own_labeler import labeler
    from services.cli.teacher_options import allowances, read_teacher
    from services.contracts import JobRequest, Segment
    from trainer.problems import license_of, load_problems

    request = JobRequest(
        name=Path(problems).stem,
        problems=load_problems(problems),
        teacher=read_teacher(teacher, teacher_url, teacher_model, teacher_key_env, teacher_max_requests),
        mutants_per_step=mutants_per_step,
        refactorings_per_step=refactorings_per_step,
        augmented_tests=augmented_tests,
        segment=Segment(segment),
        seed=seed,
        license=license or license_of(problems),
    )
    for file in filter(None, (output, card)):
        file.parent.mkdir(parents=True, exist_ok=True)
    with labeler(allowances(request.teacher)) as url:
        job = follow(url, request)
        _show(job)
        if job.status != "succeeded":
            raise FailedError(f"the job is {job.status}{f': {job.error}' if job.error else ''}.")
        count = asyncio.run(export(url, job.id, output, form))
        if card:
            asyncio.run(save_card(url, job.id, card))
    say(f"{'the' if count is None else count} records in {output}{f', their card in {card}' if card else ''}.")


def _show(job: "Job") -> None:
    from rich.table import Table

    from services.cli.console import stdout

    table = Table("", "total", "of which", title=f"{job.name}: {job.status}")
    problems, mutants, labels = job.problems, job.mutants, job.labels
    table.add_row("problems", str(problems.total), f"{problems.done} done, {problems.rejected} rejected")
    table.add_row(
        "mutants",
        str(mutants.total),
        f"{mutants.killed} killed, {mutants.survived} survived, {mutants.incompetent} incompetent",
    )
    table.add_row(
        "labels",
        str(labels.positive + labels.negative),
        f"{labels.positive} positive, {labels.negative} negative (and {labels.unknown} unknown)",
    )
    if taught := job.teaching.questions:
        table.add_row("questions", str(taught), _taught(job))
    for rejected in job.rejected:
        table.add_row("rejected", rejected.id, rejected.reason)
    stdout().print(table)


def _taught(job: "Job") -> str:
    taught = job.teaching
    tokens = taught.prompt_tokens + taught.completion_tokens
    paid = f"{taught.requests} paid for, {tokens} tokens, cost {taught.cost:.2f}"
    return f"{paid}; {taught.malformed} malformed, {taught.unanswered} unanswered"
