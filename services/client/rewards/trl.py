"""Reward functions as TRL's trainers take them: `GRPOTrainer(..., reward_funcs=[trl_reward()])`, RLOO alike.

A reward is None, which TRL leaves out of the mean, where we failed to give one; it is never 0 for a failure of ours.
The program is read out of a completion by the rule of `services.contracts.programs`; prompts and completions may be
plain strings or chat messages. Both makers return functions, not objects: TRL up to 1.13 takes a coroutine function for
one only if it is a function. https://huggingface.co/docs/trl/grpo_trainer#using-a-custom-reward-function
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.client.rewards.background import run_in_background
from services.client.rewards.form import RewardForm
from services.client.rewards.judging import Program, Services
from services.client.rewards.tests_column import read_tests
from services.contracts.programs import read_program, read_text

Rewards = list[float | None]
Text = str | Sequence[Mapping[str, Any]]


class Reward(Protocol):
    """What TRL calls."""

    def __call__(self, prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> Rewards:
        """A reward for each completion; None where we have none."""


class AsyncReward(Protocol):
    """What TRL awaits, all of them at the same time."""

    async def __call__(self, prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> Rewards:
        """A reward for each completion; None where we have none."""


def trl_reward(
    form: RewardForm | None = None,
    *,
    services: Services | None = None,
    tests_column: str = "tests",
    setup_column: str = "setup",
    name: str | None = None,
) -> Reward:
    """A plain reward function; it may be called where an event loop runs, from any thread and in any process.

    `form` says what a reward is made of, `services` where to ask, `tests_column` and `setup_column` where the data set
    has what an outcome needs (`services.client.rewards.tests_column` lists what may be in there), `name` under which
    name TRL logs it. With TRL's `log_metric` the share of programs without a reward is logged as `<name>/no_reward`.

    The function raises ValueError where the data set lacks the tests that the form needs or they can't be read, and
    RequestError where no request could ever succeed (a wrong key, an unknown model).
    """
    source = _Source(form or RewardForm(), services or Services(), tests_column, setup_column, name)

    def reward(prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> Rewards:
        return run_in_background(source.rewards(prompts, completions, columns))

    reward.__name__ = source.logged_as
    return reward


def async_trl_reward(
    form: RewardForm | None = None,
    *,
    services: Services | None = None,
    tests_column: str = "tests",
    setup_column: str = "setup",
    name: str | None = None,
) -> AsyncReward:
    """A coroutine function, otherwise as `trl_reward`."""
    source = _Source(form or RewardForm(), services or Services(), tests_column, setup_column, name)

    async def reward(prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> Rewards:
        return await source.rewards(prompts, completions, columns)

    reward.__name__ = source.logged_as
    return reward


@dataclass(frozen=True, slots=True)
class _Source:
    """What both forms share; its fields are the arguments of `trl_reward`."""

    form: RewardForm
    services: Services
    tests_column: str
    setup_column: str
    name: str | None

    @property
    def logged_as(self) -> str:
        return self.name or f"linewise_{self.form.kind}"

    async def rewards(self, prompts: Sequence[Text], completions: Sequence[Text], columns: dict[str, Any]) -> Rewards:
        programs = self._programs(prompts, completions, columns)
        async with self.services.open(self.form) as judge:
            parts = await judge.judge(programs)
        rewards = [self.form.mix(part.process, part.outcome) for part in parts]
        if log_metric := columns.get("log_metric"):
            log_metric(f"{self.logged_as}/no_reward", rewards.count(None) / max(1, len(rewards)))
        return rewards

    def _programs(self, prompts: Sequence[Text], completions: Sequence[Text], columns: dict[str, Any]) -> list[Program]:
        if self.form.wants_verdict and self.tests_column not in columns:
            raise ValueError(f"an outcome needs tests, and the data set has no column {self.tests_column!r}")
        tests = columns[self.tests_column] if self.form.wants_verdict else [None] * len(prompts)
        setups = columns.get(self.setup_column) or [""] * len(prompts)
        rows = zip(map(read_text, prompts), map(read_text, completions), tests, setups, strict=True)
        return [
            Program(prompt, read_program(completion, prompt), read_tests(test), setup or "")
            for prompt, completion, test, setup in rows
        ]
