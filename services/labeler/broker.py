"""The queue between the web service and the workers: Celery on Redis, with a dead Redis noticed soon.

The database holds the state of jobs, so there is no result backend and a message holds no more than ids.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from services import tracing
from services.contracts.request_id import current_request_id
from services.kit.errors import StartupError
from services.labeler.settings import LabelerSettings

LABEL_PROBLEMS = "linewise.labeler.label_problems"
QUEUE = "linewise.labeler"
ASKED = "linewise"
"""The header of a message that tells of the request it comes from: its id, and the trace it belongs to."""

_UNACKED, _UNACKED_INDEX, _UNACKED_MUTEX = (f"{QUEUE}.unacked{part}" for part in ("", "_index", "_mutex"))
_TIMEOUT_S = 3.0


class BrokerDownError(Exception):
    """Redis does not answer; the message says so in one sentence."""


def make_celery(settings: LabelerSettings) -> Celery:
    """A Celery app without tasks; the web service sends to it by name, a worker adds the tasks.

    A message is acknowledged when its task is done. If the worker dies before, Redis gives the message out again. The
    keys of what is not yet acknowledged are our own: another application may share the Redis.
    """
    celery = Celery("linewise", broker=_celery_url(settings.redis_url), set_as_current=False)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=QUEUE,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_max_memory_per_child=settings.worker_memory_bytes // 1024,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout_s,
            "unacked_restore_interval": min(5.0, settings.visibility_timeout_s),
            "unacked_restore_throttle": 1,
            "unacked_key": _UNACKED,
            "unacked_index_key": _UNACKED_INDEX,
            "unacked_mutex_key": _UNACKED_MUTEX,
            "socket_connect_timeout": _TIMEOUT_S,
            "socket_timeout": _TIMEOUT_S,
            "health_check_interval": 10,
        },
    )
    return celery


def _celery_url(redis_url: str) -> str:
    """Celery's name for a unix socket differs from redis-py's."""
    path = redis_url.removeprefix("unix://")
    return redis_url if path == redis_url else f"redis+socket://{path}"


class Broker:
    """Puts labelling tasks into the queue, and back into it those of workers that have died."""

    def __init__(self, settings: LabelerSettings) -> None:
        self._url = settings.redis_url
        self._celery = make_celery(settings)
        self._redis = _connect(settings)
        self._visibility_timeout_s = settings.visibility_timeout_s
        self._held: dict[tuple[bytes, float], float] = {}
        """The tasks in workers' hands, each with the moment that stands in Redis, and since when it has stood there."""

    def ping(self) -> None:
        """Raise `BrokerDownError` unless Redis answers."""
        try:
            self._redis.ping()
        except (RedisError, OSError) as error:
            raise BrokerDownError(f"no Redis at {_without_password(self._url)}") from error

    def require(self) -> None:
        """Raise `StartupError` unless Redis answers."""
        try:
            self.ping()
        except BrokerDownError as error:
            raise StartupError(f"{error}; start `linewise up` or set LINEWISE_REDIS_URL") from error

    def send(self, job_id: str, positions: list[int]) -> None:
        """Queue the problems of a job that stand at `positions`.

        Raises:
            BrokerDownError: Redis took no message.
        """
        try:
            self._celery.send_task(
                LABEL_PROBLEMS, args=[job_id, positions], queue=QUEUE, retry=False, headers={ASKED: _asked()}
            )
        except (OperationalError, RedisError, OSError) as error:
            raise BrokerDownError(f"no Redis at {_without_password(self._url)}") from error

    def is_empty(self) -> bool:
        """Whether no task waits and none is in a worker's hands, as far as Redis knows.

        Raises:
            BrokerDownError: Redis does not answer.
        """
        return self.depth() == (0, 0)

    def depth(self) -> tuple[int, int]:
        """How many tasks wait, and how many are in the hands of workers.

        Raises:
            BrokerDownError: Redis does not answer.
        """
        try:
            return int(self._redis.llen(QUEUE)), int(self._redis.zcard(_UNACKED_INDEX))
        except (RedisError, OSError) as error:
            raise BrokerDownError(f"no Redis at {_without_password(self._url)}") from error

    def release_unrenewed(self) -> None:
        """Have a task given out again whose lease nobody renewed for the visibility timeout, by this process's clock.

        Kombu compares moments that workers' clocks wrote: set back, a clock leaves some that are still to come, and a
        worker that dies then would keep its tasks until they have come. Call it again and again.

        Raises:
            BrokerDownError: Redis does not answer.
        """
        now = time.monotonic()
        try:
            held: Any = self._redis.zrange(_UNACKED_INDEX, 0, -1, withscores=True)
            self._held = {(tag, moment): self._held.get((tag, moment), now) for tag, moment in held}
            unrenewed = [tag for (tag, _), since in self._held.items() if now - since > self._visibility_timeout_s]
            if unrenewed:
                self._redis.zadd(_UNACKED_INDEX, dict.fromkeys(unrenewed, 0.0), xx=True)
        except (RedisError, OSError) as error:
            raise BrokerDownError(f"no Redis at {_without_password(self._url)}") from error

    def close(self) -> None:
        """Close every connection."""
        self._celery.close()
        self._redis.close()


class Lease:
    """A task in a worker's hands: while it is renewed, nobody else is given the task, however long it takes.

    https://docs.celeryq.dev/projects/kombu/en/stable/reference/kombu.transport.redis.html keeps the moment of each
    delivery in a sorted set and gives the old ones out again; a renewal makes this delivery a new one.
    """

    def __init__(self, settings: LabelerSettings, delivery_tag: str) -> None:
        self._redis = _connect(settings)
        self._delivery_tag = delivery_tag
        self._every_s = settings.visibility_timeout_s / 4

    async def keep(self) -> None:
        """Renew it again and again; a Redis that is away, or has forgotten the delivery, is left alone."""
        while True:
            await asyncio.sleep(self._every_s)
            with suppress(RedisError, OSError):
                await asyncio.to_thread(self._redis.zadd, _UNACKED_INDEX, {self._delivery_tag: time.time()}, xx=True)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()


def _asked() -> dict[str, str]:
    request_id = current_request_id.get()
    return tracing.carrier() | ({"request_id": request_id} if request_id else {})


def _connect(settings: LabelerSettings) -> Redis:
    return Redis.from_url(
        settings.redis_url.replace("redis+socket://", "unix://"),
        socket_connect_timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
    )


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
