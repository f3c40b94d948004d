"""Puts the scorer together.

`uvicorn --factory services.scorer.app:create_app` serves it too, but without the drain and the refusals of
`linewise serve scorer`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.contracts import Readiness
from services.kit.app import build_app
from services.scorer.admission import Admission
from services.scorer.batcher import Batcher
from services.scorer.dialects.reading import Reader
from services.scorer.dialects.routes import dialects_router
from services.scorer.hardware import (
    check_dtype,
    choose_device,
    default_threads,
    keep_few_products,
    tokenize_on_one_thread,
    use_threads,
)
from services.scorer.metrics import ScorerMetrics
from services.scorer.model import load_prm
from services.scorer.models import Models
from services.scorer.page_routes import ScorerPage
from services.scorer.prefix_cache import PrefixCache
from services.scorer.prm import Prm
from services.scorer.reuse import PrefixReuse
from services.scorer.routes import REFUSED_EARLY, models_router, scoring_router
from services.scorer.service import ScoringService
from services.scorer.settings import ScorerSettings


def create_app(settings: ScorerSettings | None = None) -> FastAPI:
    """The scorer with its models loaded; with none configured it answers 503 and says how to get one.

    Raises:
        StartupError: a checkpoint is missing, broken or not causal, or the device isn't there.
    """
    settings = settings or ScorerSettings()
    registry = CollectorRegistry()
    metrics = ScorerMetrics(registry)
    device = choose_device(settings.device)
    check_dtype(settings.dtype, device)
    threads = settings.torch_threads or default_threads()
    tokenize_on_one_thread()
    if settings.dtype == "float32":
        keep_few_products(threads)

    def load(folder: Path) -> Prm:
        use_threads(threads)
        return load_prm(
            folder,
            device=device,
            dtype=settings.dtype,
            max_tokens=settings.max_input_tokens,
            pass_tokens=settings.max_batch_tokens,
            compiled=settings.compile,
            allow_prefix_passes=settings.allow_prefix_passes,
        )

    models = Models(settings.models, load, await_missing=settings.await_models)
    batcher = Batcher(
        metrics=metrics,
        max_wait_s=settings.max_wait_ms / 1000,
        threads=threads if device == "cpu" else 1,
        use_threads=use_threads,
    )
    reuse = PrefixReuse(batcher, PrefixCache(settings.cache_entries, metrics), metrics)
    admission = Admission(settings.max_queue, metrics)
    service = ScoringService(models, batcher, reuse, admission, metrics)
    page = ScorerPage(service, models)

    @asynccontextmanager
    async def serving(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    async def readiness() -> Readiness:
        if reason := models.lack:
            return Readiness(ready=False, reason=reason)
        return Readiness(ready=True, details={"models": [info.name for info in models.infos()], "device": device})

    return build_app(
        name="scorer",
        summary="A probability for every step of a program, from one causal pass.",
        settings=settings,
        routers=[
            scoring_router(service),
            dialects_router(service, Reader(settings.answer_markers, settings.stop_texts), settings.aggregate),
            models_router(models),
            page.router(),
        ],
        registry=registry,
        readiness=readiness,
        lifespan=serving,
        front_page=page.front,
        refusals=dict.fromkeys(REFUSED_EARLY, admission.refusal),
    )
