"""MBPP, MBPP+ and HumanEval: references are accepted, wrong variants are judged as plain execution judges them.

A variant is the reference whose function gives None, or another value of the same type. Plain execution is `exec` of
the program and its tests, here in the process of the tests: these are well-known programs, and not hostile.
"""

import ast
import contextlib
import gzip
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.executor.app import create_app
from services.executor.settings import ExecutorSettings

DATA = Path(__file__).parents[3] / "trainer" / "problems" / "data"
MBPP_PLUS = Path(__file__).parent / "data" / "mbpp_plus_sample.jsonl.gz"
SLOW_REFERENCE = 123  # one of its asserts takes 8-10 s
BATCH = 200
NEVER_CALLED = """
def {name}(*arguments, **named):
    return None
"""
CHANGED = """
own = {{"__name__": "program"}}
exec({code!r}, own)
globals().update({{name: value for name, value in own.items() if not name.startswith("__")}})
def changed(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float, complex)):
        return value + 1
    for kind, more in ((str, "x"), (list, [None]), (tuple, (None,))):
        if isinstance(value, kind):
            return value + more
    if isinstance(value, set):
        return value | {{"x"}}
    return {{**value, "x": None}} if isinstance(value, dict) else 0 if value is None else None
def {name}(*arguments, **named):
    return changed(own[{name!r}](*arguments, **named))
"""
pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence")
Programs = dict[Any, dict[str, Any]]


def rows(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return [json.loads(line) for line in text.splitlines()]


def judged(url: str, programs: Programs) -> dict[Any, dict[str, Any]]:
    """The reply for each program, asked for in batches."""
    replies: list[dict[str, Any]] = []
    bodies = list(programs.values())
    with httpx.Client(base_url=url, timeout=120) as client:
        for start in range(0, len(bodies), BATCH):
            answer = client.post("/execute/batch", json={"programs": bodies[start : start + BATCH]})
            replies += answer.json()["results"]
    return dict(zip(programs, replies, strict=True))


def rejected(replies: dict[Any, dict[str, Any]]) -> dict[Any, str]:
    return {key: reply["verdict"] for key, reply in replies.items() if reply["verdict"] != "accepted"}


def trusted(replies: dict[Any, dict[str, Any]]) -> list[Any]:
    """Programs with a test of low assurance."""
    return [key for key, reply in replies.items() if any(test["assurance"] == "low" for test in reply["tests"])]


def variants(programs: Programs, entry: Callable[[dict[str, Any]], str]) -> Programs:
    """Two wrong programs for each."""
    wrong = {}
    for key, program in programs.items():
        name, code = entry(program), program["code"]
        wrong[key, "none"] = {**program, "code": f"{code}\n{NEVER_CALLED.format(name=name)}"}
        wrong[key, "changed"] = {**program, "code": CHANGED.format(name=name, code=code)}
    return wrong


def entry_point(program: dict[str, Any]) -> str:
    """The function of the program that its first test calls."""
    defined = {node.name for node in ast.parse(program["code"]).body if isinstance(node, ast.FunctionDef)}
    calls = [node.func for node in ast.walk(ast.parse(program["tests"][0])) if isinstance(node, ast.Call)]
    return next(call.id for call in calls if isinstance(call, ast.Name) and call.id in defined)


def plainly_passed(program: dict[str, Any]) -> list[bool]:
    """What each test says when it is run beside the program."""
    names: dict[str, Any] = {"__name__": "program"}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        exec(program["code"], names)
        exec(program.get("setup", ""), names)
        return [passes(test, names) for test in program["tests"]]


def passes(test: str | dict[str, Any], names: dict[str, Any]) -> bool:
    if isinstance(test, dict):
        test = f"assert {test['function']}(*{test['args_literal']}) == {test['expected_literal']}"
    try:
        exec(test, names)
    except Exception:
        return False
    return True


def disagreements(replies: dict[Any, dict[str, Any]], programs: Programs) -> dict[Any, Any]:
    """Programs of which plain execution says otherwise, with both answers."""
    found = {}
    for key, reply in replies.items():
        ours = [test["verdict"] == "accepted" for test in reply["tests"]]
        if ours != (plain := plainly_passed(programs[key])):
            found[key] = (ours, plain, reply["tests"])
    return found


def mbpp() -> Programs:
    return {
        row["task_id"]: {
            "code": row["code"],
            "setup": row["test_setup_code"],
            "tests": row["test_list"] + row["challenge_test_list"],
        }
        for row in rows(DATA / "mbpp.jsonl")
        if row["task_id"] != SLOW_REFERENCE
    }


def humaneval() -> Programs:
    return {
        row["task_id"]: {
            "code": row["prompt"] + row["canonical_solution"],
            "tests": [f"{row['test']}\ncheck({row['entry_point']})\n"],
        }
        for row in rows(DATA / "humaneval.jsonl")
    }


def mbpp_plus() -> Programs:
    return {
        row["task_id"]: {
            "code": row["code"],
            "setup": "\n".join(row["test_imports"]),
            "tests": row["test_list"]
            + [plus_test(row, *pair) for pair in zip(row["inputs"], row["expected"], strict=True)],
        }
        for row in rows(MBPP_PLUS)
    }


def plus_test(row: dict[str, Any], arguments: str, expected: str) -> Any:
    call = f"{row['entry_point']}(*{arguments})"
    if row["oracle"] == "set_eq":
        return f"assert set({call}) == set({expected})"
    if row["oracle"] == "not_none":
        return f"assert {'' if expected == 'True' else 'not '}{call}"
    if isinstance(ast.literal_eval(expected), float):
        return f"import math\nassert math.isclose({call}, {expected}, rel_tol=1e-7, abs_tol={row['atol'] or 1e-6})"
    return {"kind": "call", "function": row["entry_point"], "args_literal": arguments, "expected_literal": expected}


@pytest.fixture
def url(serve: Callable[[FastAPI], str]) -> str:
    return serve(create_app(ExecutorSettings()))


@pytest.mark.slow
def test_every_reference_of_mbpp_but_the_slow_one_is_accepted(url: str) -> None:
    replies = judged(url, mbpp())
    assert len(replies) == 973
    assert rejected(replies) == {}
    assert trusted(replies) == [596]  # it compares with sys.getsizeof of a literal


@pytest.mark.slow
def test_every_reference_of_mbpp_plus_is_accepted_on_its_own_inputs_too(url: str) -> None:
    replies = judged(url, mbpp_plus())
    assert sum(len(reply["tests"]) for reply in replies.values()) == 4945
    assert rejected(replies) == {}
    assert trusted(replies) == [596]


@pytest.mark.slow
def test_every_reference_of_humaneval_is_accepted(url: str) -> None:
    replies = judged(url, humaneval())
    assert len(replies) == 164
    assert rejected(replies) == {}
    assert len(trusted(replies)) <= 6


@pytest.mark.slow
@pytest.mark.parametrize("dataset", [mbpp, mbpp_plus, humaneval])
def test_wrong_programs_are_judged_as_plain_execution_judges_them(url: str, dataset: Callable[[], Programs]) -> None:
    def entry(program: dict[str, Any]) -> str:
        return (
            program["tests"][0].rsplit("check(", 1)[1].rstrip(")\n") if dataset is humaneval else entry_point(program)
        )

    programs = variants(dataset(), entry)
    replies = judged(url, programs)
    assert disagreements(replies, programs) == {}
    assert len(rejected(replies)) > 0.99 * len(programs)
