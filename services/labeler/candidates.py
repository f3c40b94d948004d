"""The changed programs of one solution: every rule at every place, filtered, then a seeded choice for each step.

Leaves out what is not worth a run: text or bytecode that another candidate has already. What does not compile, or
compiles to the same bytecode as the solution, is kept as incompetent, for the record only.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.contracts import Origin, Segment, Step, split_steps
from services.labeler.bytecode import essence
from services.labeler.operators import OPERATORS
from services.labeler.refactorings import REFACTORINGS
from services.labeler.rule import Rule
from services.labeler.syntax import Edit, Program, apply

RULES: Mapping[Origin, Sequence[Rule]] = {Origin.REFACTORING: REFACTORINGS, Origin.MUTATION: OPERATORS}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A changed program.

    `place` is the step of the solution at which the change begins, `changed_step` the first step of `code` that is
    not the solution's; `blamable` is True where it is the only one that differs.
    """

    origin: Origin
    operator: str
    code: str
    place: int
    changed_step: int
    blamable: bool
    competent: bool


def propose(program: Program, segment: Segment) -> list[Candidate]:
    """Every candidate of `program` by the rules, in an order that depends on its text alone."""
    sieve = Sieve(program.code, segment)
    edited = ((origin, operator, edit, apply(program.code, edit)) for origin, operator, edit in _edits(program))
    found = (sieve.sift(origin, operator, code, edit[0].start) for origin, operator, edit, code in edited)
    return [candidate for candidate in found if candidate]


class Sieve:
    """Turns changed programs of one solution into candidates, and lets each program through once."""

    def __init__(self, solution: str, segment: Segment) -> None:
        self._segment = segment
        self._steps = split_steps(solution, segment)
        self._step_texts = _step_texts(solution, segment)
        self._solution = essence(solution)
        self._texts_seen = {solution}
        self._essences_seen = {self._solution}

    def sift(self, origin: Origin, operator: str, code: str, start: int) -> Candidate | None:
        """The candidate `code`, whose change begins at `start`; None where another has its text or bytecode."""
        if code in self._texts_seen:
            return None
        self._texts_seen.add(code)
        compiled = essence(code)
        competent = compiled is not None and compiled != self._solution
        if competent and compiled in self._essences_seen:
            return None
        self._essences_seen.add(compiled)
        changed, blamable = first_difference(self._step_texts, _step_texts(code, self._segment))
        return Candidate(origin, operator, code, _step_at(self._steps, start), changed, blamable, competent)


def _edits(program: Program) -> Iterator[tuple[Origin, str, Edit]]:
    nodes = list(program.walk())
    for origin, rules in RULES.items():
        for node in nodes:
            for rule in rules:
                for edit in rule.edits(node, program):
                    yield origin, rule.name, edit


def _step_at(steps: Sequence[Step], position: int) -> int:
    return next(step.index for step in steps if position <= step.end)


def _step_texts(code: str, segment: Segment) -> list[str]:
    return [code[step.start : step.end] for step in split_steps(code, segment)]


def first_difference(before: Sequence[str], after: Sequence[str]) -> tuple[int, bool]:
    """The first step of `after` whose text is not that of the same step of `before`, and whether it is the only one."""
    differing = [index for index, (one, other) in enumerate(zip(before, after, strict=False)) if one != other]
    first = differing[0] if differing else min(len(before), len(after) - 1)
    return first, len(before) == len(after) and len(differing) == 1


def choose(candidates: Iterable[Candidate], per_step: Mapping[Origin, int], seed: str) -> list[Candidate]:
    """At most `per_step[origin]` competent candidates for each step, and all incompetent ones.

    For each step the choice goes round the operators that found something there, so that a prolific one does not
    crowd out the others. It depends on `seed` and the candidates alone, not on hash seeds or other problems.
    """
    groups: dict[tuple[Origin, int], list[Candidate]] = defaultdict(list)
    incompetent = []
    for candidate in candidates:
        if candidate.competent:
            groups[candidate.origin, candidate.place].append(candidate)
        else:
            incompetent.append(candidate)
    chosen = []
    for (origin, place), group in sorted(groups.items(), key=lambda item: (item[0][1], item[0][0])):
        shuffled = random.Random(f"{seed}/{origin}/{place}").sample(group, len(group))
        chosen += _round_robin(shuffled)[: per_step[origin]]
    return chosen + incompetent


def _round_robin(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first of each operator, then the second of each, and so on."""
    turns: Counter[str] = Counter()
    ranked = []
    for candidate in candidates:
        ranked.append((turns[candidate.operator], candidate))
        turns[candidate.operator] += 1
    return [candidate for _, candidate in sorted(ranked, key=lambda pair: pair[0])]
