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
    """Every candidate of `program`, in an order that depends on its text alone."""
    steps = split_steps(program.code, segment)
    step_texts = _step_texts(program.code, segment)
    texts_seen = {program.code}
    solution = essence(program.code)
    essences_seen = {solution}
    candidates = []
    for origin, operator, edit in _edits(program):
        code = apply(program.code, edit)
        if code in texts_seen:
            continue
        texts_seen.add(code)
        compiled = essence(code)
        competent = compiled is not None and compiled != solution
        if competent and compiled in essences_seen:
            continue
        essences_seen.add(compiled)
        place = _step_at(steps, edit[0].start)
        changed, blamable = first_difference(step_texts, _step_texts(code, segment))
        candidates.append(Candidate(origin, operator, code, place, changed, blamable, competent))
    return candidates


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
