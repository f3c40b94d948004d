"""What `linewise experiment process-vs-outcome` lets one choose, and what its plan holds to."""

from dataclasses import dataclass
from pathlib import Path

LANGUAGE = "language"
"""The model that policies and PRM start from, by its folder in the run's."""


@dataclass(frozen=True)
class ProcessVsOutcome:
    """Settings of `linewise experiment process-vs-outcome`."""

    run_dir: Path = Path("runs/process-vs-outcome")
    """Where everything goes; the report is `report.html`."""
    arms: tuple[str, ...] = ("outcome", "process", "process+outcome", "shuffled")
    """The arms; `outcome` is what the others are held against. Also: chance, settled, oracle."""
    seeds: int = 5
    """Runs of each arm, with seeds from 0."""
    parallel: int = 2
    """Runs at a time, each with one thread."""
    policies: int = 5
    """Supervised policies, each with a seed of its own; runs of seed s start from the one of s modulo so many."""
    sft_policy: str = LANGUAGE
    """What each of them is before its fine-tuning: `language`, which is the PRM's backbone too, or as `--policy` of
    `linewise train sft`."""
    sft_problems: str = "lists:train?count=4000&operations=3-4&loops=0&slips=35"
    """What each policy is fine-tuned on: programs with slips, which teach it to write each part wrong now and then."""
    sft_iterations: int = 150
    """Batches of 48 of the fine-tuning: enough to pass 10 to 30 percent of the tasks of PPO at temperature 1."""
    sft_learning_rate: float = 5e-4
    """Its learning rate."""
    label_problems: str = "lists:train?count=800&operations=2-4&seed=11"
    """What the labeler labels for the PRM."""
    mutants_per_step: int = 6
    """Mutants of each line."""
    line_samples: int = 4
    """Lines that the teacher, another policy with the same habits, writes in the place of each; 0: by rules alone."""
    line_problems: str = "lists:train?count=1000&operations=2-4&loops=0&seed=11"
    """Where it writes them."""
    composed: int = 6
    """Programs with several changed lines that the PRM learns from too, for each problem: see `linewise train prm`."""
    language_problems: str = "lists:train?count=4000&operations=2-4&seed=11"
    """Solutions that the PRM's backbone learns to write before it learns to judge."""
    language_iterations: int = 1200
    """Batches of that."""
    prm_epochs: float = 6.0
    """Passes of the PRM over its labels."""
    chance_problems: str = "lists:train?count=400&operations=4-4&loops=0&seed=12"
    """Tasks that each policy is sampled on once, to find out what chance of success the PRM's scores mean, where an arm
    wants to know."""
    chance_samples: int = 8
    """Programs for each of them."""
    problems: str = "lists:train?count=4000&operations=4-4&loops=0&seed=4"
    """The tasks of PPO."""
    iterations: int = 20
    """Of each run."""
    rollouts: int = 32
    """Programs an iteration."""
    samples_per_problem: int = 1
    """Programs written for one task in an iteration; of several, their mean is the baseline of each. Few tasks an
    iteration teach few habits, whatever the reward."""
    learning_rate: float = 2e-4
    """PPO's."""
    minibatch: int = 32
    """Programs a gradient step."""
    policy_epochs: int = 2
    """Passes over an iteration's programs."""
    beta: float = 0.02
    """Weight of the KL penalty."""
    held_out: str = "lists:test?count=150&operations=4-4&loops=0&seed=11"
    """Tasks whose sequences of operations no training has seen."""
    validation: str = "lists:validation?count=50&operations=4-4&loops=0&seed=11"
    """Tasks for the curves of pass@1 and pass@10 on the way."""
    keep_every: int = 5
    """Iterations between two points of those curves; 0: no curves."""
    samples: int = 10
    """Programs for each of them at temperature 1, for pass@1 and pass@10."""
    max_new_tokens: int = 112
    """Longest program."""
