"""verl's `custom_reward_function`: `path=pkg://services.client`, `name=compute_score`.

verl calls it once a rollout, from many threads and worker processes, with the decoded answer, the data set's
`reward_model.ground_truth` and its `extra_info`; `reward_kwargs` of the configuration arrive as keywords. verl gives no
prompt, so `extra_info` must hold it. Where we have no reward it raises, and verl's step ends: an invented number would
be learnt from. https://verl.readthedocs.io/en/latest/preparation/reward_function.html
"""

import asyncio
import os
from typing import Any, Literal

from services.client.errors import ServerError
from services.client.executor import ExecutorClient
from services.client.rewards.background import run_in_background
from services.client.rewards.form import RewardForm, RewardKind, outcome
from services.client.rewards.judging import Program, Services, execute_request, score_request
from services.client.rewards.tests_column import read_tests
from services.client.scorer import ScorerClient
from services.contracts import AggregateForm, Segment
from services.contracts.programs import read_program, read_text

_FROM_VERL = {"reward_router_address", "reward_model_tokenizer", "sandbox_fusion_url", "concurrent_semaphore"}
_clients: dict[tuple[int, Services], tuple[ScorerClient, ExecutorClient]] = {}


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,
    *,
    kind: RewardKind = "process+outcome",
    aggregate: str = "mean",
    outcome_weight: float = 0.5,
    segment: str = "line",
    model: str | None = None,
    truncate: Literal["prompt"] | None = None,
    prompt_key: str = "prompt",
    scorer_url: str | None = None,
    executor_url: str | None = None,
    api_key: str | None = None,
    timeout_s: float = 120.0,
    **others: Any,
) -> dict[str, float]:
    """The reward of one answer: `score`, and its parts `process` and `outcome` as far as `kind` asks for them.

    `ground_truth` are the tests, in any form of `services.client.rewards.tests_column`; `extra_info[prompt_key]` is the
    prompt (a text or chat messages), `extra_info["setup"]` what is run before each test. `data_source` is not read.

    Raises:
        NoAnswerError: a failure of ours, after the retries; there is no reward.
        RequestError: a service refuses the request, an input that is too long among others.
        ValueError: there is no prompt where scores are asked for, or no tests where an outcome is.
        TypeError: an option that there is not.
    """
    if unknown := sorted(set(others) - _FROM_VERL):
        raise TypeError(f"compute_score has no option {unknown[0]!r}")
    form = RewardForm(kind, AggregateForm(aggregate), outcome_weight, Segment(segment), model, truncate)
    info = extra_info or {}
    if form.wants_scores and info.get(prompt_key) is None:
        raise ValueError(f"a score needs the prompt, and extra_info has no {prompt_key!r}")
    prompt = read_text(info.get(prompt_key, "")) if form.wants_scores else ""
    tests = read_tests(ground_truth) if form.wants_verdict else []
    if form.wants_verdict and not tests:
        raise ValueError("an outcome needs tests, and ground_truth has none")
    program = Program(prompt, read_program(solution_str, prompt), tests, info.get("setup") or "")
    return run_in_background(_score(program, form, Services(scorer_url, executor_url, api_key, timeout_s)))


async def _score(program: Program, form: RewardForm, services: Services) -> dict[str, float]:
    scorer, executor = _clients_of(services)
    process, passed = await asyncio.gather(_process(program, form, scorer), _outcome(program, form, executor))
    parts = {"process": process, "outcome": passed}
    score = form.mix(process, passed)
    assert score is not None
    return {"score": score, **{name: value for name, value in parts.items() if value is not None}}


def _clients_of(services: Services) -> tuple[ScorerClient, ExecutorClient]:
    """Open connections for all calls of this process; they end with it."""
    key = (os.getpid(), services)
    if key not in _clients:
        _clients[key] = services.scorer(), services.executor()
    return _clients[key]


async def _process(program: Program, form: RewardForm, scorer: ScorerClient) -> float | None:
    if not form.wants_scores:
        return None
    return form.process(await scorer.score(score_request(program, form))) if form.has_step(program.code) else 0.0


async def _outcome(program: Program, form: RewardForm, executor: ExecutorClient) -> float | None:
    if not form.wants_verdict:
        return None
    passed = outcome((await executor.execute(execute_request(program))).verdict)
    if passed is None:
        raise ServerError("the executor could not judge the program")
    return passed
