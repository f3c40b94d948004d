"""`linewise serve policy`: a policy that was trained here teaches the labeler by its own completions."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from trainer.policies import load_policy, new_policy
from trainer.problems import load_problems
from trainer.sft import SftConfig, train_sft
from trainer.tokenizers import train_bpe

PROBLEMS = "lists:train?count=4&operations=1-1&loops=0"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy that has learnt the four solutions by heart, so that some of its completions pass."""
    problems = load_problems(PROBLEMS)
    tokenizer = train_bpe([text for each in problems for text in (each.prompt, each.solution)], 300)
    new_policy("t5", tokenizer, width=48, layers=1, heads=2, inner_width=96).save(tmp_path / "untrained")
    settings = {"max_iterations": 150, "learning_rate": 1e-2, "warmup_iterations": 5, "validation": 0.0}
    trained = train_sft(
        SftConfig(problems=PROBLEMS, policy=str(tmp_path / "untrained"), run_dir=tmp_path / "sft", **settings)
    )
    return trained.checkpoint


@pytest.fixture
def server(policy: Path, started: Callable, eventually: Callable, free_port: int) -> str:
    url = f"http://127.0.0.1:{free_port}"
    started("serve", "policy", str(policy), "--port", str(free_port))

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    assert eventually(ready, within_s=60)
    return url


def test_labels_from_the_policys_own_completions(linewise: Callable, server: str, policy: Path, tmp_path: Path) -> None:
    problem = load_problems(PROBLEMS)[0]
    begun = problem.solution.splitlines(keepends=True)[0]
    body = {"prompt": f'"""\n{problem.prompt}\n\n"""\n{begun}', "seed": 3, "max_tokens": 64, "stop": ["\nprint("]}
    answers = [httpx.post(f"{server}/v1/completions", json=body).json() for _ in range(2)]
    assert answers[0]["choices"] == answers[1]["choices"]
    assert load_policy(policy).tokenizer.eos_token not in answers[0]["choices"][0]["text"]

    teacher = {"kind": "rollout", "base_url": f"{server}/v1", "model": "own", "completions": 4, "samples": 3}
    (tmp_path / "teacher.json").write_text(json.dumps({**teacher, "max_tokens": 64, "temperature": 1.0}))
    result = linewise("label", PROBLEMS, "-o", "labels.jsonl", "--teacher", "teacher.json", "--augmented-tests", "4")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    soft = [step["soft_label"] for record in records for step in record["steps"] if step["soft_label"] is not None]
    assert len({record["problem_id"] for record in records}) == 4
    assert any(share > 0 for share in soft)
