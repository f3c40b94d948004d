"""What labelling takes and what it makes, as values."""

from dataclasses import dataclass

from services.contracts import AssertTest, KilledBy, Origin, Outcome, Segment, StepLabel, Verdict


@dataclass(frozen=True, slots=True)
class Recipe:
    """The part of a job request that decides which labels come out, the same for all its problems."""

    segment: Segment
    mutants_per_step: int
    refactorings_per_step: int
    augmented_tests: int
    seed: int


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


@dataclass(frozen=True, slots=True)
class LabelledProblem:
    """The reference and every candidate of a problem, and the tests that were added to its own."""

    programs: list[LabelledProgram]
    augmented: list[AssertTest]
