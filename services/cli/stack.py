"""Which processes make up Linewise on one machine, and how each is started: Redis, worker, the three services."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.cli.children import ChildSpec, Stage
from services.cli.embedded_redis import redis_spec, redis_url
from services.cli.errors import UsageError
from services.cli.ports import LOOPBACK
from services.cli.probes import answers_ok, file_appears

LINEWISE = (sys.executable, "-P", "-m", "services.cli")
"""This command, for a child process."""

_WORKER_GRACE_S = 15.0


@dataclass(frozen=True)
class Stack:
    """A data folder, a port for each service that is wanted, and what the scorer serves.

    `redis_url` null means an embedded one; a service whose port is null is left out.
    """

    data_dir: Path
    executor_port: int
    labeler_port: int | None = None
    scorer_port: int | None = None
    models: Sequence[str] = ()
    redis_url: str | None = None
    concurrency: int | None = None

    @property
    def urls(self) -> dict[str, str]:
        """Service name to base URL, of the services that are part of it."""
        ports = {"scorer": self.scorer_port, "executor": self.executor_port, "labeler": self.labeler_port}
        return {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items() if port is not None}

    @property
    def log_folder(self) -> Path:
        """Where each child writes its log."""
        return self.data_dir / "logs"

    def specs(self) -> list[ChildSpec]:
        """The children of a supervisor; a labeler brings a worker and, without a `redis_url`, a Redis."""
        specs = [self._executor()]
        if self.scorer_port is not None:
            specs.append(scorer_spec(self.scorer_port, self.models))
        if self.labeler_port is not None:
            specs += [self._labeler(self.labeler_port), self._worker()]
            if self.redis_url is None:
                specs.append(redis_spec(self.data_dir))
        return specs

    def _executor(self) -> ChildSpec:
        return _service("executor", self.executor_port, environment=self._environment())

    def _labeler(self, port: int) -> ChildSpec:
        return _service("labeler", port, environment=self._environment())

    def _worker(self) -> ChildSpec:
        ready_file = self.data_dir / "worker.ready"
        ready_file.unlink(missing_ok=True)
        concurrency = ("--concurrency", str(self.concurrency)) if self.concurrency else ()
        return ChildSpec(
            "worker",
            (*LINEWISE, "worker", "--ready-file", str(ready_file), *concurrency),
            ready=file_appears(ready_file),
            stage=Stage.WORKER,
            environment=self._environment(),
            death_signal=signal.SIGKILL,  # Celery ends on no other one once its Redis is gone; its task is given again
            grace_s=_WORKER_GRACE_S,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "LINEWISE_DATA_DIR": str(self.data_dir),
            "LINEWISE_REDIS_URL": self.redis_url or redis_url(self.data_dir),
            "LINEWISE_EXECUTOR_URL": self.urls["executor"],
        }


@dataclass(frozen=True)
class PolicyStack:
    """A policy that a labeler's teachers may ask, alone."""

    policy: Path
    port: int
    log_folder: Path

    @property
    def url(self) -> str:
        """Its base URL, as a teacher takes it."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    def specs(self) -> list[ChildSpec]:
        """The one child."""
        return [_service("policy", self.port, str(self.policy))]


def scorer_spec(port: int, models: Sequence[str]) -> ChildSpec:
    """A scorer of `models` (`[NAME=]DIR`); with none it is waited for until it lives, for it is never ready."""
    options = tuple(option for model in models for option in ("--model", model))
    return _service("scorer", port, *options, probe="readyz" if models else "healthz")


def _service(
    name: str, port: int, *options: str, probe: str = "readyz", environment: dict[str, str] | None = None
) -> ChildSpec:
    return ChildSpec(
        name,
        (*LINEWISE, "serve", name, "--port", str(port), *options),
        ready=answers_ok(f"http://{LOOPBACK}:{port}/{probe}"),
        environment=environment or {},
    )


def data_dir_from_environment() -> Path:
    """`LINEWISE_DATA_DIR`, or `.linewise` in the working folder."""
    return Path(os.environ.get("LINEWISE_DATA_DIR") or ".linewise")


def redis_url_from_environment() -> str | None:
    """`LINEWISE_REDIS_URL` once its Redis has answered; null where it is not set.

    Raises:
        UsageError: no Redis answers there.
    """
    url = os.environ.get("LINEWISE_REDIS_URL")
    if not url:
        return None
    import redis

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3.0, socket_timeout=3.0) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        where = url.rpartition("@")[2]  # without the password
        raise UsageError(
            f"no Redis answers at LINEWISE_REDIS_URL ({where}); start it, or unset the variable."
        ) from error
    return url
