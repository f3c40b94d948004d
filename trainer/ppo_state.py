"""What a PPO run trains, and its state on disk, so that a stopped run can go on where it was.

checkpoints/last/
  policy/  values/  optimizers/
  state.json         {"iteration": 150, "seconds": 612.4, "shaper": {...}}
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from trainer.learner import Learner
from trainer.policies import ActorCritic, load_actor_critic, load_policy
from trainer.policies.checkpointing import enable_checkpointing
from trainer.ppo_config import PpoConfig
from trainer.processes import Processes
from trainer.runs import replacing, write_text
from trainer.shaping import Shaper
from trainer.state_files import load_state, save_state


@dataclass(frozen=True, slots=True)
class Agent:
    """What learns and what is kept beside it, and how far they are: iterations done and seconds spent."""

    models: ActorCritic
    learner: Learner
    shaper: Shaper
    iteration: int = 0
    seconds: float = 0.0


def new_agent(config: PpoConfig, processes: Processes) -> Agent:
    """An agent that has learnt nothing yet; the value model's backbone is the policy's unless another is named."""
    return _agent(config.policy, config.value_model or config.policy, config, processes)


def load_agent(folder: Path, config: PpoConfig, processes: Processes) -> Agent:
    """The agent that `save_agent` left in `folder`."""
    agent = _agent(folder / "policy", folder / "values", config, processes)
    agent.learner.load_state_dict(load_state(folder / "optimizers", config.device))
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    agent.shaper.load_state_dict(state["shaper"])
    return replace(agent, iteration=state["iteration"], seconds=state["seconds"])


def _agent(policy: str | Path, critic: str | Path, config: PpoConfig, processes: Processes) -> Agent:
    models = load_actor_critic(load_policy(policy, device=config.device, precision=config.precision), critic)
    if config.gradient_checkpointing:
        enable_checkpointing(models.parts())
    return Agent(models, Learner(models, config.update_settings(), processes), Shaper(config.shaping_settings()))


def save_agent(folder: Path, agent: Agent, iteration: int, seconds: float) -> None:
    """Replace the state in `folder` by the agent's, whole or not at all."""
    with replacing(folder) as beside:
        agent.models.policy.save(beside / "policy")
        agent.models.save_critic(beside / "values")
        (beside / "optimizers").mkdir()
        save_state(beside / "optimizers", agent.learner.state_dict())
        state = {"iteration": iteration, "seconds": seconds, "shaper": agent.shaper.state_dict()}
        write_text(beside / "state.json", json.dumps(state) + "\n")
