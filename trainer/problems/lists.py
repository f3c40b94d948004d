"""Procedural list tasks: a description, a short function `f(xs)`, and tests, as many as are wanted.

A task chains a few operations and ends in a reduction (`list_operations`), one operation a line, so that a label of a
line means something:

    First add 3 to every number. Then keep the even numbers. Return the sum.

    def f(xs):
        xs = [x + 3 for x in xs]
        xs = [x for x in xs if x % 2 == 0]
        return sum(xs)

The splits share no sequence of operations: which split a sequence belongs to is a hash of its names, so a held-out task
asks for a composition that training never showed. Every operation matters: without it, some test would fail.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count as counting
from itertools import islice
from types import CodeType
from typing import Literal, get_args

from services.contracts import CallTest, Problem
from trainer.problems.list_operations import OPERATIONS, REDUCTIONS, SLIPS, Part

FUNCTION = "f"
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

_TEMPLATES = (
    ("First ", ". Then ", ". Return "),
    ("Take xs, ", ", then ", ", and return "),
    ("Given a list, ", "; ", "; return "),
    ("Write f(xs): ", ", ", ", return "),
)
"""Opening, joint, and what stands before the reduction."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A part with its parameter chosen."""

    part: Part
    k: int

    def fill(self, text: str) -> str:
        """`text` with the parameter put in."""
        return text.replace("{k}", str(self.k))


def generate(
    split: Split,
    count: int,
    *,
    seed: int = 0,
    operations: tuple[int, int] = (2, 3),
    loops: float = 0.3,
    slips: float = 0.0,
    tests: int = 8,
) -> list[Problem]:
    """`count` distinct tasks of a split, the same for the same arguments; a larger `count` only adds tasks.

    `operations`: fewest and most operations a task. `loops`: share of programs with one part written as a loop.
    `slips`: chance of each part to be written wrong, as `SLIPS` has it, so that a policy which learns from such
    solutions has bad habits; the tests are those of the right program. `tests`: input/output pairs a task.
    """
    rng = random.Random(f"{split}/{seed}/{operations}/{loops}/{tests}")
    unique: dict[str, Problem] = {}
    for problem in _endless(rng, split, operations, loops, slips, tests):
        if len(unique) == count:
            break
        unique.setdefault(problem.id, problem)
    return list(unique.values())


def split_of(names: Sequence[str]) -> Split:
    """The split that a sequence of operations belongs to: 80 % train, 10 % validation, 10 % test."""
    bucket = int.from_bytes(hashlib.sha256(",".join(names).encode()).digest()[:8], "big") % 10
    return "train" if bucket < 8 else "validation" if bucket == 8 else "test"


def _endless(
    rng: random.Random, split: Split, operations: tuple[int, int], loops: float, slips: float, tests: int
) -> Iterator[Problem]:
    while True:
        parts = rng.sample(OPERATIONS, rng.randint(*operations))
        if split_of([part.name for part in parts]) != split:
            continue
        chain = [Applied(part, rng.choice(part.parameters)) for part in (*parts, rng.choice(REDUCTIONS))]
        inputs = list(islice(_inputs(rng), tests))
        if _every_part_matters(chain, inputs):
            yield _problem(rng, chain, inputs, loops, slips)


def _inputs(rng: random.Random) -> Iterator[list[int]]:
    """Lists of 5-9 numbers with some repetition; the third is short, since ends are where programs fail."""
    for index in counting():
        length = rng.randint(0, 2) if index == 2 else rng.randint(5, 9)
        yield [rng.randint(-12, 24) for _ in range(length)]


def _every_part_matters(chain: list[Applied], inputs: list[list[int]]) -> bool:
    """True where no operation can be left out unseen, and the results are not all alike."""
    results = [_run(chain, xs) for xs in inputs]
    if len(set(results)) < 3:
        return False
    shorter = (chain[:index] + chain[index + 1 :] for index in range(len(chain) - 1))
    return all([_run(rest, xs) for xs in inputs] != results for rest in shorter)


def _run(chain: Sequence[Applied], xs: list[int]) -> int:
    value: object = xs
    for applied in chain:
        value = eval(_compiled(applied.fill(applied.part.expression)), {"xs": value})  # noqa: S307  our own expressions
    assert isinstance(value, int)
    return value


@cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<operation>", "eval")


def _problem(rng: random.Random, chain: list[Applied], inputs: list[list[int]], loops: float, slips: float) -> Problem:
    prompt = _describe(rng, chain)
    can_loop = [index for index, applied in enumerate(chain) if applied.part.loop]
    looped = rng.choice(can_loop) if can_loop and rng.random() < loops else None
    solution = render(chain, looped)
    written = render(_with_slips(chain, slips, prompt), looped) if slips else solution
    return Problem(
        id="lists/" + hashlib.sha256(f"{prompt}\n{solution}".encode()).hexdigest()[:12],
        prompt=prompt,
        solution=written,
        tests=[CallTest(function=FUNCTION, args=[[*xs]], expected=_run(chain, xs)) for xs in inputs],
    )


def _with_slips(chain: Sequence[Applied], chance: float, prompt: str) -> list[Applied]:
    """The chain with some of its parts written wrong, in one line, always the same for the same prompt."""
    rng = random.Random(f"slips/{chance}/{prompt}")
    return [
        replace(applied, part=replace(applied.part, expression=SLIPS[applied.part.name], loop=()))
        if rng.random() < chance
        else applied
        for applied in chain
    ]


def _describe(rng: random.Random, chain: list[Applied]) -> str:
    *operations, reduction = [applied.fill(rng.choice(applied.part.phrases)) for applied in chain]
    opening, joint, ending = rng.choice(_TEMPLATES)
    return f"{opening}{joint.join(operations)}{ending}{reduction}."


def render(chain: Sequence[Applied], looped: int | None = None) -> str:
    """The program of a chain; the part at index `looped` is written as a loop."""
    lines = [f"def {FUNCTION}(xs):"]
    for index, applied in enumerate(chain):
        last = index == len(chain) - 1
        lines += ["    " + applied.fill(line) for line in _lines(applied.part, index == looped, last)]
    return "\n".join(lines) + "\n"


def _lines(part: Part, as_loop: bool, reduces: bool) -> list[str]:
    if not as_loop or not part.loop:
        return [f"return {part.expression}" if reduces else f"xs = {part.expression}"]
    if reduces:
        return ["result = 0", *part.loop, "return result"]
    return ["ys = []", *part.loop, "xs = ys"]
