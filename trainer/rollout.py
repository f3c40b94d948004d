"""Rollout: the policy writes programs, the services judge them, and the two meet as trajectories.

Programs are written chunk by chunk; the judgements of a chunk are asked for as soon as it is there, so that the
services work while the next one is written and while PPO's own passes run (old log-probabilities, the reference's, the
values). A rollout without a judgement is dropped and counted. Of several processes each sees to its part of the chunks,
and what they came to is put together; a chunk's programs follow from its place alone.
"""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from services.contracts import Problem
from trainer.judging import PendingJudgements, Program, RewardSource
from trainer.policies import ActorCritic, Policy, Responses
from trainer.processes import Processes
from trainer.rewards import RewardForm
from trainer.trajectories import Rollout, Stats, Trajectories, assembled


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """How programs are written and rewarded; `chunk`: programs in one pass without gradient."""

    form: RewardForm
    temperature: float
    max_new_tokens: int
    chunk: int = 64


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects trajectories with a policy and its critic, the policy's frozen reference and a source of judgements."""

    agent: ActorCritic
    reference: Policy
    source: RewardSource
    settings: RolloutSettings
    processes: Processes = Processes()  # noqa: RUF009 - a process alone holds nothing that changes

    @torch.no_grad()
    def collect(self, problems: Sequence[Problem], seed: int) -> tuple[Trajectories | None, Stats]:
        """One program for each of `problems`; no trajectories where none of them was judged.

        Their rewards are what the programs earned; `trainer.shaping` makes of them what is learnt.
        """
        stats = Stats()
        pending = PendingJudgements(self.source)
        rows = self._part(len(problems))
        drawn = [problems[row] for row in rows]
        with timed(stats, "rollout"):
            responses = self._write(rows, drawn, seed, pending)
        with timed(stats, "forward"):
            measured = self._measure([problem.prompt for problem in drawn], responses)
            spans = self.agent.policy.spans(responses)
        with timed(stats, "rewards_wait"):
            judgements = pending.wait()
        mine = [
            Rollout(
                prompt=drawn[at].prompt,
                ids=responses.ids[at, : len(spans[at])].cpu(),
                measures=measured[:, at, : len(spans[at])].cpu(),
                spans=spans[at],
                finished=responses.finished[at],
                judgement=judgements[at],
                seed=_seed(seed, row),
            )
            for at, row in enumerate(rows)
        ]
        with timed(stats, "gather"):
            parts = self.processes.gather((rows, mine, pending.duplicates))
        placed = {row: rollout for places, rollouts, _ in parts for row, rollout in zip(places, rollouts, strict=True)}
        stats["rewards/duplicates"] = sum(duplicates for _, _, duplicates in parts)
        return assembled([placed[row] for row in sorted(placed)], self.settings.form, self.agent.policy.device, stats)

    def _part(self, count: int) -> list[int]:
        """The rows that this process writes: whole chunks, one after the other to each."""
        chunk, processes = self.settings.chunk, self.processes
        return [row for row in range(count) if row // chunk % processes.count == processes.rank]

    def _write(
        self, rows: Sequence[int], problems: Sequence[Problem], seed: int, pending: PendingJudgements
    ) -> Responses:
        """Programs for `problems`, those of each chunk asked about while the next is written."""
        chunks = []
        for start in range(0, len(problems), self.settings.chunk):
            drawn = problems[start : start + self.settings.chunk]
            responses = self.agent.policy.sample(
                [problem.prompt for problem in drawn],
                max_new_tokens=self.settings.max_new_tokens,
                temperature=self.settings.temperature,
                seed=_seed(seed, rows[start]),
            )
            pending.ask([Program(*pair) for pair in zip(drawn, responses.texts, strict=True)])
            chunks.append(responses)
        return Responses.joined(chunks)

    def _measure(self, prompts: Sequence[str], responses: Responses) -> torch.Tensor:
        """`[4, batch, response]`: log-probabilities, entropy, values, the reference's log-probabilities.

        Programs of similar length go through the models together, each chunk trimmed to its longest.
        """
        lengths = responses.mask.sum(dim=1)
        measured = torch.zeros(4, *responses.ids.shape, device=responses.ids.device)
        for rows in torch.split(lengths.argsort(stable=True), self.settings.chunk):
            width = int(lengths[rows].max())
            batch = [prompts[row] for row in rows], responses.ids[rows, :width], responses.mask[rows, :width]
            own = self.agent.measure(*batch, temperature=self.settings.temperature)
            ref_logprobs, _ = self.reference.logprobs(*batch, temperature=self.settings.temperature)
            measured[:, rows, :width] = torch.stack([own.logprobs, own.entropy, own.values, ref_logprobs])
        return measured


def _seed(seed: int, place: int) -> int:
    return random.Random(f"{seed}/{place}").getrandbits(63)


@contextmanager
def timed(stats: Stats, name: str) -> Iterator[None]:
    """Add the block's seconds to `timing_s/<name>`."""
    started = time.monotonic()
    yield
    stats[f"timing_s/{name}"] = stats.get(f"timing_s/{name}", 0.0) + time.monotonic() - started
