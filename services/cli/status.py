"""How the three services are just now: reachable, ready, of which version and tier, and what waits in their queues."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.client import ExecutorClient, LabelerClient, LinewiseError, RequestError, ScorerClient
from services.client.http import ServiceClient

State = Literal["ready", "not ready", "down"]

_TIMEOUT_S = 5.0
_GAUGE = re.compile(r"^# TYPE (\w+) gauge\n\1(?:\{.*\})? (\S+)", re.MULTILINE)
_QUEUES = {
    "scorer": ("linewise_scorer_queue_depth", None),
    "executor": ("linewise_executor_queued_programs", "linewise_executor_running_programs"),
    "labeler": ("linewise_labeler_queue_depth", "linewise_labeler_running_tasks"),
}
"""Of each service the gauges of what waits and of what is worked on; the scorer's tells both together."""


@dataclass(frozen=True, slots=True)
class Status:
    """One service; what could not be asked is null. The scorer's and executor's queues hold programs, the labeler's
    tasks."""

    service: str
    url: str
    state: State
    version: str | None = None
    tier: str | None = None
    """The executor's isolation; the scorer's device and models."""
    waiting: int | None = None
    running: int | None = None
    reason: str | None = None
    """Why it is not ready, or does not answer."""


async def all_statuses() -> list[Status]:
    """The three services where the environment says that they are, asked at the same time."""
    clients: tuple[ServiceClient, ...] = (
        ScorerClient(timeout_s=_TIMEOUT_S),
        ExecutorClient(timeout_s=_TIMEOUT_S),
        LabelerClient(timeout_s=_TIMEOUT_S),
    )
    return await asyncio.gather(*map(_status, clients))


async def _status(client: ServiceClient) -> Status:
    async with client:
        try:
            ready, version = await client.ready(), await _version(client)
            gauges = gauges_in(await client.metrics())
        except LinewiseError as error:
            return Status(client.service, client.base_url, "down", reason=str(error))
    waiting, running = _QUEUES[client.service]
    return Status(
        client.service,
        client.base_url,
        "ready" if ready.ready else "not ready",
        version=version,
        tier=_tier(ready.details),
        waiting=gauges.get(waiting),
        running=gauges.get(running) if running else None,
        reason=ready.reason,
    )


async def _version(client: ServiceClient) -> str | None:
    """Null where the key is not one that the service accepts: it is up all the same."""
    try:
        return (await client.info()).version
    except RequestError:
        return None


def gauges_in(metrics: str) -> dict[str, int]:
    """The gauges that have a value in what Prometheus reads, by name; one with labels may have none yet."""
    return {name: round(float(value)) for name, value in _GAUGE.findall(metrics)}


def _tier(details: Mapping[str, Any]) -> str | None:
    if isolation := details.get("isolation"):
        return str(isolation)
    if models := details.get("models"):
        return f"{details.get('device')}: {', '.join(models)}"
    return None
