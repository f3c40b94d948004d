"""From what a job asks for to a teacher that can work: addresses checked, keys read, connections open."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from services.contracts import LinesTeacher, MixTeacher, OpenAITeacher, RolloutTeacher, RulesTeacher
from services.contracts import Teacher as Spec
from services.labeler.errors import TeacherLostError
from services.labeler.settings import LabelerSettings
from services.labeler.storage import QuestionRepository
from services.labeler.teachers.allowed import Allowed
from services.labeler.teachers.chat import Chat
from services.labeler.teachers.endpoint import Endpoint
from services.labeler.teachers.lines import Lines
from services.labeler.teachers.mix import Mix
from services.labeler.teachers.prompts import Prompts
from services.labeler.teachers.questions import Questions
from services.labeler.teachers.rollout import Rollout
from services.labeler.teachers.rules import Rules
from services.labeler.teachers.teacher import Teacher


@dataclass(frozen=True, slots=True)
class School:
    """What teachers that ask a model need beside their own settings."""

    settings: LabelerSettings
    repository: QuestionRepository
    job_id: str


@asynccontextmanager
async def hired(spec: Spec, school: School) -> AsyncIterator[Teacher]:
    """The teacher of `spec`, for the block's time.

    Raises:
        TeacherLostError: this worker may not ask that server, or has not the key.
    """
    allowed = Allowed(school.settings.teacher_hosts, school.settings.teacher_key_names)
    if objection := allowed.objection(spec):
        raise TeacherLostError(objection)
    async with AsyncExitStack() as open_endpoints:
        yield await _hire(spec, school, open_endpoints)


async def _hire(spec: Spec, school: School, open_endpoints: AsyncExitStack) -> Teacher:
    match spec:
        case RulesTeacher():
            return Rules()
        case MixTeacher():
            teachers = [await _hire(share.teacher, school, open_endpoints) for share in spec.teachers]
            return Mix(teachers, [share.share for share in spec.teachers])
        case OpenAITeacher() | RolloutTeacher() | LinesTeacher():
            return await _hire_model(spec, school, open_endpoints)


async def _hire_model(
    spec: OpenAITeacher | RolloutTeacher | LinesTeacher, school: School, open_endpoints: AsyncExitStack
) -> Teacher:
    settings, name = school.settings, f"{spec.kind}:{spec.model}"
    endpoint = Endpoint(
        spec.base_url,
        _key(spec.api_key_env),
        timeout_s=settings.teacher_timeout_s,
        patience_s=settings.teacher_patience_s,
    )
    questions = Questions(
        spec,
        await open_endpoints.enter_async_context(endpoint),
        school.repository,
        job_id=school.job_id,
        teacher=name,
    )
    prompts = Prompts(settings.teacher_prompts_dir)
    match spec:
        case OpenAITeacher():
            return Chat(spec, name, questions, prompts)
        case RolloutTeacher():
            return Rollout(spec, name, questions, prompts)
        case LinesTeacher():
            return Lines(spec, name, questions, prompts)


def _key(name: str | None) -> SecretStr | None:
    if name is None:
        return None
    value = os.environ.get(name)
    if not value:
        raise TeacherLostError(f"the variable {name} is not set where the worker runs")
    return SecretStr(value)
