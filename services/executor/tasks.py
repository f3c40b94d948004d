"""What a worker is asked to do, done here or sent as bytes to a process that does it.

Between our own processes a task goes by `marshal`, which keeps every value that a client's JSON may hold (NaN, say).
"""

import marshal
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter

from services.contracts import ExecuteReply, ExecuteRequest, RunCodeReply
from services.executor.examination import examine
from services.executor.run_plans import RunPlan
from services.executor.sandbox import Bounds, Sandbox


@dataclass(frozen=True, slots=True)
class Examination:
    """One program before its tests."""

    request: ExecuteRequest
    bounds: Bounds


Task = Examination | RunPlan
TaskReply = ExecuteReply | RunCodeReply

_adapter: TypeAdapter[Task] = TypeAdapter(Task)


def perform(task: Task, sandbox: Sandbox, is_abandoned: Callable[[], bool]) -> TaskReply:
    """Do it in `sandbox`; between tests `is_abandoned` is asked whether anybody still wants to know.

    Raises:
        SandboxError: the sandbox failed, and nothing can be said of the program.
    """
    if isinstance(task, Examination):
        return examine(task.request, task.bounds, sandbox, is_abandoned)
    return task.run(sandbox)


def pack(task: Task) -> bytes:
    """`task` as bytes."""
    return marshal.dumps(_adapter.dump_python(task))


def unpack(message: bytes) -> Task:
    """The task that `pack` made into `message`, in a process of the same Python."""
    return _adapter.validate_python(marshal.loads(message))  # noqa: S302 (the service's own words)
