"""`GET /healthz`, `/readyz`, `/metrics` and `/`: what every service says of itself."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse

from services.contracts import Health, Readiness, ServiceInfo
from services.kit.drain import Drain

ReadinessCheck = Callable[[], Awaitable[Readiness]]


def health_router(info: ServiceInfo, readiness: ReadinessCheck, drain: Drain, registry: CollectorRegistry) -> APIRouter:
    """The routes that probes and scrapers ask, and the one for the curious."""
    router = APIRouter(tags=["service"])

    @router.get("/healthz")
    async def healthz() -> Health:
        """200 as long as the process answers."""
        return Health()

    @router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
    async def readyz() -> Response:
        """200 when this service can do its work; 503 until then and while draining."""
        state = Readiness(ready=False, reason="draining") if drain.begun else await readiness()
        return JSONResponse(state.model_dump(mode="json"), status_code=200 if state.ready else 503)

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Prometheus' text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/")
    async def root() -> ServiceInfo:
        """Name and version."""
        return info

    return router
