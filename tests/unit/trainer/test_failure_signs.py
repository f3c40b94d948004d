"""Signs of failure: made-up runs, each of which fails in one way, and one that does not fail."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from trainer.failure_signs import Health, failure_signs, narrowing, worst

SETTINGS = {"rollouts": 64, "kl_target": 2.0}
SOUND: Mapping[str, Callable[[int], float]] = {
    "objective/scores": lambda at: 0.2 + at / 100 + at % 2 / 50,
    "rewards/accepted": lambda at: 0.1 + at / 200 + at % 2 / 50,
    "rollout/tokens": lambda at: 60 + at % 2,
    "objective/kl": lambda at: at / 20,
    "objective/entropy": lambda at: 0.1 - at / 2000,
    "critic/vf_explained_var": lambda at: at / 50,
    "policy/clipfrac_avg": lambda at: 0.05,
    "loss/policy_avg": lambda at: 0.01 * (-1) ** at,
    "rollout/finished": lambda at: 0.95,
    "rewards/no_answer": lambda at: 0,
}
FAILING: Mapping[str, tuple[str, Callable[[int], float]]] = {
    "pass rate": ("rewards/accepted", lambda at: 0.3 - at / 120),
    "length": ("rollout/tokens", lambda at: 60 + 2 * at),
    "KL": ("objective/kl", lambda at: at / 2),
    "entropy": ("objective/entropy", lambda at: 0.1 / (1 + at)),
    "critic": ("critic/vf_explained_var", lambda at: -0.2),
    "clipped ratios": ("policy/clipfrac_avg", lambda at: 0.5),
    "policy loss": ("loss/policy_avg", lambda at: (0.01 if at < 15 else 1.0) * (-1) ** at),
    "endless programs": ("rollout/finished", lambda at: 0.3),
    "no rewards": ("rewards/no_answer", lambda at: 8),
}


def run(iterations: int = 30, **changed: Callable[[int], float]) -> list[dict[str, Any]]:
    """The metrics of a sound run, but for `changed`."""
    return [{name: curve(at) for name, curve in {**SOUND, **changed}.items()} for at in range(iterations)]


def verdicts(metrics: list[dict[str, Any]], **settings: Any) -> dict[str, Health]:
    return {sign.name: sign.health for sign in failure_signs(metrics, {**SETTINGS, **settings})}


def test_a_sound_run_has_no_sign() -> None:
    assert set(verdicts(run()).values()) == {Health.OK}


@pytest.mark.parametrize("name", FAILING)
def test_each_failure_has_its_sign_and_no_other(name: str) -> None:
    metric, curve = FAILING[name]
    found = verdicts(run(**{metric: curve}))
    failing = {sign for sign, health in found.items() if health is not Health.OK}
    assert found[name] is Health.FAILING
    assert failing == {name} | ({"reward without success"} if name == "pass rate" else set())


def test_a_reward_that_rises_alone_is_watched_and_one_that_costs_success_fails() -> None:
    name = "reward without success"
    assert verdicts(run(**{"rewards/accepted": lambda at: 0.1 + at % 2 / 50}))[name] is Health.WATCH
    assert verdicts(run(**{"rewards/accepted": lambda at: 0.3 - at / 200}))[name] is Health.FAILING
    assert verdicts(run(**{"objective/scores": lambda at: 0.2}))[name] is Health.OK


def test_a_pass_rate_that_falls_a_little_is_watched() -> None:
    assert verdicts(run(**{"rewards/accepted": lambda at: 0.3 - at / 200}))["pass rate"] is Health.WATCH


def test_a_change_within_the_noise_is_no_sign() -> None:
    noisy = run(**{"rewards/accepted": lambda at: 0.2 + (0.1 if at % 2 else -0.1) - at / 3000})
    assert verdicts(noisy)["pass rate"] is Health.OK


def test_without_a_target_much_kl_is_watched() -> None:
    wandering = run(**{"objective/kl": lambda at: 8.0})
    assert verdicts(wandering, kl_target=None)["KL"] is Health.WATCH
    assert verdicts(run(), kl_target=None)["KL"] is Health.OK


def test_a_few_iterations_say_nothing_of_changes() -> None:
    found = verdicts(run(3))
    assert found["length"] is found["pass rate"] is found["critic"] is Health.UNKNOWN
    assert found["no rewards"] is Health.OK
    assert set(verdicts([]).values()) == {Health.UNKNOWN}


def test_solving_fewer_tasks_fails_where_the_first_try_gains() -> None:
    gains, losses, none = [0.2, 0.1, 0.3, 0.2], [-0.5, -0.4, -0.6, -0.5], [0.1, -0.1, 0.1, -0.1]
    assert narrowing(gains, losses).health is Health.FAILING
    assert narrowing(none, losses).health is Health.WATCH
    assert narrowing(gains, none).health is Health.OK
    assert narrowing([], []).health is Health.UNKNOWN


def test_the_worst_verdict_counts() -> None:
    assert worst([Health.OK, Health.FAILING, Health.WATCH]) is Health.FAILING
    assert worst([Health.UNKNOWN, Health.OK]) is Health.OK
    assert worst([]) is Health.UNKNOWN


def test_where_no_critic_learns_none_is_blamed() -> None:
    metrics = [{"critic/vf_explained_var": 0.0}] * 20
    verdicts = {
        weight: next(
            sign.health for sign in failure_signs(metrics, {"value_coefficient": weight}) if sign.name == "critic"
        )
        for weight in (0.0, 0.1)
    }
    assert verdicts == {0.0: Health.UNKNOWN, 0.1: Health.WATCH}
