"""What labelling takes and what it makes, as values."""

from dataclasses import dataclass, field

from services.contracts import (
    AssertTest,
    KilledBy,
    Origin,
    Outcome,
    RulesTeacher,
    Segment,
    StepLabel,
    Teacher,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The part of a job request that decides which labels come out, the same for all its problems."""

    segment: Segment
    mutants_per_step: int
    refactorings_per_step: int
    augmented_tests: int
    seed: int
    teacher: Teacher = field(default_factory=RulesTeacher)


@dataclass(frozen=True, slots=True)
class LabelledProgram:
    """A program and what became of it; `steps` is None where nothing was learnt about them.

    A candidate without `outcome` is one at which the executor kept failing.
    """

    origin: Origin
    operator: str | None
    changed_step: int | None
    code: str
    outcome: Outcome | None
    verdict: Verdict | None
    killed_by: KilledBy | None
    steps: list[StepLabel] | None
    teacher: str = "rules"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a problem's questions to models came to, counted as in `services.contracts.Teaching`."""

    questions: int = 0
    malformed: int = 0
    unanswered: int = 0

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(
            self.questions + other.questions, self.malformed + other.malformed, self.unanswered + other.unanswered
        )


@dataclass(frozen=True, slots=True)
class LabelledProblem:
    """The reference and every candidate of a problem, and the tests that were added to its own."""

    programs: list[LabelledProgram]
    augmented: list[AssertTest]
    asked: Asked = field(default_factory=Asked)
