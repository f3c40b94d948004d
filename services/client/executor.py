"""The client of the executor."""

from collections.abc import Sequence

from services.client.http import ServiceClient
from services.contracts import ExecuteBatchReply, ExecuteBatchRequest, ExecuteReply, ExecuteRequest


class ExecutorClient(ServiceClient):
    """Runs programs against their tests; a program's failure is a verdict, never an exception."""

    service = "executor"

    async def execute(self, request: ExecuteRequest) -> ExecuteReply:
        """`POST /execute`."""
        return await self._call(ExecuteReply, "POST", "/execute", request)

    async def execute_batch(self, programs: Sequence[ExecuteRequest]) -> list[ExecuteReply]:
        """`POST /execute/batch`: the replies in the order of `programs`.

        A reply whose verdict is `internal_error` is a failure of ours: no reward, no label.
        """
        reply = await self._call(
            ExecuteBatchReply, "POST", "/execute/batch", ExecuteBatchRequest(programs=list(programs))
        )
        return reply.results
