"""`POST /jobs` and what a job makes: mutants, and labels in JSONL."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from services.contracts.base import Reply, Request
from services.contracts.execution import TestCase
from services.contracts.steps import Segment
from services.contracts.teachers import RulesTeacher, Teacher
from services.contracts.verdicts import Verdict


class Problem(Request):
    """A task with a reference solution and its tests; one a line in a `PROBLEMS.jsonl`."""

    id: str = Field(min_length=1)
    prompt: str
    solution: str
    tests: list[TestCase]
    setup: str = ""


class JobRequest(Request):
    """`POST /jobs`: label the reference solutions of these problems."""

    name: str = Field(min_length=1, examples=["mbpp-601-974"])
    problems: list[Problem] = Field(min_length=1)
    teacher: Teacher = RulesTeacher()
    segment: Segment = Segment.LINE
    mutants_per_step: int = Field(4, ge=0)
    refactorings_per_step: int = Field(2, ge=0)
    augmented_tests: int = Field(
        32, ge=0, le=1000, description="New tests a problem, made from its own by mutating arguments."
    )
    seed: int = 0
    license: str | None = Field(
        None, min_length=1, max_length=100, description="Of the problems, for the data card.", examples=["CC-BY-4.0"]
    )
    idempotency_key: str | None = Field(None, min_length=1)


class JobStatus(StrEnum):
    """A job's life: queued, running, then one of the last three for good."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True once the status can change no more."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


class Outcome(StrEnum):
    """What a mutant came to: `incompetent` does not compile or is the same program, and never becomes a label."""

    KILLED = "killed"
    SURVIVED = "survived"
    INCOMPETENT = "incompetent"


class Origin(StrEnum):
    """Where a labelled program came from."""

    REFERENCE = "reference"
    MUTATION = "mutation"
    REFACTORING = "refactoring"
    ROLLOUT = "rollout"


class KilledBy(StrEnum):
    """The tests that killed a mutant: the problem's own, or those that augmentation added."""

    BASE = "base"
    AUGMENTED = "augmented"


class ProblemCounts(Reply):
    """Problems of a job; `done` counts those that are finished, rejected ones among them."""

    total: int = 0
    done: int = 0
    rejected: int = 0


class MutantCounts(Reply):
    """Mutants by outcome (refactorings are not mutants)."""

    total: int = 0
    killed: int = 0
    survived: int = 0
    incompetent: int = 0
    unverified: int = Field(0, description="Never judged, for the executor kept failing at them.")


class LabelCounts(Reply):
    """Labelled steps; `unknown` counts the changed steps of mutants that survived."""

    positive: int = 0
    negative: int = 0
    unknown: int = 0


class Teaching(Reply):
    """What the models of a job were asked and what it cost; all zero where no model teaches.

    `questions` are of finished problems; `requests`, tokens and `cost` are what this job itself has paid for, so far:
    a question whose reply was known already makes no request.
    """

    questions: int = 0
    malformed: int = Field(0, description="Replies, and programs in replies, that no label could be made of.")
    unanswered: int = Field(0, description="Questions left unasked by the budget, or refused by the model's server.")
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class Rejected(Reply):
    """A problem that was skipped, and why."""

    id: str
    reason: str


class Job(Reply):
    """`GET /jobs/{id}`, and each server-sent event of `GET /jobs/{id}/events`."""

    id: str
    name: str
    status: JobStatus
    created_at: datetime
    finished_at: datetime | None = None
    problems: ProblemCounts = ProblemCounts()
    mutants: MutantCounts = MutantCounts()
    labels: LabelCounts = LabelCounts()
    teaching: Teaching = Teaching()
    rejected: list[Rejected] = Field(default_factory=list)
    error: str | None = Field(None, description="Why a failed job failed.")


class JobsPage(Reply):
    """`GET /jobs`: the newest first; `next_cursor` is null on the last page."""

    jobs: list[Job]
    next_cursor: str | None = None


class Mutant(Reply):
    """One changed program, a mutation or a refactoring, and what became of it."""

    problem_id: str
    origin: Origin
    operator: str
    step: int = Field(ge=0, description="Index of the step that was changed.")
    code: str
    outcome: Outcome
    verdict: Verdict | None = Field(None, description="Null where nothing was run.")
    killed_by: KilledBy | None = None


class MutantsPage(Reply):
    """`GET /jobs/{id}/mutants`; `next_cursor` is null on the last page."""

    mutants: list[Mutant]
    next_cursor: str | None = None


class StepLabel(Reply):
    """The label of `code[start:end]`: 1 positive, 0 negative, null unlabelled; a rollout teacher adds a soft one."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    label: Literal[0, 1] | None = None
    soft_label: float | None = Field(None, ge=0, le=1, description="Share of the completions from here that pass.")


class LabelRecord(Reply):
    """One program with its labels: a line of `GET /jobs/{id}/labels?format=jsonl`."""

    problem_id: str
    prompt: str
    code: str
    origin: Origin
    operator: str | None = None
    teacher: str = Field("rules", description="`rules`, or the kind and the model: `openai:NAME`, `rollout:NAME`.")
    changed_step: int | None = None
    steps: list[StepLabel]
    verdict: Verdict | None = None
    killed_by: KilledBy | None = None


class TrlRecord(Reply):
    """A line of `GET /jobs/{id}/labels?format=trl`: TRL's stepwise supervision, separator a newline.

    https://huggingface.co/docs/trl/dataset_formats#stepwise-supervision
    """

    prompt: str
    completions: list[str]
    labels: list[bool]
