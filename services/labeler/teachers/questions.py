"""A job's questions to one model: none asked twice, no more at a time than allowed, none beyond the budget."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.contracts import Budget, ModelTeacher
from services.labeler.errors import TeacherLostError, UnansweredError
from services.labeler.storage import ModelReply, QuestionRepository, Refusal
from services.labeler.teachers.endpoint import Endpoint

logger = logging.getLogger(__name__)

_LOOK_AGAIN_S = 0.5
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """`POST base_url/path` with `body`; two questions with the same text, model and seed are one."""

    path: str
    body: Mapping[str, Any]

    def key(self, base_url: str) -> str:
        asked = json.dumps([base_url.rstrip("/"), self.path, self.body], sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()


class Questions:
    """Asks for one job; whoever waits may be cancelled at any time."""

    def __init__(
        self,
        spec: ModelTeacher,
        endpoint: Endpoint,
        repository: QuestionRepository,
        *,
        job_id: str,
        teacher: str,
    ) -> None:
        self._base_url = spec.base_url
        self._budget = spec.budget
        self._endpoint = endpoint
        self._repository = repository
        self._job_id = job_id
        self._teacher = teacher
        self._gate = asyncio.Semaphore(spec.concurrency)

    async def ask(self, questions: Sequence[Question]) -> list[ModelReply | None]:
        """The replies in the order of `questions`; None where there is none.

        Raises:
            TeacherLostError: the model can't be asked at all.
        """
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._answer(question)) for question in questions]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return [task.result() for task in asked]

    async def _answer(self, question: Question) -> ModelReply | None:
        key = question.key(self._base_url)
        async with self._gate:
            while True:
                claim = self._repository.claim(self._job_id, self._teacher, key, self._budget)
                if isinstance(claim, int):
                    return await self._send(question, claim)
                if claim is not Refusal.BUSY:
                    return claim if isinstance(claim, ModelReply) else None
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _send(self, question: Question, request_id: int) -> ModelReply | None:
        try:
            reply = await self._endpoint.ask(
                question.path, question.body, on_attempt=lambda: self._repository.renew(request_id)
            )
        except UnansweredError as error:
            logger.warning("a question stays unanswered", extra={"teacher": self._teacher, "reason": str(error)})
            self._repository.drop(request_id)
            return None
        except TeacherLostError:
            self._repository.drop(request_id)
            raise
        self._repository.keep(request_id, reply, _cost(reply, self._budget))
        return reply


def _cost(reply: ModelReply, budget: Budget) -> float:
    prompt, completion = reply.prompt_tokens * budget.prompt_price, reply.completion_tokens * budget.completion_price
    return float(prompt + completion) / _MILLION
