"""`linewise status`: all services in one table."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.errors import FailedError

if TYPE_CHECKING:
    from services.cli.status import Status

_HELP = "Show the three services: whether they are ready, version, tier, and what waits in their queues."

_EPILOG = """
  linewise status

  LINEWISE_EXECUTOR_URL=http://10.0.0.7:8002 linewise status --json

The queues of scorer and executor hold programs, the labeler's tasks of some problems each. Exit code 1: one is not
ready, or does not answer.
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("status", help=_HELP, epilog=_EPILOG)(_status)


def _status(json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    from dataclasses import asdict
    from json import dumps

    from services.cli.console import put
    from services.cli.status import all_statuses

    statuses = asyncio.run(all_statuses())
    if json:
        put(dumps([asdict(status) for status in statuses], indent=2))
    else:
        _show(statuses)
    if wanting := [status.service for status in statuses if status.state != "ready"]:
        raise FailedError(f"not ready: {', '.join(wanting)}.")


def _show(statuses: "list[Status]") -> None:
    from rich.table import Table
    from rich.text import Text

    from services.cli.console import stdout

    colours = {"ready": "green", "not ready": "yellow", "down": "red"}
    table = Table("service", "URL", "state", "version", "tier", "waiting", "running", "why")
    for status in statuses:
        told = (status.version, status.tier, status.waiting, status.running, status.reason)
        cells = ("" if value is None else str(value) for value in told)
        table.add_row(status.service, status.url, Text(status.state, colours[status.state]), *map(Text, cells))
    stdout().print(table)
