"""HumanEval: 164 tasks, each a function's head to be completed (Chen et al. 2021, https://arxiv.org/abs/2107.03374).

For evaluation only: never train on it. A program is the prompt and its completion together, so a problem's solution
begins with its prompt. The one test runs the task's own `check`, beside the candidate: its assurance is low.
"""

from functools import cache
from pathlib import Path
from typing import Any

from services.contracts import AssertTest, Problem
from trainer.problems.files import read_rows

FILE = Path(__file__).parent / "data" / "humaneval.jsonl"
FIRST_ID, LAST_ID = 0, 163


@cache
def humaneval() -> dict[int, Problem]:
    """All tasks by number."""
    return {int(row["task_id"].removeprefix("HumanEval/")): _problem(row) for _, row in read_rows(FILE)}


def _problem(row: dict[str, Any]) -> Problem:
    return Problem(
        id=row["task_id"],
        prompt=row["prompt"],
        solution=row["prompt"] + row["canonical_solution"],
        tests=[AssertTest(code=f"{row['test']}\ncheck({row['entry_point']})\n")],
    )
