"""`linewise worker`: a Celery worker that does the labeler's jobs; any number of them, on any number of machines."""

from pathlib import Path
from typing import Annotated

import typer

_HELP = "Do labelling jobs: a Celery worker for the queue at LINEWISE_REDIS_URL."

_EPILOG = "Example:  LINEWISE_REDIS_URL=redis://queue:6379/0 linewise worker --concurrency 4"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("worker", help=_HELP, epilog=_EPILOG)(_worker)


def _worker(
    concurrency: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="cores")] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Made once the worker takes tasks.")] = None,
    heartbeat_file: Annotated[Path | None, typer.Option(help="Touched every second while its main loop lives.")] = None,
) -> None:
    import os

    from celery.signals import worker_ready

    from services.labeler.settings import LabelerSettings
    from services.labeler.worker import run_worker

    for file in (ready_file, heartbeat_file):
        if file is not None:
            file.unlink(missing_ok=True)

    @worker_ready.connect(weak=False)
    def tell(**_: object) -> None:
        if ready_file is not None:
            ready_file.touch()

    run_worker(LabelerSettings(), concurrency or os.cpu_count() or 1, heartbeat_file)
