"""A Celery worker, as `linewise worker` and `linewise up` run it."""

import logging

from services.kit.logs import configure_logging
from services.labeler.broker import QUEUE, Broker, make_celery
from services.labeler.settings import LabelerSettings
from services.labeler.storage import Database
from services.labeler.tasks import register_tasks

logger = logging.getLogger(__name__)


def run_worker(settings: LabelerSettings, concurrency: int) -> None:
    """Label what the queue holds, in `concurrency` processes, until SIGTERM or SIGINT; tasks at hand are finished.

    Raises:
        StartupError: Redis or the database does not answer.
    """
    configure_logging(settings.log_level)
    broker = Broker(settings)
    broker.require()
    broker.close()
    database = Database(settings.database_url)
    database.open()
    database.close()
    celery = make_celery(settings)
    register_tasks(celery, settings)
    worker = celery.Worker(concurrency=concurrency, queues=[QUEUE], loglevel=settings.log_level, pool="prefork")
    worker.start()
