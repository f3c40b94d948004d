"""`GET /healthz`, `/readyz`, `/metrics` and `/`: what every service says of itself."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse

from services.contracts import Health, Readiness, ServiceInfo
from services.kit.drain import Drain
from services.kit.front_page import FrontPage
from services.kit.negotiation import prefers_html

ReadinessCheck = Callable[[], Awaitable[Readiness]]


def health_router(
    info: ServiceInfo,
    readiness: ReadinessCheck,
    drain: Drain,
    registry: CollectorRegistry,
    front_page: FrontPage | None = None,
) -> APIRouter:
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
        """Prometheus' text format; made off the event loop, for a collector may ask a database."""
        return Response(await asyncio.to_thread(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/", response_model=ServiceInfo)
    async def root(request: Request) -> Response:
        """Name and version; the service's page for people where it has one and `Accept` prefers `text/html`."""
        if front_page and prefers_html(request.headers):
            return await front_page.view(request)
        return JSONResponse(info.model_dump(mode="json"), headers={"Vary": "Accept"})

    return router
