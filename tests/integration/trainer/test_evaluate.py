"""Evaluation through a real executor: verdicts, estimates, going on after an interruption, programs made elsewhere."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from fastapi import FastAPI
from transformers import LlamaConfig, LlamaForTokenClassification

from services.contracts import Problem
from services.executor.app import create_app
from services.executor.settings import ExecutorSettings
from services.scorer.app import create_app as scorer_app
from services.scorer.settings import ModelSource, ScorerSettings
from trainer.errors import NoRewardsError, SettingsError
from trainer.evaluate import EvaluateConfig, evaluate
from trainer.policies import Kind
from trainer.problems import ProblemFileError, load_problems
from trainer.samples import Sample
from trainer.tokenizers import train_bpe

ROOT = Path(__file__).parents[3]


@pytest.fixture
def executor(serve: Callable[[FastAPI], str]) -> str:
    """A running executor's address."""
    return serve(create_app(ExecutorSettings(workers=2)))


def write_samples(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_samples(folder: Path) -> list[Sample]:
    return [Sample.model_validate_json(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def right_and_wrong(problem: Problem) -> list[str]:
    """A reference and three programs that fail each in its way."""
    return [problem.solution, "def f(xs):\n    return None\n", "def f(xs:\n", "def f(xs):\n    return 1 / 0\n"]


def test_programs_made_elsewhere_are_judged_and_estimated(executor: str, tmp_path: Path) -> None:
    problems = load_problems("lists:test?count=3")
    rows: list[dict[str, object]] = [
        {"task_id": problem.id, "completion": code} for problem in problems[:2] for code in right_and_wrong(problem)
    ]
    path = write_samples(
        tmp_path / "made.jsonl", [*rows, {"task_id": problems[0].id, "solution": problems[0].solution}]
    )
    summary = evaluate(
        EvaluateConfig(
            samples=path, problems="lists:test?count=3", run_dir=tmp_path / "run", k=(1, 2, 5), executor_url=executor
        )
    )
    assert (summary.problems, summary.unattempted, summary.samples, summary.unanswered) == (3, 1, 9, 0)
    assert summary.pass_at_k[1] == pytest.approx((2 / 5 + 1 / 4) / 2)
    assert summary.pass_at_k[2] == pytest.approx((1 - 3 / 10 + 1 / 2) / 2)
    assert summary.pass_at_k[5] == 1.0
    assert summary.verdicts == {"accepted": 3, "wrong_answer": 2, "compile_error": 2, "runtime_error": 2}
    assert summary.distinct == 8
    assert summary.greedy_pass_at_1 is None and summary.best_of_n is None
    low, high = summary.intervals[1] or (None, None)
    assert low == pytest.approx(1 / 4) and high == pytest.approx(2 / 5)
    assert [pick.rule for pick in summary.picks if pick.share == 1.0] == ["longest", "any"]
    assert summary.note is None


def test_what_a_chat_model_said_is_taken_out_of_its_fence_and_a_packed_file_is_read(
    executor: str, tmp_path: Path
) -> None:
    (problem,) = load_problems("mbpp:602")
    row = {"task_id": "602", "solution": f"Of course!\n```python\n{problem.solution}```\nIt runs.\n"}
    path = tmp_path / "made.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row).encode()))
    summary = evaluate(
        EvaluateConfig(samples=path, problems="mbpp:602", run_dir=tmp_path / "run", executor_url=executor)
    )
    assert summary.pass_at_k == {1: 1.0}
    assert summary.note == (
        "Not held out: of these 1 MBPP ids PPO trains on 0 (101-500), SFT and the PRM's labels use 1 (601-974)."
    )
    assert summary.note in (tmp_path / "run" / "report.html").read_text(encoding="utf-8").replace("&#x27;", "'")


def test_mbpp_plus_finds_what_three_asserts_let_pass(executor: str, tmp_path: Path) -> None:
    (problem,) = load_problems("mbpp-plus:2")
    memorised = (
        "def similar_elements(a, b):\n"
        "    return {(3, 4, 5, 6): (4, 5), (1, 2, 3, 4): (3, 4), (11, 12, 14, 13): (13, 14)}[a]\n"
    )
    path = write_samples(
        tmp_path / "made.jsonl",
        [{"task_id": "2", "completion": problem.solution}, {"task_id": "2", "completion": memorised}],
    )
    config = EvaluateConfig(samples=path, problems="mbpp:2", run_dir=tmp_path / "mbpp", executor_url=executor)
    assert evaluate(config).pass_at_k == {1: 1.0}
    plus = evaluate(replace(config, problems="mbpp-plus:2", run_dir=tmp_path / "plus"))
    assert plus.pass_at_k == {1: 0.5}


def test_humaneval_takes_completions_and_whole_programs(executor: str, tmp_path: Path) -> None:
    problem = load_problems("humaneval:0")[0]
    completion = problem.solution.removeprefix(problem.prompt)
    path = write_samples(
        tmp_path / "made.jsonl",
        [
            {"task_id": "HumanEval/0", "completion": completion},
            {"task_id": "HumanEval/0", "solution": problem.solution},
            {"task_id": "HumanEval/0", "completion": "    return True\n"},
        ],
    )
    summary = evaluate(
        EvaluateConfig(samples=path, problems="humaneval:0", run_dir=tmp_path / "run", executor_url=executor)
    )
    assert summary.pass_at_k == {1: pytest.approx(2 / 3)}


def test_mbpp_tasks_go_by_their_number_too(executor: str, tmp_path: Path) -> None:
    path = write_samples(
        tmp_path / "made.jsonl", [{"task_id": 602, "completion": load_problems("mbpp:602")[0].solution}]
    )
    config = EvaluateConfig(samples=path, problems="mbpp:601-603", run_dir=tmp_path / "run", executor_url=executor)
    assert evaluate(config).pass_at_k == {1: 1.0}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [({"task_id": "x", "completion": ""}, "task_id 'x'"), ({"task_id": "602"}, "neither a completion nor a solution")],
)
def test_a_sample_of_no_task_is_named_with_its_line(tmp_path: Path, row: dict[str, object], complaint: str) -> None:
    path = write_samples(tmp_path / "made.jsonl", [{"task_id": "602", "completion": ""}, row])
    config = EvaluateConfig(samples=path, problems="mbpp:602", run_dir=tmp_path / "run")
    with pytest.raises(ProblemFileError, match=f"line 2: .*{complaint}"):
        evaluate(config)


def policy_config(folder: Path, checkpoint: Path, executor: str) -> EvaluateConfig:
    return EvaluateConfig(
        policy=str(checkpoint),
        problems="lists:test?count=5",
        run_dir=folder,
        n=4,
        k=(1, 4, 10),
        max_new_tokens=12,
        batch_size=8,
        executor_url=executor,
    )


def test_a_policy_is_sampled_and_judged(executor: str, tmp_path: Path, tiny_checkpoint: Callable[[Kind], Path]) -> None:
    summary = evaluate(policy_config(tmp_path / "run", tiny_checkpoint("t5"), executor))
    samples = read_samples(tmp_path / "run")
    assert (summary.samples, summary.unanswered) == (5 * (4 + 1), 0)
    assert sorted({sample.kind for sample in samples}) == ["greedy", "sampled"]
    assert all(sample.verdict is not None for sample in samples)
    assert set(summary.pass_at_k) == {1, 4}
    assert summary.greedy_pass_at_1 == 0.0
    assert "<h2>Programs</h2>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_an_interrupted_evaluation_goes_on_and_ends_the_same(
    executor: str, tmp_path: Path, tiny_checkpoint: Callable[[Kind], Path]
) -> None:
    config = policy_config(tmp_path / "run", tiny_checkpoint("t5"), executor)
    whole = evaluate(config)
    path = tmp_path / "run" / "samples.jsonl"
    undisturbed = path.read_text()
    lines = undisturbed.splitlines(keepends=True)
    path.write_text("".join(lines[:16]) + lines[16][:20])  # killed in the middle of its second sampled chunk

    again = evaluate(config)
    assert path.read_text() == undisturbed
    assert {**asdict(again), "seconds": 0} == {**asdict(whole), "seconds": 0}


def test_killed_outright_it_goes_on_and_ends_the_same(
    executor: str, tmp_path: Path, tiny_checkpoint: Callable[[Kind], Path]
) -> None:
    checkpoint = tiny_checkpoint("llama")
    config = replace(
        policy_config(tmp_path / "whole", checkpoint, executor), problems="lists:test?count=16", batch_size=4
    )
    evaluate(config)
    again = replace(config, run_dir=tmp_path / "run")
    options = [
        f"--policy={checkpoint}", "--problems=lists:test?count=16", f"--run-dir={again.run_dir}", "--n=4", "--k=1",
        "--k=4", "--k=10", "--max-new-tokens=12", "--batch-size=4", f"--executor-url={executor}",
    ]  # fmt: skip
    path = again.run_dir / "samples.jsonl"
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", "evaluate", *options], cwd=ROOT, stdout=subprocess.DEVNULL
    ) as process:
        while not path.exists() or path.read_bytes().count(b"\n") < 24:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    made = path.read_bytes().count(b"\n")
    assert made < 16 * 5
    evaluate(again)
    assert path.read_bytes() == (config.run_dir / "samples.jsonl").read_bytes()


