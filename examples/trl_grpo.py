"""GRPO with TRL, rewarded line by line: `linewise up --model DIR` in one terminal, this in another.

    python examples/trl_grpo.py MODEL PROBLEMS.jsonl

`MODEL` is any causal language model that TRL trains; `PROBLEMS.jsonl` has a problem a line, as `linewise label` takes
them (`prompt`, `tests`, `setup`). The reward is three quarters the smallest score of a program's lines and one quarter
whether it passes its tests; `name` is what TRL logs it under. Needs `pip install trl`.
"""

import sys

import torch
from datasets import Dataset, load_dataset
from trl import GRPOConfig, GRPOTrainer

from services.client import RewardForm, async_trl_reward


def main(model: str, problems: str) -> None:
    form = RewardForm("process+outcome", aggregate="min", outcome_weight=0.25, truncate="prompt")
    data: Dataset = load_dataset("json", data_files=problems, split="train")
    gpu = torch.cuda.is_available()
    config = GRPOConfig("runs/grpo", num_generations=8, max_completion_length=512, use_cpu=not gpu, bf16=gpu)
    reward = async_trl_reward(form, name="lines")
    GRPOTrainer(model, reward_funcs=[reward], args=config, train_dataset=data).train()


if __name__ == "__main__":
    main(*sys.argv[1:])
