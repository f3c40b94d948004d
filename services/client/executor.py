"""The client of the executor."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from services.client.http import ServiceClient, _headers
from services.contracts import ExecuteBatchReply, ExecuteBatchRequest, ExecuteReply, ExecuteRequest
from services.contracts.deadline import HEADER


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

    async def _send(
        self, method: str, path: str, content: str | None, query: Mapping[str, Any] | None, deadline: float
    ) -> httpx.Response:
        left_s = max(0.001, deadline - time.monotonic())
        headers = {**_headers(content), HEADER: f"{left_s:.3f}"}
        async with self._errors_by_name(), asyncio.timeout(left_s):
            return await self._http.request(method, path, content=content, params=query, headers=headers, timeout=None)
