"""The settings of phase 4, and their parts for the rollout and the update."""

from dataclasses import dataclass, fields
from pathlib import Path

from services.contracts import Segment
from trainer.errors import SettingsError
from trainer.learner import UpdateSettings
from trainer.loss import KlEstimator
from trainer.policies import Precision
from trainer.reward_forms import needs_scores
from trainer.rewards import OutcomeForm, ProcessForm, RewardForm, RewardKind
from trainer.rollout import RolloutSettings
from trainer.shaping import KlPlace, Normalisation, ShapingSettings


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
    """What is rewarded: each step's score, the tests' verdict, both, the scores of accepted programs beside the verdict
    (gated), both so that a program earns its verdict in total (settled), or the last step's score (orm)."""
    process_form: ProcessForm = "softmin"
    """What a code step earns: its score (sum), that over their number (mean), the smallest alone (min) or nearly alone
    (softmin), the change since the step before (delta), that of the product of all so far (progress), that product over
    their number (share), what it lacks to `clip_at` (clip)."""
    outcome_form: OutcomeForm = "binary"
    """What a verdict is worth: 0 or 1, CodeRL's four levels, or RLTF's share of the tests that pass (pass_ratio)."""
    outcome_weight: float = 0.5
    """The verdict's share of process+outcome and gated, in [0, 1]."""
    clip_at: float = 0.5
    """The threshold of the process form clip."""
    shuffle_steps: bool = False
    """A control: deal out a program's step rewards among its steps at random."""
    missing_eos_penalty: float = 0.0
    """Taken off the last token of a program that the policy did not end."""
    length_penalty: float = 0.0
    """Taken off the last token for each token behind the first `free_tokens`."""
    free_tokens: int = 0
    """Tokens of a program that no length penalty is paid for."""
    reward_normalisation: Normalisation = "none"
    """Divide rewards by the standard deviation of programs' totals: of all so far (running) or of the iteration's."""
    reward_clip: float | None = None
    """Largest size of a token's reward, behind the normalisation."""
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
    """Weight of the KL penalty; with `kl_target` where it begins."""
    kl_in: KlPlace = "reward"
    """Where the KL to the reference is penalised."""
    kl_estimator: KlEstimator = "k1"
    """How it is estimated; in the loss k2 has the right gradient, and k1 none at all."""
    kl_target: float | None = None
    """Nats a program that an adaptive controller holds the KL to; unset: beta stays."""
    kl_horizon: int = 10_000
    """Programs over which the controller can change beta by a fifth."""
    gamma: float = 1.0
    """Discount."""
    lam: float = 0.95
    """Lambda of the advantage estimation."""
    step_lam: float | None = None
    """Lambda from each step to the next, in place of `lam`: a step's tokens share what it earns, and with 0 nothing of
    what comes after it, which pays for lines that are easily right. The group baseline is then the mean of the same
    step."""
    group_baseline: bool = False
    """Take the mean over the programs for one problem off their advantages; wants `samples_per_problem` above 1."""
    line_credit: float = 0.0
    """How loud the PRM speaks beside the reward, with 1 as loud: what a step would earn by `process_form`, less, with
    `group_baseline`, the mean of the same step of the problem's other programs, less its own program's mean of that. So
    credit moves among a program's lines and none is given to it."""
    whiten_advantages: bool = True
    """Move and scale the advantages of an iteration to mean 0 and variance 1."""
    clip: float = 0.2
    """How far a token's probability ratio may move below 1, and above it unless `clip_high` is set."""
    clip_high: float | None = None
    """How far it may move above 1."""
    dual_clip: float | None = None
    """Bound, above 1, on the ratio at tokens with a negative advantage; 3 is usual."""
    value_clip: float | None = 0.2
    """How far a value may move from the rollout's."""
    value_coefficient: float = 0.1
    """Weight of the value's loss beside the policy's."""
    policy_epochs: int = 2
    """Passes of the policy over an iteration's programs."""
    value_epochs: int = 2
    """Passes of the critic."""
    target_kl: float | None = None
    """Stop an iteration's passes of the policy once a minibatch has moved so far from the rollout, in nats a token."""
    critic_warmup: int = 0
    """Iterations at the start in which the critic learns alone."""
    minibatch: int = 32
    """Programs a gradient step."""
    micro_batch: int | None = None
    """Programs that go through the models together in the update; unset: a whole minibatch."""
    chunk: int = 64
    """Programs that are written, and measured, together."""
    learning_rate: float = 3e-4
    """The policy's; 1e-5 suits a published checkpoint."""
    value_learning_rate: float = 5e-4
    """The value model's, or the head's on a shared trunk."""
    warmup_iterations: int = 10
    """Iterations over which both rise from 0: Adam's first steps would be as large as any later one."""
    decay: float = 0.0
    """Share of the run, at its end, over which both fall to a tenth; 0 keeps them constant."""
    value_model: str | None = None
    """Backbone of the value model; `shared`: a head on the policy's own trunk; unset: a copy of the policy's."""
    entropy_bonus: float = 0.0
    """Weight of the entropy in the policy's loss."""
    clip_norm: float = 1.0
    """Largest norm of a gradient."""
    save_every: int = 50
    """Iterations between two saved states."""
    keep_every: int = 0
    """Iterations between two policies that are kept, in `checkpoints/iteration-N`; 0 keeps the last one alone."""
    resume: bool = False
    """Go on from the state last saved in `run_dir`, if there is one."""
    seed: int = 0
    """Decides problems, samples and minibatches."""
    precision: Precision = "fp32"
    """What the models compute in; weights stay float32. bf16 is far slower on a CPU that lacks it."""
    gradient_checkpointing: bool = False
    """Compute layers again in the backward pass, for less memory."""
    deterministic: bool = False
    """Only kernels that give the same bits each time; matters on GPUs, and costs there."""
    device: str = "cpu"
    """A torch device; `cuda` under `accelerate launch` is each process's own."""
    threads: int = 1
    """Threads of a CPU run; more than the free cores are far slower than one."""

    def reward_form(self) -> RewardForm:
        """How judgements become rewards."""
        return RewardForm(
            kind=self.reward,
            process=self.process_form,
            outcome_weight=self.outcome_weight,
            missing_eos_penalty=self.missing_eos_penalty,
            outcome=self.outcome_form,
            clip_at=self.clip_at,
            shuffled=self.shuffle_steps,
            length_penalty=self.length_penalty,
            free_tokens=self.free_tokens,
        )

    def asked_for(self) -> RewardKind:
        """The reward whose scores and verdicts are all that is needed."""
        return "process+outcome" if self.line_credit and not needs_scores(self.reward) else self.reward

    def rollout_settings(self) -> RolloutSettings:
        """The part that concerns the rollout."""
        return RolloutSettings(self.reward_form(), self.temperature, self.max_new_tokens, self.chunk)

    def shaping_settings(self) -> ShapingSettings:
        """The part that concerns what becomes of rewards."""
        return ShapingSettings(**{field.name: getattr(self, field.name) for field in fields(ShapingSettings)})

    def update_settings(self) -> UpdateSettings:
        """The part that concerns the update."""
        return UpdateSettings(**{field.name: getattr(self, field.name) for field in fields(UpdateSettings)})

    def check(self) -> None:
        """Raise SettingsError where the settings make no sense together."""
        if self.iterations is None and self.max_minutes is None:
            raise SettingsError("give iterations, max_minutes or both: otherwise the run never ends")
        if self.rollouts % self.samples_per_problem:
            raise SettingsError(f"rollouts ({self.rollouts}) must be a multiple of samples_per_problem")
        if self.group_baseline and self.samples_per_problem == 1:
            raise SettingsError("group_baseline wants samples_per_problem above 1: a program alone is its own mean")
        if not 0 <= self.outcome_weight <= 1:
            raise SettingsError(f"outcome_weight is a share in [0, 1], not {self.outcome_weight}")
        if self.kl_in == "loss" and self.kl_estimator == "k1":
            raise SettingsError("kl_in loss needs kl_estimator k2 or k3: the gradient of k1 is 0 on average")
        if self.dual_clip is not None and self.dual_clip <= 1:
            raise SettingsError(f"dual_clip bounds the ratio above 1, so it cannot be {self.dual_clip}")
