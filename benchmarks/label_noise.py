"""How far augmented tests can be trusted: against MBPP+, whose inputs people and a stronger method chose.

    python benchmarks/label_noise.py MBPP_PLUS.jsonl

Labels MBPP+'s own references as `linewise label` does, with their three asserts and the labeler's augmented tests, then
runs every candidate on MBPP+'s inputs. Prints, of the mutants that MBPP+ kills, how many ours killed, and of the
refactorings that MBPP+ accepts, how many ours rejected; then the operators at which ours missed most. The executor is
started here. Leaves out: MBPP+'s contracts; an input of ours may lie outside of them.
"""

import argparse
import ast
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor_service import machine, served

from services.client import ExecutorClient
from services.contracts import KilledBy, Origin, Outcome, Problem, Segment, TestCase, Verdict
from services.labeler.errors import UnusableProblemError
from services.labeler.labeling import label_problem
from services.labeler.recipe import LabelledProgram, Recipe
from services.labeler.reference import reference_cpu_s, request
from services.labeler.solution import read_solution
from services.labeler.teachers.rules import Rules
from services.labeler.verification import Verifier


@dataclass(frozen=True)
class Judged:
    """A candidate, what ours made of it, and what MBPP+ did."""

    problem_id: str
    program: LabelledProgram
    killed_by_plus: bool

    @property
    def killed(self) -> bool:
        """Whether base or augmented tests killed it."""
        return self.program.outcome is Outcome.KILLED


def problem_of(row: dict[str, Any]) -> Problem:
    """The task as the labeler gets it."""
    return Problem.model_validate(
        {
            "id": str(row["task_id"]),
            "prompt": row["prompt"],
            "solution": row["code"],
            "tests": row["test_list"],
            "setup": "\n".join(row["test_imports"]),
        }
    )


def plus_tests(row: dict[str, Any]) -> list[TestCase]:
    """MBPP+'s inputs as tests, compared as its oracle says."""
    pairs = list(zip(row["inputs"], row["expected"], strict=True))[row["n_base"] :]
    tests = [plus_test(row, *pair) for pair in pairs]
    return Problem.model_validate({"id": "0", "prompt": "", "solution": "", "tests": tests}).tests


def plus_test(row: dict[str, Any], arguments: str, expected: str) -> Any:
    """One input with its answer."""
    call = f"{row['entry_point']}(*{arguments})"
    if row["oracle"] == "set_eq":
        return f"assert set({call}) == set({expected})"
    if row["oracle"] == "not_none":
        return f"assert {'' if expected == 'True' else 'not '}{call}"
    if isinstance(ast.literal_eval(expected), float):
        return f"import math\nassert math.isclose({call}, {expected}, rel_tol=1e-7, abs_tol={row['atol'] or 1e-6})"
    return {"kind": "call", "function": row["entry_point"], "args_literal": arguments, "expected_literal": expected}


async def judge(row: dict[str, Any], recipe: Recipe, verifier: Verifier) -> tuple[list[Judged], int]:
    """The candidates of one task, and how many tests were added to its own."""
    problem, tests = problem_of(row), plus_tests(row)
    labelled = await label_problem(problem, recipe, verifier, Rules())
    cpu_s = await reference_cpu_s(problem, read_solution(problem.solution).code, verifier)
    [reference] = await verifier.run([request(problem, problem.solution, tests)])
    if reference is None or reference.verdict is not Verdict.ACCEPTED:
        raise UnusableProblemError("the reference does not pass MBPP+")
    candidates = [
        program
        for program in labelled.programs
        if program.origin is not Origin.REFERENCE and program.outcome in (Outcome.KILLED, Outcome.SURVIVED)
    ]
    replies = await verifier.run([request(problem, program.code, tests, cpu_s=cpu_s) for program in candidates])
    judged = [
        Judged(problem.id, program, reply.verdict is not Verdict.ACCEPTED)
        for program, reply in zip(candidates, replies, strict=True)
        if reply is not None
    ]
    return judged, len(labelled.augmented)


