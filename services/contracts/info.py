"""What every service says of itself: `GET /`, `/healthz` and `/readyz`."""

from typing import Any, Literal

from pydantic import Field

from services.contracts.base import Reply


class ServiceInfo(Reply):
    """`GET /` as JSON."""

    name: str
    version: str


class Health(Reply):
    """`GET /healthz`: 200 as long as the process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Reply):
    """`GET /readyz`: 200 when `ready`, else 503 with the reason."""

    ready: bool
    reason: str | None = Field(None, description="Why not, in one sentence that says what to do; null when ready.")
    details: dict[str, Any] = Field(default_factory=dict, description="What the service adds, e.g. `isolation`.")
