"""The settings of the labeler and of its workers: `LINEWISE_LABELER_` and the name, in capitals."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.kit.settings import ServiceSettings


def _sqlite_url(data: dict[str, Any]) -> str:
    return f"sqlite:///{_data_dir(data) / 'labeler.db'}"


def _embedded_redis_url(data: dict[str, Any]) -> str:
    return f"unix://{_data_dir(data) / 'redis.sock'}"


def _data_dir(data: dict[str, Any]) -> Path:
    return Path(data["data_dir"]).resolve()


class LabelerSettings(ServiceSettings):
    """The defaults are a SQLite file and the embedded Redis of `linewise up`, both in `data_dir`."""

    model_config = SettingsConfigDict(env_prefix="LINEWISE_LABELER_")

    in_files: ClassVar[tuple[str, ...]] = ("database_url", "redis_url")

    database_url: str = Field(default_factory=_sqlite_url, validation_alias="LINEWISE_DATABASE_URL", repr=False)
    """`sqlite:///file` or `postgresql://user:password@host/name`."""

    migrate_at_start: bool = True
    """Bring the database's schema to this version at the start; False: wait until `linewise migrate` has done it."""

    redis_url: str = Field(default_factory=_embedded_redis_url, validation_alias="LINEWISE_REDIS_URL", repr=False)
    """`redis://host:port/0`, `rediss://...`, or `unix:///path/to/redis.sock`."""

    executor_url: str | None = Field(None, validation_alias="LINEWISE_EXECUTOR_URL")
    """Where programs are run; None is the contract's default."""

    max_waiting: int = Field(256, ge=1)
    """Requests that wait for an answer; more are answered with 429."""

    problems_per_task: int = Field(4, ge=1)
    """A task of the queue is so many problems; each has some 20 to 40 programs with the default job."""

    problems_at_once: int = Field(4, ge=1)
    """Of a task's problems so many are worked on at the same time, so that one waits while another computes."""

    visibility_timeout_s: float = Field(60.0, gt=0)
    """A task of whose worker nothing was heard for so long is given to another: the worker has died."""

    requeue_every_s: float = Field(10.0, gt=0)
    """How often the web service looks whether the queue has lost what is still to be done."""

    cancel_poll_s: float = Field(0.5, gt=0)
    """How often a worker looks whether the job at hand is still wanted."""

    worker_memory_bytes: int = Field(300 * 2**20, ge=2**20)
    """A worker's process that has grown beyond this is replaced after its task."""

    attempts: int = Field(5, ge=1)
    """A problem at which so many workers began and none finished is rejected: it may be what kills them."""

    executor_patience_s: float = Field(120.0, ge=0)
    """How long to wait for an executor that is away before the job fails."""

    teacher_hosts: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1", "localhost", "::1")
    """Servers that a job's teacher may be asked at, `host` or `host:port`, separated by commas."""

    teacher_key_names: Annotated[tuple[str, ...], NoDecode] = ("OPENAI_API_KEY", "DEEPSEEK_API_KEY")
    """Environment variables of the worker that a job's `api_key_env` may name, separated by commas."""

    teacher_prompts_dir: Path | None = None
    """Prompts of your own: `mutate.txt`, `refactor.txt`, `complete.txt`; None is the package's."""

    teacher_timeout_s: float = Field(120.0, gt=0)
    """How long one request to a model may take; a worker silent for longer at a question has died."""

    teacher_patience_s: float = Field(300.0, ge=0)
    """How long to wait for a model's server that is away or overloaded before the job fails."""

    events_poll_s: float = Field(0.5, gt=0)
    """How often a stream of events looks for a change."""

    @field_validator("teacher_hosts", "teacher_key_names", mode="before")
    @classmethod
    def _split_lists_at_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
