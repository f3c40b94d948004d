"""Signs that a run of PPO goes wrong, each with a verdict and its reason: what reports say and what to look at first.

The last fifth of the iterations is held against the first. A change counts where it is beyond twice its standard
error over iterations, so noise is no sign. The thresholds are rules of this house, chosen by runs that failed (see
docs/adr/0070); a verdict is a reason to look, no proof. Pure functions on the lines of `metrics.jsonl`.

| sign | what it is a sign of |
| --- | --- |
| reward without success | the reward is hacked: it rises, and no more programs pass |
| pass rate | the policy forgets what it knew |
| length | longer programs earn more, or fewer lines risk less |
| KL | the policy leaves the reference faster than the penalty holds it |
| entropy | it writes one program for all tasks, or noise |
| critic | values explain nothing, so advantages are noise |
| clipped ratios | steps are too large for the clip |
| policy loss | its swings grow |
| endless programs | they run into the limit of tokens |
| no rewards | judgements fail, which is our fault and no sign of the policy |
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, stdev, variance
from typing import Any

_FEWEST = 10  # iterations that a change can be told from
_PART = 5  # the first and the last of so many parts are compared
_KL_WITHOUT_TARGET = 5.0  # nats a program


class Health(StrEnum):
    """A verdict; `UNKNOWN` where the run is too short or logged nothing of the kind."""

    OK = "ok"
    WATCH = "watch"
    FAILING = "failing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of failure, the verdict, and why."""

    name: str
    health: Health
    why: str


@dataclass(frozen=True, slots=True)
class _Change:
    """Means at the start and at the end of a run, and the standard error of their difference."""

    start: float
    end: float
    error: float

    @property
    def surely(self) -> int:
        """1 where it rose beyond doubt, by more than two standard errors, -1 where it fell so, else 0."""
        difference = self.end - self.start
        return int(math.copysign(1, difference)) if abs(difference) > 2 * self.error else 0

    @property
    def factor(self) -> float:
        """The end as a multiple of the start."""
        return self.end / self.start if self.start else math.inf

    def __str__(self) -> str:
        return f"{self.start:.3g} at first, {self.end:.3g} at the end"


