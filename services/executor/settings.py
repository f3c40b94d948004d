"""The executor's settings: `LINEWISE_EXECUTOR_` and the name, in capitals."""

import os

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.kit.settings import ServiceSettings

MEBIBYTE = 1024 * 1024


class ExecutorSettings(ServiceSettings):
    """Limits are for each test; a request that leaves one out gets the default, one above the maximum a 400."""

    model_config = SettingsConfigDict(env_prefix="LINEWISE_EXECUTOR_")

    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Programs that run at once."""

    queue_size: int = Field(4096, ge=1)
    """Programs that may wait; more are answered with 429."""

    run_code_queue_wait_s: float = Field(30.0, gt=0)
    """How long a program of `/run_code` may wait at most; then it is answered 504, "try again" to its clients."""

    run_code_output_bytes: int = Field(MEBIBYTE, ge=0)
    """Of stdout and of stderr, each, on `/run_code`, whose requests name no limit."""

    pod_name: str | None = None
    """What `/run_code` calls this server in its replies."""

    allow_weak_isolation: bool = Field(False, validation_alias="LINEWISE_ALLOW_WEAK_ISOLATION")
    """Serve with fewer layers where this machine does not give all; without any the executor never serves."""

    packages: tuple[str, ...] = ("numpy", "pytest")
    """Installed third-party packages that programs may import; a second zygote has them loaded."""

    folder_bytes: int = Field(256 * MEBIBYTE, gt=0)
    """What a program's folder, in memory, may hold in all."""

    default_wall_s: float = Field(5.0, gt=0)
    max_wall_s: float = Field(60.0, gt=0)

    default_cpu_s: float = Field(5.0, gt=0)
    max_cpu_s: float = Field(60.0, gt=0)

    default_memory_bytes: int = Field(256 * MEBIBYTE, gt=0)
    max_memory_bytes: int = Field(2048 * MEBIBYTE, gt=0)
    """Address space of each process of a program."""

    default_output_bytes: int = Field(64 * 1024, ge=0)
    max_output_bytes: int = Field(4 * MEBIBYTE, ge=0)
    """Of stdout and of stderr, each."""

    default_file_bytes: int = Field(16 * MEBIBYTE, ge=0)
    max_file_bytes: int = Field(256 * MEBIBYTE, ge=0)
    """Of each file that a program writes."""

    default_processes: int = Field(16, ge=1)
    max_processes: int = Field(128, ge=1)
    """Processes and threads of a program at once."""
