"""A Celery worker, as `linewise worker` and `linewise up` run it."""

import warnings
from functools import partial
from pathlib import Path

from celery import signals
from celery.exceptions import SecurityWarning

from services import tracing
from services.kit.logs import configure_logging
from services.kit.secrecy import hide_from_own_user
from services.labeler.broker import QUEUE, Broker, make_celery
from services.labeler.heartbeat import BeatingConsumer
from services.labeler.settings import LabelerSettings
from services.labeler.storage import Database
from services.labeler.tasks import register_tasks
from services.labeler.teachers import Prompts


def run_worker(settings: LabelerSettings, concurrency: int, heartbeat_file: Path | None = None) -> None:
    """Label what the queue holds, in `concurrency` processes, until SIGTERM or SIGINT; tasks at hand are finished.

    While it lives it touches `heartbeat_file` every second.

    Raises:
        StartupError: Redis or the database does not answer, or a prompt of the operator's can't be used.
    """
    _require_parts(settings)
    hide_from_own_user()
    _keep_logs_ours(settings.log_level)
    signals.worker_process_init.connect(_trace)
    signals.worker_process_shutdown.connect(_send_traces)
    celery = make_celery(settings)
    register_tasks(celery, settings)
    celery.Worker(
        concurrency=concurrency,
        queues=[QUEUE],
        pool="prefork",
        consumer_cls=heartbeat_file and partial(BeatingConsumer, heartbeat_file=heartbeat_file),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()


def _trace(**_: object) -> None:
    """In each process of its own, for what sends the spans is a thread and survives no fork."""
    tracing.configure("linewise-worker")


def _send_traces(**_: object) -> None:
    tracing.flush()


def _require_parts(settings: LabelerSettings) -> None:
    Prompts(settings.teacher_prompts_dir)
    broker = Broker(settings)
    broker.require()
    broker.close()
    database = Database(settings.database_url)
    database.open(migrate=settings.migrate_at_start)
    database.close()


def _keep_logs_ours(level: str) -> None:
    """Celery sets no logging up where somebody listens to this signal.

    Its warning against root is about pickled messages, which are not accepted here.
    """
    configure_logging(level)
    signals.setup_logging.connect(_no_logging_of_its_own)
    warnings.simplefilter("ignore", SecurityWarning)


def _no_logging_of_its_own(**_: object) -> None:
    """All is set up."""
