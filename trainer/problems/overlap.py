"""What must stand beside any figure on MBPP: which of the ids some phase trains on."""

from collections.abc import Iterable

from services.contracts import Problem

_RL = range(101, 501)
_SFT_AND_PRM = range(601, 975)
_PREFIX = "Mbpp/"


def overlap_note(problems: Iterable[Problem]) -> str | None:
    """One sentence or two on the MBPP ids among the problems; None where there are none."""
    names = [problem.id.removeprefix(_PREFIX) for problem in problems if problem.id.startswith(_PREFIX)]
    numbers = [int(name) for name in names if name.isdecimal()]
    if not numbers:
        return None
    in_rl, in_sft = (sum(number in used for number in numbers) for used in (_RL, _SFT_AND_PRM))
    if in_rl or in_sft:
        return (
            f"Not held out: of these {len(numbers)} MBPP ids PPO trains on {in_rl} (101-500), SFT and the PRM's labels "
            f"use {in_sft} (601-974)."
        )
    return (
        f"No phase trains on these {len(numbers)} MBPP ids. The usual test split, 11-510, is another one: 400 of its "
        "500 ids are PPO's (101-500)."
    )
