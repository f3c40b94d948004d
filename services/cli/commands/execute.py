"""`linewise execute FILE`: a program's verdict, test by test."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.errors import FailedError, UsageError

if TYPE_CHECKING:
    from services.contracts import ExecuteReply, ExecuteRequest

_HELP = "Run a program against its tests, in the executor's jail, and say what became of each."

_EPILOG = """
  linewise execute add.py --test "assert add(1, 2) == 3"

  linewise execute add.py --tests tests.txt --json

A tests file holds one test a line: an assert, or a test object as POST /execute takes it. Exit code 1: not accepted.
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("execute", help=_HELP, epilog=_EPILOG)(_execute)


def _execute(
    file: Annotated[Path, typer.Argument(help="The program.", show_default=False)],
    tests: Annotated[Path | None, typer.Option(help="A file with a test a line.", show_default=False)] = None,
    test: Annotated[list[str] | None, typer.Option(help="One test; may be repeated.", show_default=False)] = None,
    setup: Annotated[Path | None, typer.Option(help="Code to run before each test.", show_default=False)] = None,
    url: Annotated[str | None, typer.Option(help="The executor.", show_default="LINEWISE_EXECUTOR_URL")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the reply as JSON.")] = False,
) -> None:
    from services.cli.text_files import read_text
    from services.contracts import ExecuteRequest, Verdict

    body = {
        "code": read_text(file),
        "tests": [*(_tests_of(tests) if tests else []), *(test or [])],
        "setup": read_text(setup) if setup else "",
    }
    if not body["tests"]:
        raise UsageError("nothing to check the program with: give --test or --tests.")
    reply = asyncio.run(_ask(ExecuteRequest.model_validate(body), url))
    _show(reply, as_json=json)
    if reply.verdict is not Verdict.ACCEPTED:
        raise FailedError(f"{file}: {reply.verdict}, {reply.passed} of {reply.total} tests passed.")


def _tests_of(path: Path) -> list[Any]:
    """The tests of a file, a line each: JSON objects and strings as they are, everything else as an assert."""
    from pydantic import TypeAdapter, ValidationError

    from services.cli.text_files import read_text
    from services.contracts import TestCase

    adapter: TypeAdapter[Any] = TypeAdapter(TestCase)
    tests = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            tests.append(adapter.validate_json(line) if line.lstrip()[0] in '{"' else line)
        except ValidationError as error:
            raise UsageError(f"{path}, line {number}: {error.errors()[0]['msg']}.") from error
    return tests


async def _ask(request: "ExecuteRequest", url: str | None) -> "ExecuteReply":
    from services.cli.patience import PATIENCE
    from services.client import ExecutorClient

    async with ExecutorClient(url, retry=PATIENCE) as client:
        return await client.execute(request)


def _show(reply: "ExecuteReply", *, as_json: bool) -> None:
    from rich.table import Table

    from services.cli.console import put, stdout

    if as_json:
        put(reply.model_dump_json(indent=2))
        return
    table = Table(
        "test", "verdict", "seconds", "what happened", title=f"{reply.verdict} ({reply.passed}/{reply.total})"
    )
    for number, result in enumerate(reply.tests, start=1):
        error = result.error
        where = f"line {error.line}: " if error and error.line else ""
        what = f"{where}{error.type}: {error.message}" if error else result.stderr.strip()[-200:]
        table.add_row(str(number), result.verdict, f"{result.wall_s:.3f}", what)
    stdout().print(table)
