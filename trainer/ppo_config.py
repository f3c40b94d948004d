"""The settings of phase 4, and their parts for the rollout and the update."""

from dataclasses import dataclass, fields
from pathlib import Path

from services.contracts import Segment
from trainer.errors import SettingsError
from trainer.learner import UpdateSettings
from trainer.rewards import ProcessForm, RewardForm, RewardKind
from trainer.rollout import RolloutSettings


@dataclass(frozen=True)
class PpoConfig:
    """Settings of `linewise train ppo`."""

    policy: str = "runs/sft/checkpoints/final"
    """The policy to start from, which is also the frozen reference: a checkpoint folder or a name on the model hub."""
    problems: str = "lists:train?count=4000"
    """The problems to write programs for: a spec such as mbpp:101-500, or a JSONL file."""
    run_dir: Path = Path("runs/ppo")
    """Where config, metrics and checkpoints go; the policy ends up in `checkpoints/final`."""
    reward: RewardKind = "process"
    """What is rewarded: each step's score, the tests' verdict, or both."""
    process_form: ProcessForm = "softmin"
    """What a code step earns: its score (sum), that over their number (mean), or PURE's credit (softmin)."""
    outcome_weight: float = 0.5
    """The verdict's share of process+outcome, in [0, 1]."""
    missing_eos_penalty: float = 0.0
    """Taken off the last token of a program that the policy did not end."""
    segment: Segment = Segment.LINE
    """What a step is: line, statement or block."""
    scorer_url: str | None = None
    """The scorer; unset: LINEWISE_SCORER_URL, else this machine."""
    executor_url: str | None = None
    """The executor; unset: LINEWISE_EXECUTOR_URL, else this machine."""
    scorer_model: str | None = None
    """A name of the scorer's GET /models; unset: its default."""
    iterations: int | None = 100
    """Stop after this many iterations."""
    max_minutes: float | None = None
    """Stop after this many minutes, resumed parts included."""
    rollouts: int = 64
    """Programs an iteration."""
    samples_per_problem: int = 1
    """Programs written for one problem in an iteration; divides `rollouts`."""
    max_new_tokens: int = 128
    """Longest program, in tokens."""
    temperature: float = 1.0
    """Of the sampling, and of the probabilities that are learnt."""
    beta: float = 0.03
    """Weight of the KL penalty in the reward."""
    gamma: float = 1.0
    """Discount."""
    lam: float = 0.95
    """Lambda of the advantage estimation."""
    clip: float = 0.2
    """How far a token's probability ratio may move from 1."""
    value_clip: float = 0.2
    """How far a value may move from the rollout's."""
    policy_epochs: int = 2
    """Passes of the policy over an iteration's programs."""
    value_epochs: int = 1
    """Passes of the value model."""
    minibatch: int = 32
    """Programs a gradient step."""
    learning_rate: float = 3e-4
    """The policy's; 1e-5 suits a published checkpoint."""
    value_learning_rate: float = 5e-4
    """The value model's."""
    warmup_iterations: int = 10
    """Iterations over which both rise from 0: Adam's first steps would be as large as any later one."""
    value_model: str | None = None
    """Backbone of the value model, with the policy's vocabulary; unset: a copy of the policy's."""
    entropy_bonus: float = 0.0
    """Weight of the entropy in the policy's loss."""
    clip_norm: float = 1.0
    """Largest norm of a gradient."""
    save_every: int = 50
    """Iterations between two saved states."""
    resume: bool = False
    """Go on from the state last saved in `run_dir`, if there is one."""
    seed: int = 0
    """Decides problems, samples and minibatches."""
    device: str = "cpu"
    """A torch device."""
    threads: int = 1
    """Threads of a CPU run; more than the free cores are far slower than one."""

    def rollout_settings(self) -> RolloutSettings:
        """The part that concerns the rollout."""
        form = RewardForm(self.reward, self.process_form, self.outcome_weight, self.missing_eos_penalty)
        return RolloutSettings(form, self.beta, self.temperature, self.max_new_tokens, self.minibatch)

    def update_settings(self) -> UpdateSettings:
        """The part that concerns the update."""
        return UpdateSettings(**{field.name: getattr(self, field.name) for field in fields(UpdateSettings)})

    def check(self) -> None:
        """Raise SettingsError where the settings make no sense together."""
        if self.iterations is None and self.max_minutes is None:
            raise SettingsError("give iterations, max_minutes or both: otherwise the run never ends")
        if self.rollouts % self.samples_per_problem:
            raise SettingsError(f"rollouts ({self.rollouts}) must be a multiple of samples_per_problem")
        if not 0 <= self.outcome_weight <= 1:
            raise SettingsError(f"outcome_weight is a share in [0, 1], not {self.outcome_weight}")