def failure_signs(metrics: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[Sign]:
    """A sign for each row of the table above; `settings` are those of `PpoConfig` by name."""
    return [Sign(name, *judge(_Curves(metrics), settings)) for name, judge in _SIGNS.items()]


def worst(healths: Sequence[Health]) -> Health:
    """The worst of several verdicts; unknown only where nothing is known."""
    order = (Health.FAILING, Health.WATCH, Health.OK)
    return next((health for health in order if health in healths), Health.UNKNOWN)


def narrowing(pass_at_1: Sequence[float], pass_at_10: Sequence[float]) -> Sign:
    """What outcome rewards are known to do: the first try passes more often, and fewer tasks are ever solved.

    Both are gains since before the training, one for each held-out task.
    """
    first, ever = _sure(pass_at_1), _sure(pass_at_10)
    why = f"pass@1 {fmean(pass_at_1):+.3f}, pass@10 {fmean(pass_at_10):+.3f}" if pass_at_1 else "nothing measured"
    if ever >= 0:
        return Sign("fewer tasks solved", Health.OK if pass_at_1 else Health.UNKNOWN, why)
    return Sign("fewer tasks solved", Health.FAILING if first > 0 else Health.WATCH, why)


def _sure(gains: Sequence[float]) -> int:
    if len(gains) < 2:
        return 0
    return _Change(0.0, fmean(gains), stdev(gains) / math.sqrt(len(gains))).surely


class _Curves:
    """The metrics of a run by name."""

    def __init__(self, metrics: Sequence[Mapping[str, Any]]) -> None:
        self._metrics = metrics

    def values(self, name: str) -> list[float]:
        return [float(line[name]) for line in self._metrics if line.get(name) is not None]

    def ended_at(self, name: str) -> float | None:
        values = self.values(name)
        return fmean(values[-max(1, len(values) // _PART) :]) if values else None

    def change(self, name: str) -> _Change | None:
        """None where too few iterations have the metric."""
        values = self.values(name)
        if len(values) < _FEWEST:
            return None
        size = len(values) // _PART
        first, last = values[:size], values[-size:]
        return _Change(fmean(first), fmean(last), math.sqrt((variance(first) + variance(last)) / size))


_Judged = tuple[Health, str]
_Judge = Callable[[_Curves, Mapping[str, Any]], _Judged]
_TOO_SHORT: _Judged = (Health.UNKNOWN, f"fewer than {_FEWEST} iterations logged it")


def _reward_without_success(curves: _Curves, _settings: Mapping[str, Any]) -> _Judged:
    reward, passing = curves.change("objective/scores"), curves.change("rewards/accepted")
    if reward is None or passing is None:
        return _TOO_SHORT
    why = f"reward {reward}; pass rate {passing}"
    if reward.surely <= 0 or passing.surely > 0:
        return Health.OK, why
    return (Health.FAILING if passing.surely < 0 else Health.WATCH), why


def _pass_rate(curves: _Curves, _settings: Mapping[str, Any]) -> _Judged:
    change = curves.change("rewards/accepted")
    if change is None:
        return _TOO_SHORT
    if change.surely >= 0:
        return Health.OK, str(change)
    return (Health.FAILING if change.factor < 0.5 else Health.WATCH), str(change)


def _length(curves: _Curves, _settings: Mapping[str, Any]) -> _Judged:
    change = curves.change("rollout/tokens")
    if change is None:
        return _TOO_SHORT
    by = max(change.factor, 1 / change.factor) if change.surely and change.factor else 1.0
    return _above(by, 1.2, 1.5), f"tokens a program: {change}"


def _kl(curves: _Curves, settings: Mapping[str, Any]) -> _Judged:
    end, target = curves.ended_at("objective/kl"), settings.get("kl_target")
    if end is None:
        return _TOO_SHORT
    bound = target or _KL_WITHOUT_TARGET
    aim = f"the target is {bound:g}" if target else f"without a target more than {bound:g} is much"
    return _above(end / bound, 1.5 if target else 1.0, 3.0), f"{end:.3g} nats a program at the end; {aim}"


def _entropy(curves: _Curves, _settings: Mapping[str, Any]) -> _Judged:
    change = curves.change("objective/entropy")
    if change is None:
        return _TOO_SHORT
    by = max(change.factor, 1 / change.factor) if change.surely and change.factor > 0 else 1.0
    return _above(by, 2.0, 5.0), str(change)


def _critic(curves: _Curves, settings: Mapping[str, Any]) -> _Judged:
    if settings.get("value_coefficient") == 0:
        return Health.UNKNOWN, "no critic learns in this run"
    end = curves.ended_at("critic/vf_explained_var")
    if end is None or len(curves.values("critic/vf_explained_var")) < _FEWEST:
        return _TOO_SHORT
    return _above(-end, -0.05, 0.05), f"values explain {end:.3g} of the returns' variance at the end"


def _clipped(curves: _Curves, _settings: Mapping[str, Any]) -> _Judged:
    end = curves.ended_at("policy/clipfrac_avg")
    if end is None:
        return _TOO_SHORT
    return _above(end, 0.2, 0.4), f"{end:.3g} of the tokens at the end"


def _policy_loss(curves: _Curves, _settings: Mapping[str, Any]) -> _Judged:
    losses = curves.values("loss/policy_avg")
    if len(losses) < _FEWEST:
        return _TOO_SHORT
    half = len(losses) // 2
    before, after = stdev(losses[:half]), stdev(losses[half:])
    return _above(
        after / before if before else 1.0, 3.0, 10.0
    ), f"deviation {before:.2g} in the first half, {after:.2g}"


def _endless(curves: _Curves, _settings: Mapping[str, Any]) -> _Judged:
    end = curves.ended_at("rollout/finished")
    if end is None:
        return _TOO_SHORT
    return _above(1 - end, 0.2, 0.5), f"{1 - end:.3g} of the programs at the end"


def _no_rewards(curves: _Curves, settings: Mapping[str, Any]) -> _Judged:
    lost = curves.values("rewards/no_answer")
    if not lost or not settings.get("rollouts"):
        return _TOO_SHORT
    asked = len(lost) * settings["rollouts"]
    return _above(sum(lost) / asked, 0.01, 0.1), f"{sum(lost):.0f} of {asked} rollouts"


def _above(value: float, watch: float, failing: float) -> Health:
    if value > failing:
        return Health.FAILING
    return Health.WATCH if value > watch else Health.OK


_SIGNS: Mapping[str, _Judge] = {
    "reward without success": _reward_without_success,
    "pass rate": _pass_rate,
    "length": _length,
    "KL": _kl,
    "entropy": _entropy,
    "critic": _critic,
    "clipped ratios": _clipped,
    "policy loss": _policy_loss,
    "endless programs": _endless,
    "no rewards": _no_rewards,
}
