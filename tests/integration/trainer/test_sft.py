"""Supervised fine-tuning, both kinds, on real problems."""

import json
from pathlib import Path

import pytest

from services.contracts import Problem
from trainer.errors import PolicyError, SettingsError
from trainer.policies import load_policy
from trainer.runs import read_metrics
from trainer.sft import SftConfig, train_sft

SMALL = {"problems": "lists:train?count=40", "vocabulary": 300, "width": 16, "layers": 1, "heads": 2}


@pytest.mark.parametrize("policy", ["t5-scratch", "llama-scratch"])
def test_two_iterations_leave_a_loadable_policy_and_a_whole_run(policy: str, tmp_path: Path) -> None:
    summary = train_sft(
        SftConfig(policy=policy, run_dir=tmp_path, max_iterations=2, batch_size=8, log_every=1, **SMALL)
    )
    assert summary.iterations == 2
    assert summary.problems == 38
    assert summary.validation_loss is not None
    written = load_policy(summary.checkpoint).sample(["First sort. Return the sum."], max_new_tokens=8, seed=0)
    assert written.ids.shape[0] == 1
    assert [line["iteration"] for line in read_metrics(tmp_path)] == [1, 2]
    assert json.loads((tmp_path / "config.json").read_text())["policy"] == policy
    assert json.loads((tmp_path / "summary.json").read_text())["iterations"] == 2


@pytest.mark.parametrize("policy", ["t5-scratch", "llama-scratch"])
def test_training_learns_two_programs_by_heart(policy: str, tmp_path: Path) -> None:
    solutions = {"add one": "def f(x):\n    return x + 1\n", "double it": "def f(x):\n    return 2 * x\n"}
    problems = [
        Problem(id=prompt, prompt=prompt, solution=code, tests=["assert f(1) == 2"])
        for prompt, code in solutions.items()
    ]
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(problem.model_dump_json() + "\n" for problem in problems))
    size = {"vocabulary": 280, "width": 32, "layers": 1, "heads": 2, "validation": 0.0}
    summary = train_sft(
        SftConfig(
            problems=str(file),
            policy=policy,
            run_dir=tmp_path,
            epochs=120,
            learning_rate=1e-2,
            warmup_iterations=5,
            **size,
        )
    )
    assert summary.train_loss < 0.05
    written = load_policy(summary.checkpoint).sample(list(solutions), max_new_tokens=40, temperature=0)
    assert written.texts == list(solutions.values())
    assert written.finished == [True, True]


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    first = train_sft(SftConfig(run_dir=tmp_path / "a", max_iterations=15, batch_size=8, validation=0.0, **SMALL))
    second = train_sft(
        SftConfig(policy=str(first.checkpoint), run_dir=tmp_path / "b", max_iterations=1, problems=SMALL["problems"])
    )
    assert second.parameters == first.parameters
    assert second.train_loss < first.train_loss + 0.2


def test_the_same_seed_trains_the_same_policy(tmp_path: Path) -> None:
    losses = [
        train_sft(SftConfig(run_dir=tmp_path / name, max_iterations=3, seed=seed, **SMALL)).train_loss
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert losses[0] == losses[1] != losses[2]


def test_a_second_run_in_the_same_folder_forgets_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        train_sft(SftConfig(run_dir=tmp_path, max_iterations=2, log_every=1, **SMALL))
    assert [line["iteration"] for line in read_metrics(tmp_path)] == [1, 2]


def test_what_cannot_be_had_is_said(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no checkpoint"):
        train_sft(SftConfig(policy=str(tmp_path / "nowhere"), run_dir=tmp_path, problems=SMALL["problems"]))
    with pytest.raises(SettingsError, match="no problem to train on"):
        train_sft(SftConfig(run_dir=tmp_path, problems="lists:train?count=3", validation=1.0))
