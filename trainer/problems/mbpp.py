"""MBPP: 974 short Python tasks with three asserts each (Austin et al. 2021, https://arxiv.org/abs/2108.07732).

Ids are EvalPlus' (`Mbpp/601`). The prompt is the description and the first assert, since nothing else tells the
function's name; PRM and policy see the same prompt. Newlines are normalised (972 references have CRLF). Setup code
belongs behind the program: 367 and 927 use in it the class that the program defines. Task 123 is kept, though its
reference needs 8-10 s for one assert and a usual limit rejects it.

Leaves out the challenge tests (11 tasks have one), so that figures compare with everyone's.
Overlap to remember beside any number: the usual test split is 11-510, PRLCoder's PPO trains on 101-500.
"""

from functools import cache
from pathlib import Path
from typing import Any

from services.contracts import AssertTest, Problem
from trainer.problems.files import read_rows

FILE = Path(__file__).parent / "data" / "mbpp.jsonl"
FIRST_ID, LAST_ID = 1, 974


def mbpp(shown_asserts: int = 1) -> dict[int, Problem]:
    """All tasks by number; the prompt shows the first `shown_asserts` (1-3) of the asserts."""
    return {row["task_id"]: _problem(row, shown_asserts) for row in _rows()}


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    return tuple(row for _, row in read_rows(FILE))


def _problem(row: dict[str, Any], shown_asserts: int) -> Problem:
    asserts = [_normalised(test) for test in row["test_list"]]
    return Problem(
        id=f"Mbpp/{row['task_id']}",
        prompt="\n".join([_normalised(row["text"]), *asserts[:shown_asserts]]),
        solution=_normalised(row["code"]) + "\n",
        tests=[AssertTest(code=test) for test in asserts],
        setup=_normalised(row["test_setup_code"]),
    )


def _normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
