"""The teacher that has a policy go on: a step is as good as the share of programs that pass when completed from there.

For the reference, and for programs that the policy itself samples, each prefix that ends behind a step is completed
`completions` times. The share of them that passes all tests is the step's soft label; behind the last step nothing is
left to complete, so the program's own verdict is its label. A completion that was cut off proves nothing and is left
out. Source: Math-Shepherd, https://arxiv.org/abs/2312.08935, section 3.3; docs/adr/0034.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.contracts import ExecuteReply, Origin, Outcome, RolloutTeacher, StepKind, StepLabel, Verdict, split_steps
from services.labeler.bytecode import essence
from services.labeler.candidates import first_difference
from services.labeler.labels import soften
from services.labeler.recipe import Asked, LabelledProgram
from services.labeler.storage import ModelReply
from services.labeler.teachers.prompts import Prompts
from services.labeler.teachers.questions import Question, Questions
from services.labeler.teachers.teacher import Lesson, Taught

_STOP = ("\n```", "\nif __name__", "\nprint(", "\nassert ")
_SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class _Prefix:
    """`code` up to the end of step `step` of program `program`, a newline behind it."""

    program: str
    step: int
    code: str


class Rollout:
    """Asks a policy for completions; the reference keeps its hard labels and gets soft ones beside them."""

    def __init__(self, spec: RolloutTeacher, name: str, questions: Questions, prompts: Prompts) -> None:
        self.name = name
        self._spec = spec
        self._questions = questions
        self._prompts = prompts

    async def teach(self, lesson: Lesson) -> Taught:
        reference = lesson.program.code
        samples, asked = await self._sample(lesson)
        prefixes = [prefix for code in (reference, *samples) for prefix in _prefixes(code, lesson)]
        soft, also_asked = await self._complete(lesson, prefixes)
        verdicts = await lesson.judge.replies(samples)
        programs = [self._labelled(code, verdicts[code], soft.get(code, {}), lesson) for code in samples]
        last = _code_steps(reference, lesson)[-1]
        known = {last: 1.0} if last in lesson.places else {}
        return Taught(programs, soft.get(reference, {}) | known, asked + also_asked)

    async def _sample(self, lesson: Lesson) -> tuple[list[str], Asked]:
        """Programs of the policy's own that compile and are not the reference; of a mix's lesson, a part of them."""
        steps = split_steps(lesson.program.code, lesson.recipe.segment)
        count = round(self._spec.samples * len(lesson.places) / len(steps))
        replies = await self._questions.ask([self._question(lesson, "", number) for number in range(count)])
        written = [reply.text.strip("\n") + "\n" for reply in replies if reply and reply.complete]
        known = {essence(lesson.program.code), None}
        samples = [code for code in dict.fromkeys(written) if essence(code) not in known and _code_steps(code, lesson)]
        unusable = sum(reply is not None for reply in replies) - sum(map(samples.__contains__, written))
        return samples, Asked(count, unusable, replies.count(None))

    async def _complete(self, lesson: Lesson, prefixes: Sequence[_Prefix]) -> tuple[dict[str, dict[int, float]], Asked]:
        """Program to step to the share of its completions that pass."""
        turns = [(prefix, number) for prefix in prefixes for number in range(self._spec.completions)]
        replies = await self._questions.ask([self._question(lesson, prefix.code, number) for prefix, number in turns])
        whole = [
            (prefix, prefix.code + reply.text)
            for (prefix, _), reply in zip(turns, replies, strict=True)
            if reply and reply.complete
        ]
        verdicts = await lesson.judge.replies([code for _, code in whole])
        passed: dict[_Prefix, list[bool]] = {}
        for prefix, code in whole:
            if reply := verdicts[code]:
                passed.setdefault(prefix, []).append(reply.verdict is Verdict.ACCEPTED)
        soft: dict[str, dict[int, float]] = {}
        for prefix, results in passed.items():
            soft.setdefault(prefix.program, {})[prefix.step] = sum(results) / len(results)
        return soft, Asked(len(turns), _cut_off(replies), replies.count(None))

    def _question(self, lesson: Lesson, prefix: str, number: int) -> Question:
        body = {
            "model": self._spec.model,
            "prompt": self._prompts.complete(lesson.problem, prefix),
            "temperature": self._spec.temperature,
            "max_tokens": self._spec.max_tokens,
            "seed": (lesson.recipe.seed * 1_000_003 + number) % _SEEDS,
            "stop": list(_STOP),
            "stream": False,
        }
        return Question("/completions", body)

    def _labelled(
        self, code: str, reply: ExecuteReply | None, soft: Mapping[int, float], lesson: Lesson
    ) -> LabelledProgram:
        changed, _ = first_difference(_texts(lesson.program.code, lesson), _texts(code, lesson))
        passes = reply is not None and reply.verdict is Verdict.ACCEPTED
        return LabelledProgram(
            origin=Origin.ROLLOUT,
            operator="sample",
            changed_step=changed,
            code=code,
            outcome=None if reply is None else Outcome.SURVIVED if passes else Outcome.KILLED,
            verdict=reply.verdict if reply else None,
            killed_by=lesson.judge.killed_by(reply) if reply and not passes else None,
            steps=None if reply is None else self._steps(code, passes, soft, lesson),
            teacher=self.name,
        )

    def _steps(self, code: str, passes: bool, soft: Mapping[int, float], lesson: Lesson) -> list[StepLabel]:
        """Positive all through where the program passes; else up to the first step from which too few do."""
        shares = {**soft, _code_steps(code, lesson)[-1]: float(passes)}
        labels: dict[int, int] = {}
        for index, share in sorted(shares.items()):
            labels[index] = int(passes or share > self._spec.threshold)
            if not labels[index]:
                break
        steps = split_steps(code, lesson.recipe.segment)
        hard = [StepLabel(start=step.start, end=step.end, label=labels.get(step.index)) for step in steps]
        return soften(hard, shares)


def _prefixes(code: str, lesson: Lesson) -> Iterator[_Prefix]:
    """One for each code step but the last; of the reference, at the lesson's places alone."""
    steps = split_steps(code, lesson.recipe.segment)
    for index in _code_steps(code, lesson)[:-1]:
        if code != lesson.program.code or index in lesson.places:
            yield _Prefix(code, index, code[: steps[index].end] + "\n")


def _code_steps(code: str, lesson: Lesson) -> list[int]:
    return [step.index for step in split_steps(code, lesson.recipe.segment) if step.kind is StepKind.CODE]


def _texts(code: str, lesson: Lesson) -> list[str]:
    return [code[step.start : step.end] for step in split_steps(code, lesson.recipe.segment)]


def _cut_off(replies: Sequence[ModelReply | None]) -> int:
    return sum(reply is not None and not reply.complete for reply in replies)
