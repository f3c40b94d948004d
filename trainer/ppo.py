"""Phase 4, reinforcement learning: PPO with a reward at every line, scores and verdicts coming over the network.

One iteration: the policy writes a program for each of some problems; the scorer and the executor judge them; rewards
land on the tokens that end the steps, less a KL penalty to the frozen policy it all began with; the policy and a value
model of its own learn from the advantages. Departs from the textbook in nothing but the placing of the rewards.

Everything random follows from (seed, iteration), so a run that was stopped and resumed equals the undisturbed one, and
so does a run of several processes, but for the order in which floats are added. Leaves out: models that do not fit on
one device.

    linewise train ppo --policy runs/sft/checkpoints/final --problems 'lists:train?count=4000' --reward process
    accelerate launch --multi_gpu --num_processes 2 --module services.cli train ppo ...   (without a GPU too)
"""

import math
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from services.contracts import Problem
from services.tracing import span
from trainer.budget import Budget, rate_factor
from trainer.errors import NoRewardsError, SettingsError
from trainer.judging import RewardSource
from trainer.policies import load_policy
from trainer.ppo_config import PpoConfig
from trainer.ppo_state import Agent, load_agent, new_agent, save_agent
from trainer.problems import load_problems
from trainer.processes import Processes, deterministic_algorithms
from trainer.progress import progress_bar
from trainer.remote import RemoteRewards
from trainer.report import write_report
from trainer.reward_forms import needs_verdicts
from trainer.rollout import Collector, timed
from trainer.runs import Run, read_metrics, replacing
from trainer.trajectories import Stats

__all__ = ["PpoConfig", "PpoSummary", "draw", "train_ppo"]

_PATIENCE = 3  # iterations in a row without any judgement before the run is given up


@dataclass(frozen=True)
class PpoSummary:
    """What came of it: means of the last tenth of the iterations; `dropped` rollouts had no judgement."""

    checkpoint: Path
    iterations: int
    rollouts: int
    dropped: int
    score: float
    kl: float
    seconds: float
    seconds_per_iteration: float
    reward_wait_share: float


def train_ppo(config: PpoConfig, *, source: RewardSource | None = None) -> PpoSummary:
    """Train the policy with `source`'s judgements, the services' by default, and save it in `checkpoints/final`.

    Raises:
        ProblemsError, PolicyError, SettingsError: what was asked for cannot be had.
        NoRewardsError: nothing was judged for several iterations in a row.
        RequestError: a service refuses every request (a wrong key, an unknown model).
    """
    torch.set_num_threads(config.threads)
    processes = Processes.launched(config.device)
    config = replace(config, device=processes.device(config.device))
    problems = _problems(config, processes)
    with (
        Run(config.run_dir, writes=processes.is_main) as run,
        _judge(config, source) as judge,
        deterministic_algorithms(config.deterministic),
    ):
        agent = _agent(config, run, processes)
        run.rewind(agent.iteration)
        run.write_config(config)
        reference = load_policy(config.policy, device=config.device, precision=config.precision)
        collector = Collector(agent.models, reference, judge, config.rollout_settings(), processes)
        seconds = _train(config, problems, agent, collector, run)
        checkpoint = run.checkpoint("final")
        if run.writes:
            _keep(agent, checkpoint)
        summary = _summary(config, checkpoint, read_metrics(run.folder), seconds)
        run.write_json("summary.json", summary)
        if run.writes:
            write_report(run.folder)
        processes.wait()
    return summary


