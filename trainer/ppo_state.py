"""What a PPO run trains, and its state on disk, so that a stopped run can go on where it was.

checkpoints/last/
  policy/  values/  optimizers.pt
  state.json         {"iteration": 150, "seconds": 612.4}
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from trainer.learner import Learner, UpdateSettings
from trainer.policies import ModelPolicy, ValueModel, load_policy
from trainer.runs import replacing, write_text


@dataclass(frozen=True, slots=True)
class Agent:
    """The two models that learn, their optimizers, and how far they are: iterations done and seconds spent."""

    policy: ModelPolicy
    values: ValueModel
    learner: Learner
    iteration: int = 0
    seconds: float = 0.0


def new_agent(policy: str, value_model: str | None, settings: UpdateSettings, device: str) -> Agent:
    """An agent that has learnt nothing yet; the value model's backbone is the policy's unless another is named."""
    model = load_policy(policy, device=device)
    values = ValueModel.load(value_model or policy, model)
    return Agent(model, values, Learner(model, values, settings))


def load_agent(folder: Path, settings: UpdateSettings, device: str) -> Agent:
    """The agent that `save_agent` left in `folder`."""
    policy = load_policy(folder / "policy", device=device)
    values = ValueModel.load(folder / "values", policy)
    learner = Learner(policy, values, settings)
    learner.load_state_dict(torch.load(folder / "optimizers.pt", map_location=device, weights_only=True))
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return Agent(policy, values, learner, state["iteration"], state["seconds"])


def save_agent(folder: Path, agent: Agent, iteration: int, seconds: float) -> None:
    """Replace the state in `folder` by the agent's, whole or not at all."""
    with replacing(folder) as beside:
        agent.policy.save(beside / "policy")
        agent.values.save(beside / "values")
        torch.save(agent.learner.state_dict(), beside / "optimizers.pt")
        write_text(beside / "state.json", json.dumps({"iteration": iteration, "seconds": seconds}) + "\n")
