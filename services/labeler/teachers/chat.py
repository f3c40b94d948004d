"""The teacher that asks a chat model, step by step: programs in which the step is wrong, or says the same otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from services.contracts import OpenAITeacher, Origin, Step, StepKind, split_steps
from services.contracts.programs import read_blocks
from services.labeler.candidates import Candidate, Sieve, choose
from services.labeler.recipe import Asked, Recipe
from services.labeler.storage import ModelReply
from services.labeler.teachers.grafting import graft
from services.labeler.teachers.prompts import Prompts
from services.labeler.teachers.questions import Question, Questions
from services.labeler.teachers.teacher import Lesson, Taught

_TEMPLATES: dict[Origin, Literal["mutate", "refactor"]] = {Origin.MUTATION: "mutate", Origin.REFACTORING: "refactor"}
_THOUGHT = "</think>"
_SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class _Wish:
    """So many programs with this step changed."""

    origin: Origin
    step: Step
    count: int


class Chat:
    """One question for each step and kind of change; what comes back is filtered and run as a rule's work is."""

    def __init__(self, spec: OpenAITeacher, name: str, questions: Questions, prompts: Prompts) -> None:
        self.name = name
        self._spec = spec
        self._questions = questions
        self._prompts = prompts

    async def teach(self, lesson: Lesson) -> Taught:
        recipe = lesson.recipe
        wishes = list(_wishes(lesson))
        replies = await self._questions.ask([self._question(wish, lesson) for wish in wishes])
        sieve = Sieve(lesson.program.code, recipe.segment)
        candidates: list[Candidate] = []
        malformed = 0
        for wish, reply in zip(wishes, replies, strict=True):
            if reply is not None:
                found, bad = _read(reply, wish, lesson, sieve)
                candidates += found
                malformed += bad
        chosen = choose(candidates, _per_step(recipe), f"{recipe.seed}/{lesson.problem.id}")
        asked = Asked(len(wishes), malformed, replies.count(None))
        return Taught(await lesson.judge.label(chosen, self.name), asked=asked)

    def _question(self, wish: _Wish, lesson: Lesson) -> Question:
        code, template = lesson.program.code, _TEMPLATES[wish.origin]
        message = self._prompts.change(template, lesson.problem, code, wish.step, wish.count)
        body = {
            "model": self._spec.model,
            "messages": [{"role": "user", "content": message}],
            "temperature": self._spec.temperature,
            "max_tokens": self._spec.max_tokens,
            "seed": lesson.recipe.seed % _SEEDS,
            "stream": False,
        }
        return Question("/chat/completions", body)


def _per_step(recipe: Recipe) -> dict[Origin, int]:
    return {Origin.MUTATION: recipe.mutants_per_step, Origin.REFACTORING: recipe.refactorings_per_step}


def _wishes(lesson: Lesson) -> Iterator[_Wish]:
    for step in split_steps(lesson.program.code, lesson.recipe.segment):
        if step.kind is StepKind.CODE and step.index in lesson.places:
            for origin, count in _per_step(lesson.recipe).items():
                if count:
                    yield _Wish(origin, step, count)


def _read(reply: ModelReply, wish: _Wish, lesson: Lesson, sieve: Sieve) -> tuple[list[Candidate], int]:
    """The reply's candidates, and how much of it is malformed: blocks, or the whole where it has none."""
    blocks = read_blocks(reply.text.rpartition(_THOUGHT)[2])[: wish.count]
    read = [_candidate(block, wish, lesson, sieve) for block in blocks]
    return [one for one in read if isinstance(one, Candidate)], read.count("malformed") if blocks else 1


def _candidate(block: str, wish: _Wish, lesson: Lesson, sieve: Sieve) -> Candidate | Literal["malformed", "known"]:
    """A mutation must differ in exactly one step: of several, nobody could say which one is wrong."""
    changed = graft(lesson.program.code, block, lesson.program.indent)
    if changed is None:
        return "malformed"
    candidate = sieve.sift(wish.origin, _TEMPLATES[wish.origin], changed.code, changed.start)
    if candidate is None:
        return "known"
    if candidate.origin is Origin.MUTATION and not candidate.blamable:
        return "malformed"
    return candidate