def test_a_file_of_samples_is_gone_on_with_too(executor: str, tmp_path: Path, free_port: int) -> None:
    problems = load_problems("lists:test?count=40")
    rows = [{"task_id": problem.id, "completion": code} for problem in problems for code in right_and_wrong(problem)]
    config = EvaluateConfig(
        samples=write_samples(tmp_path / "made.jsonl", rows),
        problems="lists:test?count=40",
        run_dir=tmp_path / "run",
        executor_url=executor,
    )
    evaluate(config)
    path = tmp_path / "run" / "samples.jsonl"
    undisturbed = path.read_text()
    path.write_text("".join(undisturbed.splitlines(keepends=True)[:100]))
    assert evaluate(config).samples == 160
    assert path.read_text() == undisturbed
    assert evaluate(replace(config, executor_url=f"http://127.0.0.1:{free_port}")).samples == 160


@pytest.fixture
def scorer(serve: Callable[[FastAPI], str], tmp_path: Path) -> str:
    """A running scorer's address; its model's weights are random."""
    tokenizer = train_bpe([problem.solution for problem in load_problems("lists:train?count=24")], 300)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_labels=2, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForTokenClassification(config).save_pretrained(tmp_path / "prm")
    tokenizer.save_pretrained(tmp_path / "prm")
    return serve(scorer_app(ScorerSettings(models=(ModelSource("prm", tmp_path / "prm"),))))


