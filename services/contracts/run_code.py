"""`POST /run_code`: the request and reply of SandboxFusion, so that its clients need another URL and nothing else.

Names, defaults and meanings are SandboxFusion's (https://github.com/bytedance/SandboxFusion), and so is the leniency:
fields that this service does not know are passed over.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from services.contracts.base import Reply


class RunCodeRequest(BaseModel):
    """A program to run whole. Times in seconds; `files` and the reply's are base64 by their path in its folder."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    code: str = Field(examples=["print(int(input()) + 1)"])
    language: str = Field(examples=["python"], description="`python`, or `pytest`: the code is a file of tests.")
    stdin: str | None = Field(None, examples=["3\n"])
    compile_timeout: float = Field(10.0, ge=0, description="Not needed to compile Python: a program may wait as long.")
    run_timeout: float = Field(10.0, gt=0)
    memory_limit_MB: int = Field(-1, description="In MiB; the server's default where it is not above 0.")  # noqa: N815
    files: dict[str, str | None] = Field(default_factory=dict, examples=[{"data/in.txt": "MQo="}])
    fetch_files: list[str] = Field(default_factory=list, description="Read when the program has ended.")
    args: list[str] = Field(default_factory=list, description="Further arguments of pytest.")


class RunStatus(StrEnum):
    """`Success`: the program ended with exit code 0; `Failed`: it did not; `SandboxError`: SandboxFusion's own fault.

    This service answers its own failures with an HTTP status, never with `SandboxError`.
    """

    SUCCESS = "Success"
    FAILED = "Failed"
    SANDBOX_ERROR = "SandboxError"


class CommandStatus(StrEnum):
    """`Finished`: ended by itself, with whatever exit code; `Error`: killed for printing too much."""

    FINISHED = "Finished"
    ERROR = "Error"
    TIME_LIMIT_EXCEEDED = "TimeLimitExceeded"


class CommandResult(Reply):
    """What running the program came to; `return_code` is null where it was killed, and -N where signal N ended it."""

    status: CommandStatus
    execution_time: float | None = Field(None, description="Seconds.")
    return_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None


class RunCodeReply(Reply):
    """The reply, 200 whatever the program did; `message` says what no other field does, and is else empty."""

    status: RunStatus
    message: str = ""
    compile_result: CommandResult | None = Field(None, description="Always null: Python has no compile command.")
    run_result: CommandResult | None = None
    executor_pod_name: str | None = None
    files: dict[str, str] = Field(default_factory=dict, description="Those of `fetch_files` that were there.")
