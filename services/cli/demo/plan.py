"""How much of everything a demo does: the real one for two cores and some ten minutes, the tiny one for a test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoPlan:
    """The numbers of a demo. Specs of problems are `trainer.problems`' own; minutes are of training alone."""

    seed: int
    mbpp: str
    lists: str
    """List tasks whose solutions are labelled, so that one PRM can judge both kinds of program."""
    mutants_per_step: int
    refactorings_per_step: int
    augmented_tests: int
    prm_backbone: str
    prm_minutes: float
    policy_width: int
    sft_problems: str
    sft_minutes: float
    ppo_problems: str
    ppo_minutes: float
    ppo_rollouts: int
    held_out: str
    """List tasks that no phase trains on; their sequences of operations never occur in the training split."""
    samples: int
    """Programs a held-out task, sampled at temperature 1, for pass@1 and pass@10."""
    max_new_tokens: int
    shown: int
    """Held-out tasks whose programs before and after are shown."""


def full_plan(seed: int) -> DemoPlan:
    """Under twelve minutes on two cores."""
    return DemoPlan(
        seed=seed,
        mbpp="mbpp:601-770",
        lists=f"lists:train?count=200&seed={seed + 1}",
        mutants_per_step=4,
        refactorings_per_step=1,
        augmented_tests=16,
        prm_backbone="small",
        prm_minutes=1.75,
        policy_width=128,
        sft_problems=f"lists:train?count=4000&seed={seed}",
        sft_minutes=4.0,
        ppo_problems=f"lists:train?count=4000&seed={seed + 2}",
        ppo_minutes=2.5,
        ppo_rollouts=64,
        held_out="lists:test?count=150&seed=0",
        samples=10,
        max_new_tokens=128,
        shown=3,
    )


def tiny_plan(seed: int) -> DemoPlan:
    """The same path in about a minute; its figures mean nothing."""
    return DemoPlan(
        seed=seed,
        mbpp="mbpp:601-615",
        lists=f"lists:train?count=15&seed={seed + 1}",
        mutants_per_step=2,
        refactorings_per_step=1,
        augmented_tests=4,
        prm_backbone="tiny",
        prm_minutes=0.05,
        policy_width=32,
        sft_problems=f"lists:train?count=64&seed={seed}",
        sft_minutes=0.05,
        ppo_problems=f"lists:train?count=64&seed={seed + 2}",
        ppo_minutes=0.05,
        ppo_rollouts=8,
        held_out="lists:test?count=4&seed=0",
        samples=10,
        max_new_tokens=48,
        shown=1,
    )
