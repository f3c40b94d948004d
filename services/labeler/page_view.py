"""What the page shows of jobs and of their operators: figures, shares, bars. It knows no HTML."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from services.contracts import Job, Origin, Outcome
from services.kit.page_text import Part
from services.labeler.page_diff import Line, diff, shortened
from services.labeler.storage import ProgramCount, SeenProgram


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a bar, in hundredths of the longest bar's length; `kind` is its class in the style sheet."""

    kind: str
    start: float
    width: float


class Outcomes(NamedTuple):
    """Programs by what became of them."""

    killed: int
    survived: int
    incompetent: int
    unjudged: int

    @property
    def share(self) -> float | None:
        """Killed ones among those judged, in hundredths."""
        judged = self.killed + self.survived
        return 100 * self.killed / judged if judged else None


@dataclass(frozen=True, slots=True)
class Operator:
    """What became of an operator's programs."""

    origin: str
    name: str
    programs: Outcomes
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class SeenChange:
    """A changed program as it is shown."""

    program: SeenProgram
    lines: list[Line]
    task: list[Part]


def operators(counts: Iterable[ProgramCount]) -> dict[str, list[Operator]]:
    """By origin, the most prolific first; bars of one origin have one scale."""
    found: dict[tuple[str, str], Counter[str | None]] = defaultdict(Counter)
    for one in counts:
        if one.origin != Origin.REFERENCE:
            found[one.origin, one.operator or ""][one.outcome] += one.programs
    longest: Counter[str] = Counter()
    for (origin, _), outcomes in found.items():
        longest[origin] = max(longest[origin], outcomes.total())
    by_origin: dict[str, list[Operator]] = defaultdict(list)
    for (origin, name), outcomes in sorted(found.items(), key=lambda item: (-item[1].total(), item[0])):
        numbers = Outcomes(*(outcomes[outcome] for outcome in (*Outcome, None)))
        by_origin[origin].append(Operator(origin, name, numbers, bars_of(origin, numbers, longest[origin])))
    return {origin.value: by_origin[origin] for origin in Origin if origin in by_origin}


def bars_of(origin: str, numbers: Outcomes, whole: int) -> list[Bar]:
    """Killed, survived, incompetent and unjudged ones, one behind the other."""
    survived = "positive" if origin == Origin.REFACTORING else "unknown"
    bars, start = [], 0.0
    for kind, number in zip(("negative", survived, "incompetent", "unjudged"), numbers, strict=True):
        width = 100 * number / whole if whole else 0.0
        if number:
            bars.append(Bar(kind, round(start, 3), round(width, 3)))
        start += width
    return bars


def bars_of_job(job: Job) -> list[Bar]:
    """The job's mutants by outcome, over the whole width."""
    mutants = job.mutants
    numbers = Outcomes(mutants.killed, mutants.survived, mutants.incompetent, mutants.unverified)
    return bars_of(Origin.MUTATION, numbers, mutants.total)


def seen(program: SeenProgram) -> SeenChange:
    """A program, its difference from the reference, and its task."""
    return SeenChange(program, diff(program.reference, program.code, program.steps), shortened(program.prompt))


def fate(program: SeenProgram) -> str:
    """What became of a program, in a few words."""
    if program.outcome is None:
        return "never judged"
    if program.outcome == Outcome.INCOMPETENT:
        return "does not compile, or is the same program"
    if program.outcome == Outcome.SURVIVED:
        return "passes every test"
    by = {"base": "by the problem's own tests", "augmented": "by a new test"}.get(program.killed_by or "", "")
    return f"killed {by}: {(program.verdict or '').replace('_', ' ')}"


MEANINGS = {
    "positive": "positive",
    "negative": "negative",
    "unknown": "unknown: it may be right after all",
    "none": "no label",
}
