"""`linewise up`: everything on this machine, until Ctrl-C."""

from typing import Annotated

import typer

from services.cli.console import say, stdout
from services.cli.stack import Stack

_HELP = "Start the three services, a worker and an embedded Redis; end them all on Ctrl-C."

_EPILOG = """
  linewise up

  linewise up --model runs/demo/prm

  LINEWISE_DATA_DIR=/srv/linewise LINEWISE_REDIS_URL=redis://queue:6379/0 linewise up

A child that dies is restarted. The first Ctrl-C lets running requests end, the second kills what is left.
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("up", help=_HELP, epilog=_EPILOG)(_up)


def _up(
    scorer_port: Annotated[int, typer.Option(help="Port of the scorer.")] = 8001,
    executor_port: Annotated[int, typer.Option(help="Port of the executor.")] = 8002,
    labeler_port: Annotated[int, typer.Option(help="Port of the labeler.")] = 8003,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="[NAME=]DIR", help="A PRM's checkpoint folder for the scorer; may be repeated."
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Processes of the worker.", show_default="cores")
    ] = None,
) -> None:
    from services.cli.data_dir import owned
    from services.cli.ports import require_free
    from services.cli.stack import data_dir_from_environment, redis_url_from_environment

    _require_models(model or [])
    with owned(data_dir_from_environment()) as data_dir:
        require_free({"scorer": scorer_port, "executor": executor_port, "labeler": labeler_port})
        _keep_up(
            Stack(
                data_dir=data_dir,
                executor_port=executor_port,
                labeler_port=labeler_port,
                scorer_port=scorer_port,
                models=model or [],
                redis_url=redis_url_from_environment(),
                concurrency=concurrency,
            )
        )


def _require_models(models: list[str]) -> None:
    if models:
        from services.cli.commands.serve import require_checkpoints
        from services.scorer.settings import ModelSource

        require_checkpoints([ModelSource.parse(model).folder for model in models])


def _keep_up(stack: Stack) -> None:
    from services.cli.running import running

    try:
        with running(stack) as supervisor:
            _show(stack)
            supervisor.wait()
    except KeyboardInterrupt:
        say("all ended.")


def _show(stack: Stack) -> None:
    from rich.table import Table

    table = Table("service", "URL", "documentation", title="Linewise is up; Ctrl-C ends it")
    for name, url in stack.urls.items():
        table.add_row(name, url, f"{url}/docs")
    console = stdout()
    console.print(table)
    console.print(f"data and logs: {stack.data_dir}", soft_wrap=True)
    if not stack.models:
        say(
            "the scorer has no model and answers 503: make one with `linewise demo` or `linewise train prm`, "
            "then `linewise up --model DIR`."
        )
