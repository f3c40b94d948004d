"""The scorer's page for people: `GET /` shows what its query says, `POST /` takes the form.

The form is posted and answered with a redirection to the link that says the same, so that a reload, a bookmark and a
colleague see the page again; what is too long for a link is answered at once, and has none. All of it is rendered
here and works without JavaScript.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.contracts import ModelInfo, ScoreReply, Segment
from services.kit.error_replies import retry_headers
from services.kit.errors import ServiceError
from services.kit.front_page import FrontPage
from services.kit.page_text import visible
from services.kit.pages import Pages
from services.scorer.models import Models
from services.scorer.page_form import EXAMPLE, LINK_BYTES, PageForm
from services.scorer.page_view import names_of, sentence, shown_programs
from services.scorer.service import ScoringService

_TEMPLATES = Path(__file__).parent / "templates"


class ScorerPage:
    """Reads a form, asks the service, shows the answer; a failure is a sentence on the page, under its own status."""

    def __init__(self, service: ScoringService, models: Models) -> None:
        self._service = service
        self._models = models
        self._pages = Pages("scorer", _TEMPLATES)

    @property
    def front(self) -> FrontPage:
        """What `GET /` shows."""
        return FrontPage(self._open, self._pages.door)

    def router(self) -> APIRouter:
        """`POST /`; it is for the page's form and no part of the API."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self._take, methods=["POST"], response_model=None)
        return router

    async def _open(self, request: Request) -> Response:
        return await self._answer(request.url.query)

    async def _take(self, request: Request) -> Response:
        return await self._answer((await request.body()).decode("utf-8", "replace"), redirects=True)

    async def _answer(self, encoded: str, *, redirects: bool = False) -> Response:
        try:
            form = PageForm.read(encoded)
        except ServiceError as error:
            return await self._show(PageForm(), error=error)
        if redirects and form.fits_a_link:
            return RedirectResponse(form.link, status_code=303)
        try:
            replies = await self._service.score(form.requests()) if form.programs else []
        except ServiceError as error:
            return await self._show(form, error=error)
        return await self._show(form, replies)

    async def _show(
        self, form: PageForm, replies: Sequence[ScoreReply] = (), *, error: ServiceError | None = None
    ) -> Response:
        """Off the event loop: a long text takes a while to escape."""
        return await asyncio.to_thread(self._render, form, replies, error, self._models.infos())

    def _render(
        self, form: PageForm, replies: Sequence[ScoreReply], error: ServiceError | None, models: list[ModelInfo]
    ) -> Response:
        programs = shown_programs(form.programs, replies) if replies else []
        return self._pages.show(
            "page.html",
            status=error.status if error else 200,
            headers=retry_headers(error) if error else {},
            error=sentence(error, names_of(len(form.programs))) if error else "",
            form=form,
            task=visible(form.prompt),
            programs=programs,
            part_ways=any(row.parts_ways for program in programs for row in program.rows),
            scored_by=next((model for model in models if replies and model.name == replies[0].model), None),
            models=models,
            segments=list(Segment),
            example=EXAMPLE.link,
            link_bytes=LINK_BYTES,
        )
