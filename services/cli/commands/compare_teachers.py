"""`linewise compare-teachers A B`: how far the labels of two jobs, or of two files, agree."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from services.contracts import LabelRecord
    from services.labeler.comparison import Agreement, LabelSet

_HELP = "Compare the labels of two jobs or JSONL files: agreement, Cohen's kappa, and counts of each operator."

_EPILOG = """
  linewise compare-teachers rules.jsonl deepseek.jsonl

  linewise compare-teachers 0193a5c2e1b0... rollout.jsonl --threshold 0.5 --json

Same steps: the same text up to the step's end. Places: the steps of the reference solutions; negative where one of the
teacher's changes there was proved wrong. Jobs are fetched from LINEWISE_LABELER_URL.
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("compare-teachers", help=_HELP, epilog=_EPILOG)(_compare_teachers)


def _compare_teachers(
    a: Annotated[str, typer.Argument(metavar="JOB_A", help="A job's id, or a file of labels.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="JOB_B", help="Another.", show_default=False)],
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Take soft labels, positive above this share, before hard ones.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    from json import dumps

    from services.cli.console import put, stdout
    from services.labeler.comparison import compare, gather

    labels = {"a": gather(_records(a), threshold), "b": gather(_records(b), threshold)}
    agreements = {
        "same steps": compare(labels["a"].steps, labels["b"].steps),
        "places": compare(labels["a"].places, labels["b"].places),
    }
    if json:
        put(dumps(_as_json(labels, agreements), indent=2))
    else:
        _show(stdout(), {f"A {a}": labels["a"], f"B {b}": labels["b"]}, agreements)


def _records(source: str) -> "Iterator[LabelRecord]":
    """The records of a file where there is one of that name, else those of the job."""
    if Path(source).exists():
        yield from _records_of_file(Path(source))
    else:
        yield from asyncio.run(_records_of_job(source))


def _records_of_file(path: Path) -> "Iterator[LabelRecord]":
    from pydantic import ValidationError

    from services.cli.errors import UsageError
    from services.contracts import LabelRecord

    number = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):  # noqa: B007 - the error below names it
                if line.strip():
                    yield LabelRecord.model_validate_json(line)
    except ValidationError as error:
        raise UsageError(f"{path}, line {number}: no label record as `linewise label` writes them.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


async def _records_of_job(job_id: str) -> "list[LabelRecord]":
    from services.cli.patience import PATIENCE
    from services.client import LabelerClient

    async with LabelerClient(retry=PATIENCE) as client:
        return [record async for record in client.labels(job_id)]


def _as_json(labels: "dict[str, LabelSet]", agreements: "dict[str, Agreement]") -> dict[str, Any]:
    from dataclasses import asdict

    from services.labeler.comparison import operator_rows

    return {
        name.replace(" ", "_"): asdict(one) | {"compared": one.compared, "agreement": one.agreement, "kappa": one.kappa}
        for name, one in agreements.items()
    } | {
        side: {
            "disputed": len(one.disputed),
            "operators": [
                {"teacher": teacher, "operator": operator, **asdict(counts)}
                for teacher, operator, counts in operator_rows(one)
            ],
        }
        for side, one in labels.items()
    }


def _show(console: Any, labels: "dict[str, LabelSet]", agreements: "dict[str, Agreement]") -> None:
    from rich.table import Table

    from services.labeler.comparison import operator_rows

    heads = ("", "compared", "agreement", "kappa", "+ +", "- -", "+ -", "- +", "only A", "only B")
    table = Table(*heads, title="A against B")
    for name, one in agreements.items():
        shares = ["" if share is None else f"{share:.3f}" for share in (one.agreement, one.kappa)]
        pairs = (one.both_positive, one.both_negative, one.a_positive_b_negative, one.a_negative_b_positive)
        table.add_row(name, str(one.compared), *shares, *map(str, (*pairs, one.only_a, one.only_b)))
    console.print(table)
    table = Table("", "teacher", "operator", "programs", "positive", "negative", "unlabelled", title="Labels")
    for side, gathered in labels.items():
        for teacher, operator, counts in operator_rows(gathered):
            figures = (counts.programs, counts.positive, counts.negative, counts.unlabelled)
            table.add_row(side, teacher, operator, *map(str, figures))
    console.print(table)
