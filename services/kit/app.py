"""The one app factory: a service brings its routers and its readiness, the rest is the same for all."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from services.contracts import ServiceInfo
from services.kit.auth import BearerAuth
from services.kit.body_limit import BodyLimit
from services.kit.drain import Drain
from services.kit.early_refusal import EarlyRefusal, Refusal
from services.kit.error_replies import DOCUMENTED, install_error_replies
from services.kit.errors import StartupError
from services.kit.front_page import FrontPage
from services.kit.health import ReadinessCheck, health_router
from services.kit.keys import Keys
from services.kit.observe import Observe, RequestMetrics
from services.kit.settings import ServiceSettings
from services.kit.waiting_limit import WaitingLimit

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_app(
    *,
    name: str,
    summary: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    registry: CollectorRegistry,
    readiness: ReadinessCheck,
    lifespan: Lifespan | None = None,
    front_page: FrontPage | None = None,
    max_waiting: int | None = None,
    refusals: Mapping[str, Refusal] | None = None,
) -> FastAPI:
    """A FastAPI app with `routers` and everything that the contract asks of every service.

    `app.state.drain` is the `Drain` that `services.kit.server` begins on SIGTERM. `GET /` shows `front_page` to
    those who prefer HTML, and name and version as JSON to all others. Of more requests than `max_waiting` at once the
    rest is answered with 429; None leaves that to the service's own queue, which says in `refusals`, a path each, why
    a `POST` that comes now is not worth reading.

    Raises:
        StartupError: the file of keys cannot be read, or holds none.
    """
    info = ServiceInfo(name=name, version=version("linewise"))
    drain = Drain()
    app = FastAPI(
        title=f"Linewise {name}",
        summary=summary,
        version=info.version,
        lifespan=_remembering_startup_errors(lifespan or _nothing),
        responses=DOCUMENTED,
    )
    app.state.drain = drain
    app.state.startup_error = None
    for router in routers:
        app.include_router(router)
    app.include_router(health_router(info, readiness, drain, registry, front_page))
    install_error_replies(app)

    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    if max_waiting is not None:
        app.add_middleware(WaitingLimit, most=max_waiting)
    if refusals:
        app.add_middleware(EarlyRefusal, refusals=refusals)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    if settings.wants_keys:
        keys = Keys(settings.api_keys, settings.api_keys_file)
        app.add_middleware(BearerAuth, keys=keys, door=front_page.door if front_page else None)
    app.add_middleware(Observe, metrics=RequestMetrics(registry), paths=_paths(routers))
    return app


def _paths(routers: Sequence[APIRouter]) -> frozenset[str]:
    return frozenset(route.path for router in routers for route in router.routes if isinstance(route, APIRoute))


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


def _remembering_startup_errors(lifespan: Lifespan) -> Lifespan:
    """Keep a `StartupError` in `app.state.startup_error`, so that the server can tell a person what the log tells."""

    @asynccontextmanager
    async def remembering(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with lifespan(app):
                yield
        except StartupError as error:
            app.state.startup_error = error
            raise

    return remembering
