"""Every reference solution of MBPP and HumanEval is accepted, and nearly always judged outside the child."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.executor.app import create_app
from services.executor.settings import ExecutorSettings

DATA = Path(__file__).parents[3] / "trainer" / "problems" / "data"
SLOW_REFERENCE = 123  # one of its asserts takes 8-10 s
BATCH = 200


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def judged(url: str, programs: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
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


@pytest.fixture
def url(serve: Callable[[FastAPI], str]) -> str:
    return serve(create_app(ExecutorSettings()))


@pytest.mark.slow
def test_every_reference_of_mbpp_but_the_slow_one_is_accepted(url: str) -> None:
    programs = {
        row["task_id"]: {
            "code": row["code"],
            "setup": row["test_setup_code"],
            "tests": row["test_list"] + row["challenge_test_list"],
        }
        for row in rows("mbpp.jsonl")
        if row["task_id"] != SLOW_REFERENCE
    }
    replies = judged(url, programs)
    assert len(replies) == 973
    assert rejected(replies) == {}
    assert trusted(replies) == [596]  # it compares with sys.getsizeof of a literal


@pytest.mark.slow
def test_every_reference_of_humaneval_is_accepted(url: str) -> None:
    programs = {
        row["task_id"]: {
            "code": row["prompt"] + row["canonical_solution"],
            "tests": [f"{row['test']}\ncheck({row['entry_point']})\n"],
        }
        for row in rows("humaneval.jsonl")
    }
    replies = judged(url, programs)
    assert len(replies) == 164
    assert rejected(replies) == {}
    assert len(trusted(replies)) <= 7
