"""The teacher that has a policy write each line of the reference anew, so that labels know this policy's own mistakes.

Behind the reference's lines up to there the policy writes the next one, `samples` times; each takes the place of the
reference's line, and what follows stays. The tests are the label: a program that passes is right in all its steps, one
that fails is wrong at the new line. Only steps on one physical line are written anew. docs/adr/0039
"""

from collections.abc import Iterator
from dataclasses import dataclass

from services.contracts import ExecuteReply, LinesTeacher, Origin, Outcome, StepKind, Verdict, split_steps
from services.labeler.bytecode import essence
from services.labeler.labels import label_steps
from services.labeler.recipe import Asked, LabelledProgram
from services.labeler.storage import ModelReply
from services.labeler.teachers.prompts import Prompts
from services.labeler.teachers.questions import Question, Questions
from services.labeler.teachers.teacher import Lesson, Taught

_SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class _Place:
    """Step `step` of the reference: what stands before its line, and behind it."""

    step: int
    before: str
    behind: str

    def with_line(self, line: str) -> str:
        return self.before + line + self.behind


class Lines:
    """Asks a policy for the line at each place; what it writes as the reference does teaches nothing."""

    def __init__(self, spec: LinesTeacher, name: str, questions: Questions, prompts: Prompts) -> None:
        self.name = name
        self._spec = spec
        self._questions = questions
        self._prompts = prompts

    async def teach(self, lesson: Lesson) -> Taught:
        turns = [(place, number) for place in _places(lesson) for number in range(self._spec.samples)]
        replies = await self._questions.ask([self._question(lesson, place, number) for place, number in turns])
        lines = [_line(reply) for reply in replies]
        written = [(place.with_line(line), place) for (place, _), line in zip(turns, lines, strict=True) if line]
        changed = _distinct(written, lesson)
        verdicts = await lesson.judge.replies(changed)
        programs = [self._labelled(code, place, verdicts[code], lesson) for code, place in changed.items()]
        malformed = sum(reply is not None and not line for reply, line in zip(replies, lines, strict=True))
        return Taught(programs, asked=Asked(len(turns), malformed, replies.count(None)))

    def _question(self, lesson: Lesson, place: _Place, number: int) -> Question:
        body = {
            "model": self._spec.model,
            "prompt": self._prompts.complete(lesson.problem, place.before),
            "temperature": self._spec.temperature,
            "max_tokens": self._spec.max_tokens,
            "seed": (lesson.recipe.seed * 1_000_003 + number) % _SEEDS,
            "stop": ["\n"],
            "stream": False,
        }
        return Question("/completions", body)

    def _labelled(self, code: str, place: _Place, reply: ExecuteReply | None, lesson: Lesson) -> LabelledProgram:
        passes = reply is not None and reply.verdict is Verdict.ACCEPTED
        wrong = None if passes else place.step
        return LabelledProgram(
            origin=Origin.ROLLOUT,
            operator="line",
            changed_step=place.step,
            code=code,
            outcome=None if reply is None else Outcome.SURVIVED if passes else Outcome.KILLED,
            verdict=reply.verdict if reply else None,
            killed_by=lesson.judge.killed_by(reply) if reply and not passes else None,
            steps=label_steps(code, lesson.recipe.segment, wrong=wrong) if reply else None,
            teacher=self.name,
        )


def _places(lesson: Lesson) -> Iterator[_Place]:
    code = lesson.program.code
    for step in split_steps(code, lesson.recipe.segment):
        if step.kind is StepKind.CODE and step.index in lesson.places and step.first_line == step.last_line:
            yield _Place(step.index, code[: step.start], code[step.end :])


def _line(reply: ModelReply | None) -> str:
    """The line that the policy wrote; nothing where it wrote none, or was cut off in it."""
    return reply.text.partition("\n")[0].rstrip() if reply and reply.complete else ""


def _distinct(written: list[tuple[str, _Place]], lesson: Lesson) -> dict[str, _Place]:
    """Programs that compile, none the same as the reference or as one before it, still with a step at each place."""
    steps = _code_steps(lesson.program.code, lesson)
    seen = {essence(lesson.program.code), None}
    distinct = {}
    for code, place in written:
        compiled = essence(code)
        if compiled not in seen and _code_steps(code, lesson) == steps:
            seen.add(compiled)
            distinct[code] = place
    return distinct


def _code_steps(code: str, lesson: Lesson) -> list[int]:
    return [step.index for step in split_steps(code, lesson.recipe.segment) if step.kind is StepKind.CODE]
