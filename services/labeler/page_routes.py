"""The labeler's page for people: `GET /` lists jobs, `/?job=ID` shows one and lets a person judge its labels by eye.

All of it is rendered here and works without JavaScript. The script follows the events of jobs that run, and at each
asks for the page again to put the fresh figures in the place of the old ones.
"""

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.contracts import Origin, Outcome, Verdict
from services.kit.errors import ServiceError
from services.kit.front_page import FrontPage
from services.kit.page_text import as_sentence, visible
from services.kit.pages import Pages
from services.labeler.page_query import PageQuery
from services.labeler.page_service import PageService
from services.labeler.page_view import MEANINGS, bars_of_job, fate, operators, seen
from services.labeler.storage import LABELS

_TEMPLATES = Path(__file__).parent / "templates"
_FOLLOWED_AT_ONCE = 4
"""Browsers open six connections to a host at most, and each followed job holds one."""


class LabelerPage:
    """Reads the address, asks storage, shows what it says; a failure is a sentence under its own status."""

    def __init__(self, service: PageService) -> None:
        self._service = service
        self._pages = Pages("labeler", _TEMPLATES)

    @property
    def front(self) -> FrontPage:
        """What `GET /` shows."""
        return FrontPage(self._open, self._pages.door)

    async def _open(self, request: Request) -> Response:
        """Off the event loop: the database blocks, and many programs take a while to compare and escape."""
        return await asyncio.to_thread(self._answer, request.url.query)

    def _answer(self, encoded: str) -> Response:
        try:
            query = PageQuery.read(encoded)
            return self._show_job(query) if query.job else self._show_jobs(query)
        except ServiceError as error:
            return self._pages.show("lost.html", status=error.status, said=visible(as_sentence(error.message)))

    def _show_jobs(self, query: PageQuery) -> Response:
        page = self._service.jobs(query)
        running = [job.id for job in page.jobs if not job.status.final]
        return self._pages.show(
            "jobs.html",
            jobs=page.jobs,
            followed=running[-_FOLLOWED_AT_ONCE:],
            running=bool(running),
            query=query,
            next_cursor=page.next_cursor,
            **_HELPERS,
        )

    def _show_job(self, query: PageQuery) -> Response:
        found = self._service.job(query)
        return self._pages.show(
            "job.html",
            job=found.job,
            followed=[] if found.job.status.final else [found.job.id],
            recipe=found.recipe,
            teacher=_teacher(found.recipe),
            operators=operators(found.counts),
            changes=[seen(program) for program in found.programs],
            matching=found.matching,
            query=query,
            choices={
                "origin": [origin.value for origin in Origin if origin is not Origin.REFERENCE],
                "operator": sorted({one.operator for one in found.counts if one.operator}),
                "outcome": [outcome.value for outcome in Outcome],
                "verdict": [verdict.value for verdict in Verdict],
                "label": list(LABELS),
            },
            next_cursor=found.next_cursor,
            **_HELPERS,
        )


def _teacher(recipe: Any) -> str:
    """Its kind, and the model's name where there is one."""
    teacher = recipe.get("teacher", {})
    return " ".join(str(teacher[name]) for name in ("kind", "model") if teacher.get(name))


_HELPERS: dict[str, Any] = {"visible": visible, "bars_of_job": bars_of_job, "fate": fate, "meanings": MEANINGS}
