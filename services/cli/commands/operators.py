"""`linewise operators`: every mutation operator and refactoring, what it may break, and an example."""

from typing import Annotated, Literal

import typer

_HELP = "List the mutation operators and refactorings of the `rules` teacher, each with an example."

_EPILOG = """
  linewise operators --kind refactoring

  linewise operators --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("operators", help=_HELP, epilog=_EPILOG)(_operators)


def _operators(
    kind: Annotated[
        Literal["mutation", "refactoring"] | None, typer.Option(help="One kind.", show_default="both")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    from dataclasses import asdict
    from json import dumps

    from rich.table import Table
    from rich.text import Text

    from services.cli.console import put, stdout
    from services.labeler.catalogue import catalogue

    entries = [entry for entry in catalogue() if kind in (None, entry.kind)]
    if json:
        put(dumps([asdict(entry) for entry in entries], indent=2))
        return
    table = Table("kind", "name", "may break", "before", "after", title=f"{len(entries)} rules", show_lines=True)
    for entry in entries:
        before, after = (Text(code.rstrip("\n").expandtabs(4)) for code in (entry.before, entry.after))
        table.add_row(entry.kind, Text(entry.name), Text(entry.may_break), before, after)
    stdout().print(table)
