"""The executor as an app: `create_app()` and the life of its pool."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.contracts import Readiness
from services.executor.draining import drain
from services.executor.metrics import ExecutorMetrics
from services.executor.planning import sandbox_plans
from services.executor.pool import Pool
from services.executor.routes import REFUSED_EARLY, execution_router
from services.executor.run_code_routes import run_code_router
from services.executor.sandbox import SandboxError
from services.executor.service import Executor
from services.executor.settings import ExecutorSettings
from services.executor.worker import Worker
from services.executor.worker_process import WorkerProcess
from services.kit.app import build_app
from services.kit.errors import ServiceError, StartupError, UnavailableError


def create_app(settings: ExecutorSettings | None = None, make_worker: Callable[[int], Worker] | None = None) -> FastAPI:
    """The executor; workers start with the app, and with it they end.

    `make_worker` makes one of them, numbered from 0.
    """
    settings = settings or ExecutorSettings()
    make_worker = make_worker or _worker_maker(settings)
    registry = CollectorRegistry()
    metrics = ExecutorMetrics(registry)
    started: list[Executor] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            pool = await asyncio.to_thread(
                Pool, make_worker, workers=settings.workers, queue_size=settings.queue_size, metrics=metrics
            )
        except SandboxError as error:
            raise StartupError(f"the executor's sandbox does not start: {error}") from error
        started.append(Executor(settings, pool, metrics))
        draining = asyncio.create_task(drain(pool, app.state.drain, settings))
        try:
            yield
        finally:
            draining.cancel()
            started.clear()
            await asyncio.to_thread(pool.close)

    def executor() -> Executor:
        if not started:
            raise UnavailableError("not_ready", "the executor has no sandbox yet")
        return started[0]

    def refusal() -> ServiceError | None:
        return started[0].refusal() if started else None

    async def readiness() -> Readiness:
        if not started:
            return Readiness(ready=False, reason="the executor has no sandbox yet")
        if not started[0].able:
            return Readiness(ready=False, reason="no sandbox starts; the executor tries again, and its log says why")
        return Readiness(ready=True, details={"isolation": started[0].isolation, "workers": settings.workers})

    return build_app(
        name="executor",
        summary="Runs programs against tests, in processes of their own, and judges outside.",
        settings=settings,
        routers=[execution_router(executor), run_code_router(executor)],
        registry=registry,
        readiness=readiness,
        lifespan=lifespan,
        refusals=dict.fromkeys(REFUSED_EARLY, refusal),
    )


def _worker_maker(settings: ExecutorSettings) -> Callable[[int], Worker]:
    plans = sandbox_plans(settings)
    return lambda number: WorkerProcess(plans(number))
