"""TRL's own GRPO and RLOO, two optimisation steps on a CPU, with rewards from a live scorer and a live executor."""

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch

from services.client import ExecutorClient, RewardForm, ScorerClient, Services, async_trl_reward, trl_reward
from services.contracts import ExecuteRequest, ScoreRequest, Verdict
from services.contracts.programs import read_program

pytest.importorskip("trl", reason="TRL is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of TRL's and its libraries' doing

PROMPT = "Write a function to add two numbers.\n"
TESTS = ["assert add(1, 2) == 3"]


@dataclass
class Record:
    """The completions that a reward function was asked about, and what it said."""

    completions: list[str] = field(default_factory=list)
    rewards: list[float | None] = field(default_factory=list)

    def add(self, completions: Sequence[str], rewards: Sequence[float | None]) -> None:
        self.completions += completions
        self.rewards += rewards


def recorded(reward: Any, record: Record) -> Any:
    """`reward`, with a record of it; a function for a function, a coroutine function for one."""
    if not inspect.iscoroutinefunction(reward):

        @functools.wraps(reward)
        def plain(prompts: Sequence[str], completions: Sequence[str], **columns: Any) -> Any:
            rewards = reward(prompts, completions, **columns)
            record.add(completions, rewards)
            return rewards

        return plain

    @functools.wraps(reward)
    async def awaited(prompts: Sequence[str], completions: Sequence[str], **columns: Any) -> Any:
        rewards = await reward(prompts, completions, **columns)
        record.add(completions, rewards)
        return rewards

    return awaited


@pytest.fixture(params=["GRPO", "RLOO"])
def train(
    request: pytest.FixtureRequest, policy: Any, tokenizer: Any, tmp_path: Path
) -> Callable[..., list[dict[str, float]]]:
    """Two steps on two prompts with four completions each; what TRL logged at each step."""
    import trl
    from datasets import Dataset

    def run(*rewards: Any, teaches: bool = True) -> list[dict[str, float]]:
        config = getattr(trl, f"{request.param}Config")(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=8,
            num_generations=4,
            max_completion_length=24,
            learning_rate=1e-2,
            beta=0.0,  # no reference model, which would be loaded by the name of a repository
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
            seed=1,
        )
        data = Dataset.from_list([{"prompt": PROMPT, "tests": TESTS, "setup": ""}] * 4)
        before = copy.deepcopy(policy.state_dict())
        make = getattr(trl, f"{request.param}Trainer")
        trainer = make(policy, reward_funcs=list(rewards), args=config, train_dataset=data, processing_class=tokenizer)
        trainer.train()
        after = trainer.model.state_dict()
        assert any(not torch.equal(before[name], after[name]) for name in before) is teaches
        return [log for log in trainer.state.log_history if "reward" in log]

    return run


async def ask_directly(services: Services, completions: Sequence[str]) -> tuple[list[float], list[float]]:
    """The mean score and the outcome of each completion, asked of the services without any callable of ours."""
    codes = [read_program(completion) for completion in completions]
    async with ScorerClient(services.scorer_url) as scorer, ExecutorClient(services.executor_url) as executor:
        scored = await scorer.score_batch([ScoreRequest(prompt=PROMPT, code=code) for code in codes])
        run = await executor.execute_batch([ExecuteRequest(code=code, tests=TESTS) for code in codes])
    means = [reply.aggregate.mean for reply in scored]
    return [value or 0.0 for value in means], [float(reply.verdict is Verdict.ACCEPTED) for reply in run]


async def test_rewards_that_trl_logs_are_those_of_the_services(
    train: Callable[..., list[dict[str, float]]], services: Services
) -> None:
    process, mixed = Record(), Record()
    mix = RewardForm("process+outcome", outcome_weight=0.25)
    logs = train(
        recorded(trl_reward(services=services, name="process"), process),
        recorded(async_trl_reward(mix, services=services, name="mixed"), mixed),
    )

    assert len(logs) == 2
    assert process.completions == mixed.completions
    assert len(process.completions) == 16
    means, outcomes = await ask_directly(services, process.completions)
    assert 0 < sum(outcomes) < len(outcomes)
    mixes = [0.75 * score + 0.25 * passed for score, passed in zip(means, outcomes, strict=True)]
    assert process.rewards == pytest.approx(means, abs=1e-4)
    assert mixed.rewards == pytest.approx(mixes, abs=1e-4)
    for step, log in enumerate(logs):
        of_step = slice(8 * step, 8 * step + 8)
        assert log["rewards/process/mean"] == pytest.approx(fmean(means[of_step]), abs=1e-4)
        assert log["rewards/mixed/mean"] == pytest.approx(fmean(mixes[of_step]), abs=1e-4)
        assert log["reward"] == pytest.approx(fmean(means[of_step]) + fmean(mixes[of_step]), abs=1e-4)
        assert log["process/no_reward"] == log["mixed/no_reward"] == 0


def test_what_we_cannot_reward_is_left_out_by_trl(
    train: Callable[..., list[dict[str, float]]], services: Services
) -> None:
    dead = Services(services.scorer_url, "http://127.0.0.1:9", retry=services.retry, timeout_s=5)
    outcome = trl_reward(RewardForm("outcome"), services=dead, name="outcome")
    logs = train(trl_reward(services=services, name="process"), outcome)
    assert [log["outcome/no_reward"] for log in logs] == [1.0, 1.0]
    assert all(log["reward"] == pytest.approx(log["rewards/process/mean"], abs=1e-6) for log in logs)


def test_an_outage_teaches_nothing(train: Callable[..., list[dict[str, float]]], services: Services) -> None:
    dead = Services("http://127.0.0.1:9", retry=services.retry, timeout_s=5)
    logs = train(trl_reward(services=dead, name="process"), teaches=False)
    assert [log["process/no_reward"] for log in logs] == [1.0, 1.0]
