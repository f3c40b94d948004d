"""Settings of the process reward model's training, and what came of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PrmConfig:
    """Settings of `linewise train prm`."""

    labels: tuple[Path, ...]
    """Label files (JSONL, from `linewise label` or the labeler's jobs); several are joined."""
    backbone: str = "small"
    """`tiny`, `small` or `base`, built from nothing; or a checkpoint: a folder, microsoft/unixcoder-base, smollm2."""
    layers: int | None = None
    """Keep only the lowest so many layers; `freeze` keeps fewer where validation says so."""
    freeze: bool = False
    """Fit a linear classifier alone, on hidden states that the backbone computes once and that are kept on disk."""
    freeze_layers: int = 0
    """Keep the lowest so many layers as they are, compute their hidden states once and train the layers above."""
    feature_cache: Path = Path("runs/features")
    """Where frozen layers' hidden states are kept; runs may share it, and one that was interrupted goes on from it."""
    run_dir: Path = Path("runs/prm")
    """Where config, metrics and report go."""
    checkpoint: Path | None = None
    """Where the trained PRM goes; `checkpoints/final` of the run unless given."""
    held_out: float = 0.2
    """Share of the problems that no training sees; all reported figures are of them."""
    validation: float = 0.1
    """Share of the problems for early stopping and the temperature."""
    programs_per_problem: int | None = None
    """At most this many labelled programs of a training problem."""
    composed: int = 0
    """Programs with several changed steps that are put together of each training problem's programs with one: so the
    PRM learns to judge a line behind a wrong one too."""
    epochs: float = 12.0
    """Passes over the labels, unless `max_minutes` or `patience` ends it sooner."""
    max_minutes: float | None = None
    """Stop after this many minutes of training."""
    patience: int = 4
    """Stop after this many epochs without a better validation loss; the best epoch's weights are kept."""
    batch_tokens: int = 1024
    """Tokens a batch, padding included."""
    learning_rate: float | None = None
    """AdamW's, after the warm-up; unless given 2e-3 from nothing and 5e-5 for a checkpoint."""
    warmup_iterations: int = 30
    """Batches over which the learning rate rises from 0; it then falls linearly to a tenth."""
    weight_decay: float = 0.01
    """AdamW's."""
    clip_norm: float = 1.0
    """Largest norm of a batch's gradient."""
    dropout: float = 0.1
    """Before the classifier of a model built from nothing."""
    language_weight: float = 0.5
    """Weight of the next-token loss on positive steps, for a model built from nothing; 0 turns it off."""
    balanced: bool = True
    """Let wrong steps, reference steps and refactored steps weigh the same in total, however many there are."""
    soft_labels: bool = False
    """Learn the share of completions that pass, where a rollout teacher told it, instead of 0 or 1."""
    vocabulary: int = 1500
    """Tokens of the tokenizer of a model built from nothing."""
    max_tokens: int = 1024
    """Longest input; a longer one loses the beginning of its prompt, longer code is left out and counted."""
    resume: bool = False
    """Go on behind the last epoch of an interrupted run in `run_dir`."""
    seed: int = 0
    """Decides weights and order (never the split)."""
    device: str = "cpu"
    """A torch device."""
    threads: int = 1
    """Threads of a CPU run; more than the free cores are far slower than one."""


@dataclass(frozen=True)
class PrmSummary:
    """What came of it, on the steps of held-out problems; `held_out.json` in the run has the same by set and origin.

    Each distinct program prefix counts once. `majority` is what always answering the commoner label would reach.
    `changed_*` is of steps that a mutation or a refactoring changed, `mutants_*` of mutants and references.
    `first_error_f1` is ProcessBench's, at the threshold that validation chose.
    """

    checkpoint: Path
    backbone: str
    layers: int
    parameters: int
    train_problems: int
    validation_problems: int
    held_out_problems: int
    train_steps: int
    held_out_steps: int
    left_out_programs: int
    iterations: int
    epochs: int
    seconds: float
    temperature: float
    accuracy: float
    majority: float
    balanced_accuracy: float | None
    f1_positive: float
    f1_negative: float
    roc_auc: float | None
    pr_auc_positive: float | None
    pr_auc_negative: float | None
    ece: float
    changed_accuracy: float | None
    mutants_accuracy: float | None
    mutants_roc_auc: float | None
    first_error_f1: float | None
    first_error_threshold: float | None
