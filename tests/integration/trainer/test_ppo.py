"""PPO against the real services, and PPO that must learn something."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fastapi import FastAPI
from transformers import LlamaConfig, LlamaForTokenClassification

from services.client import RequestError
from services.contracts import Problem
from services.executor.app import create_app as executor_app
from services.scorer.app import create_app as scorer_app
from services.scorer.settings import ModelSource, ScorerSettings
from trainer.errors import NoRewardsError, PolicyError, SettingsError
from trainer.judging import Program
from trainer.policies import Kind, load_policy, new_policy
from trainer.ppo import PpoConfig, draw, train_ppo
from trainer.problems import load_problems
from trainer.rewards import Judgement, StepScore
from trainer.runs import read_metrics
from trainer.tokenizers import train_bpe

Serve = Callable[[FastAPI], str]
PROBLEMS = "lists:train?count=24"
STATS = {
    "objective/kl", "objective/entropy", "objective/scores", "policy/approxkl_avg", "policy/clipfrac_avg",
    "loss/policy_avg", "loss/value_avg", "val/ratio", "critic/vf_explained_var", "timing_s/rollout", "timing_s/update",
    "timing_s/rewards_wait", "timing_s/total", "timing_share/rewards_wait", "rewards/no_answer", "rewards/duplicates",
    "objective/kl_coef", "objective/non_score_reward", "objective/rlhf_reward", "policy/clipfrac_low",
    "policy/clipfrac_high", "policy/entropy_avg", "val/clipfrac_avg", "val/ratio_var", "val/num_eos_tokens", "lr",
}  # fmt: skip


@pytest.fixture
def prm(tmp_path: Path) -> Path:
    """A token-classification checkpoint of random weights, as the PRM phase leaves it."""
    tokenizer = train_bpe([problem.solution for problem in load_problems(PROBLEMS)], 300)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_labels=2, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForTokenClassification(config).save_pretrained(tmp_path / "prm")
    tokenizer.save_pretrained(tmp_path / "prm")
    return tmp_path / "prm"


@pytest.fixture
def scorer_url(serve: Serve, prm: Path) -> str:
    return serve(scorer_app(ScorerSettings(models=(ModelSource("prm", prm),))))


@pytest.fixture
def config(tiny_checkpoint: Callable[[Kind], Path], tmp_path: Path) -> PpoConfig:
    return PpoConfig(
        policy=str(tiny_checkpoint("t5")),
        problems=PROBLEMS,
        run_dir=tmp_path / "run",
        iterations=2,
        rollouts=8,
        minibatch=4,
        max_new_tokens=24,
    )


class Scores:
    """Judges without a network: each program's only step earns what `score` says of its code."""

    def __init__(self, score: Callable[[str], float | None]) -> None:
        self._score = score

    def judge(self, programs: Sequence[Program]) -> Future[list[Judgement | None]]:
        future: Future[list[Judgement | None]] = Future()
        scores = [self._score(program.code) for program in programs]
        future.set_result(
            [
                None if score is None else Judgement((StepScore(len(program.code), score),) if program.code else ())
                for score, program in zip(scores, programs, strict=True)
            ]
        )
        return future


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_both_kinds_learn_from_the_real_services(
    kind: Kind, config: PpoConfig, tiny_checkpoint: Callable[[Kind], Path], scorer_url: str, serve: Serve
) -> None:
    config = replace(
        config,
        policy=str(tiny_checkpoint(kind)),
        reward="process+outcome",
        scorer_url=scorer_url,
        executor_url=serve(executor_app()),
    )
    summary = train_ppo(config)
    assert (summary.iterations, summary.rollouts, summary.dropped) == (2, 16, 0)
    lines = read_metrics(config.run_dir)
    assert len(lines) == 2
    for line in lines:
        assert line.keys() >= STATS
        assert line["rewards/no_answer"] == 0
        assert 0 <= line["rewards/accepted"] <= 1
    assert lines[0]["objective/kl"] == pytest.approx(0, abs=1e-3)  # the reference is where it began
    assert json.loads((config.run_dir / "config.json").read_text())["reward"] == "process+outcome"
    before, after = load_policy(config.policy), load_policy(summary.checkpoint)
    assert any(
        not torch.equal(old, new) for old, new in zip(before.model.parameters(), after.model.parameters(), strict=True)
    )


def test_scores_of_the_scorer_are_the_rewards(config: PpoConfig, scorer_url: str) -> None:
    config = replace(config, scorer_url=scorer_url, iterations=1)
    train_ppo(config)
    (line,) = read_metrics(config.run_dir)
    assert 0 < line["objective/scores"] < 1
    assert 0 < line["rewards/step_score"] < 1


def test_an_unknown_model_is_an_error_and_no_sample_is_dropped_for_it(config: PpoConfig, scorer_url: str) -> None:
    with pytest.raises(RequestError) as caught:
        train_ppo(replace(config, scorer_url=scorer_url, scorer_model="nobody"))
    assert caught.value.status == 404


