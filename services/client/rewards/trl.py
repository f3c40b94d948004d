"""Reward functions as TRL's trainers take them: `GRPOTrainer(..., reward_funcs=[TrlReward(...)])`, RLOO alike.

A reward is None, which TRL leaves out of the mean, where we failed to give one; it is never 0 for a failure of ours.
The program is read out of a completion by the rule of `services.contracts.programs`; prompts and completions may be
plain strings or chat messages. https://huggingface.co/docs/trl/grpo_trainer#using-a-custom-reward-function
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.client.rewards.background import run_in_background
from services.client.rewards.form import RewardForm
from services.client.rewards.judging import Program, Services
from services.client.rewards.tests_column import read_tests
from services.contracts.programs import read_program, read_text

Rewards = list[float | None]
Text = str | Sequence[Mapping[str, Any]]


class _Reward:
    """What both forms share.

    `form` says what a reward is made of, `services` where to ask, `tests_column` and `setup_column` where the data set
    has what an outcome needs (`services.client.rewards.tests_column` lists what may be in there), `name` under which
    name TRL logs it.
    """

    def __init__(
        self,
        form: RewardForm | None = None,
        *,
        services: Services | None = None,
        tests_column: str = "tests",
        setup_column: str = "setup",
        name: str | None = None,
    ) -> None:
        self.form = form or RewardForm()
        self.services = services or Services()
        self.tests_column = tests_column
        self.setup_column = setup_column
        self.__name__ = name or f"linewise_{self.form.kind}"

    async def _rewards(self, prompts: Sequence[Text], completions: Sequence[Text], columns: dict[str, Any]) -> Rewards:
        programs = self._programs(prompts, completions, columns)
        async with self.services.open(self.form) as judge:
            parts = await judge.judge(programs)
        rewards = [self.form.mix(part.process, part.outcome) for part in parts]
        if log_metric := columns.get("log_metric"):
            log_metric(f"{self.__name__}/no_reward", rewards.count(None) / max(1, len(rewards)))
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


class TrlReward(_Reward):
    """A plain function; it may be called where an event loop runs, from any thread and in any process."""

    def __call__(self, prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> Rewards:
        """A reward for each completion; None where we have none.

        Raises:
            ValueError: the data set lacks the tests that the form needs, or they can't be read.
            RequestError: no request could ever succeed (a wrong key, an unknown model).
        """
        return run_in_background(self._rewards(prompts, completions, columns))


class AsyncTrlReward(_Reward):
    """A coroutine function: TRL runs all of these at the same time."""

    async def __call__(self, prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> Rewards:
        """As `TrlReward`."""
        return await self._rewards(prompts, completions, columns)
