"""The client of the executor."""

from collections.abc import Sequence

from services.client.http import ServiceClient
from services.contracts import ExecuteBatchReply, ExecuteBatchRequest, ExecuteReply, ExecuteRequest
from services.contracts.deadline import HEADER

_LEAST_S = 0.001


class ExecutorClient(ServiceClient):
    """Runs programs against their tests; a program's failure is a verdict, never an exception.

    Each attempt tells the server how much of `timeout_s` is left: it does not work on for a caller that has given up.
    """

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

    def _headers_within(self, left_s: float) -> dict[str, str]:
        return {HEADER: f"{max(_LEAST_S, left_s):.3f}"}