async def judge_all(url: str, rows: Sequence[dict[str, Any]], recipe: Recipe) -> tuple[list[Judged], Counter[str]]:
    """All tasks, four at once."""
    gate, counts = asyncio.Semaphore(4), Counter[str]()
    judged: list[Judged] = []
    async with ExecutorClient(url, timeout_s=600) as executor:
        verifier = Verifier(executor, patience_s=60)

        async def one(row: dict[str, Any]) -> None:
            async with gate:
                try:
                    found, added = await judge(row, recipe, verifier)
                except UnusableProblemError as error:
                    counts["unusable tasks"] += 1
                    print(f"  task {row['task_id']}: {error}")
                    return
            judged.extend(found)
            counts["tasks"] += 1
            counts["tasks without augmented tests"] += not added
            if counts["tasks"] % 50 == 0:
                print(f"  {counts['tasks']} of {len(rows)} tasks", file=sys.stderr)

        await asyncio.gather(*map(one, rows))
    return judged, counts


def share(part: Sequence[Judged], whole: Sequence[Judged]) -> str:
    """How many of `whole` are in `part`, and in per cent."""
    per_cent = f" = {100 * len(part) / len(whole):.2f} %" if whole else ""
    return f"{len(part):,} of {len(whole):,}{per_cent}"


def report(judged: Sequence[Judged], counts: Counter[str], listed: int) -> Iterator[str]:
    """The figures, line by line."""
    mutants = [each for each in judged if each.program.origin is Origin.MUTATION]
    wrong = [each for each in mutants if each.killed_by_plus]
    found = [each for each in wrong if each.killed]
    missed = [each for each in wrong if not each.killed]
    right = [each for each in judged if each.program.origin is Origin.REFACTORING and not each.killed_by_plus]
    rejected = [each for each in right if each.killed]
    survivors = [each for each in mutants if each.program.killed_by is not KilledBy.BASE]
    ours = [each for each in survivors if each.killed]
    theirs = [each for each in survivors if each.killed_by_plus]
    alone = [each for each in ours if not each.killed_by_plus]
    yield ", ".join(f"{name}: {count}" for name, count in counts.items())
    yield f"mutants: {len(mutants):,}"
    yield f"of those that MBPP+ kills ours killed {share(found, wrong)} (target >= 90 %)"
    yield f"of the refactorings that MBPP+ accepts ours rejected {share(rejected, right)} (target <= 0.5 %)"
    yield f"of the survivors of the three asserts ours killed {share(ours, survivors)}, {len(alone)} of them alone"
    yield f"                                    MBPP+ killed {share(theirs, survivors)}"
    yield f"missed, by operator: {most_common((each.program.operator for each in missed), listed)}"
    yield f"missed, by task: {most_common((each.problem_id for each in missed), listed)}"
    yield f"rejected, by operator: {most_common((each.program.operator for each in rejected), listed)}"


def most_common(names: Iterable[str | None], count: int) -> str:
    """The commonest of `names`, and how often each came."""
    return ", ".join(f"{name} {times}" for name, times in Counter(names).most_common(count)) or "none"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mbpp_plus", type=Path, help="MBPP+ as JSON lines, see tests/integration/executor/data")
    parser.add_argument("--tasks", type=int, help="so many tasks, spread evenly (default: all)")
    parser.add_argument("--augmented-tests", type=int, default=32)
    parser.add_argument("--mutants-per-step", type=int, default=4)
    parser.add_argument("--refactorings-per-step", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--listed", type=int, default=15, help="so many operators and tasks with most misses")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.mbpp_plus.read_text("utf-8").splitlines()]
    if arguments.tasks:
        rows = rows[:: max(1, len(rows) // arguments.tasks)][: arguments.tasks]
    recipe = Recipe(
        segment=Segment.LINE,
        mutants_per_step=arguments.mutants_per_step,
        refactorings_per_step=arguments.refactorings_per_step,
        augmented_tests=arguments.augmented_tests,
        seed=arguments.seed,
    )
    print(", ".join(f"{name}: {value}" for name, value in machine().items()))
    print(f"{recipe}, {len(rows)} tasks")
    began = time.perf_counter()
    with served() as (url, _):
        judged, counts = asyncio.run(judge_all(url, rows, recipe))
    print(f"{time.perf_counter() - began:.0f} s")
    for line in report(judged, counts, arguments.listed):
        print(line)


if __name__ == "__main__":
    main()