def test_the_best_of_n_by_the_prm_is_held_against_chance_and_the_ceiling(
    executor: str, scorer: str, tmp_path: Path
) -> None:
    problems = load_problems("lists:test?count=6")
    rows = [
        {"task_id": problem.id, "completion": code, "kind": "sampled", "tokens": 9, "logprob": -float(at)}
        for problem in problems
        for at, code in enumerate(right_and_wrong(problem))
    ]
    summary = evaluate(
        EvaluateConfig(
            samples=write_samples(tmp_path / "made.jsonl", rows),
            problems="lists:test?count=6",
            run_dir=tmp_path / "run",
            with_scores=True,
            executor_url=executor,
            scorer_url=scorer,
        )
    )
    shares = {pick.rule: pick.share for pick in summary.picks}
    assert shares["random"] == summary.pass_at_k[1] == 0.25
    assert shares["any"] == shares["likeliest"] == 1.0
    assert {"PRM, mean", "PRM, min", "PRM, product", "PRM, last", "PRM, softmin"} <= shares.keys()
    assert summary.best_of_n == shares["PRM, mean"]
    samples = read_samples(tmp_path / "run")
    means = {
        task: max((s for s in samples if s.task_id == task), key=lambda s: sum(x for _, x in s.scores) / len(s.scores))
        for task in {sample.task_id for sample in samples}
    }
    assert shares["PRM, mean"] == pytest.approx(sum(best.passed for best in means.values()) / 6)
    assert "<h2>Best of n</h2>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_what_is_done_already_needs_no_executor(
    executor: str, tmp_path: Path, tiny_checkpoint: Callable[[Kind], Path], free_port: int
) -> None:
    checkpoint = tiny_checkpoint("t5")
    evaluate(policy_config(tmp_path / "run", checkpoint, executor))
    again = evaluate(policy_config(tmp_path / "run", checkpoint, f"http://127.0.0.1:{free_port}"))
    assert again.samples == 25


def test_other_settings_start_anew(executor: str, tmp_path: Path, tiny_checkpoint: Callable[[Kind], Path]) -> None:
    config = policy_config(tmp_path / "run", tiny_checkpoint("t5"), executor)
    evaluate(config)
    first = read_samples(tmp_path / "run")
    evaluate(EvaluateConfig(**{**asdict(config), "seed": 1}))
    second = read_samples(tmp_path / "run")
    assert len(second) == len(first)
    assert not {sample.settings for sample in first} & {sample.settings for sample in second}


def test_without_an_executor_nothing_is_called_a_fail(
    tmp_path: Path, tiny_checkpoint: Callable[[Kind], Path], free_port: int
) -> None:
    config = policy_config(tmp_path / "run", tiny_checkpoint("t5"), f"http://127.0.0.1:{free_port}")
    with pytest.raises(NoRewardsError, match="is it up"):
        evaluate(config)
    assert all(sample.verdict is None for sample in read_samples(tmp_path / "run"))


@pytest.mark.parametrize(
    "config",
    [EvaluateConfig(), EvaluateConfig(policy="x", samples=Path("y")), EvaluateConfig(policy="x", n=0, greedy=False)],
)
def test_nothing_to_evaluate_is_said(config: EvaluateConfig) -> None:
    with pytest.raises(SettingsError):
        evaluate(config)
