"""Rewards for TRL and verl from a live scorer and a live executor, and from servers that fail."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from services.client import (
    RequestError,
    RetryPolicy,
    RewardForm,
    ScorerClient,
    ServerError,
    Services,
    UnavailableError,
    async_trl_reward,
    compute_score,
    trl_reward,
)
from services.contracts import ScoreRequest

Serve = Callable[[FastAPI], str]
PROMPT = "Write a function to add two numbers."
RIGHT = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"
TESTS = ["assert add(1, 2) == 3"]
CHAT = [{"role": "user", "content": PROMPT}]


def answer(code: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": f"Sure:\n```python\n{code}```\nDone."}]


async def mean(services: Services, code: str) -> float:
    async with ScorerClient(services.scorer_url) as scorer:
        value = (await scorer.score(ScoreRequest(prompt=PROMPT, code=code))).aggregate.mean
    assert value is not None
    return value


async def test_plain_texts_and_chats_are_rewarded_alike(services: Services) -> None:
    expected = [await mean(services, RIGHT), await mean(services, WRONG)]
    reward = async_trl_reward(services=services)
    plain = await reward(prompts=[PROMPT] * 2, completions=[RIGHT, WRONG], completion_ids=[[1], [2]])
    chats = await reward(prompts=[CHAT] * 2, completions=[answer(RIGHT), answer(WRONG)])
    assert plain == pytest.approx(expected, abs=1e-5)
    assert chats == pytest.approx(expected, abs=1e-5)


async def test_the_plain_function_may_be_called_where_a_loop_runs(services: Services) -> None:
    reward = trl_reward(services=services)
    assert reward(prompts=[PROMPT], completions=[RIGHT]) == pytest.approx([await mean(services, RIGHT)], abs=1e-5)


def test_outcomes_come_from_the_columns_of_the_data_set(services: Services) -> None:
    reward = trl_reward(RewardForm("outcome"), services=services, tests_column="test_list")
    columns = {"test_list": [TESTS, TESTS, ["assert add(1, 2) == three"], None], "setup": ["", None, "three = 3", ""]}
    assert reward([PROMPT] * 4, [RIGHT, WRONG, RIGHT, RIGHT], **columns) == [1.0, 0.0, 1.0, None]


async def test_process_and_outcome_are_mixed(services: Services) -> None:
    reward = async_trl_reward(RewardForm("process+outcome", outcome_weight=0.75), services=services)
    rewards = await reward([PROMPT] * 2, [RIGHT, WRONG], tests=[TESTS, TESTS])
    right, wrong = await mean(services, RIGHT), await mean(services, WRONG)
    assert rewards == pytest.approx([0.25 * right + 0.75, 0.25 * wrong], abs=1e-5)


def test_a_program_without_code_earns_0_and_one_that_is_too_long_none(services: Services) -> None:
    rewards = trl_reward(services=services)([PROMPT] * 4, ["", "# nothing", "x = 1\n" * 2000, RIGHT])
    assert rewards[:3] == [0.0, 0.0, None]
    assert rewards[3] is not None


def test_the_share_without_reward_is_logged_to_the_trainer(services: Services) -> None:
    logged: dict[str, float] = {}
    reward = trl_reward(services=services, name="prm")
    reward([PROMPT] * 2, ["x = 1\n" * 2000, RIGHT], log_metric=logged.__setitem__)
    assert (reward.__name__, logged) == ("prm", {"prm/no_reward": 0.5})


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_a_failure_of_ours_is_none_and_never_0(status: int, services: Services, serve: Serve) -> None:
    broken = replace(services, executor_url=serve(failing(status)))
    reward = trl_reward(RewardForm("process+outcome"), services=broken)
    assert reward([PROMPT], [RIGHT], tests=[TESTS]) == [None]


def failing(status: int) -> FastAPI:
    app = FastAPI()

    @app.post("/{path:path}")
    async def fail(request: Request) -> Response:
        return Response('{"error": {"code": "c", "message": "m"}, "request_id": "r"}', status_code=status)

    return app


def test_a_run_that_can_never_be_rewarded_ends_at_once(services: Services) -> None:
    with pytest.raises(RequestError, match="unknown_model"):
        trl_reward(RewardForm(model="nope"), services=services)([PROMPT], [RIGHT])
    with pytest.raises(ValueError, match="no column 'tests'"):
        trl_reward(RewardForm("outcome"), services=services)([PROMPT], [RIGHT])


def ask(services: Services, code: str = RIGHT, **options: Any) -> dict[str, float]:
    where = {"scorer_url": services.scorer_url, "executor_url": services.executor_url, "timeout_s": 60}
    given: dict[str, Any] = {"ground_truth": TESTS, "extra_info": {"prompt": PROMPT, "index": 3}}
    return compute_score("mbpp", f"```python\n{code}```", **{**given, **where, **options})


async def test_verl_gets_a_score_and_its_parts(services: Services) -> None:
    process = await mean(services, WRONG)
    assert ask(services, WRONG) == pytest.approx({"score": process / 2, "process": process, "outcome": 0.0}, abs=1e-5)
    assert ask(services, kind="outcome") == {"score": 1.0, "outcome": 1.0}
    assert set(ask(services, kind="process", ground_truth=None)) == {"score", "process"}
    assert ask(services, kind="process", extra_info={"prompt": CHAT})["score"] > 0


async def test_verls_many_threads_share_one_loop_and_its_connections(services: Services) -> None:
    codes = [f"def add(a, b):\n    return a + b + {n}\n" for n in range(32)]
    with ThreadPoolExecutor(16) as threads:
        scores = list(threads.map(lambda code: ask(services, code, kind="process")["score"], codes))
    expected = [await mean(services, code) for code in codes[:3]]
    assert scores[:3] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_verls_worker_processes_have_loops_of_their_own(method: str, services: Services) -> None:
    asked = {"scorer_url": services.scorer_url, "extra_info": {"prompt": PROMPT}, "kind": "process"}
    here = ask(services, kind="process")
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as workers:
        there = workers.submit(compute_score, "mbpp", RIGHT, None, **asked).result(60)
    assert there == pytest.approx(here, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"extra_info": {}}, ValueError, "no 'prompt'"),
        ({"ground_truth": []}, ValueError, "ground_truth has none"),
        ({"agregate": "min"}, TypeError, "agregate"),
        ({"aggregate": "median"}, ValueError, "median"),
        ({"model": "nope"}, RequestError, "unknown_model"),
        ({"code": "x = 1\n" * 2000}, RequestError, "too_long"),
    ],
)
def test_verl_is_told_what_is_wrong(
    options: dict[str, Any], error: type[Exception], reason: str, services: Services
) -> None:
    with pytest.raises(error, match=reason):
        ask(services, **options)


@pytest.mark.parametrize(("status", "error"), [(503, UnavailableError), (500, ServerError)])
def test_verl_gets_no_number_for_a_failure_of_ours(
    status: int, error: type[Exception], services: Services, serve: Serve
) -> None:
    with pytest.raises(error):
        ask(services, executor_url=serve(failing(status)), timeout_s=1)


def test_what_verl_adds_by_itself_is_no_option(services: Services) -> None:
    assert ask(services, reward_router_address="10.0.0.1:8000", reward_model_tokenizer=None)["outcome"] == 1.0


async def test_a_new_loop_a_call_is_no_trouble(services: Services) -> None:
    reward = async_trl_reward(services=replace(services, retry=RetryPolicy(attempts=1)))
    one = await reward([PROMPT], [RIGHT])
    other = await asyncio.to_thread(lambda: asyncio.run(reward([PROMPT], [RIGHT])))
    assert one == pytest.approx(other)
