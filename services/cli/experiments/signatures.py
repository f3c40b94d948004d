"""The failure signatures of an experiment's arms, a verdict each, and the reason of every verdict that is not good."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.cli.experiments.findings import Grid
from trainer.experiments.outcome import Trained
from trainer.failure_signs import Health, Sign, failure_signs, narrowing, worst
from trainer.report_page import Marked


def signature_grids(arms: Mapping[str, Sequence[Trained]]) -> list[Grid]:
    """A verdict for each sign and arm, the worst of the arm's seeds, and why."""
    signs = {arm: [_signs(run) for run in runs] for arm, runs in arms.items()}
    names = [sign.name for sign in next(iter(signs.values()))[0]]
    verdicts: list[list[Any]] = [
        [name, *(_verdict([run[at].health for run in runs]) for runs in signs.values())]
        for at, name in enumerate(names)
    ]
    reasons: list[list[Any]] = [
        [f"{arm}, seed {run.seed}", sign.name, Marked(sign.health, sign.health), sign.why]
        for arm, runs in arms.items()
        for run, found in zip(runs, signs[arm], strict=True)
        for sign in found
        if sign.health in (Health.WATCH, Health.FAILING)
    ]
    note = (
        "The last fifth of the iterations against the first; solved tasks: pass@10 after PPO against before it. A "
        "change counts beyond twice its standard error. The worst of the seeds, and how many have it. A verdict is a "
        "reason to look, no proof."
    )
    return [
        Grid("Failure signatures", ("sign", *signs), verdicts, note),
        Grid("Why", ("run", "sign", "verdict", "what was seen"), reasons),
    ]


def _signs(run: Trained) -> list[Sign]:
    gains = [
        [now - then for now, then in zip(after, earlier, strict=True)]
        for after, earlier in (
            (run.after.pass_at_1, run.before.pass_at_1),
            (run.after.pass_at_10, run.before.pass_at_10),
        )
    ]
    return [*failure_signs(run.metrics, run.settings), narrowing(*gains)]


def _verdict(healths: Sequence[Health]) -> Marked:
    health = worst(healths)
    seen = healths.count(health)
    return Marked(health if seen == len(healths) else f"{health}, {seen} of {len(healths)}", health)
