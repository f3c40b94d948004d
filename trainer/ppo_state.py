"""What a PPO run trains, and its state on disk, so that a stopped run can go on where it was.

checkpoints/last/
  policy/  values/  optimizers/
  state.json         {"iteration": 150, "seconds": 612.4, "shaper": {...}}
"""

import json
from dataclasses import dataclass
from pathlib import Path

from trainer.learner import Learner
from trainer.policies import ActorCritic, load_actor_critic, load_policy
from trainer.ppo_config import PpoConfig
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


def new_agent(config: PpoConfig) -> Agent:
    """An agent that has learnt nothing yet; the value model's backbone is the policy's unless another is named."""
    models = load_actor_critic(load_policy(config.policy, device=config.device), config.value_model or config.policy)
    return Agent(models, Learner(models, config.update_settings()), Shaper(config.shaping_settings()))


def load_agent(folder: Path, config: PpoConfig) -> Agent:
    """The agent that `save_agent` left in `folder`."""
    models = load_actor_critic(load_policy(folder / "policy", device=config.device), folder / "values")
    learner, shaper = Learner(models, config.update_settings()), Shaper(config.shaping_settings())
    learner.load_state_dict(load_state(folder / "optimizers", config.device))
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    shaper.load_state_dict(state["shaper"])
    return Agent(models, learner, shaper, state["iteration"], state["seconds"])


def save_agent(folder: Path, agent: Agent, iteration: int, seconds: float) -> None:
    """Replace the state in `folder` by the agent's, whole or not at all."""
    with replacing(folder) as beside:
        agent.models.policy.save(beside / "policy")
        agent.models.save_critic(beside / "values")
        (beside / "optimizers").mkdir()
        save_state(beside / "optimizers", agent.learner.state_dict())
        state = {"iteration": iteration, "seconds": seconds, "shaper": agent.shaper.state_dict()}
        write_text(beside / "state.json", json.dumps(state) + "\n")
