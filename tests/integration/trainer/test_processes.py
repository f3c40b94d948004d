"""Two processes on CPU, started by `accelerate launch`, learn what one process learns."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trainer.policies import Kind, load_policy
from trainer.runs import read_metrics

PROGRAM = """
import os, sys
from concurrent.futures import Future
from pathlib import Path
from trainer.ppo import PpoConfig, train_ppo
from trainer.rewards import Judgement, StepScore

folder, policy = Path(sys.argv[1]), sys.argv[2]

class Source:
    def judge(self, programs):
        with (folder / f"asked-{os.environ.get('RANK', 0)}").open("a") as asked:
            asked.write("".join(f"{program.problem.id}\\n" for program in programs))
        future = Future()
        future.set_result([
            Judgement((StepScore(len(each.code), each.code.count("x") / (1 + len(each.code))),) if each.code else ())
            for each in programs
        ])
        return future

summary = train_ppo(PpoConfig(
    policy=policy, problems="lists:train?count=24", run_dir=folder / "run", value_model=sys.argv[3], iterations=2,
    rollouts=8, chunk=2, minibatch=4, micro_batch=1, max_new_tokens=12, warmup_iterations=0, learning_rate=1e-3,
    kl_target=1.0, reward_normalisation="running", critic_warmup=1, target_kl=0.5, resume=True,
), source=Source())
assert summary.iterations == 2
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tiny_checkpoint: Callable[[Kind], Path], tmp_path: Path) -> None:
    policy = tiny_checkpoint("t5")
    (tmp_path / "train.py").write_text(PROGRAM)
    launch = [
        "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
        "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
    ]  # fmt: skip
    for name, launcher in {"one": [], "two": launch}.items():
        (tmp_path / name).mkdir()
        command = [sys.executable, *launcher, "train.py", str(tmp_path / name), str(policy), "shared"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = (read_metrics(tmp_path / name / "run") for name in ("one", "two"))
    assert len(one) == len(two) == 2
    for mine, other in zip(one, two, strict=True):
        assert mine.keys() == other.keys()
        for name, value in mine.items():
            if not name.startswith("timing"):
                assert other[name] == (value if value is None else pytest.approx(value, rel=1e-3, abs=1e-5)), name
    weights = [load_policy(tmp_path / name / "run/checkpoints/final").model.state_dict() for name in ("one", "two")]
    torch.testing.assert_close(weights[1], weights[0], atol=1e-5, rtol=1e-3)
    asked = [len((tmp_path / "two" / f"asked-{rank}").read_text().splitlines()) for rank in (0, 1)]
    assert min(asked) >= 4
    assert sum(asked) <= 16  # each process asks for its part, and nobody for the other's