def test_services_that_never_answer_end_the_run_and_change_no_weight(config: PpoConfig) -> None:
    with pytest.raises(NoRewardsError):
        train_ppo(replace(config, iterations=9), source=Scores(lambda code: None))
    lines = read_metrics(config.run_dir)
    assert [line["rewards/no_answer"] for line in lines] == [8, 8, 8]
    assert not any("loss/policy_avg" in line for line in lines)
    assert not (config.run_dir / "checkpoints/final").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"value_model": "shared", "reward_normalisation": "running", "kl_target": 0.01, "kl_horizon": 8, "chunk": 4},
    ],
)
def test_a_stopped_and_resumed_run_equals_the_undisturbed_one(
    settings: dict, config: PpoConfig, tmp_path: Path
) -> None:
    config = replace(config, **settings)
    source = Scores(lambda code: code.count("x") / (1 + len(code)))
    whole = train_ppo(replace(config, iterations=4, run_dir=tmp_path / "whole"), source=source)
    halves = replace(config, run_dir=tmp_path / "halves")
    train_ppo(halves, source=source)
    resumed = train_ppo(replace(halves, iterations=4, resume=True), source=source)
    assert resumed.iterations == 4
    weights = [load_policy(summary.checkpoint).model.state_dict() for summary in (whole, resumed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    for name in ("objective/scores", "objective/kl_coef", "objective/reward_scale"):
        one, two = ([line[name] for line in read_metrics(tmp_path / run)] for run in ("whole", "halves"))
        assert one == two


def test_without_resume_a_second_run_begins_anew(config: PpoConfig) -> None:
    source = Scores(lambda code: 0.5)
    first, second = (train_ppo(config, source=source) for _ in range(2))
    assert first.iterations == second.iterations == 2
    assert first.score == second.score


def test_a_new_run_that_died_early_is_not_resumed_from_the_run_before_it(config: PpoConfig) -> None:
    train_ppo(config, source=Scores(lambda code: 0.5))
    with pytest.raises(NoRewardsError):
        train_ppo(replace(config, iterations=9), source=Scores(lambda code: None))
    train_ppo(replace(config, iterations=1, resume=True), source=Scores(lambda code: 0.5))
    assert [line["iteration"] for line in read_metrics(config.run_dir)] == [1]


@pytest.mark.parametrize(("kind", "value_model"), [("t5", None), ("llama", None), ("t5", "shared")])
def test_what_is_rewarded_is_learnt(kind: Kind, value_model: str | None, tmp_path: Path) -> None:
    """The whole loop must climb: a toy policy is paid for the share of small letters among its characters."""
    tokenizer = train_bpe(["a b c d\n"], 259)
    policy = new_policy(kind, tokenizer, width=32, layers=1, heads=2, inner_width=64)
    policy.save(tmp_path / "toy")
    problem = Problem(id="letters", prompt="letters", solution="a", tests=[])
    (tmp_path / "toy.jsonl").write_text(problem.model_dump_json() + "\n")
    config = PpoConfig(
        policy=str(tmp_path / "toy"),
        problems=str(tmp_path / "toy.jsonl"),
        run_dir=tmp_path / "run",
        value_model=value_model,
        iterations=18,
        rollouts=64,
        max_new_tokens=8,
        warmup_iterations=0,
        learning_rate=3e-3,
        value_learning_rate=3e-3,
        beta=0.0,
    )
    train_ppo(config, source=Scores(lambda code: sum(map(str.islower, code)) / max(1, len(code))))
    scores = [line["objective/scores"] for line in read_metrics(tmp_path / "run")]
    assert sum(scores[:3]) / 3 < 0.35
    assert sum(scores[-3:]) / 3 > 0.75


def test_policies_on_the_way_are_kept_as_they_were(config: PpoConfig, tmp_path: Path) -> None:
    source = Scores(lambda code: len(code) % 3 / 2)
    summary = train_ppo(replace(config, iterations=5, keep_every=2), source=source)
    folders = sorted(path.name for path in summary.checkpoint.parent.iterdir())
    assert folders == ["final", "iteration-2", "iteration-4", "last"]
    shorter = train_ppo(replace(config, iterations=2, run_dir=tmp_path / "shorter"), source=source)
    assert [path.name for path in shorter.checkpoint.parent.glob("iteration-*")] == []
    kept = load_policy(summary.checkpoint.with_name("iteration-2")).model.state_dict()
    ended = load_policy(shorter.checkpoint).model.state_dict()
    for name, weight in ended.items():
        torch.testing.assert_close(kept[name], weight)


def test_every_problem_comes_once_before_any_comes_again() -> None:
    problems = [Problem(id=str(at), prompt="p", solution="s", tests=[]) for at in range(10)]
    drawn = [problem.id for iteration in range(5) for problem in draw(problems, 4, iteration, seed=0)]
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == sorted(problem.id for problem in problems)
    assert drawn[:10] != drawn[10:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": None}, "never ends"),
        ({"samples_per_problem": 3}, "multiple"),
        ({"samples_per_problem": 1, "group_baseline": True}, "alone"),
        ({"outcome_weight": 1.5}, "share"),
        ({"kl_in": "loss"}, "gradient of k1"),
        ({"dual_clip": 0.9}, "above 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config: PpoConfig, change: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        train_ppo(replace(config, **change), source=Scores(lambda code: 0.0))


def test_line_credit_asks_the_scorer_beside_what_the_reward_asks() -> None:
    asked = {
        reward: PpoConfig(reward=reward, line_credit=1.0).asked_for() for reward in ("outcome", "process", "gated")
    }
    assert asked == {"outcome": "process+outcome", "process": "process", "gated": "gated"}
    assert PpoConfig(reward="outcome").asked_for() == "outcome"


def test_a_missing_policy_is_said(config: PpoConfig, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no checkpoint"):
        train_ppo(replace(config, policy=str(tmp_path / "nowhere")), source=Scores(lambda code: 0.0))