def draw(problems: Sequence[Problem], count: int, iteration: int, seed: int) -> list[Problem]:
    """The problems of an iteration (from 0): all come once, in an order of their own, before any again."""
    places = range(iteration * count, (iteration + 1) * count)
    return [problems[_order(len(problems), seed, place // len(problems))[place % len(problems)]] for place in places]


def _train(config: PpoConfig, problems: Sequence[Problem], agent: Agent, collector: Collector, run: Run) -> float:
    """The loop; returns the seconds spent, those of resumed parts included."""
    budget = Budget(config.iterations, config.max_minutes, done=agent.iteration, spent_s=agent.seconds)
    spent = collector.processes.agreed(budget.fraction)
    unanswered = 0
    with progress_bar("ppo", total=100) as bar:
        while spent < 1:
            bar.move_to(100 * spent)
            stats = _iterate(config, problems, agent, collector, budget.done, spent)
            budget.done += 1
            run.log(budget.done, stats)
            unanswered = 0 if "objective/scores" in stats else unanswered + 1
            if unanswered == _PATIENCE:
                raise NoRewardsError(f"{_PATIENCE} iterations in a row were judged by nobody: are the services up?")
            spent = collector.processes.agreed(budget.fraction)
            if run.writes and (spent >= 1 or budget.done % config.save_every == 0):
                save_agent(run.checkpoint("last"), agent, budget.done, budget.seconds)
            if run.writes and config.keep_every and budget.done % config.keep_every == 0:
                _keep(agent, run.checkpoint(f"iteration-{budget.done}"))
            bar.move_to(100 * spent, note=_note(stats))
    return budget.seconds


def _keep(agent: Agent, checkpoint: Path) -> None:
    with replacing(checkpoint) as folder:
        agent.models.policy.save(folder)


def _iterate(
    config: PpoConfig, problems: Sequence[Problem], agent: Agent, collector: Collector, iteration: int, spent: float
) -> Stats:
    """One iteration, at the share `spent` of the budget: collect, and learn if anything was judged."""
    stats = Stats()
    with span("ppo iteration", iteration=iteration + 1), timed(stats, "total"):
        drawn = draw(problems, config.rollouts // config.samples_per_problem, iteration, config.seed)
        repeated = [problem for problem in drawn for _ in range(config.samples_per_problem)]
        trajectories, rollout_stats = collector.collect(repeated, _derived_seed(config, iteration, "sample"))
        stats |= rollout_stats
        if trajectories is not None:
            trajectories, shaping_stats = agent.shaper.shape(trajectories)
            stats |= shaping_stats
            with timed(stats, "update"):
                stats |= agent.learner.update(
                    trajectories,
                    torch.Generator().manual_seed(_derived_seed(config, iteration, "minibatches")),
                    rate_factor=rate_factor(iteration, spent, warmup=config.warmup_iterations, decay=config.decay),
                    kl_coefficient=stats["objective/kl_coef"] if config.kl_in == "loss" else 0.0,
                    learn_policy=iteration >= config.critic_warmup,
                )
    stats["timing_share/rewards_wait"] = stats["timing_s/rewards_wait"] / stats["timing_s/total"]
    return stats


def _problems(config: PpoConfig, processes: Processes) -> list[Problem]:
    """The problems, once the settings are known to make sense together."""
    config.check()
    if config.rollouts <= config.chunk * (processes.count - 1):
        raise SettingsError(
            f"{processes.count} processes need as many chunks: make `chunk` smaller than {config.chunk}"
        )
    problems = load_problems(config.problems)
    if needs_verdicts(config.reward) and (untested := [problem.id for problem in problems if not problem.tests]):
        raise SettingsError(f"an outcome needs tests, and problem {untested[0]!r} has none")
    return problems


@contextmanager
def _judge(config: PpoConfig, source: RewardSource | None) -> Iterator[RewardSource]:
    """The given source, or the services for as long as the block runs."""
    if source is not None:
        yield source
        return
    with RemoteRewards(
        config.asked_for(),
        scorer_url=config.scorer_url,
        executor_url=config.executor_url,
        model=config.scorer_model,
        segment=config.segment,
        every_test=config.outcome_form == "pass_ratio",
    ) as remote:
        yield remote


def _agent(config: PpoConfig, run: Run, processes: Processes) -> Agent:
    """The agent to go on with, or a new one; a new run must not be resumed from an old one's state."""
    last = run.checkpoint("last")
    if processes.agreed(config.resume and last.exists()):
        return load_agent(last, config, processes)
    if run.writes:
        shutil.rmtree(last, ignore_errors=True)
    return new_agent(config, processes)


def _derived_seed(config: PpoConfig, iteration: int, purpose: str) -> int:
    return random.Random(f"{config.seed}/{iteration}/{purpose}").getrandbits(63)


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> list[int]:
    return random.Random(f"{seed}/{epoch}").sample(range(count), count)


def _note(stats: Stats) -> str:
    return f"score {stats['objective/scores']:.3f}" if "objective/scores" in stats else "no rewards"


def _summary(config: PpoConfig, checkpoint: Path, metrics: Sequence[Stats], seconds: float) -> PpoSummary:
    tail = [stats for stats in metrics if "objective/scores" in stats][-max(1, len(metrics) // 10) :]

    def mean(name: str, lines: Sequence[Stats]) -> float:
        return sum(stats[name] for stats in lines) / len(lines) if lines else math.nan

    return PpoSummary(
        checkpoint=checkpoint,
        iterations=len(metrics),
        rollouts=config.rollouts * len(metrics),
        dropped=int(sum(stats["rewards/no_answer"] for stats in metrics)),
        score=mean("objective/scores", tail),
        kl=mean("objective/kl", tail),
        seconds=seconds,
        seconds_per_iteration=mean("timing_s/total", metrics),
        reward_wait_share=mean("timing_share/rewards_wait", metrics),
    )
