"""Rollouts: asked once, dropped when nobody answered, rewarded on the right tokens."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from services.contracts import Problem, Verdict
from trainer.judging import Program, ask_once
from trainer.policies import ModelPolicy, load_actor_critic
from trainer.processes import Processes
from trainer.rewards import Judgement, RewardForm, StepScore
from trainer.rollout import Collector, RolloutSettings

Judge = Callable[[Program], Judgement | None]


class Source:
    """A reward source made of a function; remembers what it was asked."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.asked: list[Program] = []

    def judge(self, programs: Sequence[Program]) -> Future[list[Judgement | None]]:
        self.asked += programs
        future: Future[list[Judgement | None]] = Future()
        future.set_result([self._judge(program) for program in programs])
        return future


def problem(name: str) -> Problem:
    return Problem(id=name, prompt=f"do {name}", solution="x", tests=["assert True"])


PROBLEMS = [problem(name) for name in ("one", "two", "three", "four")]


@pytest.fixture
def collector(tiny_policy: Callable[..., ModelPolicy], tmp_path: Path) -> Callable[[Judge, RewardForm], Collector]:
    policy, reference = tiny_policy("t5", 0), tiny_policy("t5", 1)
    policy.save(tmp_path)
    agent = load_actor_critic(policy, tmp_path)
    torch.nn.init.ones_(agent.critic.head.bias)

    def make(judge: Judge, form: RewardForm) -> Collector:
        settings = RolloutSettings(form, temperature=1.0, max_new_tokens=12, chunk=3)
        return Collector(agent, reference, Source(judge), settings)

    return make


def test_identical_programs_are_judged_once_and_each_gets_the_answer() -> None:
    source = Source(lambda program: Judgement((StepScore(len(program.code), 0.5),)))
    programs = [Program(PROBLEMS[at], code) for at, code in [(0, "a"), (1, "a"), (0, "a"), (0, "bb"), (1, "a")]]
    pending = ask_once(source, programs)
    assert [(program.problem.id, program.code) for program in source.asked] == [
        ("one", "a"),
        ("two", "a"),
        ("one", "bb"),
    ]
    assert pending.duplicates == 2
    assert [judgement.steps[0].end for judgement in pending.wait()] == [1, 1, 1, 2, 1]


def test_a_rollout_without_a_judgement_is_dropped_and_counted(collector) -> None:
    answers = {"two": Judgement(None, Verdict.ACCEPTED), "four": Judgement(None, Verdict.WRONG_ANSWER)}
    made = collector(lambda program: answers.get(program.problem.id), RewardForm("outcome"))
    trajectories, stats = made.collect(PROBLEMS, seed=0)
    assert trajectories.prompts == ["do two", "do four"]
    assert stats["rewards/no_answer"] == 2
    assert stats["objective/scores"] == 0.5  # over the two that were judged, not over four
    assert stats["rewards/accepted"] == 0.5


def test_nothing_judged_gives_no_trajectories(collector) -> None:
    trajectories, stats = collector(lambda program: None, RewardForm("outcome")).collect(PROBLEMS, seed=0)
    assert trajectories is None
    assert stats["rewards/no_answer"] == 4
    assert "objective/scores" not in stats


def test_token_rewards_are_the_scores_and_the_measures_are_the_models(collector) -> None:
    judge = lambda program: Judgement((StepScore(1, 0.25),) if program.code else (), Verdict.ACCEPTED)  # noqa: E731
    form = RewardForm("process+outcome", "sum", outcome_weight=0.5)
    made = collector(judge, form)
    batch, stats = made.collect(PROBLEMS, seed=0)
    logprobs, entropy = made.agent.policy.logprobs(batch.prompts, batch.ids, batch.mask)
    ref_logprobs, _ = made.reference.logprobs(batch.prompts, batch.ids, batch.mask)
    torch.testing.assert_close(batch.logprobs[batch.mask], logprobs[batch.mask], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(batch.ref_logprobs[batch.mask], ref_logprobs[batch.mask], atol=1e-5, rtol=1e-4)
    totals = batch.rewards.sum(dim=1).tolist()
    expected = [0.125 * bool(program.code) + 0.5 for program in made.source.asked]
    assert totals == pytest.approx(expected, abs=1e-4)
    assert stats["objective/scores"] == pytest.approx(sum(expected) / 4)
    assert stats["objective/entropy"] == pytest.approx(entropy[batch.mask].mean().item(), abs=1e-4)
    assert not batch.rewards[~batch.mask].any()
    assert (batch.values[batch.mask] == 1).all()


def test_selected_rows_are_trimmed_to_the_longest_of_them(collector) -> None:
    batch, _ = collector(lambda program: Judgement(None, Verdict.ACCEPTED), RewardForm("outcome")).collect(PROBLEMS, 3)
    lengths = batch.mask.sum(dim=1)
    shortest = int(lengths.argmin())
    selected = batch.select([shortest])
    assert selected.prompts == [batch.prompts[shortest]]
    assert selected.ids.shape == selected.rewards.shape == (1, int(lengths.min()))
    assert selected.mask.all()


def test_a_chunk_is_asked_about_before_the_next_is_written(collector) -> None:
    made = collector(lambda program: Judgement(None, Verdict.ACCEPTED), RewardForm("outcome"))
    written, happened = made.agent.policy.sample, []

    def sample(prompts: Sequence[str], **settings: object) -> object:
        happened.append(("written", len(prompts), len(made.source.asked)))
        return written(prompts, **settings)

    made.agent.policy.sample = sample
    made.collect(PROBLEMS, seed=0)
    assert happened == [("written", 3, 0), ("written", 1, 3)]


def test_a_part_of_the_processes_writes_what_one_would_have_written(collector) -> None:
    made = collector(lambda program: Judgement(None, Verdict.ACCEPTED), RewardForm("outcome"))
    whole, _ = made.collect(PROBLEMS, seed=0)
    assert [replace(made, processes=Processes(rank, 2))._part(7) for rank in (0, 1)] == [[0, 1, 2, 6], [3, 4, 5]]
    alone = replace(made, processes=Alone(1, 2))
    last, _ = alone.collect(PROBLEMS, seed=0)
    assert last.prompts == whole.prompts[3:]
    assert torch.equal(last.ids[0], whole.ids[3][whole.mask[3]])


class Alone(Processes):
    """One of several processes, whose fellows have nothing to say."""

    def gather(self, value):
        return [value]
